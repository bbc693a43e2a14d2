/** What rows refer to, as sets: a batch of 100,000 rows has some hundred values that its keys can have. */
import type { Column } from "../columns.ts";
import type { Db } from "../postgres/connection.ts";
import { name, qualified } from "../postgres/sql.ts";
import { keyOf, referencesOf, type Table } from "../table.ts";
import { toText, type Stored } from "../values.ts";
import { storedAt, type Vector } from "../vectors.ts";
import { inferMembers, sqlType, WarehouseError } from "./warehouse.ts";

/** The values of a column, each once; null refers to nothing and is none of them. */
export function distinctOf(vector: Vector): Set<Stored> {
  if (vector.distinct !== undefined) return new Set<Stored>(vector.distinct);
  const { layout, values, nulls } = vector;
  if (nulls === undefined && layout !== "boolean") return new Set<Stored>(values);
  const found = new Set<Stored>();
  for (let row = 0; row < values.length; row++) found.add(storedAt(vector, row));
  found.delete(null);
  return found;
}

/** The keys of one dimension that rows of a table refer to. */
export interface References {
  readonly dimension: Table;
  /** An array's text, for a parameter of the type `type[]`. */
  readonly keys: string;
  readonly type: string;
  readonly count: number;
}

/**
 * What a table's rows refer to, by dimension.
 * @param vectors of the columns that refer, by name
 */
export function referencedKeys(
  table: Table,
  vectors: ReadonlyMap<string, Vector>,
  byName: ReadonlyMap<string, Table>,
): References[] {
  const texts = new Map<string, { column: Column; keys: Set<string> }>();
  for (const { column, table: target } of referencesOf(table)) {
    const declared = table.columns[column]!;
    const of = texts.get(target) ?? { column: declared, keys: new Set() };
    texts.set(target, of);
    for (const value of distinctOf(vectors.get(column)!)) of.keys.add(toText(declared, value));
  }
  return [...texts].map(([target, { column, keys }]) => ({
    dimension: byName.get(target)!,
    keys: `{${[...keys].map((key) => `"${key.replaceAll(/["\\]/g, "\\$&")}"`).join(",")}}`,
    type: sqlType(column),
    count: keys.size,
  }));
}

/** Makes the inferred members that are missing. @returns how many */
export const inferReferenced = (
  db: Db,
  schema: string,
  { dimension, keys, type }: References,
): Promise<number> =>
  inferMembers(db, schema, dimension, `select unnest($1::${type}[]) as key`, [keys]);

/**
 * Holds the rows that are referred to until the transaction ends, as a foreign key's trigger does: nobody deletes them.
 * @throws WarehouseError where one is gone since it was made or seen
 */
export async function holdReferenced(
  db: Db,
  schema: string,
  { dimension, keys, type, count }: References,
): Promise<void> {
  const [key] = keyOf(dimension);
  const { held } = await db.one<{ held: number }>(
    `select count(*)::int as held
       from (select from ${qualified(schema, dimension.name)} d
               join unnest($1::${type}[]) as k(key) on d.${name(key!)} = k.key
                for key share of d) held`,
    [keys],
  );
  if (held !== count)
    throw new WarehouseError(
      `${dimension.name}: ${count - held} rows that are referred to were deleted by somebody else just now; the batch is tried again`,
    );
}
