import { defineTable, integer, key, text } from "../src/table.ts";
import { payment_type } from "./sources.ts";

export default defineTable({
  name: "dim_payment_type",
  description: "One row per type of payment.",
  source: payment_type,
  columns: { payment_type_id: key(integer), payment_type_name: text },
  format: ({ payment_type_id, payment_type_name }) => ({ payment_type_id, payment_type_name }),
});
