// Is it healthy, what is it doing, what should I do? In that order, the first within one line.
/** @import { Overview, Point, StageEvent } from "../../../src/operations/types.ts" */
import { get } from "../api.js";
import { chart, roundSeconds } from "../charts.js";
import { element } from "../dom.js";
import { clock, html, icon, int, span, status, steps } from "../ui.js";
import { batchRows } from "./batches.js";

/** @returns {Promise<Overview>} */
export const load = () => get("/api/overview");

/** @param {Overview} o */
export const title = (o) => o.verdict.title;

/** @param {Overview} o */
const verdict = ({ verdict: { status: mark, title: text, text: more } }) =>
  html`<div class="verdict ${mark}">
    ${status(mark)}
    <div>
      <h1>${text}</h1>
      <p>${more}</p>
    </div>
  </div>`;

/** @param {Overview} o */
const todo = ({ verdict: { error, steps: list } }) =>
  (error || list.length > 0) &&
  html`<div class="todo ${error && list.length > 0 ? "two" : ""}">
    ${
      error &&
      html`<section>
        <h2>What happened</h2>
        <h3>${error.heading}</h3>
        <p>${error.text}</p>
        <details>
          <summary>The error as logged</summary>
          <pre tabindex="0">${error.raw}</pre>
        </details>
      </section>`
    }
    ${
      list.length > 0 &&
      html`<section>
        <h2>What to do</h2>
        ${steps(list)}
      </section>`
    }
  </div>`;

const GLYPHS = {
  source: "database",
  warehouse: "database",
  ingestion_bucket: "bucket",
  processed_bucket: "bucket",
};

/** @param {Overview["stations"][number]} station */
const sign = ({ id, status: mark, title: name, kind, lines }) =>
  html`<span class="glyph"
      >${icon(GLYPHS[id] ?? "function")}${(mark === "bad" || mark === "warn") && html`<span class="flag">${status(mark)}</span>`}</span
    >
    <div class="label">
      <strong>${name}</strong><span class="soft kind">${kind}</span
      ><span class="lines">${lines.map((line) => html`<span>${line}</span>`)}</span>
    </div>`;

/** @param {Overview["stations"][number]} station */
const look = ({ id, status: mark, out }) =>
  `station ${mark} ${GLYPHS[id] ? "store" : "function"} ${out ?? ""}`;

/** @param {Overview} o */
const tokens = ({ moving }) =>
  moving.map(
    ({ label, at, status: mark }) =>
      html`<span class="token ${mark}" data-at="${at}">${label}</span>`,
  );

/** @param {Overview} o */
const picture = (o) =>
  html`<section class="picture" aria-label="The pipeline">
    <ol class="rail">
      ${o.stations.map(
        (station) => html`<li class="${look(station)}" id="at-${station.id}">${sign(station)}</li>`,
      )}
    </ol>
    <div id="moving">${tokens(o)}</div>
  </section>`;

/** @param {Overview} o */
const checks = (o) =>
  o.checks.map(
    (c) =>
      html`<li class="${c.status}">
        ${status(c.status)}
        <div><strong>${c.title}</strong><span class="soft">${c.text}</span></div>
        ${
          c.href
            ? html`<a class="value" href="${c.href}" aria-label="${c.title}: ${c.value}, open"
                >${c.value}</a
              >`
            : html`<span class="value">${c.value}</span>`
        }
      </li>`,
  );

/** @param {readonly Point[]} points @param {(value: number) => string} text */
const minutes = (points, text) =>
  points.map(({ at, value }) => ({ name: clock(at), value, text: text(value) }));

const ENDS = /** @type {[string, string]} */ (["1 h ago", "now"]);

/** @param {Overview} o */
function graphs(o) {
  if (o.lag.length === 0)
    return html`<section>
      <h2>Lag and rows</h2>
      <p class="soft hint">
        Two charts appear here with batch 1: how far the warehouse is behind the shop, and how many
        rows arrive each minute.
      </p>
    </section>`;
  const peak = Math.max(...o.lag.map(({ value }) => value));
  const total = o.rows.reduce((sum, { value }) => sum + value, 0);
  return html`<section>
      <div class="head">
        <h2>Lag</h2>
        <span class="soft">worst in the last hour ${span(peak)}</span>
      </div>
      ${chart({
        label: "Lag, the last hour",
        points: minutes(o.lag, span),
        format: span,
        nice: roundSeconds,
        ends: ENDS,
        height: 92,
        mark: { value: o.lag_alarm_s, label: `alarm at ${span(o.lag_alarm_s)}` },
      })}
    </section>
    <section>
      <div class="head">
        <h2>Rows loaded per minute</h2>
        <span class="soft">${int(total)} rows in the last hour</span>
      </div>
      ${chart({
        label: "Rows loaded per minute, the last hour",
        points: minutes(o.rows, (n) => `${int(n)} rows`),
        kind: "bars",
        format: int,
        ends: ENDS,
        height: 92,
      })}
    </section>`;
}

