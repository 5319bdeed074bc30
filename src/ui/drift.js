// SPDX-License-Identifier: MIT
// The drift panel: alerts that are open and that were, and for one model what its detectors promise and which of them
// have most evidence.

import { $, UNKNOWN, fill, n, number, stateMark } from "./app.js";
import { Refusal, ask, moment } from "./models.js";

const POLL_MS = 5000;
const LOOK_MS = 10000; // at how a model's detectors stand: the service has to read for that
const ALERTS = 15;
const STREAMS = 5;
const GRAVE = new Set(["high", "critical"]);

const sigma = (value) => (value === null ? UNKNOWN : `${value > 0 ? "+" : ""}${number(value, 3)}`);
const large = (value) => (value !== null && value >= 10000 ? value.toExponential(1) : number(value, 1));
const percent = (value) => (value === null ? UNKNOWN : `${number(value * 100, 2)} %`);

// ---------------------------------------------------------------- alerts

const within = (promise) => (promise.smallestShift5min === null ? "no shift seen in 5 min"
  : `sees ${number(promise.smallestShift5min, 2)} in 5 min`);
const promised = (alert) => (alert.promise.falseAlarmDays === null ? UNKNOWN
  : `false in ${number(alert.promise.falseAlarmDays, alert.promise.falseAlarmDays < 10 ? 1 : 0)} days, ${within(alert.promise)}`);

function alertCells(alert) {
  const mark = { open: GRAVE.has(alert.severity) ? "DOWN" : "WARN", stale: "WAIT", closed: "WAIT" }[alert.state];
  return [
    { node: stateMark(mark, alert.state) }, alert.model, n(number(alert.version)), alert.kind, alert.stream,
    alert.severity, n(sigma(alert.effectSigma)), moment(alert.since), moment(alert.at), promised(alert),
  ];
}

async function showAlerts() {
  const { body: { alerts, caughtUp } } = await ask(`drift?limit=${ALERTS}`);
  fill($("drift-alerts"), alerts.map(alertCells), 10, caughtUp ? "no drift was found" : "alerts are still being read");
  const open = alerts.filter((alert) => alert.state === "open").length;
  $("drift-note").textContent = open > 0 ? `${number(open)} open` : "";
}

// ---------------------------------------------------------------- one model

// The smallest and the largest of what streams promise; "" when nothing is seen in that time.
function range(streams, key) {
  const shifts = streams.map((stream) => stream.promise[key]).filter((shift) => shift !== null);
  if (shifts.length === 0) return "";
  const low = number(Math.min(...shifts), 2);
  const high = number(Math.max(...shifts), 2);
  return low === high ? low : `${low} to ${high}`;
}

function promiseLine(drift) {
  if (!drift.hasReference) return `version ${number(drift.version)} is not watched: ${drift.why}`;
  const watched = drift.streams.filter((stream) => stream.kind !== "concept");
  const [first] = watched;
  if (!first || !first.ratePerS || first.promise.falseAlarmDays === null) {
    return `version ${number(drift.version)}: no sample comes, so nothing is promised`;
  }
  const within5 = range(watched, "smallestShift5min");
  const within10 = range(watched, "smallestShift10s");
  const days = first.promise.falseAlarmDays;
  return `version ${number(drift.version)}: a false alarm in ${number(days, days < 10 ? 1 : 0)} days`
    + (within5 ? `; sees ${within5} sigma within 5 min` : "; sees no shift within 5 min")
    + (within10 ? `, ${within10} within 10 s` : "")
    + `, at ${number(first.ratePerS, first.ratePerS < 10 ? 1 : 0)} rows/s`;
}

function streamCells(stream) {
  const mark = { open: "WARN", cooling: "WAIT", quiet: "OK" }[stream.state];
  return [
    stream.name, stream.kind, { node: stateMark(mark, stream.state) }, n(large(stream.evidence)),
    n(large(stream.threshold)), n(sigma(stream.effectSigma)), n(number(stream.psi, 4)), n(percent(stream.missingShare)),
    n(number(stream.windowCount)),
  ];
}

function showModel(drift) {
  $("drift-promise").textContent = promiseLine(drift);
  const most = [...drift.streams].sort((a, b) => b.evidence - a.evidence).slice(0, STREAMS);
  fill($("drift-streams"), most.map(streamCells), 9, "nothing is watched");
}

// Keeps the choice; the model that serves is the first one.
async function showChoice() {
  const { body: { models } } = await ask("models");
  const names = models.map((model) => model.name);
  const select = $("drift-model");
  if (names.join("\n") === [...select.options].map((option) => option.value).join("\n")) return;
  const serving = await ask("models/production").then(({ body }) => body.name, () => names[0]);
  const chosen = names.includes(select.value) ? select.value : serving;
  select.replaceChildren(...names.map((name) => new Option(name, name, false, name === chosen)));
}

let looked = -LOOK_MS; // performance.now() of the last look

async function look() {
  looked = performance.now();
  try {
    await showChoice();
    const name = $("drift-model").value;
    $("drift-look").hidden = name === "";
    if (name === "") return;
    const { body } = await ask(`drift/${encodeURIComponent(name)}`);
    if ($("drift-model").value === name) showModel(body);
  } catch (error) {
    $("drift-promise").textContent = error instanceof Refusal ? error.message : "no answer";
    fill($("drift-streams"), [], 9, UNKNOWN);
  }
}

$("drift-model").addEventListener("change", look);

// ---------------------------------------------------------------- polling

async function poll() {
  try {
    await showAlerts();
  } catch (error) {
    fill($("drift-alerts"), [], 10, UNKNOWN);
    $("drift-note").textContent = error instanceof Refusal
      ? { 401: "a token is needed" }[error.status] || error.message : "no answer";
  }
  if (performance.now() - looked >= LOOK_MS) await look();
}

async function loop() {
  if (!document.hidden) await poll();
  setTimeout(loop, POLL_MS);
}
loop();
