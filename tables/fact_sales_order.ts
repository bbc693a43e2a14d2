import { decimal, defineTable, integer, key, references, serial } from "../src/table.ts";
import { sales_order } from "./sources.ts";
import { dateOf, day, stampColumns, timeOf } from "./stamps.ts";

export default defineTable({
  name: "fact_sales_order",
  description: "One row per version of a sales order: an amended order adds a row.",
  source: sales_order,
  columns: {
    sales_record_id: serial,
    sales_order_id: key(integer),
    ...stampColumns,
    sales_staff_id: references("dim_staff", integer),
    counterparty_id: references("dim_counterparty", integer),
    units_sold: integer,
    unit_price: decimal(10, 2),
    currency_id: references("dim_currency", integer),
    design_id: references("dim_design", integer),
    agreed_payment_date: day,
    agreed_delivery_date: day,
    agreed_delivery_location_id: references("dim_location", integer),
  },
  format: (order) => ({
    sales_order_id: order.sales_order_id,
    created_date: dateOf(order.created_at),
    created_time: timeOf(order.created_at),
    last_updated_date: dateOf(order.last_updated),
    last_updated_time: timeOf(order.last_updated),
    sales_staff_id: order.staff_id,
    counterparty_id: order.counterparty_id,
    units_sold: order.units_sold,
    unit_price: order.unit_price,
    currency_id: order.currency_id,
    design_id: order.design_id,
    agreed_payment_date: order.agreed_payment_date,
    agreed_delivery_date: order.agreed_delivery_date,
    agreed_delivery_location_id: order.agreed_delivery_location_id,
  }),
});
