// The migration in one picture: what was is solid, what is asked for is dashed, what may come later is dotted.

// DMS calls a task `ready` that has been created and not started yet.
const task = (report) => (report.task === "ready" ? "created" : report.task);

const LANES = [
  ["legacy writes", (posture) => posture.legacyWrites, (status) => status.legacyWrites],
  ["target writes", (posture) => posture.targetWrites, (status) => status.targetWrites],
  ["public name", (posture) => posture.publicDns, (status) => status.publicDns],
  ["forward", (posture) => posture.forward, (status) => task(status.forward)],
  ["reverse", (posture) => posture.reverse, (status) => task(status.reverse)],
];

const LEFT = 106, TOP = 132, LANE = 30, BAR = 22;

// Columns with their places. A stretch of the past is as wide as the logarithm of its length, because a migration is weeks of
// waiting and seconds of switching.
function columns(journey, status) {
  const past = journey.past.map((step, place) => {
    const next = journey.past[place + 1];
    const until = next ? next.enteredAt : status.observedAt;
    const length = step.enteredAt ? seconds(step.enteredAt, until) : 0;
    return { ...step, kind: next ? "was" : "here", length, width: 50 + 9 * Math.log1p(length) };
  });
  const future = journey.future.map((step) => ({ ...step, kind: step.expectation, width: 62 }));
  let x = LEFT;
  return [...past, ...future].map((column) => {
    const placed = { ...column, x };
    x += column.width;
    return placed;
  });
}

// Neighbours that say the same in the same manner are one bar.
function stretches(all, [, asked, seen], status) {
  const bars = [];
  for (const column of all) {
    const says = column.kind === "here" ? seen(status) : asked(column.posture);
    const manner = column.kind === "here" ? "was" : column.kind;
    const last = bars.at(-1);
    if (last && last.says === says && last.manner === manner) last.width += column.width;
    else bars.push({ says, manner, x: column.x, width: column.width });
  }
  return bars;
}

function bar({ says, manner, x, width }, y) {
  const letters = Math.floor((width - 9) / 6.5);
  const text = word(says);
  const shown = text.length > letters ? `${text.slice(0, Math.max(1, letters - 1))}…` : text;
  const look = manner === "was" ? tone(says) : manner;
  return svg("g", {}, svg("title", {}, text), svg("rect", { class: look, x, y, width: width - 2, height: BAR, rx: 3 }),
    svg("text", { x: x + 5, y: y + 15 }, shown));
}

function headings(all) {
  return all.map((column) => {
    const x = column.x + Math.min(12, column.width / 2);
    const length = column.kind === "here" ? `for ${spoken(column.length)}` : column.kind === "was" ? spoken(column.length) : "";
    return svg("text", { class: `rung ${column.kind}`, x, y: TOP - 8, transform: `rotate(-38 ${x} ${TOP - 8})` },
      column.rung, length && svg("tspan", { class: "ago" }, `, ${length}`));
  });
}

function noReturn(all, journey, bottom) {
  const column = journey.pointOfNoReturn && all.find(({ rung, kind }) => rung === "Open" && (kind === "was" || kind === "here"));
  return column && [
    svg("line", { class: "no-return", x1: column.x - 1, y1: TOP - 4, x2: column.x - 1, y2: bottom }),
    svg("text", { class: "no-return-word", x: column.x - 1, y: bottom + 13, "text-anchor": "middle" }, "point of no return"),
  ];
}

function picture(journey, status) {
  const all = columns(journey, status);
  const here = all.find(({ kind }) => kind === "here");
  const end = all.at(-1).x + all.at(-1).width;
  const [width, bottom] = [end + 70, TOP + LANES.length * LANE];
  const now = here.x + here.width - 1;
  const ahead = journey.future.filter(({ expectation }) => expectation === "asked").map(({ rung }) => rung);
  const label = `It stands at ${here.rung}, after ${all.filter(({ kind }) => kind === "was").map(({ rung }) => rung).join(", ") || "nothing"}. `
    + (ahead.length ? `Asked for: ${ahead.join(", ")}.` : "Nothing further is asked for.");
  return svg("svg", { class: "picture", viewBox: `0 0 ${width} ${bottom + 20}`, width, role: "img", "aria-label": label },
    headings(all),
    LANES.map((lane, number) => [
      svg("text", { class: "lane", x: 0, y: TOP + number * LANE + 15 }, lane[0]),
      stretches(all, lane, status).map((stretch) => bar(stretch, TOP + number * LANE)),
    ]),
    noReturn(all, journey, bottom),
    svg("line", { class: "now", x1: now, y1: TOP - 4, x2: now, y2: bottom }),
    svg("text", { class: "rung here", x: now, y: bottom + 13, "text-anchor": "middle" }, journey.pointOfNoReturn && here.rung === "Open" ? "" : "now"));
}

// The same without a picture.
function ladderTable(journey, status) {
  const cells = (column) => LANES.map(([, asked, seen]) => h("td", {}, word(column.kind === "here" ? seen(status) : asked(column.posture))));
  const kinds = { was: "done", here: "here now", asked: "asked for", possible: "possible later" };
  return h("table", {},
    h("caption", {}, "Each rung and what it asks of every resource; where it stands now, what is seen."),
    h("thead", {}, h("tr", {}, ["rung", "", "since", ...LANES.map(([name]) => name)].map((name) => h("th", { scope: "col" }, name || "state")))),
    h("tbody", {}, columns(journey, status).map((column) => h("tr", {}, h("th", { scope: "row" }, column.rung),
      h("td", {}, kinds[column.kind]), h("td", {}, column.enteredAt ? time(column.enteredAt) : ""), cells(column)))));
}
