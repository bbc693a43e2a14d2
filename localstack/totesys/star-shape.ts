/** A row of a star table: each value as canonical text, in the order of the table's columns. */
export type StarRow = readonly (string | null)[];

/** A star table's rows, and what may be said of others. */
export interface StarTable {
  columns: readonly string[];
  /** The columns that say that two rows are the same record. */
  key: readonly string[];
  rows: StarRow[];
  /** Keys of the source's rows that do not fit, in a star computed from a source. */
  quarantined: StarRow[];
  /** Rows that may be there without having to: days that only quarantined rows or older versions refer to. */
  allowed: StarRow[];
}

/** Star tables by name. */
export type Star = Map<string, StarTable>;

type Kind = "text" | "integer" | "boolean" | "date" | "time" | "money";

interface Shape {
  columns: readonly string[];
  kinds: readonly Kind[];
  key: readonly string[];
  nullable: readonly string[];
  /** The column that numbers a fact's versions; absent from `columns`. */
  record?: string;
}

/** `id int, name text?`: columns with their kinds, `?` marking those that may be null; the first is the key. */
function shape(described: string, record?: string): Shape {
  const parts = described.split(",").map((part) => {
    const [name = "", kind = ""] = part.trim().replace("?", "").split(" ");
    return { name, kind: kind as Kind, nullable: part.includes("?") };
  });
  return {
    columns: parts.map(({ name }) => name),
    kinds: parts.map(({ kind }) => kind),
    key: parts.slice(0, 1).map(({ name }) => name),
    nullable: parts.filter(({ nullable }) => nullable).map(({ name }) => name),
    ...(record === undefined ? {} : { record }),
  };
}

const MOMENTS =
  "created_date date, created_time time, last_updated_date date, last_updated_time time";

/** The eleven star tables, dimensions first. */
export const STAR_TABLES: ReadonlyMap<string, Shape> = new Map([
  [
    "dim_date",
    shape(`date_id date, year integer, month integer, day integer, day_of_week integer,
           day_name text, month_name text, quarter integer`),
  ],
  [
    "dim_staff",
    shape(`staff_id integer, first_name text, last_name text, department_name text, location text,
           email_address text`),
  ],
  [
    "dim_location",
    shape(`location_id integer, address_line_1 text, address_line_2 text?, district text?, city text,
           postal_code text, country text, phone text`),
  ],
  ["dim_currency", shape("currency_id integer, currency_code text, currency_name text")],
  ["dim_design", shape("design_id integer, design_name text, file_location text, file_name text")],
  [
    "dim_counterparty",
    shape(`counterparty_id integer, counterparty_legal_name text,
           counterparty_legal_address_line_1 text, counterparty_legal_address_line_2 text?,
           counterparty_legal_district text?, counterparty_legal_city text,
           counterparty_legal_postal_code text, counterparty_legal_country text,
           counterparty_legal_phone_number text`),
  ],
  ["dim_payment_type", shape("payment_type_id integer, payment_type_name text")],
  [
    "dim_transaction",
    shape(`transaction_id integer, transaction_type text, sales_order_id integer?,
           purchase_order_id integer?`),
  ],
  [
    "fact_sales_order",
    shape(
      `sales_order_id integer, ${MOMENTS}, sales_staff_id integer, counterparty_id integer,
       units_sold integer, unit_price money, currency_id integer, design_id integer,
       agreed_payment_date date, agreed_delivery_date date, agreed_delivery_location_id integer`,
      "sales_record_id",
    ),
  ],
  [
    "fact_purchase_order",
    shape(
      `purchase_order_id integer, ${MOMENTS}, staff_id integer, counterparty_id integer,
       item_code text, item_quantity integer, item_unit_price money, currency_id integer,
       agreed_delivery_date date, agreed_payment_date date, agreed_delivery_location_id integer`,
      "purchase_record_id",
    ),
  ],
  [
    "fact_payment",
    shape(
      `payment_id integer, ${MOMENTS}, transaction_id integer, counterparty_id integer,
       payment_amount money, currency_id integer, payment_type_id integer, paid boolean,
       payment_date date`,
      "payment_record_id",
    ),
  ],
]);

// Pieces of SQL. They take names of columns that stand in these files, never what comes from outside.

/**
 * Whether a column of text holds a real day, `YYYY-MM-DD`, years 0001 to 9999. It casts nothing that it has
 * not looked at, so no value makes the query fail, as a cast to date would.
 */
export function realDay(column: string): string {
  const year = `substr(${column}, 1, 4)::int`;
  const month = `substr(${column}, 6, 2)::int`;
  return `coalesce(case when ${column} !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' then false else
    ${year} >= 1 and ${month} between 1 and 12 and substr(${column}, 9, 2)::int between 1 and
      case when ${month} in (4, 6, 9, 11) then 30
           when ${month} <> 2 then 31
           when ${year} % 4 = 0 and (${year} % 100 <> 0 or ${year} % 400 = 0) then 29
           else 28 end
    end, false)`;
}

/** A column of text as a date: null where it holds no real day. */
export function dayIf(column: string): string {
  return `case when ${realDay(column)} then ${column}::date end`;
}

/** Whether a timestamp is finite and in the years 0001 to 9999. */
export function realMoment(column: string): string {
  return `coalesce(${column} >= timestamp '0001-01-01' and ${column} < timestamp '10000-01-01', false)`;
}

/** A timestamp's day: null where it is no real moment. */
export function day(column: string): string {
  return `case when ${realMoment(column)} then ${column}::date end`;
}

/** A timestamp as two columns of text, `<name>_date` and `<name>_time`. */
export function moment(column: string, name: string): string {
  return `to_char(${day(column)}, 'YYYY-MM-DD') as ${name}_date,
          case when ${realMoment(column)} then to_char(${column}, 'HH24:MI:SS.US') end as ${name}_time`;
}

/** dim_date's columns, as text, of an expression that gives a date. Names of days and months are English. */
export function calendarSql(date: string): string {
  return `to_char(${date}, 'YYYY-MM-DD') as date_id,
          extract(year from ${date})::int::text as year,
          extract(month from ${date})::int::text as month,
          extract(day from ${date})::int::text as day,
          extract(isodow from ${date})::int::text as day_of_week,
          to_char(${date}, 'FMDay') as day_name,
          to_char(${date}, 'FMMonth') as month_name,
          extract(quarter from ${date})::int::text as quarter`;
}

/** A column of the warehouse, of a kind, as canonical text. More than two decimals of money stay visible. */
export function canonical(column: string, kind: Kind): string {
  switch (kind) {
    case "date":
      return `to_char(${column}, 'YYYY-MM-DD') as ${column}`;
    case "time":
      return `to_char(${column}, 'HH24:MI:SS.US') as ${column}`;
    case "money":
      return `case when ${column} = round(${column}, 2) then round(${column}, 2)::text
                   else ${column}::text end as ${column}`;
    case "text":
    case "integer":
    case "boolean":
      return `${column}::text as ${column}`;
  }
}
