// All batches, newest first, and one batch in full.
/** @import { Batch, BatchPage, BatchSummary, Overview } from "../../../src/operations/types.ts" */
import { get } from "../api.js";
import { bar, chart, ticks } from "../charts.js";
import {
  age,
  bytes,
  copy,
  empty,
  html,
  icon,
  int,
  ms,
  plural,
  scroll,
  status,
  steps,
  tick,
} from "../ui.js";

const STAGES = /** @type {const} */ (["ingestion", "transformation", "loading"]);
const STATES = {
  loaded: ["ok", "loaded"],
  waiting: ["idle", "waits"],
  failed: ["bad", "failed"],
  skipped: ["warn", "skipped"],
};
const PAGE = 50;

/** @param {import("../../../src/operations/types.ts").Span} [span] */
const took = (span) => span && span.end_ms - span.start_ms;
/** @param {BatchSummary} b */
const total = (b) => (b.status === "loaded" ? (b.stages.loading?.end_ms ?? null) : null);
/** @param {BatchSummary} b */
const lastOf = (b) => Math.max(...Object.values(b.stages).map(({ end_ms }) => end_ms));
const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

/**
 * Where the axis of these batches ends: at the longest, unless that would leave the others nothing to be seen by.
 * @param {readonly BatchSummary[]} batches
 */
function axisOf(batches) {
  const lasts = batches.map(lastOf);
  return Math.max(1, Math.min(Math.max(...lasts), 4 * median(lasts)));
}

/** @param {BatchSummary} b @param {number} axis */
function lane(b, axis) {
  const parts = STAGES.flatMap((stage) => {
    const span = b.stages[stage];
    if (!span || span.start_ms >= axis) return [];
    const isFailed = b.status === "failed" && stage === "loading";
    return {
      class: isFailed ? "failed" : stage,
      at: (span.start_ms / axis) * 100,
      width: ((Math.min(span.end_ms, axis) - span.start_ms) / axis) * 100,
      title: `${stage} ${ms(took(span))}`,
    };
  });
  return html`${bar(parts)}${lastOf(b) > axis && html`<span class="beyond" title="goes on to ${ms(lastOf(b))}"></span>`}`;
}

/** @param {BatchSummary} b */
const row = (b, axis) => {
  const [mark, word] = STATES[b.status];
  return html`<tr class="row">
    <td><a href="#/batches/${b.batch}">${int(b.batch)}</a></td>
    <td>${age(b.committed_at)}</td>
    <td class="wide">${b.kind}</td>
    <td class="n">${int(b.rows)}</td>
    <td class="n wide">${b.tables}</td>
    <td class="lane">${lane(b, axis)}</td>
    ${STAGES.map((stage) => html`<td class="n stage">${ms(took(b.stages[stage]))}</td>`)}
    <td class="n"><strong>${ms(total(b))}</strong></td>
    <td class="n wide">
      ${
        b.quarantined
          ? html`<a href="#/quarantine" class="warn-text">${plural(b.quarantined, "row")}</a>`
          : html`<span class="soft">0 rows</span>`
      }
    </td>
    <td class="state ${mark}">
      ${icon(mark)}<span
        >${b.status === "failed" && b.attempts > 1 ? `failed ${b.attempts}×` : word}</span
      >
    </td>
  </tr>`;
};

/**
 * Rows share one time axis, so that a slow batch is seen and not read.
 * @param {readonly BatchSummary[]} batches
 */
export function batchRows(batches) {
  const axis = axisOf(batches);
  return scroll(
    "Batches",
    html`<table class="batches">
      <thead>
        <tr>
          <th>Batch</th>
          <th>Committed</th>
          <th class="wide">Kind</th>
          <th class="n">Rows</th>
          <th class="n wide">Tables</th>
          <th class="lane">
            <span class="long">From the run’s start, all on one axis of ${ms(axis)}</span
            ><span class="short">Time</span>
          </th>
          ${STAGES.map((stage) => html`<th class="n stage"><i class="key ${stage}"></i>${stage}</th>`)}
          <th class="n">Total</th>
          <th class="n wide">Quarantined</th>
          <th>State</th>
        </tr>
      </thead>
      <tbody>
        ${batches.map((b) => row(b, axis))}
      </tbody>
    </table>`,
  );
}

