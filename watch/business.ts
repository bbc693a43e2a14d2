/** Four questions about the business, answered by the star of tables/, each by one query that a reader can run as it is. */
import { loadsOf } from "../src/loading/ledger.ts";
import type { Warehouse } from "../src/operations/tables.ts";
import type { Db } from "../src/postgres/connection.ts";

export interface Business {
  /** The newest batch in the warehouse; 0 where there is none, or the warehouse has no such star. */
  readonly as_of_batch: number;
  /** The newest day that a sale or payment was recorded or changed: what the questions count back from. */
  readonly as_of: string;
  /** The last twelve months, each currency's own: never added across currencies. */
  readonly sales: readonly {
    readonly currency: string;
    readonly months: readonly { readonly month: string; readonly amount: string }[];
  }[];
  /** The best 8 of the last 30 days. */
  readonly designs: readonly {
    readonly design: string;
    readonly units: number;
    readonly orders: number;
  }[];
  /** The last 30 days; departments and people with most units first. */
  readonly staff: readonly {
    readonly department: string;
    readonly people: readonly { readonly name: string; readonly units: number }[];
  }[];
  readonly payments: {
    readonly months: readonly {
      readonly month: string;
      readonly on_time: number;
      readonly late: number;
    }[];
    readonly overdue: readonly {
      readonly currency: string;
      readonly payments: number;
      readonly amount: string;
    }[];
  };
  readonly sql: Readonly<Record<"sales" | "designs" | "staff" | "payments", string>>;
}

const ORDERS = `WITH orders AS (
  SELECT DISTINCT ON (sales_order_id) *
    FROM fact_sales_order
   ORDER BY sales_order_id, sales_record_id DESC
)`;
const SOLD_LATELY = "created_date > (SELECT max(created_date) FROM orders) - 30";
const PAYMENTS = `WITH payments AS (
  SELECT DISTINCT ON (payment_id) *, (SELECT max(last_updated_date) FROM fact_payment) AS today
    FROM fact_payment
   ORDER BY payment_id, payment_record_id DESC
)`;

const SQL = {
  sales: `${ORDERS}
SELECT currency_code AS currency, to_char(created_date, 'YYYY-MM') AS month,
       sum(units_sold * unit_price) AS amount
  FROM orders JOIN dim_currency USING (currency_id)
 WHERE created_date >= date_trunc('month', (SELECT max(created_date) FROM orders)) - interval '11 months'
 GROUP BY 1, 2
 ORDER BY 1, 2;`,
  designs: `${ORDERS}
SELECT design_name || ' ' || design_id AS design, sum(units_sold)::int AS units, count(*)::int AS orders
  FROM orders JOIN dim_design USING (design_id)
 WHERE ${SOLD_LATELY}
 GROUP BY design_id, design_name
 ORDER BY units DESC, design
 LIMIT 8;`,
  staff: `${ORDERS}
SELECT department_name AS department, first_name || ' ' || last_name AS name,
       sum(units_sold)::int AS units
  FROM orders JOIN dim_staff ON staff_id = sales_staff_id
 WHERE ${SOLD_LATELY}
 GROUP BY staff_id, department_name, first_name, last_name
 ORDER BY units DESC, name;`,
  payments: `${PAYMENTS}
SELECT to_char(payment_date, 'YYYY-MM') AS month,
       count(*) FILTER (WHERE paid AND last_updated_date <= payment_date)::int AS on_time,
       count(*) FILTER (WHERE NOT paid OR last_updated_date > payment_date)::int AS late
  FROM payments
 WHERE payment_date < today
   AND payment_date >= date_trunc('month', today) - interval '11 months'
 GROUP BY 1
 ORDER BY 1;`,
};
const OVERDUE = `${PAYMENTS}
SELECT currency_code AS currency, count(*)::int AS payments, sum(payment_amount) AS amount
  FROM payments JOIN dim_currency USING (currency_id)
 WHERE NOT paid AND payment_date < today
 GROUP BY 1
 ORDER BY 1;`;
