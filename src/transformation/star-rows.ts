import {
  formattedColumns,
  getColumnNames,
  keyOf,
  type Source,
  type SourceRow,
  type Table,
} from "../table.ts";
import { store, type Stored } from "../values.ts";
import { vectorOf, type Vector } from "../vectors.ts";
import { StarColumn } from "./star-columns.ts";

/** A row that did not fit, as `_rejected/` holds it. `row` is as the source gave it. */
export interface Rejected {
  readonly table: string;
  readonly source: string;
  /** The source row's primary key: its value, or an object where it has several columns. */
  readonly key: unknown;
  readonly reason: string;
  readonly row: SourceRow;
}

/** Looked-up rows of one batch: by source table, by key as text. */
export type Found = ReadonlyMap<string, ReadonlyMap<string, SourceRow>>;

/** What one driving row's lookups found, by the names that the table gives them. */
type Looked = Readonly<Record<string, SourceRow | null>>;

const NO_LOOKUPS: Looked = Object.freeze({});

/** A reason is for a person: a formatter may have put a whole row into it. */
const REASON_CHARACTERS = 2000;

/** Rows that are remembered as made already; beyond, all are forgotten. */
const REMEMBERED = 10_000;

/** How one of the table's lookups is done for one source's rows. */
interface LookupPlan {
  readonly name: string;
  readonly by: string;
  readonly target: Source;
  /** True where a null finds null, and not a missing row. */
  readonly nullable: boolean;
  readonly rows: ReadonlyMap<string, SourceRow> | undefined;
}

/**
 * One batch's rows of one star table, a column at a time; what makes none is handed to `reject`.
 * Rows of one key are made one: the last counts.
 */
export class StarRows {
  readonly #table: Table;
  readonly #reject: (rejected: Rejected) => void;
  readonly #madeNone: (row: SourceRow) => void;
  readonly #columns: readonly StarColumn[];
  readonly #key: readonly StarColumn[];
  #rows = 0;
  /** Where each key's row is. Not needed while the key's first column ascends, as where rows come in the order of their key. */
  #placeOf: Map<unknown, number> | undefined;
  /** Objects that the formatter gave in lists, and whose rows are there as they gave them. */
  readonly #made = new Set<unknown>();