const TABS = {
  all: "All",
  quarantined: "With quarantined rows",
  unfinished: "Not finished",
};

/** @param {BatchPage} page */
function trail({ trail: { first, ms: lengths } }) {
  const last = first + lengths.length - 1;
  return html`<section>
    <div class="head">
      <h2>Time from commit to warehouse</h2>
      <span class="soft">batches ${int(first)} to ${int(last)}, click to open</span>
    </div>
    ${chart({
      label: "Time from commit to warehouse by batch",
      kind: lengths.length > 240 ? "line" : "bars",
      height: 92,
      format: tick,
      ends: [`batch ${int(first)}`, `batch ${int(last)}`],
      points: lengths.map((value, i) => ({
        name: `Batch ${int(first + i)}`,
        value: value ?? 0,
        text: value === null ? "not finished" : ms(value),
      })),
    })}
  </section>`;
}

/** @param {BatchPage} page */
function speed({ trail: { ms: lengths } }) {
  const done = lengths.filter((value) => value !== null);
  return done.length > 0
    ? ` Half of the last ${int(done.length)} took ${ms(median(done))} or less, the slowest ${ms(Math.max(...done))}.`
    : "";
}

export const list = {
  title: () => "Batches",
  load: (_, query) => {
    const only = query.get("only") ?? "all";
    const before = query.has("before") ? `&before=${query.get("before")}` : "";
    return get(`/api/batches?limit=${PAGE}&only=${only}${before}`).then((page) => ({
      page,
      query,
    }));
  },
  /** @param {{ page: BatchPage, query: URLSearchParams }} of */
  render({ page, query }) {
    const only = query.get("only") ?? "all";
    if (page.total === 0 && only === "all")
      return empty(
        "No batch yet",
        "A batch is one consistent set of changes. Make the first one now, or wait for the next tick.",
        ["npx totes run"],
      );
    const last = page.batches.at(-1)?.batch ?? 0;
    const link = (before) => `#/batches?only=${only}${before ? `&before=${before}` : ""}`;
    const isMore = page.batches.length === PAGE && last > 1;
    return html`<div class="page-head">
        <h1>Batches</h1>
        <p>
          ${plural(page.total, "batch", "batches")}${only === "all" ? ", numbered without gaps." : "."}${only === "all" && speed(page)}
        </p>
      </div>
      ${only === "all" && trail(page)}
      <section>
        <div class="head">
          <nav class="tabs" aria-label="Which batches">
            ${Object.entries(TABS).map(
              ([id, name]) =>
                html`<a href="#/batches?only=${id}" ${id === only ? html`aria-current="page"` : ""}
                  >${name}</a
                >`,
            )}
          </nav>
          <span class="pager"
            >${query.has("before") && html`<a href="${link()}">Newest</a>`}${isMore && html`<a href="${link(last)}" rel="next">Older than ${int(last)}</a>`}</span
          >
        </div>
        ${
          page.batches.length > 0
            ? batchRows(page.batches)
            : html`<p class="soft hint">
                None.
                ${only === "unfinished" ? "Every batch is in the warehouse." : "Every row of every batch fits the star."}
              </p>`
        }
      </section>`;
  },
  mounted(root, { page }) {
    root.querySelector(".chart")?.addEventListener("click", ({ currentTarget }) => {
      location.hash = `#/batches/${page.trail.first + Number(currentTarget.ariaValueNow)}`;
    });
  },
};

const hash = (sha256) =>
  html`<span class="sha"
    ><code title="${sha256}">${sha256.slice(0, 12)}</code>${copy(sha256, "the SHA-256")}</span
  >`;

/** @param {Batch} b @param {typeof STAGES[number]} stage */
function waited(b, stage) {
  const span = b.stages[stage];
  const before = b.stages[STAGES[STAGES.indexOf(stage) - 1]];
  if (!span) return "has not started";
  return before
    ? `after ${ms(Math.max(0, span.start_ms - before.end_ms))} in the queue`
    : "the run began";
}

