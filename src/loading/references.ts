/** What rows refer to, as sets: a batch of 100,000 rows has some hundred values that its keys can have. */
import type { Db } from "../postgres/connection.ts";
import { name, parameterised, qualified } from "../postgres/sql.ts";
import { keyOf, referencesOf, type Table } from "../table.ts";
import { toText, type Stored } from "../values.ts";
import { storedAt, type Vector } from "../vectors.ts";
import { rangeOf, type Range } from "./range.ts";
import { arrayText } from "./ledger.ts";
import { inferMembers, sqlType, WarehouseError, type Inferring } from "./warehouse.ts";

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
  /** What is true of the dimension's rows `d` that have these keys, so that no others need be read. */
  readonly within: string;
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
  const found = new Map<string, { keys: Set<string>; ranges: Range[] }>();
  for (const { column, table: target } of referencesOf(table)) {
    const declared = table.columns[column]!;
    const values = distinctOf(vectors.get(column)!);
    const of = found.get(target) ?? { keys: new Set(), ranges: [] };
    found.set(target, of);
    for (const value of values) of.keys.add(toText(declared, value));
    const range = rangeOf(declared, values);
    if (range) of.ranges.push(range);
  }
  return [...found]
    .filter(([, { keys }]) => keys.size > 0)
    .map(([target, { keys, ranges }]) => {
      const dimension = byName.get(target)!;
      const key = keyOf(dimension)[0]!;
      const lowest = ranges.map((range) => range.lowest).join(", ");
      const highest = ranges.map((range) => range.highest).join(", ");
      return {
        dimension,
        keys: arrayText(keys),
        type: sqlType(dimension.columns[key]!),
        count: keys.size,
        within:
          ranges.length > 0
            ? `d.${name(key)} between least(${lowest}) and greatest(${highest})`
            : "true",
      };
    });
}

/**
 * Makes the inferred members that are missing.
 * @param hold whether to hold all rows that are referred to until the transaction ends, as a foreign key's trigger does:
 *   nobody deletes them
 * @throws WarehouseError where one is gone since it was made or seen
 */
export async function makeReferenced(
  into: Inferring,
  references: References,
  hold: boolean,
): Promise<void> {
  const { db, schema } = into;
  const { dimension, keys, type, count, within } = references;
  if (hold && (await held(db, schema, references)) === count) return;
  const missing = `select unnest($1::${type}[]) as key`;
  await inferMembers(into, dimension, missing, { within, parameters: [keys] });
  const gone = hold ? count - (await held(db, schema, references)) : 0;
  if (gone !== 0)
    throw new WarehouseError(
      `${dimension.name}: rows that are referred to were deleted by somebody else just now, or not inserted as they were given (${gone}); the batch is tried again`,
    );
}

/** Holds the rows that are there. @returns how many keys have one */
async function held(
  db: Db,
  schema: string,
  { dimension, keys, type, within }: References,
): Promise<number> {
  const [key] = keyOf(dimension);
  const { count } = await db.one<{ count: number }>(
    parameterised(
      `select count(*)::int as count
         from (select from ${qualified(schema, dimension.name)} d
                 join unnest($1::${type}[]) as k(key) on d.${name(key!)} = k.key
                where ${within}
                  for key share of d) held`,
      [keys],
    ),
  );
  return count;
}
