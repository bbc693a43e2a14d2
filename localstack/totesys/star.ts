// The star as TOTESYS.md's rules say it, in SQL written by hand and in nothing of the pipeline's: what the
// pipeline made is compared with this. Where both agree, either both are right or two people misread a rule.
import type { Database, Queryable } from "./source.ts";
import { STAR_TABLES, calendarSql, day, dayIf, moment, realDay, realMoment } from "./star-shape.ts";
import type { Star, StarRow, StarTable } from "./star-shape.ts";

export { compare, problems } from "./star-compare.ts";
export type { CompareOptions, Comparison, Difference } from "./star-compare.ts";
export { latestOf } from "./star-warehouse.ts";
export type { Star, StarRow, StarTable } from "./star-shape.ts";

/** ISO 4217's names of the currencies that a test may meet. A code that is not here counts as unknown. */
const CURRENCY_NAMES = `(values
  ('AED', 'UAE Dirham'), ('AUD', 'Australian Dollar'), ('BRL', 'Brazilian Real'),
  ('CAD', 'Canadian Dollar'), ('CHF', 'Swiss Franc'), ('CNY', 'Yuan Renminbi'),
  ('DKK', 'Danish Krone'), ('EUR', 'Euro'), ('GBP', 'Pound Sterling'),
  ('HKD', 'Hong Kong Dollar'), ('INR', 'Indian Rupee'), ('JPY', 'Yen'), ('KRW', 'Won'),
  ('MXN', 'Mexican Peso'), ('NOK', 'Norwegian Krone'), ('NZD', 'New Zealand Dollar'),
  ('PLN', 'Zloty'), ('SEK', 'Swedish Krona'), ('SGD', 'Singapore Dollar'),
  ('USD', 'US Dollar'), ('ZAR', 'Rand')
) as iso (code, name)`;

const SALE_FITS = `(${realMoment("created_at")} and ${realMoment("last_updated")}
  and ${realDay("agreed_payment_date")} and ${realDay("agreed_delivery_date")} and unit_price <> 'NaN')`;
const PURCHASE_FITS = `(${realMoment("created_at")} and ${realMoment("last_updated")}
  and ${realDay("agreed_payment_date")} and ${realDay("agreed_delivery_date")}
  and item_unit_price <> 'NaN')`;
const PAYMENT_FITS = `(${realMoment("created_at")} and ${realMoment("last_updated")}
  and ${realDay("payment_date")} and payment_amount <> 'NaN')`;

/** Of each table: every source row as a star row of text, and in `fits` whether it may be in the star. */
const QUERIES: Readonly<Record<string, string>> = {
  dim_staff: `
    select staff_id::text, first_name, last_name, department_name,
           coalesce(location, 'Unknown') as location, email_address,
           department.department_id is not null as fits
      from $(schema:name).staff
      left join $(schema:name).department on department.department_id = staff.department_id`,
  dim_location: `
    select address_id::text as location_id, address_line_1, address_line_2, district, city,
           postal_code, country, phone, true as fits
      from $(schema:name).address`,
  dim_currency: `
    select currency_id::text, currency_code::text, iso.name as currency_name,
           iso.name is not null as fits
      from $(schema:name).currency left join ${CURRENCY_NAMES} on iso.code = currency_code`,
  dim_design: `
    select design_id::text, design_name, file_location, file_name, true as fits
      from $(schema:name).design`,
  dim_counterparty: `
    select counterparty_id::text, counterparty_legal_name,
           address_line_1 as counterparty_legal_address_line_1,
           address_line_2 as counterparty_legal_address_line_2,
           district as counterparty_legal_district, city as counterparty_legal_city,
           postal_code as counterparty_legal_postal_code, country as counterparty_legal_country,
           phone as counterparty_legal_phone_number, address_id is not null as fits
      from $(schema:name).counterparty
      left join $(schema:name).address on address_id = legal_address_id`,
  dim_payment_type: `
    select payment_type_id::text, payment_type_name::text, true as fits
      from $(schema:name).payment_type`,
  dim_transaction: `
    select transaction_id::text, transaction_type::text, sales_order_id::text,
           purchase_order_id::text, true as fits
      from $(schema:name).transaction`,
  fact_sales_order: `
    select sales_order_id::text, ${moment("created_at", "created")},
           ${moment("last_updated", "last_updated")}, staff_id::text as sales_staff_id,
           counterparty_id::text, units_sold::text, round(unit_price, 2)::text as unit_price,
           currency_id::text, design_id::text, agreed_payment_date, agreed_delivery_date,
           agreed_delivery_location_id::text, ${SALE_FITS} as fits
      from $(schema:name).sales_order`,
  fact_purchase_order: `
    select purchase_order_id::text, ${moment("created_at", "created")},
           ${moment("last_updated", "last_updated")}, staff_id::text, counterparty_id::text,
           item_code, item_quantity::text, round(item_unit_price, 2)::text as item_unit_price,
           currency_id::text, agreed_delivery_date, agreed_payment_date,
           agreed_delivery_location_id::text, ${PURCHASE_FITS} as fits
      from $(schema:name).purchase_order`,
  fact_payment: `
    select payment_id::text, ${moment("created_at", "created")},
           ${moment("last_updated", "last_updated")}, transaction_id::text, counterparty_id::text,
           round(payment_amount, 2)::text as payment_amount, currency_id::text,
           payment_type_id::text, paid::text, payment_date, ${PAYMENT_FITS} as fits
      from $(schema:name).payment`,
};

