import { getTables } from "../../src/registry.ts";
import { getColumnNames, keyOf, type SourceRow } from "../../src/table.ts";
import { StarRows, type Rejected } from "../../src/transformation/star-rows.ts";
import { toText } from "../../src/values.ts";
import { storedAt } from "../../src/vectors.ts";

/** What a table makes of rows: its own rows with each value as PostgreSQL would print it, and the rejected ones. */
export interface Formatted {
  readonly rows: readonly Record<string, string | null>[];
  readonly rejected: readonly Rejected[];
}

/**
 * Runs rows through a table module as the transformation does.
 * @param driving source table → its rows; every row of `lookups` can be looked up
 */
export async function format(
  tableName: string,
  driving: Readonly<Record<string, readonly SourceRow[]>>,
  lookups: Readonly<Record<string, readonly SourceRow[]>> = {},
): Promise<Formatted> {
  const table = (await getTables()).find(({ name }) => name === tableName);
  if (!table) throw new Error(`no table ${tableName}`);
  const found = new Map(
    Object.values(table.lookups).map(({ source }) => [
      source.name,
      new Map((lookups[source.name] ?? []).map((row) => [String(row[keyOf(source)[0]!]), row])),
    ]),
  );
  const rejected: Rejected[] = [];
  const star = new StarRows(table, (row) => rejected.push(row));
  for (const source of table.sources) star.add(source, driving[source.name] ?? [], found);
  const { vectors } = star;
  const names = getColumnNames(table);
  const rows = Array.from({ length: star.rows }, (_, row) =>
    Object.fromEntries(
      names.map((name, at) => {
        const value = storedAt(vectors[at]!, row);
        return [name, value === null ? null : toText(table.columns[name]!, value)];
      }),
    ),
  );
  return { rows, rejected };
}
