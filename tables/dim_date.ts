import { date, defineTable, integer, key, remembered, text } from "../src/table.ts";
import { payment, purchase_order, sales_order } from "./sources.ts";

const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const monthName = new Intl.DateTimeFormat("en-GB", { month: "long", timeZone: "UTC" });

/** The calendar's facts about a day; undefined for a text that is no day: the fact's own row reports that one. */
const dayOf = remembered((date_id) => {
  const at = new Date(`${date_id}T00:00:00Z`);
  const isDay = !Number.isNaN(at.getTime()) && at.toISOString().slice(0, 10) === date_id;
  if (!isDay || date_id.startsWith("0000")) return undefined; // there is no year 0
  const [year, month, day] = date_id.split("-").map(Number) as [number, number, number];
  const day_of_week = at.getUTCDay() || 7;
  const names = { day_name: DAYS[day_of_week - 1]!, month_name: monthName.format(at) };
  return { date_id, year, month, day, day_of_week, ...names, quarter: Math.ceil(month / 3) };
});
const dayAt = (stamp: string) => (stamp.endsWith(" BC") ? undefined : dayOf(stamp.slice(0, 10)));

export default defineTable({
  name: "dim_date",
  description: "One row per day that any fact refers to.",
  source: [sales_order, purchase_order, payment],
  columns: {
    date_id: key(date),
    year: integer,
    month: integer,
    day: integer,
    day_of_week: integer, // 1 = Monday … 7 = Sunday
    day_name: text,
    month_name: text,
    quarter: integer,
  },
  format: (row) => {
    const days = [dayAt(row.created_at)];
    if (row.last_updated !== row.created_at) days.push(dayAt(row.last_updated));
    if ("paid" in row) days.push(dayOf(row.payment_date));
    else days.push(dayOf(row.agreed_delivery_date), dayOf(row.agreed_payment_date));
    return days.filter((day) => day !== undefined);
  },
});
