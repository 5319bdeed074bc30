// SPDX-License-Identifier: MIT
// The models panel: who serves whom, since when and by whose decision; promote and roll back. Everything comes from and
// goes to the REST interface that everybody has. A change carries the ETag of what the page shows, so that a decision on
// an old view is refused.

import { $, UNKNOWN, fill, headers, n, number, stateMark } from "./app.js";

const POLL_MS = 5000;
const EVENTS = 5;
const VERSIONS = 10;
const WINDOWS = 24; // rows of live quality: what serves comes first, what served long ago falls out
// What may be promoted from here; all other moves are the command line's.
const PROMOTABLE = new Set(["VERIFIED", "SHADOW", "CANARY", "RETIRED"]);
const MARKS = { CHAMPION: "OK", REJECTED: "DOWN" };

export const moment = (text) => (text ? text.replace("T", " ").replace(/\.\d+Z$/, " UTC") : UNKNOWN);
const share = (weight) => `${number(weight * 100, weight * 100 % 1 === 0 ? 0 : 2)} %`;
const code = (digest) => ({ text: digest ? digest.slice(0, 12) : UNKNOWN, kind: "code", title: digest || "" });

// ---------------------------------------------------------------- asking

export class Refusal extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

export async function ask(path, options = {}) {
  const response = await fetch(path, {
    ...options, headers: headers(options.headers), signal: AbortSignal.timeout(15000),
  });
  const body = await response.json().catch(() => ({}));
  if (!response.ok) {
    throw new Refusal(response.status, `${body.title || `status ${response.status}`}: ${body.detail || ""}`);
  }
  return { body, etag: response.headers.get("ETag") };
}

const at = (model) => `models/${encodeURIComponent(model)}`;

// ---------------------------------------------------------------- changing

function fail(text) {
  $("models-error").textContent = text;
  $("models-error").hidden = text === "";
}

// Asks for a reason; null when the answer is no.
function confirmChange(question) {
  const dialog = $("change");
  $("change-title").textContent = question;
  $("change-reason").value = "";
  dialog.returnValue = "no";
  dialog.showModal();
  $("change-reason").focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes" ? $("change-reason").value.trim() : null);
    }, { once: true });
  });
}

async function change(question, path, etag, button) {
  const reason = await confirmChange(question);
  if (reason === null) return;
  fail("");
  button.disabled = true;
  try {
    await ask(path, {
      method: "POST",
      headers: {
        "Content-Type": "application/json", "If-Match": etag, "Idempotency-Key": crypto.randomUUID?.() || `${Math.random()}`,
      },
      body: JSON.stringify({ actor: "dashboard", reason }),
    });
  } catch (error) {
    fail(error instanceof Refusal ? error.message : "no answer: whether the change was made is open, the history tells");
  }
  button.disabled = false;
  await poll();
}

function button(word, label, act) {
  const item = document.createElement("button");
  item.type = "button";
  item.textContent = word;
  item.setAttribute("aria-label", label);
  item.addEventListener("click", () => act(item));
  return item;
}

// ---------------------------------------------------------------- writing

function table(caption, heads) {
  const item = document.createElement("table");
  item.createCaption().textContent = caption;
  const row = item.createTHead().insertRow();
  for (const [text, kind] of heads) {
    const head = document.createElement("th");
    head.scope = "col";
    head.textContent = text;
    if (kind) head.className = kind;
    row.append(head);
  }
  return { item, body: item.createTBody() };
}

function versionCells(model, version, shares, etag) {
  const serves = shares.get(version.version) || 0;
  const action = PROMOTABLE.has(version.state) && !version.archived
    ? { node: button("Promote", `Promote version ${version.version} of ${model.name}`, (item) => change(
      `Promote version ${version.version} of ${model.name}: it serves everybody.`,
      `${at(model.name)}/${version.version}/promote`, etag, item)) }
    : "";
  const state = document.createElement("span");
  state.append(stateMark(MARKS[version.state] || "WAIT", version.state));
  return [
    n(number(version.version)), { node: state }, version.variant || "", n(serves > 0 ? share(serves) : ""),
    moment(version.championSince || version.createdAt), code(version.digest),
    version.rejectedBecause || version.description, action,
  ];
}

const around = (measure, digits) => (measure.value === null ? UNKNOWN
  : `${number(measure.value, digits)} (${number(measure.low, digits)} – ${number(measure.high, digits)})`);

