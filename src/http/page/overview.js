// Many migrations: the troubled first.

// More rows than anybody reads; the search finds the others.
const ROWS = 100;

function overview(objects, wanted) {
  const judged = objects.map((object) => ({ object, judged: verdict(object) }))
    .sort((one, other) => one.judged.rank - other.judged.rank || one.object.metadata.name.localeCompare(other.object.metadata.name));
  const found = judged.filter(({ object }) => object.metadata.name.includes(wanted.trim().toLowerCase()));
  const troubled = judged.filter(({ judged: { tone: its } }) => its === "bad" || its === "warn").length;
  const row = ({ object: { metadata, status }, judged: { text, tone: its } }) => [
    h("a", { href: `#/${encodeURIComponent(metadata.name)}` }, metadata.name), says(text, its), status.phase ?? "none yet", status.wishedPhase,
    [says(status.legacyWrites), " ", says(status.targetWrites)], says(status.rollback.ready ? "ready" : "not ready", status.rollback.ready ? "good" : "idle"),
    status.summary];
  return h("div", { id: "overview" }, h("div", { class: "headline" }, h("h1", {}, "Migrations"),
    h("p", { class: "summary", id: "summary" }, `${objects.length} in all, ${troubled} of them want to be looked at.`)),
  h("section", { class: "card", id: "all", "aria-labelledby": "all-title" }, h("h2", { id: "all-title" }, "The troubled first"),
    h("p", { class: "bar" }, h("label", { for: "search" }, "Name contains"), h("input", { id: "search", type: "search", autocomplete: "off", spellcheck: "false" })),
    table(["migration", "how it is", "reached", "asked for", "legacy, target", "rollback", "in a sentence"], found.slice(0, ROWS).map(row),
      found.length > ROWS ? `The first ${ROWS} of ${found.length}.` : `${found.length} of ${objects.length}.`)));
}
