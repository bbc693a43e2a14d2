import { readCatalogue, type CatalogueColumn, type CatalogueTable } from "../postgres/catalogue.ts";
import type { Db } from "../postgres/connection.ts";
import { literal, name, names, parameterised, qualified } from "../postgres/sql.ts";
import { keyOf, recordIdOf, getColumnNames, type Column, type Table } from "../table.ts";
import { placeholder, toText } from "../values.ts";

/** A warehouse that cannot hold what the table modules declare. Nothing was loaded. */
export class WarehouseError extends Error {
  override readonly name = "WarehouseError";
}

/** A column's type in SQL. */
export function sqlType({ type, precision, scale }: Column): string {
  if (type === "decimal") return `numeric(${precision}, ${scale})`;
  return type === "text" ? "varchar" : type;
}

/** The value that stands for what is not known, as a literal; see `placeholder`. */
export function placeholderSql(column: Column): string {
  const value = placeholder(column);
  return value === null
    ? `null::${sqlType(column)}`
    : `${literal(toText(column, value))}::${sqlType(column)}`;
}

const LOADS = `create table etl.batch_load (
  batch bigint primary key,
  run text,
  kind text,
  ingestion_sha256 text,
  rows bigint not null,
  seconds double precision not null,
  loaded_at timestamptz not null default now(),
  skipped_why text,
  receipt jsonb not null,
  receipt_put boolean not null default false
)`;

/** Makes the loader's own schema and table, where they are not there.
 *  @throws WarehouseError where this user may not */
export async function prepareLoads(db: Db): Promise<void> {
  const { there, may } = await db.one<{ there: boolean; may: boolean | null }>(
    `select c.oid is not null as there,
            has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select, insert, update') as may
       from (values (1)) one
       left join pg_namespace n on n.nspname = 'etl'
       left join pg_class c on c.relnamespace = n.oid and c.relname = 'batch_load'`,
  );
  if (there && may === false)
    throw new WarehouseError(
      "permission denied for etl.batch_load, where loaded batches are counted: another user made it; " +
        "REASSIGN OWNED BY that user TO this one, or GRANT USAGE ON SCHEMA etl and SELECT, INSERT, UPDATE on its tables",
    );
  if (there) return;
  try {
    await db.none(`create schema if not exists etl; ${LOADS}`);
  } catch (cause) {
    throw new WarehouseError(
      `cannot create etl.batch_load, where loaded batches are counted: ${(cause as Error).message}; ` +
        "GRANT CREATE ON DATABASE to this user",
      { cause },
    );
  }
}

/** Rows that meet others go by way of a temporary table: better told before the first batch than by the first that has such.
 *  @throws WarehouseError where this user may make none */
export async function checkTemporary(db: Db): Promise<void> {
  const { may, database } = await db.one<{ may: boolean; database: string }>(
    "select has_database_privilege(current_database(), 'temporary') as may, current_database() as database",
  );
  if (!may)
    throw new WarehouseError(
      `permission denied to create temporary tables in database "${database}"; GRANT TEMPORARY ON DATABASE to this user`,
    );
}

/**
 * Brings the warehouse to what `tables` declare: missing tables are created, new columns added. A warehouse that
 * somebody else prepared is used as it is.
 *
 * @param tables in the order of their references
 * @returns what was done, in words, and the type that each column was found with, a domain's the one beneath it
 * @throws WarehouseError naming every table and column that differs otherwise
 */
export async function prepareTables(
  db: Db,
  schema: string,
  tables: readonly Table[],
): Promise<{ done: string[]; typeOf: FoundType }> {
  const catalogue = await readCatalogue(
    db,
    tables.map((table) => ({ schema, name: table.name })),
  );
  const problems = tables.flatMap((table) => {
    const found = catalogue.get(table.name);
    return found ? differences(table, found) : [];
  });
  if (problems.length > 0)
    throw new WarehouseError(
      `the warehouse differs from the declarations in tables/: ${problems.join("; ")}. ` +
        "Alter the warehouse, or the declaration, until they agree",
    );
  const byName = new Map(tables.map((table) => [table.name, table]));
  const done: string[] = [];
  for (const table of tables) {
    const found = catalogue.get(table.name);
    const missing = found
      ? getColumnNames(table).filter((column) => !found.columns.some((c) => c.name === column))
      : undefined;
    try {
      if (missing === undefined) {
        await createTable(db, schema, table, byName);
        done.push(`created ${table.name}`);
      } else
        for (const column of missing) {
          await addColumn(db, schema, table, column, byName);
          done.push(`added ${table.name}.${column}`);
        }
    } catch (cause) {
      throw new WarehouseError(
        `cannot prepare ${schema}.${table.name}: ${(cause as Error).message}; GRANT CREATE ON SCHEMA to this user, ` +
          "or let the tables' owner do it",
        { cause },
      );
    }
  }
  const types = new Map(
    [...catalogue].map(([table, { columns }]) => [
      table,
      new Map(columns.map((column) => [column.name, column.base])),
    ]),
  );
  return { done, typeOf: (table, column) => types.get(table.name)?.get(column) };
}

/** The internal name of a column's type in the warehouse; undefined where it was just made as declared. */
export type FoundType = (table: Table, column: string) => string | undefined;

