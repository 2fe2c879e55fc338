// One migration: what a reader wants to know first comes first.

const card = (id, title, ...children) =>
  h("section", { class: "card", id, "aria-labelledby": `${id}-title` }, h("h2", { id: `${id}-title` }, title), children);
const row = (...cards) => h("div", { class: "row" }, cards);
const roomy = (...cards) => h("div", { class: "row roomy" }, cards);
const facts = (rows) => h("dl", { class: "facts" }, rows.filter(Boolean).map(([name, ...value]) => [h("dt", {}, name), h("dd", {}, value)]));
const list = (items) => items.length > 0 && h("ul", {}, items.map((item) => h("li", {}, item)));

function headline(object) {
  const { metadata, status } = object;
  const judged = verdict(object);
  return h("div", { class: "headline" },
    h("div", { class: "titles" }, h("h1", {}, metadata.name), says(judged.text, judged.tone, "large")),
    h("p", { class: "summary", id: "summary" }, status.summary),
    status.specError && h("p", {}, says("new spec refused", "bad"), " ", status.specError),
    h("p", { class: "quiet" }, "Looked at ", time(status.observedAt),
      `; rung ${status.rung}, attempt ${status.attempt}, generation ${status.observedGeneration} of the spec`));
}

function writers({ spec, status }) {
  const pause = status.writePauseBegan && seconds(status.writePauseBegan, status.observedAt);
  const budget = spec.cutover.writePauseBudget;
  return card("writers", "Who may write, where the public goes", facts([
    ["legacy", says(status.legacyWrites, tone(status.legacyWrites), "large")],
    ["target", says(status.targetWrites, tone(status.targetWrites), "large")],
    ["public name", says(status.publicDns, tone(status.publicDns), "large"), " ", h("span", { class: "quiet" }, spec.dns.public.name)],
    status.writePauseBegan && ["write pause", says(`${spoken(pause)} of ${budget}`, pause > period(budget) ? "bad" : "warn")],
  ]));
}

function next(object) {
  const { status } = object;
  const typed = orders(object);
  return card("next", "What happens next",
    status.blocked.length === 0 ? h("p", {}, status.nextStep) : [h("h3", {}, "A person has to look"), list(status.blocked.map((block) => [says(block.reason, "bad"), " ", block.message]))],
    status.waiting.length > 0 && [h("h3", {}, "Awaited"),
      list(status.waiting.map((wait) => [wait.message, wait.until && [", until ", time(wait.until)]]))],
    typed.map((order) => [h("h3", {}, `In the file, ${order.meaning}`), h("pre", {}, h("code", {}, order.lines.join("\n"))),
      order.command && h("p", { class: "quiet" }, "or ", h("code", {}, order.command))]),
    typed.length === 0 && h("p", { class: "quiet" }, "There is nothing to type now."));
}

function ladder(journey) {
  const rung = (name, kind, state) => h("li", { class: kind, "aria-current": kind === "here" ? "step" : null }, name, h("small", {}, state));
  const past = journey.past.slice(0, -1).map((step) => rung(step.rung, "was", "✓ done"));
  const here = rung(journey.past.at(-1).rung, "here", "▸ here now");
  const future = journey.future.map((step) => rung(step.rung, step.expectation, step.expectation === "asked" ? "asked for" : "later"));
  return card("ladder", "The ladder", h("ol", { class: "ladder" }, past, here, future));
}

function story(journey, status) {
  return card("picture", "The migration in one picture",
    h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "The picture; it can be scrolled sideways" }, picture(journey, status)),
    h("p", { class: "quiet" }, "Solid is what was, dashed what the spec asks for, dotted what may come later. A stretch is as wide as the logarithm of its length."),
    h("details", { id: "picture-table" }, h("summary", {}, "The picture as a table"),
      h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "The table; it can be scrolled sideways" }, ladderTable(journey, status))));
}

