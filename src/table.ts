import { nullable, timestamptz, type Column, type Columns, type Row } from "./columns.ts";

/**
 * How the changes of a source table are found.
 *
 * - `snapshot`: by the transaction that wrote the row. Misses nothing, needs SELECT alone and no column. One
 *   sequential scan a run. Not for views and foreign tables, which have no `xmin`.
 * - `timestamp`: rows whose `column` is at or past the newest value seen so far, less `lag` seconds.
 *   **It can miss**: a change that leaves the column alone; a transaction that commits more than `lag` seconds
 *   after it set the column; anything written while a clock is wrong. For sources too big to scan.
 * - `full`: every row, each time. For small tables and views.
 */
export type ChangeDetection =
  | { readonly by: "snapshot" }
  | { readonly by: "timestamp"; readonly column: string; readonly lag: number }
  | { readonly by: "full" };

export const snapshot: ChangeDetection = { by: "snapshot" };
/** @param lag seconds by which a change may show itself late; see {@link ChangeDetection} for what it can miss. */
export const timestampOf = (column: string, { lag }: { lag: number }): ChangeDetection => ({
  by: "timestamp",
  column,
  lag,
});
export const full: ChangeDetection = { by: "full" };

/**
 * What is done about rows that are gone from a source table.
 *
 * - `ignore`: nothing. What once was there stays in the star.
 * - `detect`: the keys of the source are compared with those of the star, at a pace of its own, and each star table does
 *   with the rows that are gone what it declares ({@link Deleted}).
 */
export type DeleteDetection = "ignore" | "detect";
export const ignore = "ignore" satisfies DeleteDetection;
export const detect = "detect" satisfies DeleteDetection;

/**
 * What a star table does with a row that is gone from its source.
 *
 * - `keep`: nothing, unless a repair was asked for: then as `remove`.
 * - `mark`: the table has a column `deleted_at`, which the pipeline fills; a table of versions gets one that says so. A row
 *   that comes back is live again.
 * - `remove`: the row leaves the table, with all its versions. One that others still refer to becomes an inferred member.
 */
export type Deleted = "keep" | "mark" | "remove";

/** A table of the operational database, as its readers need it: further columns may exist there. */
export interface Source<C extends Columns = Columns> {
  readonly name: string;
  readonly schema: string;
  readonly columns: C;
  readonly changes: ChangeDetection;
  readonly deletes: DeleteDetection;
}

/**
 * Declares a source table. Its `key(…)` columns are its primary key.
 * `changes` is {@link snapshot}, `deletes` {@link ignore} and `schema` `public` unless said otherwise.
 */
export const defineSource = <const C extends Columns>(
  name: string,
  columns: C,
  {
    schema = "public",
    changes = snapshot,
    deletes = ignore,
  }: { schema?: string; changes?: ChangeDetection; deletes?: DeleteDetection } = {},
): Source<C> => ({ name, schema, columns, changes, deletes });

type RowOf<S extends Source> = S extends Source<infer C> ? Row<C> : never;
type ColumnOf<S extends Source> = S extends Source ? keyof RowOf<S> & string : never;

/** "The row of `source` whose key is in my column `by`." */
export interface Lookup<S extends Source = Source, By extends string = string> {
  readonly source: S;
  readonly by: By;
}

export const lookup = <S extends Source, const By extends string>(
  source: S,
  by: By,
): Lookup<S, By> => ({ source, by });

/** A nullable foreign key finds a row or null; any other finds a row, or the driving row is quarantined. */
type Found<R, L> =
  L extends Lookup<infer S, infer By>
    ? By extends keyof R
      ? null extends R[By]
        ? RowOf<S> | null
        : RowOf<S>
      : never
    : never;

/**
 * What `make` makes of a text, the same object each time: of the last few thousand texts, so that memory has an end.
 * For star rows that many source rows share, as days are.
 */
export function remembered<T>(make: (text: string) => T): (text: string) => T {
  const made = new Map<string, T>();
  return (text) => {
    let one = made.get(text);
    if (one !== undefined || text.length > REMEMBERED_CHARACTERS) return one ?? make(text);
    if (made.size === REMEMBERED_TEXTS) made.clear();
    made.set(text, (one = make(text)));
    return one;
  };
}

const REMEMBERED_TEXTS = 5000;
const REMEMBERED_CHARACTERS = 100;

type LookupsOf<S extends Source> = Readonly<Record<string, Lookup<Source, ColumnOf<S>>>>;

