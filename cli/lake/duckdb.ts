/** Questions to a copy of the lake: DuckDB, which need not be installed. */
import type { DuckDBConnection } from "@duckdb/node-api";
import { LakeError } from "../../src/lake-sql/copy.ts";
import type { Scope } from "../../src/lake-sql/dialect.ts";
import { lakeScript } from "../../src/lake-sql/lake-sql.ts";
import type { Table } from "../../src/table.ts";

export interface Answer {
  readonly columns: readonly string[];
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  /** Whether there are more rows than were asked for. */
  readonly isMore: boolean;
}

/**
 * DuckDB with the star's tables as views over the lake.
 * @param load imports DuckDB's package
 * @throws LakeError where that is not installed
 */
export async function openLake(
  tables: readonly Table[],
  scope: Scope,
  load = () => import("@duckdb/node-api"),
): Promise<DuckDBConnection> {
  const { DuckDBInstance } = await load().catch((cause: unknown) => {
    throw new LakeError(
      "this needs DuckDB: `npm install --no-save @duckdb/node-api` installs it; or have another engine ask (totes lake sql)",
      { cause },
    );
  });
  const duckdb = await (await DuckDBInstance.create(":memory:")).connect();
  await duckdb.run(lakeScript("duckdb", tables, scope));
  return duckdb;
}

/**
 * Up to `limit` rows of what one statement asks for.
 * @throws LakeError with what DuckDB says of it, or where there are several
 */
export async function ask(duckdb: DuckDBConnection, sql: string, limit: number): Promise<Answer> {
  try {
    const { count } = await duckdb.extractStatements(sql);
    if (count !== 1) throw new Error(`expected one statement, found ${count}: ask one at a time`);
    const reader = await duckdb.runAndReadUntil(sql, limit + 1);
    const rows = reader.getRowObjectsJson() as Answer["rows"];
    return {
      columns: reader.deduplicatedColumnNames(),
      rows: rows.slice(0, limit),
      isMore: rows.length > limit,
    };
  } catch (cause) {
    throw new LakeError((cause as Error).message.trim(), { cause });
  }
}
