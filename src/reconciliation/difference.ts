import type { Key } from "../ingestion/keyset.ts";
import { keyedBySource, type Table } from "../table.ts";

/**
 * What is wrong with a row of the warehouse.
 *
 * - `missing`: the source makes it, the warehouse lacks it.
 * - `extra`: the warehouse has it, the source does not make it; or it repeats the version of its record before it.
 * - `different`: the warehouse has other values than the source makes, and never were they in the lake.
 * - `stale`: the warehouse has other values than the source makes, which the record had once: a change got lost.
 */
export const KINDS = ["missing", "extra", "different", "stale"] as const;
export type Kind = (typeof KINDS)[number];

/** A column's two values, as PostgreSQL prints them. */
export interface Discrepancy {
  readonly column: string;
  /** What the source makes; absent where it makes no such row. */
  readonly expected?: string | null;
  /** What the warehouse has; absent where it has no such row. */
  readonly found?: string | null;
}

/** One row of the warehouse that is not what the source makes of it. */
export interface Difference {
  readonly table: string;
  readonly kind: Kind;
  /** Of the star row. */
  readonly key: Readonly<Record<string, string>>;
  /** The columns that differ; all but the key where there is a row on one side alone. */
  readonly columns: readonly Discrepancy[];
  /** Of a version that repeats the one before it. */
  readonly recordId?: string;
  /** The newest batch that has what the warehouse has, of a stale row. */
  readonly batch?: number;
  readonly note?: string;
  /** Of an extra row whose source row is not there any more, or never was: a repair has it leave the warehouse. */
  readonly isGone?: true;
  /** The source row that makes this one, or made it: what is to be read again to put it right. */
  readonly source?: { readonly table: string; readonly key: Key };
}

/** What of some differences the ordinary path puts right, by source table, and what it does not. */
export interface Repair {
  readonly named: ReadonlyMap<string, readonly Key[]>;
  readonly rows: number;
  /** A version that repeats another stays, whatever is read again; so does a row that no source row with a key is known of. */
  readonly left: readonly Difference[];
}

/** Which source rows are to be read again, so that `differences` are put right: each once. */
export function repairOf(differences: Iterable<Difference>): Repair {
  const named = new Map<string, Map<string, Key>>();
  const left: Difference[] = [];
  for (const difference of differences) {
    const { source, recordId } = difference;
    const isNamed = source && Object.values(source.key).every((value) => value !== null);
    if (!isNamed || recordId !== undefined) {
      left.push(difference);
      continue;
    }
    const keys = named.get(source.table) ?? new Map<string, Key>();
    named.set(source.table, keys.set(JSON.stringify(source.key), source.key));
  }
  return {
    named: new Map([...named].map(([table, keys]) => [table, [...keys.values()]])),
    rows: [...named.values()].reduce((sum, { size }) => sum + size, 0),
    left,
  };
}

/** Rows that a repair has leave one table, with all their versions. */
export interface Leaving {
  readonly table: string;
  readonly rows: number;
  /** More than are believed to be gone until somebody says so. */
  readonly isDoubted: boolean;
}

/** A tenth of a source's rows, unless there are few anyway, is what may be gone; never all. */
const SHARE = 0.1;
const FEW = 100;

/**
 * What a repair of `differences` has leave the warehouse, whatever a table's `deleted` says: what is gone from a source leaves
 * each table that is keyed by it, also those that were not compared.
 * @param tables all that there are
 * @param compared how many rows of its source each was held against
 */
export function leavingOf(
  differences: Iterable<Difference>,
  tables: readonly Table[],
  compared: readonly { readonly table: string; readonly rows: number }[],
): Leaving[] {
  const gone = new Map<string, Set<string>>();
  for (const { isGone, source } of differences) {
    if (isGone !== true || source === undefined) continue;
    const keys = gone.get(source.table) ?? new Set();
    gone.set(source.table, keys.add(JSON.stringify(source.key)));
  }
  const rowsOf = new Map(compared.map(({ table, rows }) => [table, rows]));
  return [...gone].flatMap(([source, { size: rows }]) => {
    const keyed = tables.filter((table) => keyedBySource(table)?.name === source);
    // One that was not compared has none.
    const left = Math.max(0, ...keyed.map(({ name }) => rowsOf.get(name) ?? 0));
    const most = Math.max(FEW, Math.floor((left + rows) * SHARE));
    return keyed.map(({ name }) => ({
      table: name,
      rows,
      isDoubted: left === 0 || rows > most,
    }));
  });
}
