/** The star's tables as views over the lake's files alone, in the words of each engine. */
import type { Table } from "../table.ts";
import { athena } from "./athena.ts";
import { clickhouse } from "./clickhouse.ts";
import type { Dialect, Scope } from "./dialect.ts";
import { duckdb } from "./duckdb.ts";
import { spark } from "./spark.ts";
import { filesOf, lakeViewsOf, viewsOf } from "./views.ts";

export const DIALECTS = { duckdb, spark, athena, clickhouse } as const satisfies Readonly<
  Record<string, Dialect>
>;
export type DialectName = keyof typeof DIALECTS;

/** Statements that make a view of each of `tables`, in an order in which they can be run one by one. */
export function lakeStatements(
  dialectName: DialectName,
  tables: readonly Table[],
  scope: Scope,
): string[] {
  const dialect: Dialect = DIALECTS[dialectName];
  const { create, keep = (view) => [create(view)] } = dialect;
  return [
    ...dialect.manifests(scope),
    ...lakeViewsOf(dialect, scope).flatMap(keep),
    ...filesOf(tables).flatMap((files) => dialect.files(files, scope)),
    ...viewsOf(tables, dialect, scope).map(create),
  ];
}

/** The same as one script. */
export const lakeScript = (...of: Parameters<typeof lakeStatements>): string =>
  `${lakeStatements(...of).join(";\n\n")};\n`;
