/** Rows that are asked for by their keys, whether they changed or not. */
import * as v from "valibot";
import type { CatalogueTable } from "../postgres/catalogue.ts";
import type { Db } from "../postgres/connection.ts";
import { keyOf, type Source, type Table } from "../table.ts";
import { namedColumns, type Key } from "./keyset.ts";

/** Rows were named that cannot be: says which table and key. Nothing was written. */
export class NamedRowsError extends Error {
  override readonly name = "NamedRowsError";
}

/** Keys of one source, of a batch or of a query. */
export interface NamedKeys {
  readonly source: Source;
  readonly keys: readonly Key[];
}

/** Of one source, what a committed batch had of the rows that were named. */
export interface Answered {
  readonly table: string;
  readonly named: number;
  readonly found: number;
  readonly gone: number;
}

/** The rows that a run was asked for, and what became of them, over all its tries. */
export class NamedRows {
  readonly found: Record<string, number> = {};
  readonly gone: Record<string, number> = {};
  readonly #waiting: { readonly source: Source; keys: readonly Key[] }[];

  /**
   * @param order every source that drives a table, in the order in which they are read
   * @throws NamedRowsError for a table that is none of those, and for a key that is not of its columns
   */
  constructor(order: readonly Source[], named: ReadonlyMap<string, readonly Key[]>) {
    for (const table of named.keys())
      if (!order.some(({ name }) => name === table))
        throw new NamedRowsError(
          `rows of ${table} were named, which drives no table; these do: ${order.map(({ name }) => name).join(", ")}`,
        );
    this.#waiting = order.flatMap((source) => {
      const keys = named.get(source.name) ?? [];
      for (const key of keys) checkColumns(source, key);
      const each = new Map(
        keys.map((key) => [JSON.stringify(keyOf(source).map((c) => key[c])), key]),
      );
      return each.size > 0 ? [{ source, keys: [...each.values()] }] : [];
    });
  }

  /** Those that no batch was committed with yet, in the order in which they are read. */
  get waiting(): readonly NamedKeys[] {
    return this.#waiting.filter(({ keys }) => keys.length > 0).map((one) => ({ ...one }));
  }

  /** Whether batches were committed with all of them, and there are any. */
  get areAnswered(): boolean {
    return this.#waiting.length > 0 && this.waiting.length === 0;
  }

  /** How many of them there are, by source. */
  get left(): Record<string, number> {
    return Object.fromEntries(this.waiting.map(({ source, keys }) => [source.name, keys.length]));
  }

  /** Counts what a batch was committed with: the first of those that waited. */
  done(answered: readonly Answered[]): void {
    for (const { table, named, found, gone } of answered) {
      const one = this.#waiting.find(({ source }) => source.name === table)!;
      one.keys = one.keys.slice(named);
      if (found > 0) this.found[table] = (this.found[table] ?? 0) + found;
      if (gone > 0) this.gone[table] = (this.gone[table] ?? 0) + gone;
    }
  }

  /** Why they are read, in words. */
  get reasons(): string[] {
    return this.waiting.map(
      ({ source, keys }) =>
        `${keys.length} row${keys.length === 1 ? "" : "s"} of ${source.name} named`,
    );
  }
}

/** The first `most` of some keys, and the others. */
export function cutKeys(
  some: readonly NamedKeys[],
  most: number,
): readonly [first: NamedKeys[], others: NamedKeys[]] {
  const first: NamedKeys[] = [];
  const others: NamedKeys[] = [];
  let room = most;
  for (const { source, keys } of some) {
    if (room > 0) first.push({ source, keys: keys.slice(0, room) });
    if (keys.length > room) others.push({ source, keys: keys.slice(room) });
    room = Math.max(0, room - keys.length);
  }
  return [first, others];
}

/**
 * Has the source read each value as its column's type: before anything is read, as the transaction is lost with the first
 * that it refuses.
 * @throws NamedRowsError naming table and key
 */
export async function checkNamed(
  db: Db,
  named: readonly NamedKeys[],
  catalogue: ReadonlyMap<string, CatalogueTable>,
): Promise<void> {
  for (const { source, keys } of named)
    for (const { name: column, type } of namedColumns(source, catalogue.get(source.name)!)) {
      const values = keys.map((key) => key[column]);
      try {
        await db.one(`select count(v) from unnest($1::text[]::${type}[]) v`, [values]);
      } catch (cause) {
        const { code, message } = cause as { code?: string; message: string };
        if (code?.startsWith("22") !== true) throw cause;
        // PostgreSQL says the value, between quotes.
        const key = keys.find((one) => message.includes(`"${one[column]}"`));
        throw new NamedRowsError(
          `named row of ${source.name}${key ? ` with the key ${JSON.stringify(key)}` : ""}: ${column}: ${message}`,
          { cause },
        );
      }
    }
}

function checkColumns(source: Source, key: Key): void {
  const expected = keyOf(source);
  const given = Object.keys(key);
  const isWhole =
    given.length === expected.length && expected.every((column) => Object.hasOwn(key, column));
  // A byte of zero would end the query.
  if (isWhole && expected.every((column) => key[column]?.includes("\0") === false)) return;
  throw new NamedRowsError(
    `named row of ${source.name}: expected a text for each of ${expected.join(", ")}, its key, found ${JSON.stringify(key)}`,
  );
}

const value = v.union([v.string(), v.pipe(v.number(), v.safeInteger())]);
const eventRows = v.optional(v.record(v.string(), v.array(v.union([value, v.array(value)]))), {});
/** Keys as an event names them, by source table: each its value, or a list of its columns' values. */
export type EventRows = v.InferInput<typeof eventRows>;

/** @throws NamedRowsError for another shape, and for a key of too many or too few values */
export function namedIn(rows: unknown, tables: readonly Table[]): Map<string, Key[]> {
  const parsed = v.safeParse(eventRows, rows);
  if (!parsed.success)
    throw new NamedRowsError(
      'to have rows read again, send their keys: { "rows": { "TABLE": ["5", "6"] } }, a list for a key of several columns',
    );
  const sources = new Map(
    tables.flatMap((table) => table.sources).map((source) => [source.name, source]),
  );
  return new Map(
    Object.entries(parsed.output).map(([table, keys]) => {
      const source = sources.get(table);
      // What no table is driven by is refused when it is to be read.
      return [table, source ? keys.map((key) => keyFrom(source, [key].flat())) : []];
    }),
  );
}

function keyFrom(source: Source, values: readonly (string | number)[]): Key {
  const columns = keyOf(source);
  if (values.length !== columns.length)
    throw new NamedRowsError(
      `named row of ${source.name}: expected a value for each of ${columns.join(", ")}, its key, found ${JSON.stringify(values)}`,
    );
  return Object.fromEntries(columns.map((column, i) => [column, String(values[i])]));
}