const AS_OF = `SELECT greatest((SELECT max(created_date) FROM fact_sales_order),
                (SELECT max(last_updated_date) FROM fact_payment))::text AS day`;

const TABLES = ["fact_sales_order", "fact_payment", "dim_currency", "dim_design", "dim_staff"];
/** For all questions together, of a warehouse that has many millions of rows. */
const LONGEST = "30s";

/**
 * Asks them all, in one snapshot.
 * @throws ConnectionError, SecretError; PostgreSQL's own where it takes longer than {@link LONGEST}
 */
export async function business({ warehouse }: Pick<Warehouse, "warehouse">): Promise<Business> {
  const connection = await warehouse();
  const { db, schema, ledger } = connection;
  try {
    return await db.tx(async (t) => {
      await t.none("set transaction isolation level repeatable read, read only");
      // The queries name tables alone, as a reader would.
      await t.one("select set_config('search_path', quote_ident($1), true)", [schema]);
      await t.none(`set local statement_timeout = '${LONGEST}'`);
      const day = await newestDay(t);
      return day === null ? NOTHING : ask(t, ledger, day);
    });
  } finally {
    await connection.close();
  }
}

const NOTHING: Business = {
  as_of_batch: 0,
  as_of: "",
  sales: [],
  designs: [],
  staff: [],
  payments: { months: [], overdue: [] },
  sql: SQL,
};

/** Null where the warehouse has no such tables, or nothing in them. */
async function newestDay(t: Db): Promise<string | null> {
  const { found } = await t.one<{ found: boolean }>(
    "select bool_and(to_regclass(name) is not null) as found from unnest($1::text[]) name",
    [TABLES],
  );
  return found ? (await t.one<{ day: string | null }>(AS_OF)).day : null;
}

async function ask(t: Db, ledger: string, day: string): Promise<Business> {
  const { batch } = await t.one<{ batch: string }>(
    `select coalesce(max(batch), 0) as batch from ${loadsOf(ledger)}`,
  );
  const sales = await t.any<{ currency: string; month: string; amount: string }>(SQL.sales);
  const months = lastMonths(sales.map(({ month }) => month));
  const staff = await t.any<{ department: string; name: string; units: number }>(SQL.staff);
  return {
    as_of_batch: Number(batch),
    as_of: day,
    sales: [...groupBy(sales, ({ currency }) => currency)].map(([currency, own]) => ({
      currency,
      // A month without sales is one of 0.
      months: months.map((month) => ({
        month,
        amount: own.find((one) => one.month === month)?.amount ?? "0",
      })),
    })),
    designs: await t.any(SQL.designs),
    staff: [...groupBy(staff, ({ department }) => department)]
      .map(([department, people]) => ({
        department,
        people: people.map(({ name, units }) => ({ name, units })),
      }))
      .toSorted((a, b) => sold(b.people) - sold(a.people)),
    payments: { months: await t.any(SQL.payments), overdue: await t.any(OVERDUE) },
    sql: SQL,
  };
}

const sold = (people: readonly { readonly units: number }[]): number =>
  people.reduce((sum, { units }) => sum + units, 0);

/** Every month from the first to the last. */
function lastMonths(found: readonly string[]): string[] {
  const [first, last] = [found.toSorted()[0], found.toSorted().at(-1)];
  const months: string[] = [];
  for (let month = first; month !== undefined && month <= last!; month = monthAfter(month))
    months.push(month);
  return months;
}

function monthAfter(text: string): string {
  const [year, month] = text.split("-").map(Number) as [number, number];
  return new Date(Date.UTC(year, month)).toISOString().slice(0, 7);
}

function groupBy<T>(rows: readonly T[], of: (row: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const group = groups.get(of(row));
    if (group) group.push(row);
    else groups.set(of(row), [row]);
  }
  return groups;
}
