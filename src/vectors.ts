/** Columns of many rows, as the machine likes them: what the stages hold between formatter, file and warehouse. */
import type { Column } from "./columns.ts";
import type { Stored } from "./values.ts";

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

/** Rows from one to before another. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** A column that rows are still being added to: a vector with room behind its rows. */
export type Growing = {
  [L in Layout]: { readonly layout: L; values: Values[L]; nulls: Uint8Array | undefined };
}[Layout];

const FIRST_ROOM = 64;

/** An empty column, with room for `rows`. */
export function growing(column: Pick<Column, "type" | "precision">, rows = FIRST_ROOM): Growing {
  const nulls = undefined;
  const layout = layoutOf(column);
  switch (layout) {
    case "int32":
      return { layout, values: new Int32Array(rows), nulls };
    case "float64":
      return { layout, values: new Float64Array(rows), nulls };
    case "boolean":
      return { layout, values: new Uint8Array(rows), nulls };
    case "bigint":
    case "text":
      return { layout, values: [], nulls };
  }
}

/** A column with so many rows is likely to get all that there may be. */
const MANY = 4096;

/**
 * Makes room for `rows` in all: twice as much as there was, so that a row is copied once or twice at most; once there
 * are many, for all of the `expected` at once, as V8 collects garbage the more often the more arrays are left behind.
 */
export function reserve(column: Growing, rows: number, expected = 0): void {
  const { layout, values, nulls } = column;
  if (nulls !== undefined && nulls.length < rows) {
    column.nulls = new Uint8Array(Math.max(rows, 2 * nulls.length));
    column.nulls.set(nulls);
  }
  if (layout === "bigint" || layout === "text" || values.length >= rows) return;
  const room = Math.max(rows, 2 * values.length, rows > MANY ? expected : 0);
  switch (layout) {
    case "int32":
      column.values = new Int32Array(room);
      break;
    case "float64":
      column.values = new Float64Array(room);
      break;
    case "boolean":
      column.values = new Uint8Array(room);
  }
  column.values.set(values);
}

/**
 * Puts a value, or null, at `row`: at most one past the last of texts and bigints, within the room of others.
 * Throws TypeError for a value of another layout.
 */
export function put(column: Growing, row: number, stored: Stored): void {
  const { layout, values } = column;
  if (stored === null) return putNull(column, row);
  if (column.nulls !== undefined) column.nulls[row] = 0;
  switch (layout) {
    case "int32":
      if (typeof stored !== "number" || (stored | 0) !== stored) break;
      values[row] = stored;
      return;
    case "float64":
      if (!Number.isSafeInteger(stored)) break;
      values[row] = stored as number;
      return;
    case "boolean":
      if (typeof stored !== "boolean") break;
      values[row] = stored ? 1 : 0;
      return;
    case "bigint":
      if (typeof stored !== "bigint") break;
      values[row] = stored;
      return;
    case "text":
      if (typeof stored !== "string") break;
      values[row] = stored;
      return;
  }
  throw new TypeError(`row ${row}: a ${typeof stored} is not held as ${layout}`);
}

function putNull(column: Growing, row: number): void {
  const { layout, values } = column;
  column.nulls ??= new Uint8Array(Math.max(FIRST_ROOM, values.length));
  if (column.nulls.length <= row) reserve(column, row + 1);
  column.nulls[row] = 1;
  if (layout === "bigint") values[row] = 0n;
  else if (layout === "text") values[row] = "";
  else values[row] = 0;
}

/** Puts all rows of a vector of the same layout behind the first `rows` of a column: those that it has, of texts and bigints. */
export function append(column: Growing, rows: number, vector: Vector): void {
  const to = rows + vector.values.length;
  if (vector.nulls !== undefined) column.nulls ??= new Uint8Array(Math.max(FIRST_ROOM, to));
  reserve(column, to);
  if (column.nulls !== undefined) {
    column.nulls.fill(0, rows, to);
    if (vector.nulls !== undefined) column.nulls.set(vector.nulls.subarray(0, to - rows), rows);
  }
  const { values } = column;
  if (Array.isArray(values))
    for (const value of vector.values as typeof values) values.push(value as never);
  else values.set(vector.values as Int32Array, rows);
}

/** The first `rows` of a column: a view, which later rows leave as it is. */
export function vectorTo(column: Growing, rows: number): Vector {
  if (column.nulls !== undefined && column.nulls.length < rows) reserve(column, rows);
  const nulls = column.nulls?.subarray(0, rows);
  // One of the union's members at a time; the compiler does not see that.
  const values =
    column.layout === "bigint" || column.layout === "text"
      ? column.values.length === rows
        ? column.values
        : column.values.slice(0, rows)
      : column.values.subarray(0, rows);
  return { layout: column.layout, values, nulls } as Vector;
}

/**
 * A column of these values. Slow and obvious: what the fast loops are held against.
 * Throws TypeError for a value that is not how the column stores one.
 */
export function vectorOf(
  column: Pick<Column, "type" | "precision">,
  stored: ArrayLike<Stored>,
): Vector {
  const made = growing(column, stored.length);
  for (let row = 0; row < stored.length; row++) put(made, row, stored[row] as Stored);
  return vectorTo(made, stored.length);
}

/** The rows of a stretch: a view, where the layout has views. */
export function cut({ layout, values, nulls }: Vector, { from, to }: Stretch): Vector {
  const cutOut =
    layout === "bigint" || layout === "text" ? values.slice(from, to) : values.subarray(from, to);
  return { layout, values: cutOut, nulls: nulls?.subarray(from, to) } as Vector;
}

/** The value of one row; null where it has none. */
export function storedAt({ layout, values, nulls }: Vector, row: number): Stored {
  if (nulls?.[row] === 1) return null;
  return layout === "boolean" ? values[row] === 1 : values[row]!;
}

/** Every row's value: slow, for whoever wants to see them. */
export const storedOf = (vector: Vector): Stored[] =>
  Array.from({ length: vector.values.length }, (_, row) => storedAt(vector, row));
