// What is shown, and how it stays true: one event stream, and two small readings after each change.

const PAGE = 100; // entries of history on the page, however long it is
const QUIET_MS = 40_000; // two bookmarks and some patience: a stream without a word for so long is dead
const RETRY_MS = [1000, 2000, 4000, 8000, 15_000];
const READ_EVERY_MS = 1000; // journey and history are read again this often at most
const NEWEST = Number.MAX_SAFE_INTEGER; // before this number comes every entry

// Behind a prefix the page may have been asked for without its last slash.
const BASE = new URL(location.pathname.replace(/\/?$/, "/"), location.origin);
const api = (path) => new URL(`api/v1/${path}`, BASE);

const shown = { objects: new Map(), journey: null, events: emptyHistory(), wanted: "" };
const stream = { source: null, heard: 0, staleSince: null, tries: 0, timer: null };

function emptyHistory() {
  return { items: [], metadata: null, trouble: null, depth: 0, befores: [] };
}

// The migration that the address names; the only one there is, if it names none.
function chosen() {
  const named = /^#\/(.+)$/.exec(location.hash);
  if (named) return decodeURIComponent(named[1]);
  return shown.objects.size === 1 ? [...shown.objects.keys()][0] : null;
}

let drawing = false;
function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    const name = chosen();
    const object = shown.objects.get(name);
    const view = object ? migration(object, shown.journey, shown.events)
      : name ? h("p", { class: "hint" }, `There is no migration ${name} here, or not yet. `, h("a", { href: "#/" }, "All migrations"))
        : shown.objects.size > 0 ? overview([...shown.objects.values()], shown.wanted)
          : h("p", { class: "hint" }, stream.source && !stream.staleSince ? "No migration has been read yet." : "Waiting for the first answer.");
    document.title = object ? `${name}: ${verdict(object).text} – bascule` : "bascule";
    morph(document.getElementById("main"), h("main", { id: "main", tabindex: -1 }, view));
  });
}

// The line at the top. It changes its words only when something changed, so that a screen reader is not talked to every second.
function tell() {
  const stale = stream.staleSince !== null;
  document.body.classList.toggle("stale", stale);
  const looks = [...shown.objects.values()].map(({ status }) => status.observedAt).sort();
  const clock = (at) => new Date(at).toTimeString().slice(0, 8);
  const said = stale
    ? [`Stale since ${clock(stream.staleSince)} on this machine's clock: ${stream.why} Trying again.`, ` ${spoken((Date.now() - stream.staleSince) / 1000)} ago`]
    : [stream.source ? "Live" : "Connecting …", looks.length ? `, newest look ${moment(looks.at(-1))}` : ""];
  morph(document.getElementById("live"), h("p", { id: "live", class: "live", role: "status" }, said[0], h("span", { "aria-hidden": "true" }, said[1])));
}

async function read(path) {
  const answer = await fetch(api(path), { headers: { accept: "application/json" } });
  if (answer.ok) return answer.json();
  if (answer.status === 401) throw new Error("the server asks for its token; load this page again");
  throw new Error(`the server answered ${answer.status}`);
}

async function readJourney(name) {
  const journey = await read(`migrations/${encodeURIComponent(name)}/journey`);
  if (name === chosen()) shown.journey = journey;
}

async function readHistory(name) {
  const { events } = shown;
  const before = events.befores.at(-1) ?? NEWEST;
  try {
    const { items, metadata } = await read(`migrations/${encodeURIComponent(name)}/events?before=${before}&limit=${PAGE}`);
    Object.assign(events, { items, metadata, trouble: null });
  } catch (error) {
    events.trouble = `cannot be read: ${error.message}`;
  }
  events.depth = events.befores.length;
}

const reading = { timer: null, last: 0 };
function readSoon() {
  if (reading.timer !== null) return;
  const wait = Math.max(0, reading.last + READ_EVERY_MS - Date.now());
  reading.timer = setTimeout(async () => {
    reading.last = Date.now();
    const name = chosen();
    if (name && shown.objects.has(name)) {
      await Promise.allSettled([readJourney(name), readHistory(name)]);
      draw();
    }
    reading.timer = null;
  }, wait);
}

function heard() {
  Object.assign(stream, { heard: Date.now(), staleSince: null, tries: 0 });
  tell();
}

function take({ object }) {
  shown.objects.set(object.metadata.name, object);
  heard();
  draw();
  readSoon();
}

function mark({ looks }) {
  for (const { name, observedAt } of looks) {
    const object = shown.objects.get(name);
    if (object) object.status.observedAt = observedAt;
  }
  heard();
  draw();
  readSoon();
}

function connect() {
  hangUp();
  const named = /^#\/(.+)$/.exec(location.hash);
  stream.source = new EventSource(api(named ? `migrations/${named[1]}/watch` : "watch/migrations"));
  stream.heard = Date.now();
  stream.source.onopen = () => { heard(); draw(); };
  stream.source.onerror = () => lost("the connection broke.");
  for (const kind of ["ADDED", "MODIFIED"]) stream.source.addEventListener(kind, (event) => take(JSON.parse(event.data)));
  stream.source.addEventListener("BOOKMARK", (event) => mark(JSON.parse(event.data)));
}

function hangUp() {
  clearTimeout(stream.timer);
  stream.source?.close();
  stream.source = null;
}

function lost(why) {
  hangUp();
  Object.assign(stream, { staleSince: stream.staleSince ?? stream.heard, why });
  stream.timer = setTimeout(connect, RETRY_MS[Math.min(stream.tries, RETRY_MS.length - 1)]);
  stream.tries += 1;
  tell();
  draw();
}

function turn(action) {
  const { befores, metadata } = shown.events;
  if (action === "older" && metadata?.previousBefore !== undefined) befores.push(metadata.previousBefore);
  if (action === "newer") befores.pop();
  if (action === "newest") befores.length = 0;
  reading.last = 0;
  readSoon();
}

document.addEventListener("click", (event) => {
  const action = event.target.closest?.("[data-action]")?.dataset.action;
  if (action) turn(action);
});
document.addEventListener("input", (event) => {
  if (event.target.id !== "search") return;
  shown.wanted = event.target.value;
  draw();
});
addEventListener("hashchange", () => {
  // The link that skips to the content is no choice of a migration.
  if (location.hash && !location.hash.startsWith("#/")) return;
  Object.assign(shown, { journey: null, events: emptyHistory() });
  connect();
  draw();
});
addEventListener("online", connect);
// A page that nobody sees holds no stream: a browser opens only six to one server.
document.addEventListener("visibilitychange", () => (document.hidden ? hangUp() : connect()));
setInterval(() => {
  if (stream.source && Date.now() - stream.heard > QUIET_MS) lost("nothing was heard any more.");
  tell();
}, 1000);
connect();
