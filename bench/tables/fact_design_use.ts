// For the scenario `lookup` alone: a table of which every row shows a row of another.
import { defineTable, integer, key, lookup, references, serial, text } from "../../src/table.ts";
import { design, sales_order } from "../../tables/sources.ts";

export default defineTable({
  name: "fact_design_use",
  description: "One row per version of a sales order, with its design's file.",
  source: sales_order,
  lookups: { design: lookup(design, "design_id") },
  columns: {
    use_record_id: serial,
    sales_order_id: key(integer),
    design_id: references("dim_design", integer),
    file: text,
  },
  format: (order, { design }) => ({
    sales_order_id: order.sales_order_id,
    design_id: order.design_id,
    file: `${design.file_location}/${design.file_name}`,
  }),
});