function table(heads, rows, caption) {
  return h("table", { class: "stacked" }, h("caption", {}, caption),
    h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", {}, rows.map(([first, ...rest]) => h("tr", {}, h("th", { scope: "row" }, first), rest.map((cell, place) => h("td", { "data-head": heads[place + 1] }, cell))))));
}

const inTheWayFirst = (gates) => [...gates].sort((one, other) => (standing(one)[0] === "open") - (standing(other)[0] === "open"));

function gates({ status }) {
  const tones = { open: "good", closed: "bad", unknown: "warn" };
  const open = status.gates.filter((gate) => standing(gate)[0] === "open").length;
  return card("gates", "Gates", status.gates.length === 0 ? h("p", {}, "No gate is in the way.")
    : table(["gate", "stands", "evidence"], inTheWayFirst(status.gates).map((gate) => {
      const [how, text] = standing(gate);
      return [gate.name, says(how, tones[how]), text];
    }), `${open} of ${status.gates.length} are open. Nothing moves on one that is closed or unknown.`));
}

const left = (now, until) => (Date.parse(until) > Date.parse(now) ? `, for ${spoken(seconds(now, until))} more` : ", which has passed");

function rollback({ status }) {
  const back = status.rollback;
  return card("rollback", "Rollback",
    h("p", {}, says(back.ready ? "ready" : "not ready", back.ready ? "good" : "idle", "large")),
    list(back.reasons),
    facts([["at risk", back.dataAtRisk],
      back.possibleUntil && ["possible until", time(back.possibleUntil), left(status.observedAt, back.possibleUntil)],
      back.limitedBy && ["then", word(back.limitedBy)]]));
}

function approvals({ status }) {
  const given = status.approvals;
  const lacking = missing(status);
  return card("approvals", "Approvals of the cutover",
    h("p", {}, given.required === 0 ? says("none needed", "idle") : lacking === 0
      ? says(`all ${given.required} given`, "good") : says(`${lacking} of ${given.required} missing`, "warn")),
    given.counted.length > 0 && h("p", {}, "Given by ", given.counted.join(", "), "."),
    given.refused.length > 0 && [h("h3", {}, "Do not count"), list(given.refused)],
    h("p", { class: "quiet" }, "An approval names attempt ", status.attempt, " and plan ", h("code", {}, given.planDigest), "."));
}

function checks({ status }) {
  const tones = { pass: "good", passed: "good", fail: "bad", failed: "bad", unknown: "warn" };
  return status.checks.length > 0 && card("checks", "Checks", table(["check", "verdict", "what was seen"],
    status.checks.map((check) => [check.name, says(check.verdict, tones[check.verdict] ?? "idle"),
      [check.message, check.waiver && ["; waived by ", check.waiver.by ?? "somebody"]]]), "What the spec declares to be looked at."));
}

function hooks({ status }) {
  return (status.hooks ?? []).length > 0 && card("hooks", "Hooks", table(["hook", "point", "newest answer"],
    status.hooks.map((hook) => [hook.name, word(hook.at), hook.newest ?? "none yet"]), "Calls to the operator's own systems in this attempt."));
}

function conditions({ status }) {
  const tones = { True: "idle", False: "idle", Unknown: "warn" };
  return card("conditions", "Conditions", h("details", { id: "conditions-all" }, h("summary", {}, `All ${status.conditions.length}, as programs read them`),
    table(["condition", "status", "message"], status.conditions.map((one) => [one.type, says(one.status, tones[one.status]), `${one.reason}: ${one.message}`]),
      "After the conventions of Kubernetes.")));
}

const KINDS = {
  Started: "started", SpecAccepted: "spec accepted", SpecRefused: "spec refused", Fact: "fact", Intent: "about to act",
  Outcome: "outcome", StatusChanged: "status",
};

function told({ items, metadata, trouble, depth }) {
  const failed = (entry) => entry.kind === "SpecRefused" || entry.body?.outcome?.failed !== undefined;
  const button = (action, text, enabled) => h("button", { type: "button", "data-action": action, disabled: !enabled }, text);
  return card("history", "History", h("div", { class: "bar" },
    button("newest", "Newest", depth > 0), button("newer", "Newer", depth > 0), button("older", "Older", metadata?.previousBefore !== undefined),
    h("span", { class: "quiet" }, trouble ?? (depth > 0 ? "an earlier page" : "the newest first, as they come"))),
  h("ol", { class: "events" }, [...items].reverse().map((entry) => h("li", {}, h("span", { class: "quiet" }, `#${entry.seq}`), time(entry.at),
    h("span", { class: failed(entry) ? "failed" : "quiet" }, `${failed(entry) ? "✕ " : ""}${KINDS[entry.kind] ?? entry.kind}`),
    h("span", { class: "sentence" }, entry.sentence)))));
}

function migration(object, journey, events) {
  return h("div", { id: "migration" }, headline(object),
    h("div", { class: "rows" }, row(writers(object), next(object), rollback(object), approvals(object)),
      journey && [ladder(journey), story(journey, object.status)],
      roomy(replication("forward", object, journey), replication("reverse", object, journey)),
      roomy(gates(object), checks(object), hooks(object)), conditions(object), told(events)));
}
