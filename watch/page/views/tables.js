// The star schema as a picture and a list; and one table in full.
/** @import { CatalogColumn } from "../../../src/operations/catalog.ts" */
/** @import { Table, TableSummary } from "../../../src/operations/types.ts" */
import { get } from "../api.js";
import { chart, spark } from "../charts.js";
import { drawEdges } from "../edges.js";
import { age, clock, empty, html, icon, int, plural, scroll } from "../ui.js";

/** @param {TableSummary} t */
const rowsOf = (t) => (t.isEstimate ? `about ${plural(t.rows, "row")}` : plural(t.rows, "row"));

/** @param {TableSummary} t */
const node = (t) =>
  html`<li>
    <a class="node ${t.kind}" href="#/tables/${t.name}" id="node-${t.name}"
      ><code>${t.name}</code><span class="soft">${rowsOf(t)}</span></a
    >
  </li>`;

/**
 * The dimensions left and right of the facts, each near those that refer to it.
 * @param {readonly TableSummary[]} tables
 */
function sides(tables) {
  const facts = tables.filter(({ kind }) => kind === "fact");
  const height = (name) => {
    const users = facts.flatMap(({ references }, i) => (references.includes(name) ? i : []));
    return users.reduce((sum, i) => sum + i, 0) / Math.max(1, users.length);
  };
  const dimensions = tables
    .filter(({ kind }) => kind === "dimension")
    .toSorted((a, b) => height(a.name) - height(b.name));
  return {
    facts,
    left: dimensions.filter((_, i) => i % 2 === 0),
    right: dimensions.filter((_, i) => i % 2 === 1),
  };
}

/** Rows that the last hour added or updated. @param {TableSummary} t */
const changedOf = (t) => t.minutes.reduce((sum, { value: rows }) => sum + rows, 0);

/** Receipts count what was changed, and not how much of it was new. */
const NO_HISTORY = "changed in place";

/** @param {TableSummary} t */
const historyOf = (t) =>
  spark(t.history, `${t.name}: ${rowsOf(t)} today`, t.rows === 0 ? "no rows yet" : NO_HISTORY);

export const star = {
  title: () => "Tables",
  load: () => get("/api/tables"),
  /** @param {TableSummary[]} tables */
  render(tables) {
    const { facts, left, right } = sides(tables);
    return html`<div class="page-head">
        <h1>Tables</h1>
        <p>
          ${plural(facts.length, "fact")} and ${plural(tables.length - facts.length, "dimension")},
          which the facts share. A line means that the fact refers to the dimension.
        </p>
      </div>
      <section class="star" aria-label="The star schema">
        <svg class="edges" aria-hidden="true"></svg>
        <ul class="dims">
          ${left.map(node)}
        </ul>
        <ul class="facts-column">
          ${facts.map(node)}
        </ul>
        <ul class="dims">
          ${right.map(node)}
        </ul>
      </section>
      <section>
        ${scroll(
          "All tables",
          html`<table class="tables">
            <thead>
              <tr>
                <th>Table</th>
                <th>A row is</th>
                <th class="n">Rows</th>
                <th>Rows, last 30 days</th>
                <th class="n">Last hour</th>
                <th>Last touched</th>
                <th class="wide">Comes from</th>
              </tr>
            </thead>
            <tbody>
              ${tables.map(
                (t) =>
                  html`<tr class="row">
                    <td>
                      <a href="#/tables/${t.name}"><code>${t.name}</code></a>
                    </td>
                    <td class="grain">${t.description.replace(/^One row per /, "one ")}</td>
                    <td class="n">${t.isEstimate ? "about " : ""}${int(t.rows)}</td>
                    <td>${historyOf(t)}</td>
                    <td class="n">${int(changedOf(t))} changed</td>
                    <td>${t.fresh_at ? age(t.fresh_at) : html`<span class="soft">never</span>`}</td>
                    <td class="wide"><code>${t.sources.join(", ")}</code></td>
                  </tr>`,
              )}
            </tbody>
          </table>`,
        )}
      </section>`;
  },
  mounted: (root, tables) => drawEdges(root.querySelector(".star"), tables),
};

const value = (v) => (v === null ? html`<span class="soft">null</span>` : String(v));

/** @param {CatalogColumn} [column] */
const align = (column) => (/int|serial|numeric/.test(column?.type ?? "") ? "n" : "");

/** @param {readonly string[]} names */
const links = (names) =>
  names.map((name, i) => html`${i ? ", " : ""}<a href="#/tables/${name}"><code>${name}</code></a>`);

/** @param {Table} t */
const columnsOf = (t) =>
  scroll(
    "Columns",
    html`<table class="columns">
      <thead>
        <tr>
          <th>Column</th>
          <th>Type</th>
          ${t.columns.some(({ meaning }) => meaning) && html`<th>Meaning</th>`}
          <th>Comes from</th>
          <th>Refers to</th>
        </tr>
      </thead>
      <tbody>
        ${t.columns.map(
          (c) =>
            html`<tr class="row" id="column-${c.name}">
              <td>
                <code>${c.name}</code>${c.key && html` <span class="tag">${icon("key")}key</span>`}
              </td>
              <td>
                <code class="soft">${c.type}</code
                >${c.nullable && html` <span class="tag">may be null</span>`}
              </td>
              ${t.columns.some(({ meaning }) => meaning) && html`<td class="grain">${c.meaning}</td>`}
              <td class="from"><code>${c.from}</code></td>
              <td class="refers">${c.references && links([c.references])}</td>
            </tr>`,
        )}
      </tbody>
    </table>`,
  );

