// The star in SQL that shares nothing with src/, for the pipe and for the check.
import type { Database } from "../localstack/totesys/shop.ts";

/** The columns of fact_sales_order but its record id, in its order. */
const FACT_COLUMNS = `sales_order_id, created_date, created_time, last_updated_date, last_updated_time, sales_staff_id,
  counterparty_id, units_sold, unit_price, currency_id, design_id, agreed_payment_date, agreed_delivery_date,
  agreed_delivery_location_id`;

/** Of the source: a row of fact_sales_order for each sales order. */
const FACT = `select sales_order_id, created_at::date as created_date, created_at::time as created_time,
  last_updated::date as last_updated_date, last_updated::time as last_updated_time, staff_id as sales_staff_id,
  counterparty_id, units_sold, unit_price, currency_id, design_id, agreed_payment_date::date as agreed_payment_date,
  agreed_delivery_date::date as agreed_delivery_date, agreed_delivery_location_id from sales_order`;

/** What the pipe runs: both ends of a COPY, and the table that it fills. */
export const PIPE = {
  table: `drop table if exists pipe_fact;
    create table pipe_fact (sales_record_id serial primary key, sales_order_id int not null, created_date date not null,
      created_time time not null, last_updated_date date not null, last_updated_time time not null,
      sales_staff_id int not null, counterparty_id int not null, units_sold int not null,
      unit_price numeric(10,2) not null, currency_id int not null, design_id int not null,
      agreed_payment_date date not null, agreed_delivery_date date not null, agreed_delivery_location_id int not null);
    create index on pipe_fact (sales_order_id)`,
  out: `copy (${FACT}) to stdout (format binary)`,
  in: `copy pipe_fact (${FACT_COLUMNS}) from stdin (format binary)`,
} as const;

/** What must be the same on both sides: rows of the source, and of the warehouse. */
const SAME: Readonly<Record<string, readonly [source: string, warehouse: string]>> = {
  fact_sales_order: [
    FACT,
    `select distinct on (sales_order_id) ${FACT_COLUMNS} from fact_sales_order
      order by sales_order_id, sales_record_id desc`,
  ],
  dim_staff: [
    `select staff_id, first_name, last_name, department_name, coalesce(location, 'Unknown'), email_address
       from staff join department using (department_id)`,
    "select staff_id, first_name, last_name, department_name, location, email_address from dim_staff",
  ],
  dim_location: [
    `select address_id, address_line_1, address_line_2, district, city, postal_code, country, phone from address`,
    `select location_id, address_line_1, address_line_2, district, city, postal_code, country, phone
       from dim_location`,
  ],
  dim_counterparty: [
    `select counterparty_id, counterparty_legal_name, address_line_1, address_line_2, district, city, postal_code,
            country, phone from counterparty join address on address_id = legal_address_id`,
    `select counterparty_id, counterparty_legal_name, counterparty_legal_address_line_1,
            counterparty_legal_address_line_2, counterparty_legal_district, counterparty_legal_city,
            counterparty_legal_postal_code, counterparty_legal_country, counterparty_legal_phone_number
       from dim_counterparty`,
  ],
  dim_design: [
    "select design_id, design_name, file_location, file_name from design",
    "select design_id, design_name, file_location, file_name from dim_design",
  ],
  dim_currency: [
    "select currency_id, currency_code from currency",
    "select currency_id, currency_code from dim_currency",
  ],
  dim_payment_type: [
    "select payment_type_id, payment_type_name::text from payment_type",
    "select payment_type_id, payment_type_name from dim_payment_type",
  ],
};

/** The table that the scenario `lookup` adds. */
const DESIGN_USE: readonly [string, string] = [
  "select sales_order_id, design_id, file_location || '/' || file_name from sales_order join design using (design_id)",
  `select distinct on (sales_order_id) sales_order_id, design_id, file from fact_design_use
    order by sales_order_id, use_record_id desc`,
];

const DAYS = `select created_date as day from fact_sales_order union select last_updated_date from fact_sales_order
  union select agreed_payment_date from fact_sales_order union select agreed_delivery_date from fact_sales_order`;
const CALENDAR = `extract(year from day)::int, extract(month from day)::int, extract(day from day)::int,
  extract(isodow from day)::int, to_char(day, 'FMDay'), to_char(day, 'FMMonth'), extract(quarter from day)::int`;

