import type { Column } from "../../src/columns.ts";
import type { Stored } from "../../src/values.ts";
import { layoutOf, type Vector } from "../../src/vectors.ts";

const micros = (time: string): number =>
  Math.round(
    (Number(time.slice(0, 2)) * 3600 + Number(time.slice(3, 5)) * 60 + Number(time.slice(6))) * 1e6,
  );

/** Stored values as a column of many rows. */
export function vectorOf(column: Column, stored: readonly Stored[]): Vector {
  const layout = layoutOf(column);
  const nulls = stored.includes(null)
    ? Uint8Array.from(stored, (value) => (value === null ? 1 : 0))
    : undefined;
  const number = (value: Stored): number =>
    typeof value === "string" ? micros(value) : Number(value ?? 0);
  switch (layout) {
    case "int32":
      return { layout, nulls, values: Int32Array.from(stored, number) };
    case "float64":
      return { layout, nulls, values: Float64Array.from(stored, number) };
    case "boolean":
      return { layout, nulls, values: Uint8Array.from(stored, number) };
    case "bigint":
      return { layout, nulls, values: stored.map((value) => BigInt(value ?? 0)) };
    case "text":
      return { layout, nulls, values: stored.map((value) => String(value ?? "")) };
  }
}
