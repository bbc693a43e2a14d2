// The star of one state of the shop, by hand from the rules that its documents give, in nothing of the pipeline's.
import type { ShopRow, ShopState, ShopTable } from "./shop.ts";

/** The columns of a star row but its record id, each as PostgreSQL prints it. */
export type StarRow = Readonly<Record<string, string | null>>;

/** A row that must not be in the star: the reason given for it must hold one of these. */
export interface Unfit {
  readonly unfit: readonly string[];
}

export const isUnfit = (made: StarRow | Unfit): made is Unfit => "unfit" in made;

/** How table modules may differ in the course of a history. */
export interface Rules {
  /** Whether a currency that ISO 4217 does not know is taken, as "Not in ISO 4217". */
  readonly takesAnyCurrency: boolean;
}

export interface StarTable {
  readonly name: string;
  readonly source: ShopTable;
  readonly key: string;
  /** The source table that its rows look up, and by which column. */
  readonly lookup?: { readonly source: ShopTable; readonly by: string };
  /** Its record id, where it keeps every version. */
  readonly recordId?: string;
  /** Columns that hold the key of another star table. */
  readonly references: Readonly<Record<string, string>>;
  /** What stands for a row that was never read, but for its key. */
  readonly unknown?: Readonly<Record<string, string | null>>;
  readonly make: (
    id: string,
    row: ShopRow,
    found: ShopRow | undefined,
    rules: Rules,
  ) => StarRow | Unfit;
}

const CURRENCIES: Readonly<Record<string, string>> = {
  GBP: "Pound Sterling",
  USD: "US Dollar",
  EUR: "Euro",
  JPY: "Yen",
  CHF: "Swiss Franc",
};

const LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const isLeap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

/** Whether a text is a day of the years 0001 to 9999, as YYYY-MM-DD. */
export function isDay(text: string | null): boolean {
  const parts = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text ?? "");
  if (!parts) return false;
  const [year, month, day] = parts.slice(1).map(Number) as [number, number, number];
  const length = (LENGTHS[month - 1] ?? 0) + (month === 2 && isLeap(year) ? 1 : 0);
  return year > 0 && day > 0 && day <= length;
}

const WEEK = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];

/** What dim_date says of a day. */
export function calendar(day: string): StarRow {
  const [year, month, date] = day.split("-").map(Number) as [number, number, number];
  // Days since Monday, 1 January of the year 1.
  let days = date - 1;
  for (let m = 1; m < month; m++) days += LENGTHS[m - 1]! + (m === 2 && isLeap(year) ? 1 : 0);
  const before = year - 1;
  days +=
    before * 365 + Math.floor(before / 4) - Math.floor(before / 100) + Math.floor(before / 400);
  return {
    date_id: day,
    year: String(year),
    month: String(month),
    day: String(date),
    day_of_week: String((days % 7) + 1),
    day_name: WEEK[days % 7]!,
    month_name: MONTHS[month - 1]!,
    quarter: String(Math.floor((month - 1) / 3) + 1),
  };
}

/** A stamp's day and time; neither where it is none of the years 0001 to 9999. */
function stamp(of: ShopRow, column: string): { day: string | null; time: string | null } {
  const parts = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)$/.exec(of[column]!);
  return isDay(parts?.[1] ?? null)
    ? { day: parts![1]!, time: parts![2]! }
    : { day: null, time: null };
}

/** The days that a fact's source row refers to, and those of them that are none. */
function daysOf(row: ShopRow): { days: string[]; wrong: string[] } {
  const agreed = ["agreed_delivery_date", "agreed_payment_date", "payment_date"].filter(
    (column) => column in row,
  );
  const days = ["created_at", "last_updated"].flatMap((column) => stamp(row, column).day ?? []);
  const wrong = [
    ...["created_at", "last_updated"].filter((column) => stamp(row, column).day === null),
    ...agreed.filter((column) => !isDay(row[column]!)),
  ];
  days.push(...agreed.filter((column) => isDay(row[column]!)).map((column) => row[column]!));
  return { days, wrong };
}

