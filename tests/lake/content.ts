// What a table has, as text that all engines write alike.
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import type { ProcessedLake } from "../../src/rebuild/warehouse.ts";
import { claim } from "../../src/rebuild/place.ts";
import { loadAgain } from "../../src/rebuild/warehouse.ts";
import { literal, name, qualified } from "../../src/postgres/sql.ts";
import {
  bigint,
  getColumnNames,
  keyOf,
  recordIdOf,
  type Column,
  type Table,
} from "../../src/table.ts";
import { openRebuilt } from "../rebuild/history.ts";
import type { TestPipeline } from "../support/pipeline.ts";

/** Rows, each a text, in the order of the texts. */
export type Content = Readonly<Record<string, readonly string[]>>;

/** The lines that are in one alone, by table: `- ` where the warehouse has it, `+ ` where the other has. */
export const differences = (warehouse: Content, other: Content): string[] =>
  [...new Set([...Object.keys(warehouse), ...Object.keys(other)])].flatMap((table) => {
    const [left, right] = [[...(warehouse[table] ?? [])], [...(other[table] ?? [])]];
    for (const line of warehouse[table] ?? []) {
      const at = right.indexOf(line);
      if (at < 0) continue;
      right.splice(at, 1);
      left.splice(left.indexOf(line), 1);
    }
    return [
      ...left.map((line) => `${table} - ${line}`),
      ...right.map((line) => `${table} + ${line}`),
    ];
  });

/** How an engine writes values as text. */
export interface Writer {
  readonly name: (identifier: string) => string;
  /** A value as text, null as `~`. */
  readonly text: (column: Column, value: string) => string;
}

/** How PostgreSQL does. */
const postgres: Writer = {
  name,
  text: ({ type }, value) =>
    `coalesce(${
      type === "time"
        ? `to_char(${value}, 'HH24:MI:SS.US')`
        : type === "timestamp"
          ? `to_char(${value}, 'YYYY-MM-DD HH24:MI:SS.US')`
          : type === "timestamptz"
            ? `to_char(${value} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')`
            : `${value}::text`
    }, '~')`,
};

/** A query of a table's rows as texts: of a fact each version, by its number. */
export function contentSql(
  table: Table,
  writer: Writer,
  place: string,
  { isLatest = false } = {},
): string {
  const columns = getColumnNames(table);
  const recordId = isLatest ? undefined : recordIdOf(table);
  const key = keyOf(table).map(writer.name).join(", ");
  const version =
    recordId === undefined
      ? "1"
      : `row_number() over (partition by ${key} order by ${writer.name(recordId)})`;
  const texts = columns.map((column) => writer.text(table.columns[column]!, writer.name(column)));
  return `select concat(${[...texts.flatMap((text) => [text, "' | '"]), writer.text(bigint, "version")].join(", ")}) as line
            from (select *, ${version} as version from ${place}) t`;
}

/** A copy of a bucket, orphans among it. */
export async function copyOf(p: TestPipeline, folder: string): Promise<void> {
  for (const key of await p.keys("processed")) {
    const file = path.join(folder, key);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, await p.get("processed", key));
  }
}

export const isVersioned = (table: Table): boolean => recordIdOf(table) !== undefined;

/** What the warehouse has, rebuilt to a batch; without inferred members, which the lake has not. */
export async function rebuiltContent(
  p: TestPipeline,
  lake: ProcessedLake,
  batch: number,
): Promise<Content> {
  const rebuilt = await openRebuilt(p, "rebuilt");
  try {
    await claim(rebuilt, lake, false);
    await loadAgain(rebuilt, lake, batch);
    return await warehouseContent(p, lake.tables, "rebuilt", rebuilt.ledger);
  } finally {
    await rebuilt.close();
  }
}

/** What a schema of the warehouse has; without inferred members. */
export async function warehouseContent(
  p: TestPipeline,
  tables: readonly Table[],
  schema: string,
  ledger: string,
): Promise<Content> {
  const content: Record<string, string[]> = {};
  for (const table of tables) {
    const place = qualified(schema, table.name);
    const [key] = keyOf(table);
    const real = `(select * from ${place} where ${name(key!)}::text not in (
                     select key from ${name(ledger)}.inferred_member where table_name = ${literal(table.name)})) r`;
    const read = async (sql: string) =>
      (await p.star.any<{ line: string }>(sql)).map(({ line }) => line).sort();
    content[table.name] = await read(contentSql(table, postgres, real));
    const recordId = recordIdOf(table);
    if (recordId === undefined) continue;
    const keys = keyOf(table).map(name).join(", ");
    content[`${table.name}_latest`] = await read(
      contentSql(
        table,
        postgres,
        `(select distinct on (${keys}) * from ${place} order by ${keys}, ${name(recordId)} desc) r`,
        { isLatest: true },
      ),
    );
  }
  return content;
}
