import type { SourceKeys } from "../lake/quarantined.ts";
import type { Connection } from "../postgres/connection.ts";
import { parameterised, qualified } from "../postgres/sql.ts";
import { keyOf, type Source, type SourceRow, type Table } from "../table.ts";
import { arrayText, isWholeKey } from "./ledger.ts";

/** Keys of rows in quarantine. */
export interface QuarantinedKeys {
  readonly keys: SourceKeys;
  /** Rows that no key names: it is too long to be kept whole, or has a null in it, as a view's may. */
  readonly leftOut: number;
}

/**
 * The source rows in quarantine by their keys, those first that have been there longest.
 */
export async function quarantinedKeys(
  { db, ledger }: Connection,
  tables: readonly Table[],
  {
    limit,
    offset = 0,
    source = null,
    table = null,
    reason = null,
  }: {
    readonly limit: number;
    /** Keys that are passed over: those before, in the same snapshot. */
    readonly offset?: number;
    readonly source?: string | null;
    readonly table?: string | null;
    /** A part of the reason, in any case. */
    readonly reason?: string | null;
  },
): Promise<QuarantinedKeys> {
  const found = await db.any<{ source: string; key: string; row: string | null }>(
    parameterised(
      `select source_name as source, key, min(case when key like '%null%' then "row" end) as row from ${qualified(ledger, "quarantine")}
        where table_name = any($1::text[]) and ($3::text is null or table_name = $3)
          and ($4::text is null or strpos(lower(reason), lower($4)) > 0)
          and ($5::text is null or source_name = $5)
        group by 1, 2 order by min(since), 1, 2 limit $2 offset $6`,
      [arrayText(tables.map(({ name }) => name)), limit, table, reason, source, offset],
    ),
  );
  const sources = new Map(
    tables.flatMap((table) => table.sources).map((source) => [source.name, source]),
  );
  const keys = new Map<string, Record<string, string>[]>();
  let leftOut = 0;
  for (const { source: name, key, row } of found) {
    const source = sources.get(name);
    if (!source) continue;
    if (!isWholeKey(key) || (row !== null && hasNoKey(source, JSON.parse(row) as SourceRow))) {
      leftOut++;
      continue;
    }
    const of = keys.get(name) ?? [];
    keys.set(name, of);
    of.push(keyFrom(source, key));
  }
  return { keys: Object.fromEntries(keys), leftOut };
}

/** Whether a part of the key is null: its text would name a row with the text "null". */
const hasNoKey = (source: Source, row: SourceRow): boolean =>
  keyOf(source).some((column) => row[column] === null);

/** The primary key that a row's key in quarantine stands for. */
function keyFrom(source: Source, key: string): Record<string, string> {
  const columns = keyOf(source);
  const texts = columns.length === 1 ? [key] : (JSON.parse(key) as string[]);
  return Object.fromEntries(columns.map((column, at) => [column, texts[at]!]));
}