/** Every day of a state that dim_date may hold: those of rows that do not fit, too. */
export function allDays(state: ShopState): string[] {
  return (["sales_order", "purchase_order", "payment"] as const).flatMap((table) =>
    state.ids(table).flatMap((id) => daysOf(state.get(table, id)!).days),
  );
}

const stampDays = { created_date: "dim_date", last_updated_date: "dim_date" };

/** A fact's row, or what keeps it from being one: days that are none, and money that is no number. */
function fact(row: ShopRow, money: string, others: StarRow): StarRow | Unfit {
  const { wrong } = daysOf(row);
  // A stamp is two columns there, either of which may be named.
  const unfit = wrong.map((column) =>
    column === "created_at" ? "created_" : column === "last_updated" ? "last_updated_" : column,
  );
  if (row[money] === "NaN") unfit.push(money);
  if (unfit.length > 0) return { unfit };
  const created = stamp(row, "created_at");
  const updated = stamp(row, "last_updated");
  return {
    ...others,
    created_date: created.day,
    created_time: created.time,
    last_updated_date: updated.day,
    last_updated_time: updated.time,
  };
}

const pick = (row: ShopRow, ...columns: string[]): Record<string, string | null> =>
  Object.fromEntries(columns.map((column) => [column, row[column]!]));

const unknown = (...columns: string[]): Record<string, string> =>
  Object.fromEntries(columns.map((column) => [column, "unknown"]));

const LOCATION = [
  "address_line_1",
  "address_line_2",
  "district",
  "city",
  "postal_code",
  "country",
  "phone",
];
const LEGAL = [
  "counterparty_legal_address_line_1",
  "counterparty_legal_address_line_2",
  "counterparty_legal_district",
  "counterparty_legal_city",
  "counterparty_legal_postal_code",
  "counterparty_legal_country",
  "counterparty_legal_phone_number",
];