/** What must be the same within the warehouse. */
const WITHIN: Readonly<Record<string, readonly [string, string]>> = {
  "dim_date, the days that facts refer to": [
    `select day, ${CALENDAR} from (${DAYS}) as days`,
    "select date_id, year, month, day, day_of_week, day_name, month_name, quarter from dim_date",
  ],
  "fact_sales_order, versions that equal the one before": [
    "select 1 where false",
    `select 1 from (select f, lag(f) over (partition by sales_order_id order by sales_record_id) as before
       from (select sales_record_id, sales_order_id, row(${FACT_COLUMNS}) as f from fact_sales_order) as facts) as versions
      where f = before`,
  ],
};

/** The warehouse is not the star of the source. */
export class WarehouseIsWrong extends Error {
  override readonly name = "WarehouseIsWrong";
}

/** How many rows, and a hash over them that does not depend on their order. */
const digest = (db: Database, rows: string): Promise<{ count: string; hash: string }> =>
  db.one(
    `select count(*) as count, coalesce(sum(hashtextextended(r::text, 0)::numeric), 0) as hash from (${rows}) r`,
  );

/**
 * Holds the warehouse against the source: counts and hashes of the latest versions, and every foreign key, of which each
 * must be valid and each row have its match.
 * @param withDesignUse looks at the table of the scenario `lookup` too
 * @returns how many versions of sales orders the warehouse has
 * @throws WarehouseIsWrong naming the tables
 */
export async function checkWarehouse(
  source: Database,
  warehouse: Database,
  withDesignUse = false,
): Promise<number> {
  const wrong: string[] = [];
  const hold = async (
    what: string,
    [there, left]: readonly [Database, string],
    right: string,
  ): Promise<void> => {
    const [expected, found] = [await digest(there, left), await digest(warehouse, right)];
    if (expected.count !== found.count || expected.hash !== found.hash)
      wrong.push(`${what}: ${expected.count} rows expected, ${found.count} found, or others`);
  };
  const same = { ...SAME, ...(withDesignUse ? { fact_design_use: DESIGN_USE } : {}) };
  for (const [table, [there, here]] of Object.entries(same))
    await hold(table, [source, there], here);
  for (const [what, [there, here]] of Object.entries(WITHIN))
    await hold(what, [warehouse, there], here);
  wrong.push(...(await brokenKeys(warehouse)));
  if (wrong.length > 0)
    throw new WarehouseIsWrong(`the warehouse is not the star of the source: ${wrong.join("; ")}`);
  const { versions } = await warehouse.one<{ versions: string }>(
    "select count(*) as versions from fact_sales_order",
  );
  return Number(versions);
}

/** As many as the star's sales have. */
const FACT_KEYS = 9;

async function brokenKeys(warehouse: Database): Promise<string[]> {
  const keys = await warehouse.any<{
    name: string;
    from: string;
    to: string;
    column: string;
    key: string;
    valid: boolean;
  }>(
    `select conname as name, conrelid::regclass::text as from, confrelid::regclass::text as to, convalidated as valid,
            (select attname from pg_attribute where attrelid = conrelid and attnum = conkey[1]) as column,
            (select attname from pg_attribute where attrelid = confrelid and attnum = confkey[1]) as key
       from pg_constraint where contype = 'f'`,
  );
  const ofFact = keys.filter(({ from }) => from === "fact_sales_order").length;
  const wrong =
    ofFact === FACT_KEYS ? [] : [`fact_sales_order has ${ofFact} foreign keys, not ${FACT_KEYS}`];
  for (const { name, from, to, column, key, valid } of keys) {
    if (!valid) wrong.push(`${from}: ${name} is not valid`);
    // A constraint says that it is valid even where its triggers were left out.
    const { orphans } = await warehouse.one<{ orphans: string }>(
      `select count(*) as orphans from $1:raw f where $2:name is not null
        and not exists (select from $3:raw d where d.$4:name = f.$2:name)`,
      [from, column, to, key],
    );
    if (orphans !== "0") wrong.push(`${from}: ${orphans} rows refer by ${column} to no ${to}`);
  }
  return wrong;
}