function qualityCells(window) {
  return [
    n(number(window.version)), window.variant, window.head, moment(window.end), n(number(window.examples, 0)),
    n(number(window.positives, 0)), n(around(window.normalisedEntropy, 3)), n(around(window.calibration, 3)),
    n(around(window.auc, 3)), n(number(window.logLoss.value, 4)),
  ];
}

function draw(model, versions, events, etag, windows) {
  const item = document.createElement("article");
  const title = document.createElement("h3");
  title.textContent = model.name;
  const serving = document.createElement("p");
  const by = model.routedBy;
  serving.textContent = model.version === null ? "nothing serves"
    : `version ${model.version} is champion since ${moment(model.since)}, `
      + `${model.heads.map((head) => head.name).join(", ")}, ${number(model.featureCount)} features`
      + (by ? `; last routed by ${by.actor}${by.reason ? `: ${by.reason}` : ""}` : "");
  const rollback = button("Roll back", `Roll back ${model.name}`, (self) => change(
    `Roll ${model.name} back to the champion before version ${model.version}.`, `${at(model.name)}/rollback`, etag, self));
  rollback.disabled = model.version === null;
  const head = document.createElement("header");
  head.append(title, serving, rollback);

  const targets = by && by.route ? by.route.targets : [];
  const shares = new Map(targets.map((target) => [target.version, target.weight]));
  const list = table("Versions, newest first", [["version", "n"], ["State"], ["Variant"], ["users", "n"], ["Since"],
    ["Digest"], ["Note"], [""]]);
  fill(list.body, versions.map((version) => versionCells(model, version, shares, etag)), 8, "no version yet");
  const quality = table("Live quality, last window of each, with 95 % intervals", [["version", "n"], ["Variant"],
    ["Head"], ["Until"], ["labels", "n"], ["positive", "n"], ["normalised entropy", "n"], ["calibration", "n"],
    ["AUC", "n"], ["log loss", "n"]]);
  fill(quality.body, windows.map(qualityCells), 10, "no window of final labels yet");
  const log = table("Last events", [["Time"], ["Actor"], ["What"], ["version", "n"], ["Reason"]]);
  fill(log.body, events.map((event) => [
    moment(event.at), event.actor, event.transition, n(number(event.version)), event.reason,
  ]), 5, "no events");
  item.append(head, list.item, quality.item, log.item);
  return item;
}

// ---------------------------------------------------------------- polling

// The last windows of a model; none while they are not known.
async function fetchQuality(name) {
  return ask(`metrics/performance/${encodeURIComponent(name)}?windows=1`)
    .then((answer) => answer.body.metrics.windows.slice(0, WINDOWS), () => []);
}

// The newest versions, and whoever has a part beyond them.
async function fetchModel(name, windows) {
  const { body: model, etag } = await ask(at(name));
  const [{ body: { versions } }, { body: { events } }] = await Promise.all([
    ask(`${at(name)}/versions?limit=${VERSIONS}`), ask(`${at(name)}/history?limit=${EVENTS}`),
  ]);
  const route = model.routedBy && model.routedBy.route ? model.routedBy.route : { targets: [], shadows: [] };
  const known = new Set(versions.map((version) => version.version));
  const missing = [...route.targets, ...route.shadows].filter((target) => !known.has(target.version));
  const further = await Promise.all(missing.map((target) => ask(`${at(name)}/${target.version}`)));
  return draw(model, [...versions, ...further.map((answer) => answer.body)], events, etag, windows);
}

let drawn = ""; // what the panel shows: it is drawn anew only when something changed, so that a button stays in place

async function poll() {
  try {
    const { body: { models } } = await ask("models");
    const windows = await Promise.all(models.map((model) => fetchQuality(model.name)));
    const state = JSON.stringify([models, windows]);
    if (state !== drawn) {
      $("models").replaceChildren(...await Promise.all(models.map((model, i) => fetchModel(model.name, windows[i]))));
      drawn = state;
    }
    $("models-note").textContent = models.length > 0 ? "" : "no model is registered";
  } catch (error) {
    drawn = "";
    $("models").replaceChildren();
    $("models-note").textContent = error instanceof Refusal
      ? { 401: "a token is needed", 503: `the registry is not there. ${error.message}` }[error.status] || error.message
      : "no answer";
  }
}

async function loop() {
  if (!document.hidden && !$("change").open) await poll();
  setTimeout(loop, POLL_MS);
}
loop();
