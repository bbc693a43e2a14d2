// Lines that must not compile: each `@ts-expect-error` is a promise of the vocabulary. `npm run typecheck` runs this.
import {
  defineSource,
  defineTable,
  detect,
  integer,
  key,
  lookup,
  nullable,
  serial,
  text,
} from "../../src/table.ts";
import { department, payment, purchase_order, sales_order, staff } from "../../tables/sources.ts";

const base = {
  name: "dim_x",
  description: "One row per x.",
  source: staff,
  columns: { staff_id: key(integer), first_name: text },
} as const;
const withDepartment = { ...base, lookups: { department: lookup(department, "department_id") } };

defineTable({ ...base, format: (s) => ({ staff_id: s.staff_id, first_name: s.first_name }) });
defineTable({
  ...withDepartment,
  format: (s, { department }) => ({
    staff_id: s.staff_id,
    first_name: department.location ?? "Unknown",
  }),
});

// @ts-expect-error a column is missing
defineTable({ ...base, format: (s) => ({ staff_id: s.staff_id }) });

// @ts-expect-error a text where an integer belongs
defineTable({ ...base, format: (s) => ({ staff_id: s.first_name, first_name: s.first_name }) });

defineTable({
  ...base,
  // @ts-expect-error the source has no such column
  format: (s) => ({ staff_id: s.id, first_name: s.first_name }),
});

defineTable({
  ...base,
  // @ts-expect-error the lookup was not declared
  format: (s, { department }) => ({ staff_id: s.staff_id, first_name: department.location }),
});

defineTable({
  ...base,
  // @ts-expect-error the driving source has no column of that name
  lookups: { department: lookup(department, "dept_id") },
  format: (s) => ({ staff_id: s.staff_id, first_name: "" }),
});

defineTable({
  ...withDepartment,
  // @ts-expect-error null where the column is not nullable
  format: (s, { department }) => ({ staff_id: s.staff_id, first_name: department.location }),
});

const gone = defineSource("gone", { id: key(integer) }, { deletes: detect });
defineTable({
  name: "dim_gone",
  description: "One row per gone one.",
  source: gone,
  deleted: "mark",
  columns: { id: key(integer) },
  // The pipeline fills deleted_at.
  format: ({ id }) => ({ id }),
});

// @ts-expect-error deletes are ignored or detected
defineSource("gone", { id: key(integer) }, { deletes: "sometimes" });

defineTable({
  ...base,
  // @ts-expect-error what is gone is kept, marked or removed
  deleted: "archive",
  format: (s) => ({ staff_id: s.staff_id, first_name: s.first_name }),
});

// @ts-expect-error a name that is neither a dimension's nor a fact's
defineTable({ ...base, name: "staff", format: (s) => s });

const nullableKey = {
  name: "dim_y",
  description: "One row per order of a transaction.",
  source: { ...payment, columns: { ...payment.columns, manager_id: nullable(integer) } },
  lookups: { manager: lookup(staff, "manager_id") },
  columns: { payment_id: key(integer), manager: nullable(text) },
} as const;
defineTable({
  ...nullableKey,
  format: (p, { manager }) => ({
    payment_id: p.payment_id,
    manager: manager?.first_name ?? null,
  }),
});
defineTable({
  ...nullableKey,
  // @ts-expect-error a nullable foreign key may find nothing
  format: (p, { manager }) => ({ payment_id: p.payment_id, manager: manager.first_name }),
});

const twoSources = {
  name: "dim_z",
  description: "One row per z.",
  source: [sales_order, purchase_order],
  columns: { id: key(integer) },
} as const;
defineTable({
  ...twoSources,
  format: (row) => [{ id: "design_id" in row ? row.sales_order_id : row.purchase_order_id }],
});
defineTable({
  ...twoSources,
  // @ts-expect-error not every driving source has that column
  format: (row) => [{ id: row.sales_order_id }],
});

defineTable({
  name: "fact_z",
  description: "One row per version of z.",
  source: staff,
  columns: { z_record_id: serial, staff_id: key(integer) },
  // The warehouse fills the record id.
  format: (s) => ({ staff_id: s.staff_id }),
});
