/** Formatted rows into columns, one column at a time: a loop a layout is several times as fast as one over rows. */
import type { Column } from "../columns.ts";
import type { SourceRow } from "../table.ts";
import { store, type Stored } from "../values.ts";
import {
  type Growing,
  growing,
  put,
  reserve,
  storedAt,
  type Vector,
  vectorTo,
} from "../vectors.ts";

/** One column of a star table while its rows are made. */
export class StarColumn {
  readonly name: string;
  readonly #column: Column;
  readonly #into: Growing;
  readonly #expected: number;

  /** @param expected rows that there will be, about */
  constructor(name: string, column: Column, expected: number) {
    this.name = name;
    this.#expected = expected;
    this.#column = column;
    this.#into = growing(column);
  }

  /**
   * Stores what each of `stars` has in this column, from row `from` on.
   * Throws BadValue for one that does not fit: what was stored from `from` on is then of no use.
   */
  fill(stars: readonly SourceRow[], from: number): void {
    const into = this.#into;
    reserve(into, from + stars.length, this.#expected);
    switch (into.layout) {
      case "int32":
        return this.#fillNumbers(into.values, stars, from);
      case "float64":
        return this.#fillFloats(into.values, stars, from);
      case "text":
        return this.#fillTexts(into.values, stars, from);
      case "boolean":
      case "bigint":
        for (let i = 0; i < stars.length; i++) {
          put(into, from + i, store(this.#column, stars[i]![this.name]));
        }
    }
  }

  // The same loop three times: one that meets several kinds of arrays takes three times as long.

  #fillNumbers(values: Int32Array, stars: readonly SourceRow[], from: number): void {
    const { name } = this;
    for (let i = 0; i < stars.length; i++) {
      const stored = store(this.#column, stars[i]![name]) as number | null;
      if (stored === null || this.#into.nulls !== undefined) put(this.#into, from + i, stored);
      else values[from + i] = stored;
    }
  }

  #fillFloats(values: Float64Array, stars: readonly SourceRow[], from: number): void {
    const { name } = this;
    for (let i = 0; i < stars.length; i++) {
      const stored = store(this.#column, stars[i]![name]) as number | null;
      if (stored === null || this.#into.nulls !== undefined) put(this.#into, from + i, stored);
      else values[from + i] = stored;
    }
  }

  #fillTexts(values: string[], stars: readonly SourceRow[], from: number): void {
    const { name } = this;
    for (let i = 0; i < stars.length; i++) {
      const stored = store(this.#column, stars[i]![name]) as string | null;
      if (stored === null || this.#into.nulls !== undefined) put(this.#into, from + i, stored);
      else values[from + i] = stored;
    }
  }

  /** Whether each of these rows' values is greater than the one before it. Of a key's column: it has no nulls. */
  ascends(from: number, to: number): boolean {
    const { values } = this.#into;
    for (let row = Math.max(1, from); row < to; row++) {
      if (!(values[row]! > values[row - 1]!)) return false;
    }
    return true;
  }

  at(row: number): Stored {
    return storedAt(this.#into as Vector, row);
  }

  /** Moves row `from + i` to `places[i]`, which is at or before it, each in turn. */
  move(from: number, places: Int32Array): void {
    const { values, nulls } = this.#into;
    const of = values as string[];
    for (let i = 0; i < places.length; i++) {
      of[places[i]!] = of[from + i]!;
      if (nulls !== undefined) nulls[places[i]!] = nulls[from + i]!;
    }
  }

  /** The first `rows` rows. */
  vector(rows: number): Vector {
    return vectorTo(this.#into, rows);
  }
}
