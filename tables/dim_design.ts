import { defineTable, integer, key, text } from "../src/table.ts";
import { design } from "./sources.ts";

export default defineTable({
  name: "dim_design",
  description: "One row per design of a tote.",
  source: design,
  columns: {
    design_id: key(integer),
    design_name: text,
    file_location: text,
    file_name: text,
  },
  format: (design) => ({
    design_id: design.design_id,
    design_name: design.design_name,
    file_location: design.file_location,
    file_name: design.file_name,
  }),
});
