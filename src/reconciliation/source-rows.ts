/** The expected side: rows of the source, and what the formatters make of them. */
import type { Key } from "../ingestion/keyset.ts";
import { linesOf } from "../ingestion/select.ts";
import { parseLines } from "../lake/objects.ts";
import type { CatalogueTable } from "../postgres/catalogue.ts";
import type { Connection } from "../postgres/connection.ts";
import { copyOut } from "../postgres/copy-out.ts";
import { name } from "../postgres/sql.ts";
import { getColumnNames, keyOf, type Source, type SourceRow, type Table } from "../table.ts";
import { StarRows, type Found } from "../transformation/star-rows.ts";
import { BadValue, store } from "../values.ts";
import { arraySql, typeOf } from "./key-ranges.ts";
import { rowTexts, textOf, type Texts } from "./texts.ts";

/** Looked-up rows of a source that are kept at hand, about. */
const AT_HAND = 20_000;

/** Reads one snapshot of the source. */
export class SourceReader {
  readonly catalogue: ReadonlyMap<string, CatalogueTable>;
  readonly #connection: Connection;
  readonly #second: Connection;
  /** By source table, by key; null where there is no such row. */
  readonly #looked = new Map<string, Map<string, SourceRow | null>>();

  /** @param second a connection in the same snapshot, for what is looked up while rows are on their way */
  constructor(
    connection: Connection,
    second: Connection,
    catalogue: ReadonlyMap<string, CatalogueTable>,
  ) {
    this.#connection = connection;
    this.#second = second;
    this.catalogue = catalogue;
  }

  /**
   * Rows, some at a time.
   * @param where true of the rows `t` that are wanted
   * @param order of `t`; any where undefined
   */
  rows(source: Source, where: string, order?: string): AsyncGenerator<SourceRow[]> {
    return this.#read(this.#connection, source, where, order);
  }

  /** The same, in any order, while rows of {@link rows} are on their way. */
  meanwhile(source: Source, where: string): AsyncGenerator<SourceRow[]> {
    return this.#read(this.#second, source, where);
  }

  /** The rows that `rows` of a source look up for `tables`. */
  async look(tables: readonly Table[], source: Source, rows: readonly SourceRow[]): Promise<Found> {
    const found = new Map<string, ReadonlyMap<string, SourceRow>>();
    const lookups = tables.flatMap((table) => Object.values(table.lookups));
    for (const target of new Map(lookups.map((one) => [one.source.name, one.source])).values()) {
      const by = lookups.filter((one) => one.source.name === target.name).map((one) => one.by);
      const wanted = new Set(
        rows.flatMap((row) => by.map((column) => row[column])).filter((key) => key !== null),
      );
      found.set(target.name, await this.#lookUp(target, new Set([...wanted].map(String))));
    }
    return found;
  }

  async #lookUp(
    target: Source,
    wanted: ReadonlySet<string>,
  ): Promise<ReadonlyMap<string, SourceRow>> {
    let atHand = this.#looked.get(target.name);
    if (atHand === undefined || atHand.size > AT_HAND) atHand = new Map();
    this.#looked.set(target.name, atHand);
    const missing = [...wanted].filter((key) => !atHand.has(key));
    if (missing.length > 0) {
      const [key] = keyOf(target);
      const declared = target.columns[key!]!;
      const column = declared.type === "text" ? `t.${name(key!)}::text` : `t.${name(key!)}`;
      const where = `${column} = any (${arraySql(missing, typeOf(declared))})`;
      for (const one of missing) atHand.set(one, null);
      for await (const rows of this.meanwhile(target, where))
        for (const row of rows) atHand.set(String(row[key!]), row);
    }
    const found = new Map<string, SourceRow>();
    for (const key of wanted) {
      const row = atHand.get(key);
      if (row) found.set(key, row);
    }
    return found;
  }

  #read(
    connection: Connection,
    source: Source,
    where: string,
    order?: string,
  ): AsyncGenerator<SourceRow[]> {
    const query = linesOf(source, this.catalogue.get(source.name)!, where, order);
    return parseLines(`source ${source.name}`, copyOut(connection, query));
  }
}

/** What a formatter made of some rows of a source. */
export interface Formatted {
  readonly texts: Texts[];
  /** Rows that do not fit, and are in quarantine. */
  readonly rejected: SourceRow[];
}

export function format(
  table: Table,
  source: Source,
  rows: readonly SourceRow[],
  found: Found,
): Formatted {
  const rejected: SourceRow[] = [];
  const stars = new StarRows(table, ({ row }) => rejected.push(row), rows.length);
  stars.add(source, rows, found);
  return { texts: rowTexts(table, stars.vectors, stars.rows), rejected };
}

/** Where among a star row's texts its key is. */
export function keyPlaces(table: Table): number[] {
  const names = getColumnNames(table);
  return keyOf(table).map((column) => names.indexOf(column));
}

/** A key as one text. */
export const idOf = (key: readonly (string | null)[]): string =>
  key.length === 1 ? key[0]! : JSON.stringify(key);

/** Makes of a row of a table's source the id of the star row that has the same key; undefined where no star row can. */
export function sourceIds(table: Table, source: Source): (row: SourceRow) => string | undefined {
  const theirs = keyOf(source);
  const ours = keyOf(table).map((column) => table.columns[column]!);
  const idOfRow = (row: SourceRow): string =>
    idOf(ours.map((column, at) => textOf(column, store(column, row[theirs[at]!]))));
  return (row) => {
    try {
      return idOfRow(row);
    } catch (error) {
      if (error instanceof BadValue) return undefined;
      throw error;
    }
  };
}

/** A source row's key, as ingestion takes it. */
export const keyOfRow = (source: Source, row: SourceRow): Key =>
  Object.fromEntries(
    keyOf(source).map((column) => {
      const value = row[column];
      if (value === null || value === undefined) return [column, null];
      return [column, typeof value === "string" ? value : JSON.stringify(value)];
    }),
  );
