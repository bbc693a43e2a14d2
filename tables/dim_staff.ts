import { defineTable, integer, key, lookup, text } from "../src/table.ts";
import { department, staff } from "./sources.ts";

export default defineTable({
  name: "dim_staff",
  description: "One row per member of staff, with their department folded in.",
  source: staff,
  lookups: { department: lookup(department, "department_id") },
  columns: {
    staff_id: key(integer),
    first_name: text,
    last_name: text,
    department_name: text,
    location: text,
    email_address: text,
  },
  format: (staff, { department }) => ({
    staff_id: staff.staff_id,
    first_name: staff.first_name,
    last_name: staff.last_name,
    department_name: department.department_name,
    location: department.location ?? "Unknown",
    email_address: staff.email_address,
  }),
});