/** @param {Batch} b */
function gantt(b) {
  const axis = Math.max(1, ...b.steps.map(({ end_ms }) => end_ms), lastOf(b));
  const percent = (n) => (n / axis) * 100;
  const marks = ticks(axis);
  const lines = marks.map(percent);
  return html`<div class="gantt">
    <div class="axis" aria-hidden="true">
      <span></span
      ><svg width="100%" height="16">
        ${marks.map(
          (t) =>
            html`<text
              class="tick"
              x="${percent(t)}%"
              y="11"
              text-anchor="${t ? "middle" : "start"}"
            >
              ${tick(t)}
            </text>`,
        )}</svg
      ><span></span>
    </div>
    ${STAGES.map(
      (stage) =>
        html`<div class="stage-row">
            <strong>${stage}</strong><span class="soft">${waited(b, stage)}</span
            ><span class="n"><strong>${ms(took(b.stages[stage]))}</strong></span>
          </div>
          ${b.steps
            .filter((step) => step.stage === stage)
            .map(
              (step) =>
                html`<div class="step-row">
                  <span>${step.name}</span>${bar(
                    [
                      {
                        class: b.status === "failed" && stage === "loading" ? "failed" : stage,
                        at: percent(step.start_ms),
                        width: percent(took(step)),
                        title: `${step.name}: ${ms(step.start_ms)} to ${ms(step.end_ms)}`,
                      },
                    ],
                    { height: 12, lines },
                  )}<span class="n">${ms(took(step))}</span>
                </div>`,
            )}`,
    )}
  </div>`;
}

/** @param {Batch} b */
const chain = (b) => {
  if (b.previous_sha256 === null) return "none: this is the first batch";
  const before = int(b.batch - 1);
  const [mark, words] =
    b.chain === "equal" ? ["ok", `equals batch ${before}`] : ["bad", `batch ${before} was edited`];
  return html`${hash(b.previous_sha256)} <span class="chain ${mark}">${icon(mark)}${words}</span>`;
};

/** @param {Batch} b */
const manifest = (b) => {
  const facts = {
    Kind: b.kind,
    Run: html`<code>${b.run}</code>`,
    Fence: html`<code>${b.fence}</code>`,
    Snapshot: html`<code>${b.snapshot}</code>`,
    "Source system": html`<code>${b.system_identifier}</code>`,
    "SHA-256": hash(b.sha256),
    Previous: chain(b),
  };
  return html`<dl class="facts">
    ${Object.entries(facts).map(
      ([name, value]) =>
        html`<dt>${name}</dt>
          <dd>${value}</dd>`,
    )}
  </dl>`;
};

/** @param {Batch} b */
const effects = (b) =>
  scroll(
    "Effects by table",
    html`<table>
      <thead>
        <tr>
          <th>Table</th>
          <th class="n">Rows added</th>
          <th class="n">Rows changed</th>
          <th class="n">New versions</th>
          <th class="n">Already equal</th>
          <th class="n">Quarantined</th>
        </tr>
      </thead>
      <tbody>
        ${b.effects.map(
          (e) =>
            html`<tr class="row">
              <td>
                <a href="#/tables/${e.table}"><code>${e.table}</code></a>
              </td>
              <td class="n">${int(e.added)}</td>
              <td class="n">${e.versions ? "–" : int(e.changed)}</td>
              <td class="n">${e.versions ? int(e.versions) : "–"}</td>
              <td class="n soft">${int(e.equal)}</td>
              <td class="n">${int(e.quarantined)}</td>
            </tr>`,
        )}
      </tbody>
    </table>`,
  );

