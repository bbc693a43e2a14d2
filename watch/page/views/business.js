// Four questions that the star answers, each with the SQL that answered it. Money of different currencies is never added.
/** @import { Business } from "../../business.ts" */
import { get } from "../api.js";
import { bar, chart } from "../charts.js";
import { copy, dayName, empty, html, int, money, monthName, plural, shortMonth } from "../ui.js";

export const title = () => "Business";
export const load = () => get("/api/business");

const sql = (text) =>
  html`<details class="sql">
    <summary>SQL</summary>
    <div>
      <pre tabindex="0">${text}</pre>
      ${copy(text, "the SQL")}
    </div>
  </details>`;

const block = (name, note, query, body) =>
  html`<section>
    <div class="head">
      <h2>${name}</h2>
      <span class="soft">${note}</span>
    </div>
    ${body}${sql(query)}
  </section>`;

/** What stands below the first and the last month. @returns {[string, string]} */
const ends = (months) => [shortMonth(months[0].month), shortMonth(months[months.length - 1].month)];

const sum = (numbers) => numbers.reduce((total, n) => total + n, 0);

/** @param {Business} b */
const sales = (b) =>
  block(
    "Sales by month",
    `each currency on its own scale; ${monthName(b.as_of)} is as of the ${Number(b.as_of.slice(8))}.`,
    b.sql.sales,
    html`<div class="thirds">
      ${b.sales.map(
        ({ currency, months }) =>
          html`<div>
            <h3>
              ${currency}
              <span
                >${money(months[months.length - 1].amount, currency)} in
                ${monthName(months[months.length - 1].month)}</span
              >
            </h3>
            ${chart({
              label: `Sales in ${currency} by month`,
              kind: "bars",
              height: 110,
              format: (n) => money(n, currency),
              ends: ends(months),
              points: months.map(({ month, amount }) => ({
                name: shortMonth(month),
                value: Number(amount),
                text: money(amount, currency),
              })),
            })}
          </div>`,
      )}
    </div>`,
  );

const nothing = html`<p class="soft hint">Nothing was sold in these days.</p>`;

/** @param {Business} b */
const designs = (b) => {
  const best = Math.max(...b.designs.map(({ units }) => units));
  return block(
    "Top designs",
    "units sold in the last 30 days",
    b.sql.designs,
    b.designs.length === 0
      ? nothing
      : html`<ol class="bars">
          ${b.designs.map(
            ({ design, units, orders }) =>
              html`<li>
                <span>${design}</span>${bar(
                  [
                    {
                      class: "solid",
                      at: 0,
                      width: (units / best) * 100,
                      title: `${int(units)} units`,
                    },
                  ],
                  { height: 14 },
                )}<span class="n">${plural(units, "unit")}</span
                ><span class="n soft">${plural(orders, "order")}</span>
              </li>`,
          )}
        </ol>`,
  );
};

/** @param {Business} b */
const staff = (b) => {
  const sold = ({ people }) => sum(people.map(({ units }) => units));
  const most = Math.max(...b.staff.map(sold));
  const segments = ({ people }) => {
    let at = 0;
    return people.map(({ name, units }) => {
      const width = (units / most) * 100;
      at += width;
      return {
        class: "solid",
        at: at - width,
        width: width - 0.5,
        title: `${name}: ${plural(units, "unit")}`,
      };
    });
  };
  return block(
    "Units sold by department",
    "one segment a member of staff, last 30 days",
    b.sql.staff,
    b.staff.length === 0
      ? nothing
      : html`<ol class="bars">
          ${b.staff.map(
            (department) =>
              html`<li>
                <span>${department.department}</span>${bar(segments(department), {
                  height: 14,
                  label: department.people
                    .map(({ name, units }) => `${name} ${plural(units, "unit")}`)
                    .join(", "),
                })}<span class="n">${plural(sold(department), "unit")}</span
                ><span class="n soft">most: ${department.people[0].name}</span>
              </li>`,
          )}
        </ol>`,
  );
};

/** @param {Business} b */
const payments = (b) => {
  const { months, overdue } = b.payments;
  const late = (m) => (m.late / Math.max(1, m.on_time + m.late)) * 100;
  // The month that is not over tells less.
  const whole =
    months.findLast(({ month }) => month < b.as_of.slice(0, 7)) ?? months[months.length - 1];
  return block(
    "Payments paid on time",
    "share paid after their payment date, or not yet, by month due",
    b.sql.payments,
    months.length === 0
      ? html`<p class="soft hint">No payment was due yet.</p>`
      : html`<div class="two-one">
          <div>
            ${chart({
              label: "Share of payments paid late by month",
              kind: "bars",
              height: 130,
              format: (n) => `${n} %`,
              ends: ends(months),
              points: months.map((m) => ({
                name: shortMonth(m.month),
                value: late(m),
                text: `${late(m).toFixed(1)} % late, ${int(m.late)} of ${plural(m.on_time + m.late, "payment")}`,
              })),
            })}
          </div>
          <div>
            <h3>${monthName(whole.month)}</h3>
            <p class="figure">
              ${(100 - late(whole)).toFixed(1)} % on time
              <span class="soft">of ${plural(whole.on_time + whole.late, "payment")}</span>
            </p>
            <h3>Overdue on ${dayName(b.as_of)}</h3>
            ${
              overdue.length === 0
                ? html`<p class="figure">nothing</p>`
                : html`<dl class="facts">
                    ${overdue.map(
                      ({ currency, payments: count, amount }) =>
                        html`<dt>${currency}</dt>
                          <dd class="n">
                            ${money(amount, currency)}
                            <span class="soft">in ${plural(count, "payment")}</span>
                          </dd>`,
                    )}
                  </dl>`
            }
          </div>
        </div>`,
  );
};

/** @param {Business} b */
export function render(b) {
  if (b.as_of_batch === 0 || b.sales.length === 0)
    return empty(
      "No sales yet",
      "Four charts appear here with the first batch that has sales: by month, by design, by staff, and payments. Start the shop and let it trade.",
      ["npx totes up", "npx totes trade"],
    );
  return html`<div class="page-head">
      <h1>Business</h1>
      <p>
        Computed from the warehouse as of
        <a href="#/batches/${b.as_of_batch}">batch ${int(b.as_of_batch)}</a>; its newest day is
        ${dayName(b.as_of)}. Only the latest version of each order and payment counts.
      </p>
    </div>
    ${sales(b)}
    <div class="halves">${designs(b)} ${staff(b)}</div>
    ${payments(b)}`;
}
