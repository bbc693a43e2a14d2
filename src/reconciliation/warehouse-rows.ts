/** The found side: rows of the warehouse, as one snapshot of it has them. */
import { parseLines } from "../lake/objects.ts";
import { readCatalogue, type CatalogueColumn } from "../postgres/catalogue.ts";
import type { Connection } from "../postgres/connection.ts";
import { copyOut } from "../postgres/copy-out.ts";
import { name, parameterised, qualified } from "../postgres/sql.ts";
import { DELETED_AT, keyOf, recordIdOf, referencesOf, type Source, type Table } from "../table.ts";
import {
  arraySql,
  cutsOf,
  rangeNumberSql,
  starOrder,
  typeOf,
  within,
  type KeyRange,
  type KeyTexts,
} from "./key-ranges.ts";
import { HASH_SQL, rowTextSql, textsSql, type Digest, type Texts } from "./texts.ts";

/** A row of the warehouse: of a table that keeps versions, the latest of its record. */
export interface StarRow {
  readonly texts: Texts;
  /** False of an older version, which is here because it repeats the one before it. */
  readonly isLatest: boolean;
  /** The record id, where the version is the same as the one before it. */
  readonly repeats: string | null;
}

/** What a range of a table comes to. */
export interface RangeDigest {
  /** Versions, all of them. */
  readonly rows: number;
  readonly digest: Digest;
  /** Versions that are the same as the one before them. */
  readonly repeats: number;
}

/** Memory that the warehouse may sort a table's hashes in. */
const WORK_MEMORY = "64MB";

/** Reads one snapshot of the warehouse. */
export class WarehouseReader {
  readonly #connection: Connection;
  readonly #found = new Map<string, ReadonlyMap<string, CatalogueColumn>>();

  private constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** @param connection in a transaction that sees one snapshot */
  static async open(connection: Connection, tables: readonly Table[]): Promise<WarehouseReader> {
    const reader = new WarehouseReader(connection);
    const { db, schema } = connection;
    await db.none(`set local work_mem = '${WORK_MEMORY}'`);
    const catalogue = await readCatalogue(
      db,
      tables.map((table) => ({ schema, name: table.name })),
    );
    for (const [table, { columns }] of catalogue)
      reader.#found.set(table, new Map(columns.map((column) => [column.name, column])));
    return reader;
  }

  /** The first column of a table that the warehouse does not have; `""` where the table is not there; undefined where all is. */
  lacks(table: Table): string | undefined {
    const found = this.#found.get(table.name);
    return found ? Object.keys(table.columns).find((column) => !found.has(column)) : "";
  }

