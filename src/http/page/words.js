// What is said, and in which tone. Judgement over plain values, without a page.

const PHASES = ["Preflight", "Prepared", "Replicating", "Validated", "RollbackArmed", "CutOver", "Completed", "RolledBack"];

// A tone's sign repeats it for whoever does not see colours.
const SIGNS = { good: "✓", bad: "✕", warn: "!", there: "▸", idle: "–" };

const TONES = {
  open: "good", running: "good", closed: "bad", failed: "bad", foreign: "bad", legacy: "there", target: "there",
  validationOnly: "there", unknown: "warn", between: "warn", starting: "warn", stopping: "warn", creating: "warn",
  deleting: "warn", modifying: "warn", untilMarker: "warn",
};

const WORDS = {
  notYet: "as found", validationOnly: "validation only", untilMarker: "until the marker", between: "half closed",
  foreign: "somewhere else", observationWindow: "the observation window ends", binlogPurge: "the target's binary logs are purged",
};

const tone = (word) => TONES[word] ?? "idle";
const word = (value) => WORDS[value] ?? String(value).replace(/([a-z])([A-Z])/g, (_, before, after) => `${before} ${after.toLowerCase()}`);

const says = (text, its = tone(text), more = "") =>
  h("span", { class: `says ${its} ${more}`.trim() }, h("span", { "aria-hidden": "true" }, SIGNS[its]), word(text));

const seconds = (from, to) => Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000);

// A length of time as people say it: two units at most.
function spoken(length) {
  if (length < 10) return `${Math.round(length * 10) / 10} s`;
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = units.findIndex(([, size]) => length >= size);
  const [name, size] = units[first];
  const [next, small] = units[first + 1] ?? [null, 1];
  const rest = next ? Math.floor((length % size) / small) : 0;
  return `${Math.floor(length / size)} ${name}${rest ? ` ${rest} ${next}` : ""}`;
}

// A period of the spec, `1h30m`, in seconds.
function period(text) {
  const sizes = { d: 86400, h: 3600, m: 60, s: 1, ms: 0.001 };
  return [...String(text).matchAll(/(\d+)(ms|d|h|m|s)/g)].reduce((sum, [, many, unit]) => sum + Number(many) * sizes[unit], 0);
}

const moment = (at) => new Date(at).toISOString().slice(0, 19).replace("T", " ");
const time = (at) => h("time", { datetime: at }, moment(at));

const condition = (status, type) => status.conditions.find((found) => found.type === type);
const holds = (status, type) => condition(status, type)?.status === "True";
const standing = (gate) => Object.entries(gate.standing)[0];
const missing = (status) => Math.max(0, status.approvals.required - status.approvals.counted.length);

// How a migration is, for whoever has time for one word. The first that applies is the most troubling one.
function verdict({ spec, status }) {
  const told = [
    [holds(status, "Stalled") && status.writePauseBegan, "held while writes are paused", "bad"],
    [holds(status, "Stalled"), "held", "bad"],
    [status.writePauseBegan, "writes are paused", "warn"],
    [status.specError, "new spec refused", "bad"],
    [condition(status, "JournalWritable")?.status !== "True", "journal not writable", "bad"],
    [["Open", "Flip", "Observing"].includes(status.rung) && !status.rollback.ready, "no way back now", "bad"],
    [condition(status, "Ready")?.status === "Unknown", "unknown", "warn"],
    [status.rung === "Aborted", "aborted", "warn"],
    [spec.paused, "paused", "warn"],
    [missing(status) > 0 && status.rung === "RollbackArmed" && status.wishedPhase === "CutOver", "awaits approvals", "warn"],
    [[status.legacyWrites, status.targetWrites, status.publicDns].includes("unknown"), "cannot be seen", "warn"],
    [holds(status, "Reconciling") || !holds(status, "Ready"), "on its way", "there"],
    [holds(status, "AwaitingPromotion"), "awaits its promotion", "good"],
    [true, "finished", "good"],
  ];
  const rank = told.findIndex(([applies]) => applies);
  return { rank, text: told[rank][1], tone: told[rank][2] };
}

// What an operator would write into the file now, and what that means; nothing where only waiting helps.
function orders({ metadata, spec, status }) {
  const file = `${metadata.name}.yaml`;
  const phase = (wish, meaning) => ({ meaning, lines: ["spec:", `  phase: ${wish}`], command: `bascule promote ${file} --to ${wish}` });
  if (spec.paused) return [{ meaning: "to go on", lines: ["spec:", "  paused: false"] }];
  if (status.rung === "RollbackArmed" && status.wishedPhase === "CutOver" && missing(status) > 0) {
    const { planDigest } = status.approvals;
    const line = `    - { by: NAME, at: ${status.observedAt}, attempt: ${status.attempt}, planDigest: ${planDigest} }`;
    return [{ meaning: `to approve, ${missing(status)} more`, lines: ["spec:", "  approvals:", line], command: `bascule approve ${file} --as NAME` }];
  }
  if (status.rung === "Aborted") {
    return [{ meaning: "to try again, once the reason is understood", lines: ["spec:", `  attempt: ${status.attempt + 1}`] }];
  }
  if (["Fence", "Drain"].includes(status.rung)) return [phase("RollbackArmed", "to abort: legacy takes writes again")];
  if (status.rung === "Observing") {
    return [phase("Completed", "to give up the way back and finish"), phase("RolledBack", "to go back")]
      .filter((order) => !order.lines[1].endsWith(`: ${status.wishedPhase}`));
  }
  const next = PHASES[PHASES.indexOf(status.wishedPhase) + 1];
  return holds(status, "AwaitingPromotion") && next && next !== "RolledBack" ? [phase(next, "to go on")] : [];
}
