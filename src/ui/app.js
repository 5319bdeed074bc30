// SPDX-License-Identifier: MIT
// The page: asks api/overview once a second and writes what it says. Text goes in as text only, never as markup.
// Models are models.js's.

const POLL_MS = 1000;
const STALE_MS = 5000;
const MARKS = { OK: "●", WARN: "▲", DOWN: "✕", WAIT: "○" };

export const $ = (id) => document.getElementById(id);

// ---------------------------------------------------------------- token and theme

const fragment = new URLSearchParams(location.hash.slice(1));
if (fragment.has("token")) {
  sessionStorage.setItem("token", fragment.get("token"));
  history.replaceState(null, "", location.pathname); // out of the address bar, and out of what gets copied from it
}

export function headers(more = {}) {
  const token = sessionStorage.getItem("token");
  return token ? { ...more, Authorization: `Bearer ${token}` } : more;
}

const theme = localStorage.getItem("theme");
if (theme) document.documentElement.dataset.theme = theme;
$("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
});

// ---------------------------------------------------------------- writing

export const UNKNOWN = "–";

export function number(value, digits = 0) {
  if (value === null || value === undefined) return UNKNOWN;
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
const rate = (value) => number(value, value !== null && value < 10 ? 1 : 0);

// Replaces a table body. Each row is a list of cells: text, {text, kind: "n" | "code", state, title}, or {node}.
export function fill(body, rows, width, empty) {
  const lines = rows.map((cells) => {
    const line = document.createElement("tr");
    for (const cell of cells) {
      const item = document.createElement("td");
      if (typeof cell === "string") {
        item.textContent = cell;
      } else if (cell.node) {
        item.append(cell.node);
      } else if (cell.state) {
        item.append(stateMark(cell.state, cell.state));
      } else {
        item.textContent = cell.text;
        item.className = cell.kind;
        if (cell.title) item.title = cell.title;
      }
      line.append(item);
    }
    return line;
  });
  if (lines.length === 0) {
    const line = document.createElement("tr");
    const item = document.createElement("td");
    item.colSpan = width;
    item.className = "quiet";
    item.textContent = empty;
    line.append(item);
    lines.push(line);
  }
  body.replaceChildren(...lines);
}
export const n = (text) => ({ text, kind: "n" });

// Shape, word and colour together: the state is readable without any one of them.
export function stateMark(state, text) {
  const item = document.createElement("span");
  item.className = "state";
  item.dataset.state = state;
  const mark = document.createElement("span");
  mark.className = "mark";
  mark.textContent = MARKS[state] || MARKS.WAIT;
  mark.setAttribute("aria-hidden", "true");
  item.append(mark, ` ${text}`);
  return item;
}

let announced = "";
function connection(state, word) {
  if (announced === state + word) return; // a live region speaks on changes only
  announced = state + word;
  const item = $("connection");
  item.dataset.state = state;
  item.querySelector(".mark").textContent = MARKS[state];
  item.querySelector(".word").textContent = word;
}

function showHealth(dependencies) {
  $("health").replaceChildren(...dependencies.map((dependency) => {
    const item = document.createElement("li");
    const latency = dependency.latencyMs === null ? "" : ` ${number(dependency.latencyMs, 1)} ms`;
    item.append(stateMark(dependency.state, `${dependency.name} ${dependency.state}${latency}`));
    if (dependency.detail) item.append(` ${dependency.detail}`);
    return item;
  }));
}

function secondsBehind(group) {
  if (group.lagRecords === null) return UNKNOWN;
  if (group.lagRecords === 0) return "0";
  if (!group.recordsPerSecond) return "does not move";
  return number(group.lagRecords / group.recordsPerSecond, 1);
}

function show(data) {
  $("version").textContent = data.version;
  showHealth(data.dependencies);
  const flow = data.lanes.map((lane) => [
    `predictions/s, ${lane.name}`, n(rate(lane.predictionsPerSecond)), n(rate(lane.requestsPerSecond)),
    n(number(lane.p50Ms, 2)), n(number(lane.p95Ms, 2)), n(number(lane.p99Ms, 2)),
  ]);
  const hits = data.featureHitRatio === null ? UNKNOWN : `${number(data.featureHitRatio * 100, 1)} %`;
  flow.push(["events/s in", n(rate(data.eventsPerSecond)), n(""), n(""), n(""), n("")]);
  flow.push(["feature rows found", n(hits), n(""), n(""), n(""), n("")]);
  flow.push(["dead letters, all in all", n(number(data.deadLetters)), n(""), n(""), n(""), n("")]);
  fill($("flow"), flow, 6, "");
  fill($("groups"), data.groups.map((group) => [
    group.name, n(rate(group.recordsPerSecond)), n(number(group.lagRecords)), n(secondsBehind(group)),
  ]), 4, "no consumer group is known yet");
  fill($("workers"), data.workers.map((worker) => [worker.name, { state: worker.state }, worker.detail]), 3,
    "no worker has reported yet");
}

// ---------------------------------------------------------------- polling

let measured = null; // performance.now() at which the shown figures were taken
let failed = false;

async function poll() {
  try {
    const response = await fetch("api/overview", { headers: headers(), signal: AbortSignal.timeout(4 * POLL_MS) });
    if (response.status === 401) {
      $("token-section").hidden = false;
      connection("WARN", "a token is needed");
      return;
    }
    if (!response.ok) throw new Error(`status ${response.status}`);
    const data = await response.json();
    $("token-section").hidden = true;
    measured = performance.now() - data.ageMs;
    failed = false;
    show(data);
    const stale = data.ageMs > STALE_MS;
    connection(stale ? "WARN" : data.status, stale ? "stale" : { OK: "live", WARN: "live, degraded", DOWN: "live, not serving" }[data.status]);
  } catch {
    failed = true;
    connection("DOWN", "disconnected");
  }
}

function tick() {
  const age = measured === null ? null : performance.now() - measured;
  $("age").textContent = age === null ? UNKNOWN : `${number(age / 1000, 1)} s`;
  $("data").classList.toggle("stale", age !== null && age > STALE_MS);
  $("data").classList.toggle("gone", failed && age !== null);
}

async function loop() {
  if (!document.hidden) await poll();
  tick();
  setTimeout(loop, POLL_MS);
}
setInterval(tick, 250);
loop();

$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", $("token").value);
  poll();
});

// ---------------------------------------------------------------- predict

$("predict").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = JSON.stringify({
    userId: $("user").value.trim(),
    candidateTweets: $("tweets").value.split(/[\s,]+/).filter((id) => id !== ""),
  });
  $("curl").textContent = `curl -s ${location.origin}/predict -H 'Content-Type: application/json' -d '${body}'`;
  $("curl").hidden = false;
  $("ranking").hidden = true;
  try {
    const response = await fetch("predict", {
      method: "POST", headers: headers({ "Content-Type": "application/json" }), body,
    });
    const answer = await response.json();
    if (!response.ok) {
      $("outcome").textContent = `${answer.title}: ${answer.detail || ""}`;
      return;
    }
    $("outcome").textContent = `${answer.status}, ${answer.model} version ${answer.modelVersion} (${answer.variant}), `
      + `${number(answer.latency, 2)} ms, cache ${answer.cache}, request ${answer.requestId}`;
    fill($("ranked"), answer.rankings.map((item, index) => [
      n(String(index + 1)), n(item.tweetId), n(number(item.score, 5)), n(number(item.confidence, 5)),
    ]), 4, "nothing was ranked");
    $("ranking").hidden = false;
  } catch {
    $("outcome").textContent = "no answer";
  }
});
