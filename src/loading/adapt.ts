/** Until the codec reads vectors itself: its stored values, as vectors. */
import type { Column } from "../columns.ts";
import { timeOfDay } from "../calendar.ts";
import { toText, type Stored } from "../values.ts";
import { layoutOf, type Vector } from "../vectors.ts";

const microsOf = (time: string): number =>
  (Number(time.slice(0, 2)) * 3600 + Number(time.slice(3, 5)) * 60 + Number(time.slice(6))) * 1e6;

export function vectorOf(column: Column, stored: readonly Stored[]): Vector {
  const layout = layoutOf(column);
  const some = stored.includes(null);
  const nulls = some ? Uint8Array.from(stored, (value) => (value === null ? 1 : 0)) : undefined;
  switch (layout) {
    case "int32":
      return { layout, nulls, values: Int32Array.from(stored as number[], (v) => v ?? 0) };
    case "float64":
      return {
        layout,
        nulls,
        values: Float64Array.from(stored as (string | bigint | null)[], (v) =>
          v === null ? 0 : typeof v === "string" ? Math.round(microsOf(v)) : Number(v),
        ),
      };
    case "boolean":
      return { layout, nulls, values: Uint8Array.from(stored, (v) => (v === true ? 1 : 0)) };
    case "bigint":
      return { layout, nulls, values: (stored as (bigint | null)[]).map((v) => v ?? 0n) };
    case "text":
      return { layout, nulls, values: (stored as (string | null)[]).map((v) => v ?? "") };
  }
}

export function textOf(column: Column, value: Stored): string {
  if (column.type === "decimal" && typeof value === "number") return toText(column, BigInt(value));
  if (column.type === "time" && typeof value === "number") {
    const s = Math.floor(value / 1e6);
    const two = (n: number): string => String(n).padStart(2, "0");
    const text = `${two(Math.floor(s / 3600))}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}.${String(value % 1e6).padStart(6, "0")}`;
    return timeOfDay(text)!;
  }
  return toText(column, value);
}