/** @param {Batch} b @param {"ingestion" | "processed"} bucket */
function objects(b, bucket) {
  const own = b.objects.filter((object) => object.bucket === bucket);
  const size = own.reduce((sum, object) => sum + object.bytes, 0);
  const label = `Objects in the ${bucket} bucket`;
  return html`<section>
    <div class="head">
      <h2>${label}</h2>
      <span class="soft">${plural(own.length, "object")}, ${bytes(size)}</span>
    </div>
    ${
      own.length > 0 &&
      scroll(
        label,
        html`<table class="objects">
          <thead>
            <tr>
              <th>Table</th>
              <th>Key</th>
              <th class="n">Rows</th>
              <th class="n">Size</th>
              <th>SHA-256</th>
              <th>Verified</th>
            </tr>
          </thead>
          <tbody>
            ${own.map(
              (o) =>
                html`<tr>
                  <td><code>${o.table}</code></td>
                  <td class="object-key"><code>${o.key}</code>${copy(o.key, "the key")}</td>
                  <td class="n">${int(o.rows)}</td>
                  <td class="n">${bytes(o.bytes)}</td>
                  <td>${hash(o.sha256)}</td>
                  <td class="state ${o.verified ? "ok" : "bad"}">
                    ${icon(o.verified ? "ok" : "bad")}${o.verified ? (o.compacted ? "compacted" : "equal") : "differs"}
                  </td>
                </tr>`,
            )}
          </tbody>
        </table>`,
      )
    }
  </section>`;
}

/** @param {Batch} b */
const state = (b) =>
  ({
    loaded: "is in the warehouse",
    waiting: "waits",
    failed: b.attempts > 1 ? `failed ${b.attempts} times` : "failed",
    skipped: "was skipped",
  })[b.status];

export const one = {
  title: (of) => (of ? `Batch ${int(of.batch.batch)}` : "No such batch"),
  load: async (number) => {
    const [batch, overview] = await Promise.all([
      /^[1-9]\d{0,9}$/.test(number) ? get(`/api/batches/${number}`) : null,
      get("/api/overview"),
    ]);
    return batch && { batch, overview };
  },
  /** @param {null | { batch: Batch, overview: Overview }} of */
  render(of) {
    if (of === null)
      return empty(
        "No such batch",
        "No manifest has this number. Batches are numbered from 1 without gaps; the newest is on the overview.",
      );
    const { batch: b, overview } = of;
    const [mark] = STATES[b.status];
    const next = b.status === "failed" ? overview.verdict.steps : [];
    return html`<div class="page-head">
        <nav class="crumbs" aria-label="Neighbours">
          <a href="#/batches">Batches</a
          ><span class="grow"></span
          >${b.batch > 1 && html`<a href="#/batches/${b.batch - 1}" data-previous>← ${int(b.batch - 1)}</a>`}${b.batch < overview.batches && html`<a href="#/batches/${b.batch + 1}" data-next>${int(b.batch + 1)} →</a>`}
        </nav>
        <h1>${status(mark)}Batch ${int(b.batch)} ${state(b)}</h1>
        <p>
          ${plural(b.rows, "row")} from ${plural(b.tables, "source table")}, committed
          ${age(b.committed_at)}${total(b) === null ? "" : html`, in the warehouse ${ms(total(b))} after the run began`}.
          ${b.quarantined > 0 && html`<a href="#/quarantine">${plural(b.quarantined, "row")} quarantined.</a>`}
        </p>
      </div>
      ${
        b.error &&
        html`<div class="todo ${next.length > 0 ? "two" : ""}">
          <section>
            <h2>What happened</h2>
            <p>${b.error}</p>
          </section>
          ${
            next.length > 0 &&
            html`<section>
              <h2>What to do</h2>
              ${steps(next)}
            </section>`
          }
        </div>`
      }
      <div class="split batch">
        <section>
          <h2>Where the time went</h2>
          ${gantt(b)}
        </section>
        <section>
          <h2>Manifest</h2>
          ${manifest(b)}
        </section>
      </div>
      <section>
        <h2>What it did to the warehouse</h2>
        ${
          b.status === "loaded"
            ? effects(b)
            : html`<p class="soft hint">
                Nothing: a batch is loaded in one transaction, all of it or none of it.
              </p>`
        }
      </section>
      ${objects(b, "ingestion")} ${objects(b, "processed")}`;
  },
};
