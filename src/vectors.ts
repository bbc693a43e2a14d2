/** Columns of many rows, as the machine likes them: what the stages hold between formatter, file and warehouse. */
import type { Column } from "./columns.ts";

/** The most digits of a decimal whose unscaled value a float holds exactly. */
export const FLOAT_DIGITS = 15;

/**
 * How a column's values lie in memory:
 * - `int32`: integer; date, as days since 1970-01-01;
 * - `float64`, whole numbers below 2⁵³: time, as µs since midnight; decimal of up to 15 digits, as its unscaled value;
 * - `boolean`: 0 or 1;
 * - `bigint`: bigint; timestamp and timestamptz, as µs since 1970; decimal of more digits, as its unscaled value;
 * - `text`.
 */
export type Layout = "int32" | "float64" | "boolean" | "bigint" | "text";

export function layoutOf({ type, precision = 0 }: Pick<Column, "type" | "precision">): Layout {
  switch (type) {
    case "integer":
    case "date":
      return "int32";
    case "time":
      return "float64";
    case "decimal":
      return precision <= FLOAT_DIGITS ? "float64" : "bigint";
    case "bigint":
    case "timestamp":
    case "timestamptz":
      return "bigint";
    case "boolean":
    case "text":
      return type;
  }
}

/** The values themselves, one a row; whatever 0, 0n or "" there is where a row has none. */
export interface Values {
  int32: Int32Array;
  float64: Float64Array;
  boolean: Uint8Array;
  bigint: bigint[];
  text: string[];
}

/** One column of many rows. */
export type Vector = {
  [L in Layout]: {
    readonly layout: L;
    readonly values: Values[L];
    /** 1 where a row has no value; undefined where all have one. */
    readonly nulls: Uint8Array | undefined;
    /** Each value that there is, at least once, where whoever made the column knows them: a file's dictionary. */
    readonly distinct?: Values[L] | undefined;
  };
}[Layout];
