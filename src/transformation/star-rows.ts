import { keyOf, getColumnNames, type Source, type SourceRow, type Table } from "../table.ts";
import { store, type Stored } from "../values.ts";

/** A row that did not fit, as `_rejected/` holds it. `row` is as the source gave it. */
export interface Rejected {
  readonly table: string;
  /** The source row's primary key: its value, or an object where it has several columns. */
  readonly key: unknown;
  readonly reason: string;
  readonly row: SourceRow;
}

/** Looked-up rows of one batch: by source table, by key as text. */
export type Found = ReadonlyMap<string, ReadonlyMap<string, SourceRow>>;

/**
 * One batch's rows of one star table, a column at a time, and the source rows that made none.
 * Rows of one key are made one: the last counts.
 */
export class StarRows {
  /** `data[c][r]` is row r of the c-th stored column. */
  readonly data: Stored[][];
  readonly rejected: Rejected[] = [];
  readonly #table: Table;
  readonly #columns: readonly string[];
  /** Places of the key's columns. */
  readonly #key: readonly number[];
  readonly #rowOf = new Map<Stored, number>();

  constructor(table: Table) {
    this.#table = table;
    this.#columns = getColumnNames(table);
    this.#key = keyOf(table).map((column) => this.#columns.indexOf(column));
    this.data = this.#columns.map(() => []);
  }

  get rows(): number {
    return this.data[0]!.length;
  }

  /** Formats one driving row of `source`; it ends in the columns or, with the reason, among the rejected. */
  add(source: Source, row: SourceRow, found: Found): void {
    let made: Stored[][];
    try {
      made = this.#format(source, row, found);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.rejected.push({ table: this.#table.name, key: sourceKey(source, row), reason, row });
      return;
    }
    for (const values of made) this.#append(values);
  }

  /** Every row that the formatter makes of `row`, checked; throws with the reason where one does not fit. */
  #format(source: Source, row: SourceRow, found: Found): Stored[][] {
    const lookups = Object.entries(this.#table.lookups).map(([name, lookup]) => {
      const target = lookUp(source, row, lookup, found);
      if (target === undefined)
        throw new Error(
          `lookup ${name}: ${lookup.source.name} has no row with ${keyOf(lookup.source)[0]} = ` +
            `${JSON.stringify(row[lookup.by])} (${source.name}.${lookup.by})`,
        );
      return [name, target] as const;
    });
    const made = this.#table.format(row, Object.fromEntries(lookups));
    return (Array.isArray(made) ? made : [made]).map((star: unknown) => this.#check(star));
  }

  #check(star: unknown): Stored[] {
    if (typeof star !== "object" || star === null)
      throw new Error(`the formatter returned ${String(star)}; expected a row or a list of rows`);
    return this.#columns.map((name) => {
      // Own values only: what a prototype holds is not of this row.
      const value: unknown = Object.hasOwn(star, name) ? (star as SourceRow)[name] : undefined;
      try {
        return store(this.#table.columns[name]!, value);
      } catch (error) {
        throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
      }
    });
  }

  #append(values: readonly Stored[]): void {
    const key =
      this.#key.length === 1
        ? values[this.#key[0]!]!
        : this.#key.map((at) => String(values[at])).join("\0");
    let row = this.#rowOf.get(key);
    if (row === undefined) this.#rowOf.set(key, (row = this.rows));
    for (const [at, value] of values.entries()) this.data[at]![row] = value;
  }
}

/** The row looked up; null for a null in a nullable column; undefined where there should be one and is none. */
function lookUp(
  source: Source,
  row: SourceRow,
  { source: target, by }: Table["lookups"][string],
  found: Found,
): SourceRow | null | undefined {
  const key = row[by];
  if (key === null && source.columns[by]!.nullable) return null;
  return found.get(target.name)?.get(String(key));
}

function sourceKey(source: Source, row: SourceRow): unknown {
  const [first, ...more] = keyOf(source);
  if (more.length === 0) return row[first!];
  return Object.fromEntries([first!, ...more].map((column) => [column, row[column]]));
}