function foreignKey(
  schema: string,
  column: string,
  table: Table,
  byName: ReadonlyMap<string, Table>,
): string {
  const { references } = table.columns[column]!;
  if (references === undefined) return "";
  const [key] = keyOf(byName.get(references)!);
  return ` references ${qualified(schema, references)} (${name(key!)})`;
}

async function createTable(
  db: Db,
  schema: string,
  table: Table,
  byName: ReadonlyMap<string, Table>,
): Promise<void> {
  const recordId = recordIdOf(table);
  const place = qualified(schema, table.name);
  const columns = Object.entries(table.columns).map(([column, declared]) =>
    declared.generated
      ? `${name(column)} serial primary key`
      : `${name(column)} ${sqlType(declared)}${declared.nullable ? "" : " not null"}` +
        foreignKey(schema, column, table, byName),
  );
  if (recordId === undefined) columns.push(`primary key (${names(keyOf(table))})`);
  await db.none(`create table ${place} (${columns.join(", ")})`);
  // Where the latest version of a record is looked for.
  if (recordId !== undefined) await db.none(`create index on ${place} (${names(keyOf(table))})`);
  await db.none(`comment on table ${place} is ${literal(table.description)}`);
}

/** Rows from before get the placeholder, as they do when they are loaded again from files without the column. */
async function addColumn(
  db: Db,
  schema: string,
  table: Table,
  column: string,
  byName: ReadonlyMap<string, Table>,
): Promise<void> {
  const declared = table.columns[column]!;
  const place = qualified(schema, table.name);
  const value = placeholderSql(declared);
  if (declared.references !== undefined && !declared.nullable)
    await inferMembers(db, schema, byName.get(declared.references)!, `select ${value} as key`);
  await db.none(
    `alter table ${place} add column ${name(column)} ${sqlType(declared)}` +
      (declared.nullable ? "" : ` not null default ${value}`) +
      foreignKey(schema, column, table, byName),
  );
  if (!declared.nullable)
    await db.none(`alter table ${place} alter column ${name(column)} drop default`);
}

/**
 * Gives a dimension an inferred member for each key that `keys` yields and it does not have: the key, and
 * placeholders, until the real row arrives.
 * @param keys a query of one column, `key`, with its parameters; `within` is true of the rows `d` that have one of them
 * @returns how many were made
 */
export function inferMembers(
  db: Db,
  schema: string,
  table: Table,
  keys: string,
  { within = "true", parameters = [] }: { within?: string; parameters?: readonly unknown[] } = {},
): Promise<number> {
  const [key] = keyOf(table);
  const columns = getColumnNames(table);
  const values = columns.map((column) =>
    column === key ? "k.key" : placeholderSql(table.columns[column]!),
  );
  const place = qualified(schema, table.name);
  return db.result(
    parameterised(
      `insert into ${place} (${names(columns)})
       select ${values.join(", ")} from (${keys}) k
        where k.key is not null and not exists (select from ${place} d where d.${name(key!)} = k.key and ${within})
           on conflict (${name(key!)}) do nothing`,
      parameters,
    ),
    undefined,
    (result) => result.rowCount,
  );
}

/** What keeps `found` from holding the table's rows; empty where nothing does. */
function differences(table: Table, found: CatalogueTable): string[] {
  if (found.kind !== "r" && found.kind !== "p") return [`${table.name} is not a table`];
  const problems: string[] = [];
  const columns = new Map(found.columns.map((column) => [column.name, column]));
  for (const [column, declared] of Object.entries(table.columns)) {
    const where = `${table.name}.${column}`;
    const there = columns.get(column);
    columns.delete(column);
    if (!there) {
      // The record id alone cannot be added later: the versions that are there would get theirs in no order.
      if (declared.generated)
        problems.push(`${where}: expected a serial record id, found no such column`);
    } else if (!holds(declared, there))
      problems.push(`${where}: expected ${sqlType(declared)}, found ${there.type}`);
    else if (declared.nullable && there.notNull)
      problems.push(`${where}: expected to allow null, found not null`);
    else if (declared.generated && !there.filled)
      problems.push(`${where}: expected serial or identity, found no default`);
  }
  for (const extra of columns.values())
    if (extra.notNull && !extra.filled)
      problems.push(`${table.name}.${extra.name}: is not declared, not null and without a default`);
  const key = keyOf(table);
  if (recordIdOf(table) === undefined && !found.unique.some((unique) => sameSet(unique, key)))
    problems.push(`${table.name}: expected a primary key or unique index on (${key.join(", ")})`);
  return problems;
}

const sameSet = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((item) => b.includes(item));

/** The catalogue types that hold every value of a declared type. */
function holds(declared: Column, { base, type, precision, scale }: CatalogueColumn): boolean {
  switch (declared.type) {
    case "integer":
      return base === "int4" || base === "int8";
    case "bigint":
      return base === "int8";
    case "boolean":
      return base === "bool";
    case "text":
      return base === "varchar" || base === "text";
    case "decimal":
      if (base !== "numeric") return false;
      if (precision === null || scale === null) return true;
      return scale >= declared.scale! && precision - scale >= declared.precision! - declared.scale!;
    default:
      // A `time(3)` would round in silence: what is declared has six digits.
      return base === declared.type && !/\([0-5]\)/.test(type);
  }
}
