// Questions that a business asks, answered by SQL from the star alone: they show that it is fit to be asked.
import type { Database } from "./source.ts";

/** What was sold in a month in one currency. Currencies are never added together: there are no rates here. */
export interface MonthOfSales {
  /** `GBP`, say. */
  currency: string;
  /** `2023-04`. */
  month: string;
  orders: number;
  /** Units × price, in the currency, two decimals; a string, because a float would lose pennies. */
  value: string;
}

/** How a design sells. */
export interface DesignSales {
  designId: number;
  design: string;
  /** The design's file, which tells designs of one name apart. */
  fileName: string;
  orders: number;
  units: number;
}

/** How many payments stand so, in one direction. */
export interface PaymentsSoFar {
  /** `in` from customers, `out` to suppliers. */
  direction: "in" | "out";
  /** Paid by its date; paid after it; not paid though its date is past; its date has not passed. */
  state: "paid on time" | "paid late" | "overdue" | "not due yet";
  payments: number;
}

/** What all questions take. */
export interface Asked {
  /** The warehouse's schema. Default: `public`. */
  schema?: string;
}

/**
 * The value of the sales orders made in each month, by currency, by the latest version of each order.
 * Sorted by currency and month. Throws what PostgreSQL throws, as of a missing table.
 */
export async function salesByMonth(
  warehouse: Database,
  { schema = "public" }: Asked = {},
): Promise<MonthOfSales[]> {
  return warehouse.any<MonthOfSales>(
    `with sale as (
       select distinct on (sales_order_id) * from $(schema:name).fact_sales_order
        order by sales_order_id, sales_record_id desc
     )
     select currency_code as currency, to_char(created_date, 'YYYY-MM') as month,
            count(*)::int as orders, round(sum(units_sold * unit_price), 2)::text as value
       from sale join $(schema:name).dim_currency using (currency_id)
      group by 1, 2 order by 1, 2`,
    { schema },
  );
}

/**
 * The `limit` designs (default 10) of which most units were sold, in all currencies, best first.
 * Throws what PostgreSQL throws, as of a missing table.
 */
export async function bestSellingDesigns(
  warehouse: Database,
  { schema = "public", limit = 10 }: Asked & { limit?: number } = {},
): Promise<DesignSales[]> {
  return warehouse.any<DesignSales>(
    `with sale as (
       select distinct on (sales_order_id) * from $(schema:name).fact_sales_order
        order by sales_order_id, sales_record_id desc
     )
     select design_id as "designId", design_name as design, file_name as "fileName",
            count(*)::int as orders, sum(units_sold)::float8 as units
       from sale join $(schema:name).dim_design using (design_id)
      group by design_id, design_name, file_name
      order by sum(units_sold) desc, design_id limit $(limit)`,
    { schema, limit },
  );
}

/**
 * How many payments were paid on time, paid late, are overdue and are not due yet on the day `on` (`YYYY-MM-DD`;
 * default: the latest day on which a payment changed), by direction, by the latest version of each payment.
 * States without payments have no row. Throws what PostgreSQL throws, as of a missing table.
 */
export async function paymentsOnTime(
  warehouse: Database,
  { schema = "public", on }: Asked & { on?: string } = {},
): Promise<PaymentsSoFar[]> {
  return warehouse.any<PaymentsSoFar>(
    `with payment as (
       select distinct on (payment_id) * from $(schema:name).fact_payment
        order by payment_id, payment_record_id desc
     ), today as (
       select coalesce($(on)::date, max(last_updated_date)) as day from payment
     ), stated as (
       select case when payment_type_name in ('SALES_RECEIPT', 'PURCHASE_REFUND') then 'in'
                   else 'out' end as direction,
              case when paid and last_updated_date <= payment_date then 'paid on time'
                   when paid then 'paid late'
                   when payment_date < today.day then 'overdue'
                   else 'not due yet' end as state
         from payment cross join today
         join $(schema:name).dim_payment_type using (payment_type_id)
     )
     select direction, state, count(*)::int as payments from stated group by direction, state
      order by direction, array_position(
        array['paid on time', 'paid late', 'overdue', 'not due yet'], state)`,
    { schema, on: on ?? null },
  );
}

/** One bar: what it stands for, and how long it is. */
export interface Bar {
  label: string;
  value: number;
}

/**
 * Draws a bar chart in plain text, a line a bar: label, bar, number. No line is wider than `width` characters
 * (default 72), unless labels and numbers leave no room for bars, which are one character long at least then.
 * The longest bar is the greatest value; a value above 0 shows at least one character.
 * Gives an empty string for no rows; throws a RangeError when a value is below 0 or no finite number.
 */
export function barChart(rows: readonly Bar[], { width = 72 }: { width?: number } = {}): string {
  for (const { label, value } of rows) {
    if (!(value >= 0 && value < Infinity)) {
      throw new RangeError(`no bar can show ${value} of ${label}`);
    }
  }
  const numbers = rows.map(({ value }) =>
    value.toLocaleString("en-GB", { maximumFractionDigits: 2 }),
  );
  const labelWidth = Math.max(0, ...rows.map(({ label }) => label.length));
  const numberWidth = Math.max(0, ...numbers.map((text) => text.length));
  const room = Math.max(1, width - labelWidth - numberWidth - 2);
  const greatest = Math.max(0, ...rows.map(({ value }) => value));

  return rows
    .map(({ label, value }, i) => {
      const length = value === 0 ? 0 : Math.max(1, Math.round((value / greatest) * room));
      const bar = "█".repeat(length).padEnd(room);
      return `${label.padEnd(labelWidth)} ${bar} ${(numbers[i] ?? "").padStart(numberWidth)}`;
    })
    .join("\n");
}
