// One replication: its task, how far it is behind, and how far it was.

const WIDE = 300, HIGH = 60;

// Stretches of time in which the lag was proven; between them nobody knows.
function lines(samples, key) {
  const runs = [[]];
  for (const sample of samples) {
    if (sample[key] === undefined) runs.push([]);
    else runs.at(-1).push(sample);
  }
  return runs.filter((run) => run.length > 0);
}

function chart(samples, key, limit, label) {
  const [from, to] = [Date.parse(samples[0].at), Date.parse(samples.at(-1).at)];
  const most = Math.max(limit * 1.3, ...samples.map((sample) => sample[key] ?? 0));
  const x = (sample) => (to > from ? ((Date.parse(sample.at) - from) / (to - from)) * WIDE : WIDE);
  // Logarithmic: the hours of a full load and the seconds after it are in one picture.
  const y = (value) => HIGH - 2 - (Math.log1p(value) / Math.log1p(most)) * (HIGH - 6);
  const drawn = (run) => run.length > 1 ? run : [{ ...run[0] }, { ...run[0] }];
  return svg("svg", { class: "chart", viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("line", { class: "limit", x1: 0, x2: WIDE, y1: y(limit), y2: y(limit) }),
    lines(samples, key).map((run) => svg("polyline", {
      class: "lag",
      points: drawn(run).map((sample, place) => `${Math.max(0, x(sample) - (run.length === 1 && place === 0 ? 2 : 0)).toFixed(1)},${y(sample[key]).toFixed(1)}`).join(" "),
    })));
}

function replication(direction, object, journey) {
  const { spec, status } = object;
  const [report, key] = [status[direction], `${direction}Seconds`];
  const declared = spec.replication[direction].maxLag;
  const limit = period(declared);
  const behind = direction === "forward" ? "target" : "legacy";
  const late = report.lagSeconds > limit;
  const known = (journey?.lag ?? []).filter((sample) => sample[key] !== undefined);
  const worst = Math.max(0, ...known.map((sample) => sample[key]));
  const label = known.length
    ? `Since ${moment(journey.lag[0].at)} the ${behind} was ${spoken(worst)} behind at worst; ${declared} are allowed.`
    : `No lag has been proven since this controller started.`;
  return h("section", { class: "card", id: direction, "aria-labelledby": `${direction}-title` },
    h("h2", { id: `${direction}-title` }, direction === "forward" ? "Forward replication, legacy to target" : "Reverse replication, target to legacy"),
    h("p", {}, says(report.task), " ", report.lagSeconds === null
      ? h("span", { class: "quiet" }, "lag not proven")
      : says(`${spoken(report.lagSeconds)} behind, ${declared} allowed`, late ? "bad" : "good")),
    known.length > 0 && chart(journey.lag, key, limit, label),
    h("p", { class: "quiet" }, label, known.length > 0 && " The dashed line is what is allowed; heights are logarithms."),
    report.erroredTables.length > 0 && h("p", {}, says(`in error: ${report.erroredTables.join(", ")}`, "bad")));
}