/** All but dim_date, which is of no one source row: see {@link calendar} and {@link allDays}. */
export const STAR: readonly StarTable[] = [
  {
    name: "dim_staff",
    source: "staff",
    key: "staff_id",
    lookup: { source: "department", by: "department_id" },
    references: {},
    unknown: unknown("first_name", "last_name", "department_name", "location", "email_address"),
    make: (staff_id, row, department) =>
      department
        ? {
            staff_id,
            ...pick(row, "first_name", "last_name", "email_address"),
            department_name: department["department_name"]!,
            location: department["location"] ?? "Unknown",
          }
        : { unfit: [`department_id = ${row["department_id"]}`] },
  },
  {
    name: "dim_location",
    source: "address",
    key: "location_id",
    references: {},
    unknown: unknown(...LOCATION),
    make: (location_id, row) => ({ location_id, ...pick(row, ...LOCATION) }),
  },
  {
    name: "dim_counterparty",
    source: "counterparty",
    key: "counterparty_id",
    lookup: { source: "address", by: "legal_address_id" },
    references: {},
    unknown: unknown("counterparty_legal_name", ...LEGAL),
    make: (counterparty_id, row, address) =>
      address
        ? {
            counterparty_id,
            ...pick(row, "counterparty_legal_name"),
            ...Object.fromEntries(LEGAL.map((column, i) => [column, address[LOCATION[i]!]!])),
          }
        : { unfit: [`address_id = ${row["legal_address_id"]}`] },
  },
  {
    name: "dim_currency",
    source: "currency",
    key: "currency_id",
    references: {},
    unknown: unknown("currency_code", "currency_name"),
    make: (currency_id, { currency_code }, _, { takesAnyCurrency }) => {
      const known = CURRENCIES[currency_code!];
      if (known === undefined && !takesAnyCurrency)
        return { unfit: [JSON.stringify(currency_code)] };
      return {
        currency_id,
        currency_code: currency_code!,
        currency_name: known ?? "Not in ISO 4217",
      };
    },
  },
  {
    name: "dim_design",
    source: "design",
    key: "design_id",
    references: {},
    unknown: unknown("design_name", "file_location", "file_name"),
    make: (design_id, row) => ({
      design_id,
      ...pick(row, "design_name", "file_location", "file_name"),
    }),
  },
  {
    name: "dim_payment_type",
    source: "payment_type",
    key: "payment_type_id",
    references: {},
    unknown: unknown("payment_type_name"),
    make: (payment_type_id, row) => ({ payment_type_id, ...pick(row, "payment_type_name") }),
  },
  {
    name: "dim_transaction",
    source: "transaction",
    key: "transaction_id",
    references: {},
    unknown: { transaction_type: "unknown", sales_order_id: null, purchase_order_id: null },
    make: (transaction_id, row) => ({
      transaction_id,
      ...pick(row, "transaction_type", "sales_order_id", "purchase_order_id"),
    }),
  },
  {
    name: "fact_sales_order",
    source: "sales_order",
    key: "sales_order_id",
    recordId: "sales_record_id",
    references: {
      ...stampDays,
      agreed_delivery_date: "dim_date",
      agreed_payment_date: "dim_date",
      sales_staff_id: "dim_staff",
      counterparty_id: "dim_counterparty",
      currency_id: "dim_currency",
      design_id: "dim_design",
      agreed_delivery_location_id: "dim_location",
    },
    make: (sales_order_id, row) =>
      fact(row, "unit_price", {
        sales_order_id,
        sales_staff_id: row["staff_id"]!,
        ...pick(
          row,
          "counterparty_id",
          "units_sold",
          "unit_price",
          "currency_id",
          "design_id",
          "agreed_payment_date",
          "agreed_delivery_date",
          "agreed_delivery_location_id",
        ),
      }),
  },
  {
    name: "fact_purchase_order",
    source: "purchase_order",
    key: "purchase_order_id",
    recordId: "purchase_record_id",
    references: {
      ...stampDays,
      agreed_delivery_date: "dim_date",
      agreed_payment_date: "dim_date",
      staff_id: "dim_staff",
      counterparty_id: "dim_counterparty",
      currency_id: "dim_currency",
      agreed_delivery_location_id: "dim_location",
    },
    make: (purchase_order_id, row) =>
      fact(row, "item_unit_price", {
        purchase_order_id,
        ...pick(
          row,
          "staff_id",
          "counterparty_id",
          "item_code",
          "item_quantity",
          "item_unit_price",
          "currency_id",
          "agreed_delivery_date",
          "agreed_payment_date",
          "agreed_delivery_location_id",
        ),
      }),
  },
  {
    name: "fact_payment",
    source: "payment",
    key: "payment_id",
    recordId: "payment_record_id",
    references: {
      ...stampDays,
      payment_date: "dim_date",
      transaction_id: "dim_transaction",
      counterparty_id: "dim_counterparty",
      currency_id: "dim_currency",
      payment_type_id: "dim_payment_type",
    },
    make: (payment_id, row) =>
      fact(row, "payment_amount", {
        payment_id,
        ...pick(
          row,
          "transaction_id",
          "counterparty_id",
          "payment_amount",
          "currency_id",
          "payment_type_id",
          "paid",
          "payment_date",
        ),
      }),
  },
];

/** What a table makes of one row of a state; undefined where the row is not there. */
export function starRow(
  table: StarTable,
  state: ShopState,
  id: number,
  rules: Rules,
): StarRow | Unfit | undefined {
  const row = state.get(table.source, id);
  if (!row) return undefined;
  const { lookup } = table;
  const found = lookup && state.get(lookup.source, Number(row[lookup.by]));
  return table.make(String(id), row, found, rules);
}