/** @param {Overview} o */
const recent = (o) =>
  html`<div class="head">
      <h2>Recent batches</h2>
      ${o.recent.length > 0 && html`<a href="#/batches">All ${int(o.batches)} batches</a>`}
    </div>
    ${
      o.recent.length > 0
        ? batchRows(o.recent)
        : html`<p class="soft hint">
            None yet. Each run that finds changes makes one batch; it appears here with the time it
            spent in each stage.
          </p>`
    }`;

/** @param {Overview} o */
export const render = (o) =>
  html`<div id="verdict">${verdict(o)}</div>
    <div id="todo">${todo(o)}</div>
    <div>${picture(o)}</div>
    <div class="split">
      <section>
        <h2 id="checks-title">Checks</h2>
        <ul class="checks" id="checks" aria-labelledby="checks-title">
          ${checks(o)}
        </ul>
      </section>
      <div class="graphs" id="graphs">${graphs(o)}</div>
    </div>
    <section id="recent">${recent(o)}</section>`;

/** Repaints what changed. A chart that is being read stays as it is. */
export function live(name, data, paint) {
  if (name === "stage") {
    coming.push(data);
    if (!isPlaying) void play();
    return;
  }
  const o = /** @type {Overview} */ (data);
  paint("verdict", verdict(o));
  paint("todo", html`${todo(o)}`);
  for (const station of o.stations) {
    const one = element(`at-${station.id}`);
    const isHere = one.classList.contains("here");
    one.className = look(station);
    one.classList.toggle("here", isHere);
    paint(one.id, sign(station));
  }
  if (!isPlaying) paint("moving", html`${tokens(o)}`);
  paint("checks", html`${checks(o)}`);
  if (!element("graphs").querySelector(".reading, :focus")) paint("graphs", graphs(o));
  if (ages(o) !== painted) paint("recent", recent(o));
  painted = ages(o);
}

/** What the rows of recent batches say, but for their ages, which app.js counts. */
const ages = (o) => JSON.stringify(o.recent);
let painted = "";

/** Stations that batches came to and that are not shown yet. */
let coming = /** @type {StageEvent[]} */ ([]);
let isPlaying = false;
/** A batch crosses in less than a second: it is shown slower, to be seen. */
const STEP_MS = 700;
/** Further behind than this, only the newest batch is shown. */
const MOST = 14;

async function play() {
  isPlaying = true;
  for (let next = coming.shift(); next && element("moving"); next = coming.shift()) {
    move(next);
    await new Promise((done) => setTimeout(done, STEP_MS));
    const newest = coming.at(-1)?.batch;
    if (coming.length > MOST) coming = coming.filter(({ batch }) => batch === newest);
  }
  coming = [];
  isPlaying = false;
}

const ORDER = [
  "source",
  "ingestion",
  "ingestion_bucket",
  "transformation",
  "processed_bucket",
  "loading",
  "warehouse",
];

/** @param {StageEvent} event */
function move({ batch, station }) {
  const at = ORDER.indexOf(station);
  const frame = element("moving");
  for (const other of document.querySelectorAll(".station.here")) other.classList.remove("here");
  const here = element(`at-${station}`);
  here.classList.add("here");
  setTimeout(() => here.classList.remove("here"), STEP_MS);
  for (const old of frame.querySelectorAll(".token.busy")) old.remove();
  if (at === ORDER.length - 1 || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const token = document.createElement("span");
  token.className = "token busy";
  token.textContent = int(batch);
  frame.append(token);
  const isDown = matchMedia("(max-width: 900px)").matches;
  const place = (i) =>
    isDown
      ? `0px calc(${i + 0.5} * 76px - 50%)`
      : `calc(${i + 0.5} * 100cqi / 7 - 50%) calc(22px - 50%)`;
  token.animate(
    [
      { translate: place(at + 0.18), opacity: 0 },
      { opacity: 1, offset: 0.2 },
      { opacity: 1, offset: 0.8 },
      { translate: place(at + 0.82), opacity: 0 },
    ],
    { duration: STEP_MS, easing: "cubic-bezier(.45,.05,.35,1)", fill: "both" },
  );
}