/** What changed comes first, after the record's own number. @param {Table} t */
function versionsOf(t) {
  if (!t.versions) return "";
  const { record, rows } = t.versions;
  const changed = new Set(rows.flatMap((version) => version.changed));
  const [id, ...others] = t.columns;
  const ordered = [
    id,
    ...others.filter(({ name }) => changed.has(name)),
    ...others.filter(({ name }) => !changed.has(name)),
  ];
  return html`<section>
    <div class="head">
      <h2>Versions of one record</h2>
      <span class="soft"
        ><code>${record}</code>: one row for each state that a run could see; what changed is marked
        and comes first</span
      >
    </div>
    ${scroll(
      "Versions",
      html`<table class="sample">
        <thead>
          <tr>
            ${ordered.map((c) => html`<th class="${align(c)}">${c.name}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            (version) =>
              html`<tr class="row">
                ${ordered.map(
                  (c) =>
                    html`<td class="${align(c)}">
                      ${version.changed.includes(c.name) ? html`<mark>${value(version.row[c.name])}</mark>` : value(version.row[c.name])}
                    </td>`,
                )}
              </tr>`,
          )}
        </tbody>
      </table>`,
    )}
  </section>`;
}

/** @param {Table} t */
const minutesOf = (t) =>
  html`<section>
    <div class="head">
      <h2>Rows changed per minute</h2>
      <span class="soft">added or updated, the last hour</span>
    </div>
    ${chart({
      label: "Rows changed per minute, the last hour",
      points: t.minutes.map(({ at, value: rows }) => ({
        name: clock(at),
        value: rows,
        text: plural(rows, "row"),
      })),
      kind: "bars",
      height: 80,
      format: int,
      ends: ["1 h ago", "now"],
    })}
  </section>`;

/** @param {Table} t */
const sampleOf = (t) =>
  html`<section>
    <div class="head">
      <h2>Sample</h2>
      <span class="soft"
        >${t.sample.length > 0 ? `the ${plural(t.sample.length, "newest row", "newest rows")}` : ""}</span
      >
    </div>
    ${
      t.sample.length > 0
        ? scroll(
            "Sample rows",
            html`<table class="sample">
              <thead>
                <tr>
                  ${t.columns.map((c) => html`<th class="${align(c)}">${c.name}</th>`)}
                </tr>
              </thead>
              <tbody>
                ${t.sample.map(
                  (row) =>
                    html`<tr>
                      ${t.columns.map((c) => html`<td class="${align(c)}">${value(row[c.name])}</td>`)}
                    </tr>`,
                )}
              </tbody>
            </table>`,
          )
        : html`<p class="soft hint">
            No rows yet. They come with the first batch that holds ${t.sources[0]}.
          </p>`
    }
  </section>`;

/** @param {Table} t */
const factsOf = (t) => {
  const first = t.history[0];
  const label = first
    ? `${rowsOf(t)} today, ${plural(first.value, "row")} ${plural(t.history.length, "day")} ago`
    : rowsOf(t);
  const facts = {
    Rows: rowsOf(t),
    "Last touched": t.fresh_at
      ? html`${age(t.fresh_at)},
          <a href="#/batches/${t.fresh_batch}">batch ${int(t.fresh_batch)}</a>`
      : "never",
    "Changed in the last hour": plural(changedOf(t), "row"),
    "Comes from": html`<code>${t.sources.join(", ")}</code>`,
  };
  return html`<div class="stats">
    ${Object.entries(facts).map(
      ([name, fact]) => html`<div><span class="soft">${name}</span><strong>${fact}</strong></div>`,
    )}
    <div class="grow">
      <span class="soft">Rows, last 30 days</span
      >${spark(t.history, label, t.rows === 0 ? "no rows yet" : NO_HISTORY)}
    </div>
  </div>`;
};

export const one = {
  title: (t) => t?.name ?? "No such table",
  load: async (name) => {
    const [table, all] = await Promise.all([
      get(`/api/tables/${encodeURIComponent(name)}`),
      get("/api/tables"),
    ]);
    const users = all.filter(({ references }) => references.includes(name));
    return table && { ...table, users: users.map((user) => user.name) };
  },
  /** @param {null | Table & { users: string[] }} t */
  render(t) {
    if (t === null)
      return empty(
        "No such table",
        "The star has no table of this name. Choose one on the Tables page.",
      );
    return html`<div class="page-head">
        <nav class="crumbs" aria-label="Path"><a href="#/tables">Tables</a></nav>
        <h1 class="mono">${t.name}</h1>
        <p>${t.description}</p>
      </div>
      ${factsOf(t)}
      <section>
        <div class="head">
          <h2>Columns</h2>
          <span class="soft"
            >${t.users.length > 0 ? html`Used by ${links(t.users)}` : `${t.columns.length} columns, none null unless marked`}</span
          >
        </div>
        ${columnsOf(t)}
      </section>
      ${versionsOf(t)} ${t.rows > 0 && minutesOf(t)} ${sampleOf(t)}`;
  },
  mounted(root, _, query) {
    const name = query.get("column");
    const row = name && root.querySelector(`#column-${CSS.escape(name)}`);
    if (!row) return;
    row.classList.add("found");
    row.scrollIntoView({ block: "center" });
  },
};