/** One table of the star schema, as its module in `tables/` declares it. */
export interface TableDefinition<S extends Source, L extends LookupsOf<S>, C extends Columns> {
  readonly name: `${"dim" | "fact"}_${string}`;
  /** Begins with the grain: "One row per …". */
  readonly description: string;
  /** What drives the table: a changed row here makes rows there. */
  readonly source: S | readonly S[];
  readonly lookups?: L;
  readonly columns: C;
  /** Raise it when only the formatter changed: the table is then read again from the start. */
  readonly version?: number;
  /** What is done with a row that is gone from the source; `keep` unless said otherwise. Others need {@link keyedBySource}. */
  readonly deleted?: Deleted;
  /**
   * True puts the natural key into the primary key, before the record id, when the table is made: a distributed PostgreSQL
   * (Citus) wants the column that it distributes by in there. A table that is there already stays as it is.
   */
  readonly distributed?: boolean;
  /**
   * Pure: no clock, no network, no environment, and a row once given stays as it is. One row, several, or none.
   * Throws to quarantine the row. A row that is the same object as one given before costs nothing in a list.
   */
  readonly format: (
    row: RowOf<S>,
    found: { [K in keyof L]: Found<RowOf<S>, L[K]> },
  ) => Row<C> | readonly Row<C>[];
}

/** Gives a table module its types; returns its argument. */
export const defineTable = <
  S extends Source,
  const C extends Columns,
  const L extends LookupsOf<S> = Record<never, never>,
>(
  table: TableDefinition<S, L, C>,
): TableDefinition<S, L, C> => table;

/** A row of a source, as the lake holds it: its types are the declaration's, which the contract check has seen to. */
export type SourceRow = Readonly<Record<string, unknown>>;

/** What the stages see: a table with its types forgotten, checked by the registry. */
export interface Table {
  readonly name: string;
  readonly description: string;
  readonly sources: readonly Source[];
  readonly lookups: Readonly<Record<string, Lookup>>;
  readonly columns: Columns;
  readonly version: number;
  readonly deleted: Deleted;
  readonly distributed: boolean;
  readonly format: (row: SourceRow, found: Readonly<Record<string, SourceRow | null>>) => unknown;
}

/** A fact; any other star table is a dimension. */
export const isFact = ({ name }: Pick<Table, "name">): boolean => name.startsWith("fact_");

/** The names of the columns that `test` accepts, in declared order. */
const namesOf = (columns: Columns, test: (column: Column) => boolean): string[] =>
  Object.keys(columns).filter((name) => test(columns[name]!));

/** The natural key, or a source's primary key: column names in declared order. */
export const keyOf = ({ columns }: { readonly columns: Columns }): string[] =>
  namesOf(columns, (column) => column.key);

/** The columns that rows and files hold: all but a generated record id. */
export const getColumnNames = ({ columns }: { readonly columns: Columns }): string[] =>
  namesOf(columns, (column) => !column.generated);

/** The record id's column, of a table that keeps versions; undefined for one that is merged by key. */
export const recordIdOf = ({ columns }: { readonly columns: Columns }): string | undefined =>
  namesOf(columns, (column) => column.generated === true)[0];

/** The column that says when a row was found to be gone, of a table that marks them. */
export const DELETED_AT = "deleted_at";
export const deletedAt: Column<string | null> = { ...nullable(timestamptz), marksDeleted: true };

/** The columns that a formatter fills. */
export const formattedColumns = ({ columns }: { readonly columns: Columns }): string[] =>
  namesOf(columns, (column) => !column.generated && !column.marksDeleted);

/** What the lake has of a star row that is gone. */
export const deletedColumns = ({ columns }: { readonly columns: Columns }): Columns => ({
  ...Object.fromEntries(keyOf({ columns }).map((column) => [column, columns[column]!])),
  [DELETED_AT]: timestamptz,
});

/**
 * The source whose primary key is the table's key, so that a key which is gone there names the row here: the table's only
 * source, whose key columns are of the same types in the same order, whatever they are called. Undefined of another table.
 */
export function keyedBySource({
  sources,
  columns,
}: Pick<Table, "sources" | "columns">): Source | undefined {
  const [source, ...more] = sources;
  if (source === undefined || more.length > 0) return undefined;
  const typesOf = (of: { readonly columns: Columns }): string =>
    keyOf(of)
      .map((column) => of.columns[column]!)
      .map(({ type, precision, scale }) => [type, precision, scale].join())
      .join("; ");
  return typesOf(source) === typesOf({ columns }) ? source : undefined;
}

/** The columns that refer to other star tables. */
export const referencesOf = ({
  columns,
}: {
  readonly columns: Columns;
}): { column: string; table: string }[] =>
  Object.entries(columns).flatMap(([column, { references }]) =>
    references === undefined ? [] : [{ column, table: references }],
  );

export * from "./columns.ts";
