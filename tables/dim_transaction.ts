import { defineTable, integer, key, nullable, text } from "../src/table.ts";
import { transaction } from "./sources.ts";

export default defineTable({
  name: "dim_transaction",
  description: "One row per transaction: the sale or the purchase that a payment is for.",
  source: transaction,
  columns: {
    transaction_id: key(integer),
    transaction_type: text,
    sales_order_id: nullable(integer),
    purchase_order_id: nullable(integer),
  },
  format: (transaction) => ({
    transaction_id: transaction.transaction_id,
    transaction_type: transaction.transaction_type,
    sales_order_id: transaction.sales_order_id,
    purchase_order_id: transaction.purchase_order_id,
  }),
});
