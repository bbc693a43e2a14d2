import { decimal, defineTable, integer, key, references, serial, text } from "../src/table.ts";
import { purchase_order } from "./sources.ts";
import { dateOf, day, stampColumns, timeOf } from "./stamps.ts";

export default defineTable({
  name: "fact_purchase_order",
  description: "One row per version of a purchase order: an amended order adds a row.",
  source: purchase_order,
  columns: {
    purchase_record_id: serial,
    purchase_order_id: key(integer),
    ...stampColumns,
    staff_id: references("dim_staff", integer),
    counterparty_id: references("dim_counterparty", integer),
    item_code: text,
    item_quantity: integer,
    item_unit_price: decimal(10, 2),
    currency_id: references("dim_currency", integer),
    agreed_delivery_date: day,
    agreed_payment_date: day,
    agreed_delivery_location_id: references("dim_location", integer),
  },
  format: (order) => ({
    purchase_order_id: order.purchase_order_id,
    created_date: dateOf(order.created_at),
    created_time: timeOf(order.created_at),
    last_updated_date: dateOf(order.last_updated),
    last_updated_time: timeOf(order.last_updated),
    staff_id: order.staff_id,
    counterparty_id: order.counterparty_id,
    item_code: order.item_code,
    item_quantity: order.item_quantity,
    item_unit_price: order.item_unit_price,
    currency_id: order.currency_id,
    agreed_delivery_date: order.agreed_delivery_date,
    agreed_payment_date: order.agreed_payment_date,
    agreed_delivery_location_id: order.agreed_delivery_location_id,
  }),
});