  /**
   * @param expected driving rows that there will be, if that is known
   * @param madeNone told of driving rows that fit and make no star row
   */
  constructor(
    table: Table,
    reject: (rejected: Rejected) => void,
    expected = 0,
    madeNone: (row: SourceRow) => void = () => undefined,
  ) {
    this.#table = table;
    this.#reject = reject;
    this.#madeNone = madeNone;
    this.#columns = formattedColumns(table).map(
      (name) => new StarColumn(name, table.columns[name]!, expected),
    );
    const key = keyOf(table);
    this.#key = this.#columns.filter(({ name }) => key.includes(name));
  }

  get rows(): number {
    return this.#rows;
  }

  /** One a declared column, in order. */
  get vectors(): Vector[] {
    const { columns } = this.#table;
    const made = new Map(
      this.#columns.map((column) => [column.name, column.vector(this.#rows)] as const),
    );
    // A row that is there is not gone.
    const none = (): Stored[] => Array<Stored>(this.#rows).fill(null);
    return getColumnNames(this.#table).map(
      (name) => made.get(name) ?? vectorOf(columns[name]!, none()),
    );
  }

  /**
   * Formats a stretch of driving rows of `source`; each ends in the columns or, with the reason, among the rejected.
   * All at once, as nearly always all fit; where one does not, the stretch is done again a row at a time. The
   * formatter is pure, so that nobody notices.
   */
  add(source: Source, rows: readonly SourceRow[], found: Found): void {
    const lookups = this.#plan(source, found);
    if (this.#addAll(source, rows, lookups)) return;
    this.#made.clear();
    for (const row of rows) this.#addOne(source, row, lookups);
  }

  /** A row at a time: slow and obvious. */
  #addOne(source: Source, row: SourceRow, lookups: readonly LookupPlan[]): void {
    let stars: readonly SourceRow[];
    try {
      const made = this.#table.format(row, look(source, row, lookups));
      // A copy has no holes: `map` would pass them by.
      stars = (Array.isArray(made) ? [...(made as unknown[])] : [made]).map((star) =>
        this.#check(star),
      );
    } catch (error) {
      this.#reject({
        table: this.#table.name,
        source: source.name,
        key: sourceKey(source, row),
        reason: reasonOf(error),
        row,
      });
      return;
    }
    this.#append(stars);
    if (stars.length === 0) this.#madeNone(row);
  }

  /** A star row's declared values, each of which fits; throws with the reason where one does not. */
  #check(star: unknown): SourceRow {
    if (typeof star !== "object" || star === null)
      throw new Error(`the formatter returned ${String(star)}; expected a row or a list of rows`);
    const values = this.#columns.map(({ name }) => {
      // Own values only: what a prototype holds is not of this row.
      const value: unknown = Object.hasOwn(star, name) ? (star as SourceRow)[name] : undefined;
      try {
        store(this.#table.columns[name]!, value);
      } catch (error) {
        // Not an error of its own: its stack would take longer to make than all else that a bad row costs.
        (error as Error).message = `${name}: ${(error as Error).message}`;
        throw error;
      }
      return [name, value] as const;
    });
    return Object.fromEntries(values);
  }

  /** False, with nothing added, where a row does not fit. */
  #addAll(source: Source, rows: readonly SourceRow[], lookups: readonly LookupPlan[]): boolean {
    try {
      const { stars, skipped, none } = this.#format(source, rows, lookups, this.#made);
      const replaced = this.#append(stars);
      // A row that was skipped may have been the last of its key after all.
      if (replaced && skipped) this.#append(this.#format(source, rows, lookups).stars);
      if (replaced) this.#made.clear();
      for (const row of none) this.#madeNone(row);
      return true;
    } catch {
      return false;
    }
  }

  /**
   * What the formatter makes of `rows`, without those that `made` holds, which it then does.
   * Throws where a row finds nothing or makes what is no plain row; its values are not checked here.
   */
  #format(
    source: Source,
    rows: readonly SourceRow[],
    lookups: readonly LookupPlan[],
    made?: Set<unknown>,
  ): { stars: SourceRow[]; skipped: boolean; none: SourceRow[] } {
    const stars: SourceRow[] = [];
    const none: SourceRow[] = [];
    let skipped = false;
    for (const row of rows) {
      const star = this.#table.format(row, look(source, row, lookups));
      if (!Array.isArray(star)) {
        stars.push(plain(star));
        continue;
      }
      if (star.length === 0) none.push(row);
      for (const one of star as unknown[]) {
        if (made?.has(one)) {
          skipped = true;
          continue;
        }
        stars.push(plain(one));
        if (made?.size === REMEMBERED) made.clear();
        made?.add(one);
      }
    }
    return { stars, skipped, none };
  }

  /** True where one of the rows took the place of another. Throws BadValue, with nothing added, for one that does not fit. */
  #append(stars: readonly SourceRow[]): boolean {
    const from = this.#rows;
    const to = from + stars.length;
    for (const column of this.#columns) column.fill(stars, from);
    if (this.#placeOf === undefined && this.#key[0]!.ascends(from, to)) {
      this.#rows = to;
      return false;
    }
    this.#placeOf ??= new Map(Array.from({ length: from }, (_, row) => [this.#keyAt(row), row]));
    const places = new Int32Array(stars.length);
    let next = from;
    for (let row = from; row < to; row++) {
      const key = this.#keyAt(row);
      let place = this.#placeOf.get(key);
      if (place === undefined) this.#placeOf.set(key, (place = next++));
      places[row - from] = place;
    }
    this.#rows = next;
    if (next === to) return false;
    for (const column of this.#columns) column.move(from, places);
    return true;
  }

  #keyAt(row: number): unknown {
    const [first, ...more] = this.#key;
    if (more.length === 0) return first!.at(row);
    return this.#key.map((column) => String(column.at(row))).join("\0");
  }

  #plan(source: Source, found: Found): readonly LookupPlan[] {
    return Object.entries(this.#table.lookups).map(([name, { source: target, by }]) => ({
      name,
      by,
      target,
      nullable: source.columns[by]!.nullable,
      rows: found.get(target.name),
    }));
  }
}

/** What was thrown, in words: a formatter may throw anything, also what has none. */
function reasonOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error).slice(0, REASON_CHARACTERS);
  } catch {
    return "the formatter threw something that has no text";
  }
}

/** The rows looked up: null for a null in a nullable column. Throws where there should be one and is none. */
function look(source: Source, row: SourceRow, lookups: readonly LookupPlan[]): Looked {
  if (lookups.length === 0) return NO_LOOKUPS;
  const looked: Record<string, SourceRow | null> = {};
  for (const { name, by, target, nullable, rows } of lookups) {
    const key = row[by];
    const one = key === null && nullable ? null : rows?.get(String(key));
    if (one === undefined)
      throw new Error(
        `lookup ${name}: ${target.name} has no row with ${keyOf(target)[0]} = ` +
          `${JSON.stringify(key)} (${source.name}.${by})`,
      );
    looked[name] = one;
  }
  return looked;
}

/** Throws for what is no object, and for one that may have values from elsewhere than itself. */
function plain(star: unknown): SourceRow {
  if (Object.getPrototypeOf(star) === Object.prototype) return star as SourceRow;
  throw new TypeError("not a plain row");
}

function sourceKey(source: Source, row: SourceRow): unknown {
  const [first, ...more] = keyOf(source);
  if (more.length === 0) return row[first!];
  return Object.fromEntries([first!, ...more].map((column) => [column, row[column]]));
}