/** Each day that a fact's row refers to, as a date, and whether a row that fits does. */
const DAYS = `
  select day, bool_or(fits) as fits from (
    select unnest(array[${day("created_at")}, ${day("last_updated")},
                        ${dayIf("agreed_payment_date")}, ${dayIf("agreed_delivery_date")}]) as day,
           ${SALE_FITS} as fits
      from $(schema:name).sales_order
    union all
    select unnest(array[${day("created_at")}, ${day("last_updated")},
                        ${dayIf("agreed_payment_date")}, ${dayIf("agreed_delivery_date")}]),
           ${PURCHASE_FITS}
      from $(schema:name).purchase_order
    union all
    select unnest(array[${day("created_at")}, ${day("last_updated")}, ${dayIf("payment_date")}]),
           ${PAYMENT_FITS}
      from $(schema:name).payment
  ) as referred where day is not null group by day`;

/**
 * The eleven star tables, computed from the source as it is now, in one snapshot: every value as canonical
 * text (`YYYY-MM-DD`, `HH:MM:SS.ffffff`, money with two decimals, null as null). Rows that do not fit are left
 * out and their keys given in `quarantined`; dim_date's `allowed` holds the days that only such rows refer to.
 * `schema` is where totesys is. Holds it all in memory: some hundred thousand rows are well, tens of millions
 * are not. Throws what PostgreSQL throws, as of a missing table.
 */
export async function starOf(source: Database, schema = "public"): Promise<Star> {
  return source.tx(async (tx) => {
    await tx.none("set transaction isolation level repeatable read, read only");
    const star: Star = new Map();
    for (const [name, { columns, key, nullable }] of STAR_TABLES) {
      if (name === "dim_date") {
        star.set(name, await dates(tx, schema, columns, key));
        continue;
      }
      const table: StarTable = { columns, key, rows: [], quarantined: [], allowed: [] };
      const sql = QUERIES[name] ?? "";
      for (const found of await tx.any<Record<string, string | null | boolean>>(sql, { schema })) {
        const row = columns.map((column) => found[column] as string | null);
        const fits = found.fits === true;
        const whole = columns.every((column, i) => row[i] !== null || nullable.includes(column));
        if (fits && whole) table.rows.push(row);
        else table.quarantined.push(key.map((column) => row[columns.indexOf(column)] ?? null));
      }
      star.set(name, table);
    }
    return star;
  });
}

async function dates(
  tx: Queryable,
  schema: string,
  columns: readonly string[],
  key: readonly string[],
): Promise<StarTable> {
  const found = await tx.any<Record<string, string> & { fits: boolean }>(
    `select days.fits, ${calendarSql("days.day")} from (${DAYS}) as days`,
    { schema },
  );
  const rowsWhere = (fits: boolean): StarRow[] =>
    found
      .filter((row) => row.fits === fits)
      .map((row) => columns.map((column) => row[column] ?? null));
  return { columns, key, rows: rowsWhere(true), quarantined: [], allowed: rowsWhere(false) };
}
