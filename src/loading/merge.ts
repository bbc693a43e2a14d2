import type { Connection, Db } from "../postgres/connection.ts";
import { copyIn } from "../postgres/copy.ts";
import { name, names, qualified } from "../postgres/sql.ts";
import { keyOf, recordIdOf, referencesOf, getColumnNames, type Table } from "../table.ts";
import { copyRows, type Stored } from "../values.ts";
import { inferMembers, sqlType, WarehouseError } from "./warehouse.ts";

/** What a batch did to one table. */
export interface TableLoad {
  /** Rows of the batch. */
  readonly rows: number;
  /** Rows inserted or updated: the others were there already, as they are. */
  readonly changed: number;
}

const stage = (table: Table): string => qualified("pg_temp", `stage_${table.name}`);

/** Says which table it was that failed: PostgreSQL itself does not, of a value that is too long for its column. */
async function about<T>(table: Table, ifDenied: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    const { code, message } = cause as { code?: string; message: string };
    const advice = code === "42501" ? `; ${ifDenied}` : "";
    throw new WarehouseError(`${table.name}: ${message}${advice}`, { cause });
  }
}

const RIGHTS = "GRANT SELECT, INSERT, UPDATE on it, and USAGE on its sequence, to this user";

/** Rows that go into one write of a COPY. */
const ROWS_A_WRITE = 1000;

/** Brings a table's rows of one batch into a staging table that is gone with the transaction. */
export async function stageRows(
  connection: Connection,
  db: Db,
  table: Table,
  data: readonly (readonly Stored[])[],
): Promise<number> {
  const columns = getColumnNames(table);
  const definitions = columns.map((column) => `${name(column)} ${sqlType(table.columns[column]!)}`);
  await about(
    table,
    "GRANT TEMPORARY ON DATABASE to this user",
    db.none(
      `create temporary table ${name(`stage_${table.name}`)} (${definitions.join(", ")}) on commit drop`,
    ),
  );
  const declared = columns.map((column) => table.columns[column]!);
  const rows = data[0]!.length;
  function* text(): Generator<string> {
    for (let at = 0; at < rows; at += ROWS_A_WRITE)
      yield copyRows(declared, data, at, Math.min(rows, at + ROWS_A_WRITE));
  }
  await copyIn(connection, `copy ${stage(table)} (${names(columns)}) from stdin`, text());
  await db.none(`analyze ${stage(table)}`);
  return rows;
}

/**
 * Merges the staged tables: dimensions, then inferred members for what facts refer to and nobody has, then facts.
 * All writes to dimensions come before the first read of a fact, as a distributed PostgreSQL wants it.
 *
 * @param staged in the order of their references
 * @returns rows inserted or updated, by table, and inferred members made, by dimension
 */
export async function mergeStaged(
  db: Db,
  schema: string,
  staged: readonly Table[],
  byName: ReadonlyMap<string, Table>,
): Promise<{ changed: Map<string, number>; inferred: Map<string, number> }> {
  const changed = new Map<string, number>();
  const inferred = new Map<string, number>();
  const infer = async (table: Table): Promise<void> => {
    for (const { column, table: target } of referencesOf(table)) {
      const keys = `select distinct ${name(column)} as key from ${stage(table)}`;
      const dimension = byName.get(target)!;
      const made = await about(dimension, RIGHTS, inferMembers(db, schema, dimension, keys));
      if (made > 0) inferred.set(target, (inferred.get(target) ?? 0) + made);
    }
  };
  const versioned = staged.filter((table) => recordIdOf(table) !== undefined);
  for (const table of staged) {
    await infer(table);
    if (!versioned.includes(table))
      changed.set(table.name, await about(table, RIGHTS, upsert(db, schema, table)));
  }
  for (const table of versioned)
    changed.set(table.name, await about(table, RIGHTS, append(db, schema, table)));
  return { changed, inferred };
}

/** Type 1: a row is inserted, or updated where a column differs; unchanged ones are not rewritten. */
function upsert(db: Db, schema: string, table: Table): Promise<number> {
  const columns = getColumnNames(table);
  const key = keyOf(table);
  const others = columns.filter((column) => !key.includes(column));
  const update =
    others.length === 0
      ? "do nothing"
      : `do update set ${others.map((c) => `${name(c)} = excluded.${name(c)}`).join(", ")}
           where (${names(others, "d.")}) is distinct from (${names(others, "excluded.")})`;
  return db.result(
    `insert into ${qualified(schema, table.name)} as d (${names(columns)})
     select ${names(columns)} from ${stage(table)} order by ${names(key)}
         on conflict (${names(key)}) ${update}`,
    [],
    (result) => result.rowCount,
  );
}

/** A row is appended where it differs from the latest version of its record. */
function append(db: Db, schema: string, table: Table): Promise<number> {
  const columns = getColumnNames(table);
  const key = keyOf(table);
  const recordId = recordIdOf(table)!;
  const sameKey = key.map((column) => `f.${name(column)} = s.${name(column)}`).join(" and ");
  return db.result(
    `insert into ${qualified(schema, table.name)} (${names(columns)})
     select ${names(columns, "s.")}
       from ${stage(table)} s
       left join (select distinct on (${names(key, "f.")}) ${names(columns, "f.")}, true as there
                    from ${qualified(schema, table.name)} f
                    join ${stage(table)} s on ${sameKey}
                   order by ${names(key, "f.")}, f.${name(recordId)} desc) f on ${sameKey}
      where f.there is null or (${names(columns, "s.")}) is distinct from (${names(columns, "f.")})
      order by ${names(key, "s.")}`,
    [],
    (result) => result.rowCount,
  );
}