  /**
   * What each range comes to, by number; those without rows are left out. Rows that are marked as gone do not count.
   * @param bounds where each range but the first begins
   * @param chosen the ranges that are wanted; all where undefined
   */
  async digests(
    table: Table,
    bounds: readonly KeyTexts[],
    chosen?: readonly number[],
  ): Promise<Map<number, RangeDigest>> {
    const order = starOrder(table);
    const number = rangeNumberSql(order, "t", bounds);
    const wanted = chosen ? `where ${number} = any ('{${chosen.join(",")}}'::int[])` : "";
    const recordId = recordIdOf(table);
    const key = order.types.map((_, at) => `k${at}`);
    // What else the sums are made by: whether a row is marked as gone; of versions, the key and the record id.
    const marked = table.deleted === "mark" ? `t.${name(DELETED_AT)} is not null` : "false";
    const further = [
      `${marked} as gone`,
      ...(recordId === undefined
        ? []
        : [...order.of("t").map((of, at) => `${of} as ${key[at]}`), `t.${name(recordId)} as r`]),
    ].join(", ");
    const carried = ["gone", ...(recordId === undefined ? [] : [...key, "r"])].join(", ");
    const hash = HASH_SQL.hash(rowTextSql(table, this.#found.get(table.name)!, "t"));
    // "offset 0" keeps a hash from being made once for each place that it is used in.
    const hashed = `select ${number} as n, ${further}, ${hash} as hash from ${this.#place(table)} t ${wanted} offset 0`;
    const halves = `select n, ${carried}, ${HASH_SQL.high("hash")} as high, ${HASH_SQL.low("hash")} as low from (${hashed}) t`;
    const rows =
      recordId === undefined
        ? `select n, high, low, not gone as counts, false as repeats from (${halves}) t`
        : `select n, high, low, lead(r) over versions is null and not gone as counts,
                  (lag(high) over versions, lag(low) over versions) = (high, low) as repeats
             from (${halves} offset 0) t window versions as (partition by ${key.join(", ")} order by r)`;
    const sum = (of: string): string => `coalesce(sum(${of}) filter (where counts), 0)`;
    const found = await this.#connection.db.any<{
      n: number;
      rows: string;
      digest: Digest;
      repeats: string;
    }>(
      `select n, count(*) as rows, concat(count(*) filter (where counts), ':', ${sum("high")}, ':', ${sum("low")}) as digest,
              count(*) filter (where repeats) as repeats
         from (${rows}) t group by n`,
    );
    return new Map(
      found.map(({ n, digest, ...counts }) => [
        n,
        { digest, rows: Number(counts.rows), repeats: Number(counts.repeats) },
      ]),
    );
  }

  /**
   * The latest versions, and older ones that repeat the one before them; some at a time.
   * @param where true of the rows `t` that are wanted; of all versions of a record or of none
   */
  async *rows(table: Table, where: string): AsyncGenerator<StarRow[]> {
    const columns = this.#found.get(table.name)!;
    const texts = `array[${textsSql(table, columns, "t").join(", ")}]::text[]`;
    const from = `from ${this.#place(table)} t where ${where}`;
    const recordId = recordIdOf(table);
    let read = `select ${texts} as texts, true as latest, null as repeats ${from}`;
    if (recordId !== undefined) {
      const key = keyOf(table).map((column, at) => `t.${name(column)} as k${at}`);
      const record = keyOf(table).map((_, at) => `k${at}`);
      const whole = rowTextSql(table, columns, "t");
      read = `select texts, lead(1) over versions is null as latest,
                     case when whole = lag(whole) over versions then r::text end as repeats
                from (select ${texts} as texts, ${whole} as whole, ${key.join(", ")}, t.${name(recordId)} as r ${from} offset 0) t
              window versions as (partition by ${record.join(", ")} order by r)`;
    }
    const query =
      `select json_build_object('texts', texts, 'isLatest', latest, 'repeats', repeats)::text ` +
      `from (${read}) t where latest or repeats is not null`;
    const lines = parseLines(`warehouse ${table.name}`, copyOut(this.#connection, query));
    for await (const rows of lines) yield rows as unknown as StarRow[];
  }

  /** Where a range is to be cut so that no piece has more than `size` rows, but for one key's versions. */
  async cuts(table: Table, range: KeyRange, size: number): Promise<readonly KeyTexts[]> {
    const order = starOrder(table);
    const place = { schema: this.#connection.schema, name: table.name };
    const where = within(order, "t", range);
    return (await cutsOf(this.#connection, place, order, size, where)).bounds;
  }

  async count(table: Table): Promise<number> {
    const { rows } = await this.#connection.db.one<{ rows: string }>(
      `select count(*) as rows from ${this.#place(table)}`,
    );
    return Number(rows);
  }

  /** Those of `keys` that rows of `tables` refer to `dimension` by. */
  async referredTo(
    dimension: Table,
    keys: readonly string[],
    tables: readonly Table[],
  ): Promise<Set<string>> {
    const referred = new Set<string>();
    const [key] = keyOf(dimension);
    const type = typeOf(dimension.columns[key!]!);
    for (const table of tables)
      for (const { column, table: target } of referencesOf(table)) {
        if (target !== dimension.name || this.lacks(table) !== undefined) continue;
        const found = await this.#connection.db.any<{ at: string }>(
          `select k.n as at from unnest(${arraySql(keys, type)}) with ordinality as k(key, n)
            where exists (select from ${this.#place(table)} f where f.${name(column)} = k.key)`,
        );
        for (const { at } of found) referred.add(keys[Number(at) - 1]!);
      }
    return referred;
  }

  /** Those of `keys` that the loader's quarantine has of a table and a source; undefined where there is no quarantine. */
  async quarantined(
    table: Table,
    source: Source,
    keys: readonly string[],
  ): Promise<ReadonlySet<string> | undefined> {
    const { db, ledger } = this.#connection;
    const place = qualified(ledger, "quarantine");
    const { there } = await db.one<{ there: boolean }>(
      "select to_regclass($1) is not null as there",
      [place],
    );
    if (!there) return undefined;
    const found = await db.any<{ key: string }>(
      parameterised(
        `select key from ${place} where table_name = $1 and source_name = $2 and key = any ($3::text[])`,
        [table.name, source.name, keys],
      ),
    );
    return new Set(found.map(({ key }) => key));
  }

  #place(table: Table): string {
    return qualified(this.#connection.schema, table.name);
  }
}
