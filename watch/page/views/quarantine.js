// Rows that did not fit, by reason: what is wrong, where, and how to mend it.
/** @import { QuarantineGroup } from "../../../src/operations/types.ts" */
import { get } from "../api.js";
import { age, empty, html, icon, int, plural, scroll, steps } from "../ui.js";

export const title = () => "Quarantine";
export const load = () => get("/api/quarantine");

/** @param {QuarantineGroup[]} groups */
export function render(groups) {
  const rows = groups.reduce((sum, group) => sum + group.rows.length, 0);
  if (rows === 0)
    return empty(
      "Nothing is quarantined",
      "Every row that the shop gave fits the star. A row that does not will be kept here with its reason; the rest of its batch goes on.",
    );
  return html`<div class="page-head">
      <h1>${plural(rows, "row")} in quarantine</h1>
      <p>
        Refused for ${plural(groups.length, "reason")} and kept aside, unchanged. All other rows of
        their batches are in the warehouse. A row leaves this list when the shop corrects it.
      </p>
    </div>
    ${groups.map(
      (group) =>
        html`<section class="reason">
          <div class="head">
            <h2>${icon("warn")}${group.reason}</h2>
            <span class="soft"
              >${plural(group.rows.length, "row")} of <code>${group.source}</code>, meant for
              <a href="#/tables/${group.table}"><code>${group.table}</code></a></span
            >
          </div>
          <div class="advice">
            <p>${group.advice}</p>
            ${group.steps.length > 0 && steps(group.steps)}
          </div>
          ${table(group)}
        </section>`,
    )}`;
}

/**
 * The key and the offending column come first, so that they are seen without scrolling.
 * @param {QuarantineGroup} group
 */
function table(group) {
  const [key, ...rest] = Object.keys(group.rows[0].row);
  const columns = [...new Set([key, group.column, ...rest])].filter(
    (name) => name in group.rows[0].row,
  );
  const mark = (name) => (name === group.column ? "offending" : "");
  return scroll(
    `Rows: ${group.reason}`,
    html`<table class="sample">
      <thead>
        <tr>
          ${columns.map((name) => html`<th class="${mark(name)}">${name}</th>`)}
          <th>batch</th>
          <th>refused</th>
        </tr>
      </thead>
      <tbody>
        ${group.rows.map(
          ({ row, batch, at }) =>
            html`<tr class="row">
              ${columns.map((name) => html`<td class="${mark(name)}">${row[name] ?? html`<span class="soft">null</span>`}</td>`)}
              <td><a href="#/batches/${batch}">${int(batch)}</a></td>
              <td>${age(at)}</td>
            </tr>`,
        )}
      </tbody>
    </table>`,
  );
}
