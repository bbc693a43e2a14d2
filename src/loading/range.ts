import type { Column } from "../columns.ts";
import { literal } from "../postgres/sql.ts";
import { toText, type Stored } from "../values.ts";
import { sqlType } from "./warehouse.ts";

/** The lowest and the highest of some values, in SQL: a statement that is told them reads no more of an index. */
export interface Range {
  readonly lowest: string;
  readonly highest: string;
  /** How many whole numbers there are from the one to the other; undefined of other types. */
  readonly size: number | undefined;
}

/** Undefined where there is no value, and where SQL may see another order than we do. */
export function rangeOf(column: Column, values: Iterable<Stored>): Range | undefined {
  if (column.type === "text" || column.type === "boolean") return undefined;
  let lowest: Stored = null;
  let highest: Stored = null;
  for (const value of values as Iterable<number | bigint>) {
    if (lowest === null || value < lowest) lowest = value;
    if (highest === null || value > highest) highest = value;
  }
  if (lowest === null) return undefined;
  const sql = (value: Stored): string => `${literal(toText(column, value))}::${sqlType(column)}`;
  const isWhole = column.type === "integer" || column.type === "bigint";
  const size = isWhole ? Number(highest) - Number(lowest) + 1 : undefined;
  return { lowest: sql(lowest), highest: sql(highest), size };
}
