import { readCatalogue, type CatalogueColumn, type CatalogueTable } from "../postgres/catalogue.ts";
import type { Db } from "../postgres/connection.ts";
import { literal, name, names, parameterised, qualified } from "../postgres/sql.ts";
import {
  keyOf,
  recordIdOf,
  referencesOf,
  getColumnNames,
  type Column,
  type Table,
} from "../table.ts";
import { placeholder, toText } from "../values.ts";
import { WarehouseError } from "./error.ts";
import { arrayText, keyText } from "./ledger.ts";

export { WarehouseError };

/** A column's type in SQL. */
export function sqlType({ type, precision, scale }: Column): string {
  if (type === "decimal") return `numeric(${precision}, ${scale})`;
  return type === "text" ? "varchar" : type;
}

/** A warehouse column's value, in SQL, as something that prints as its text. */
export function valueSql(
  row: string,
  column: string,
  declared: Column,
  found: CatalogueColumn,
): string {
  const value = `${row}.${name(column)}`;
  if (declared.type !== "decimal" || found.scale === declared.scale) return value;
  // A wider column shows what it has: the declared digits at least, and further ones that are not zero.
  return `case when scale(trim_scale(${value})) <= ${declared.scale} then round(${value}, ${declared.scale}) else trim_scale(${value}) end`;
}

/** The value that stands for what is not known, as a literal; see `placeholder`. */
export function placeholderSql(column: Column): string {
  const value = placeholder(column);
  return value === null
    ? `null::${sqlType(column)}`
    : `${literal(toText(column, value))}::${sqlType(column)}`;
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
 * @param ledger the schema of the loader's own tables, which are there
 * @param tables in the order of their references
 * @returns what was done, in words, and the type that each column was found with, a domain's the one beneath it
 * @throws WarehouseError naming every table and column that differs otherwise
 */
export async function prepareTables(
  db: Db,
  schema: string,
  ledger: string,
  tables: readonly Table[],
): Promise<{ done: string[]; typeOf: FoundType }> {
  const catalogue = await readCatalogue(
    db,
    tables.map((table) => ({ schema, name: table.name })),
  );
  checkWarehouse(tables, catalogue);
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
          await addColumn({ db, schema, ledger, byName, batch: null }, table, column);
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

/**
 * Holds the warehouse's catalogue against the declared tables; a table that is not there is no difference.
 * @throws WarehouseError naming every table and column that differs
 */
export function checkWarehouse(
  tables: readonly Table[],
  catalogue: ReadonlyMap<string, CatalogueTable>,
): void {
  const problems = tables.flatMap((table) => {
    const found = catalogue.get(table.name);
    return found ? differences(table, found) : [];
  });
  if (problems.length > 0)
    throw new WarehouseError(
      `the warehouse differs from the declarations in tables/: ${problems.join("; ")}. ` +
        "Alter the warehouse, or the declaration, until they agree",
    );
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
      ? `${name(column)} serial${table.distributed ? "" : " primary key"}`
      : `${name(column)} ${sqlType(declared)}${declared.nullable ? "" : " not null"}` +
        foreignKey(schema, column, table, byName),
  );
  if (recordId === undefined) columns.push(`primary key (${names(keyOf(table))})`);
  else if (table.distributed) columns.push(`primary key (${names([...keyOf(table), recordId])})`);
  await db.none(`create table ${place} (${columns.join(", ")})`);
  // Where the latest version of a record is looked for; such a primary key is one.
  if (recordId !== undefined && !table.distributed)
    await db.none(`create index on ${place} (${names(keyOf(table))})`);
  await db.none(`comment on table ${place} is ${literal(table.description)}`);
}

/** Rows from before get the placeholder, as they do when they are loaded again from files without the column. */
async function addColumn(into: Inferring, table: Table, column: string): Promise<void> {
  const { db, schema, byName } = into;
  const declared = table.columns[column]!;
  const place = qualified(schema, table.name);
  const value = placeholderSql(declared);
  if (declared.references !== undefined && !declared.nullable)
    await inferMembers(into, byName.get(declared.references)!, `select ${value} as key`);
  await db.none(
    `alter table ${place} add column ${name(column)} ${sqlType(declared)}` +
      (declared.nullable ? "" : ` not null default ${value}`) +
      foreignKey(schema, column, table, byName),
  );
  if (!declared.nullable)
    await db.none(`alter table ${place} alter column ${name(column)} drop default`);
}

/** Where inferred members are made. */
export interface Inferring {
  readonly db: Db;
  readonly schema: string;
  /** The schema of the loader's own tables. */
  readonly ledger: string;
  readonly byName: ReadonlyMap<string, Table>;
  /** The batch that makes them; null where none does. */
  readonly batch: number | null;
  /** Told of those that were made. */
  readonly made?: (dimension: Table, count: number) => void;
}

/**
 * Gives a dimension an inferred member for each key that `keys` yields and it does not have: the key, and
 * placeholders, until the real row arrives. What the placeholders refer to gets one first.
 * @param keys a query of one column, `key`, with its parameters; `within` is true of the rows `d` that have one of them
 */
export async function inferMembers(
  into: Inferring,
  table: Table,
  keys: string,
  { within = "true", parameters = [] }: { within?: string; parameters?: readonly unknown[] } = {},
): Promise<void> {
  const { db, schema, byName } = into;
  const key = keyOf(table)[0]!;
  const valueOf = (column: string): string =>
    column === key ? "k.key" : placeholderSql(table.columns[column]!);
  const place = qualified(schema, table.name);
  const missing = `(${keys}) k
      where k.key is not null and not exists (select from ${place} d where d.${name(key)} = k.key and ${within})`;
  // References go in no circle: the registry refuses one.
  for (const { column, table: target } of referencesOf(table)) {
    if (column !== key && placeholder(table.columns[column]!) === null) continue;
    const referred = `select distinct ${valueOf(column)} as key from ${missing}`;
    await inferMembers(into, byName.get(target)!, referred, { parameters });
  }
  const columns = getColumnNames(table);
  const members = await db.any<{ key: string }>(
    parameterised(
      `insert into ${place} (${names(columns)})
       select ${columns.map(valueOf).join(", ")} from ${missing}
           on conflict (${name(key)}) do nothing
       returning ${keyText(table.columns[key]!, name(key))} as key`,
      parameters,
    ),
  );
  await rememberMembers(into, table, members);
}

/** Puts rows of a dimension among the inferred members. @returns how many were none before */
export async function rememberMembers(
  { db, ledger, batch, made }: Inferring,
  dimension: Table,
  members: readonly { readonly key: string }[],
): Promise<number> {
  if (members.length === 0) return 0;
  const count = await db.result(
    parameterised(
      `insert into ${qualified(ledger, "inferred_member")} (table_name, key, batch)
       select $1, key, $3::bigint from unnest($2::text[]) as k(key) on conflict (table_name, key) do nothing`,
      [dimension.name, arrayText(members.map(({ key }) => key)), batch],
    ),
    undefined,
    (result) => result.rowCount,
  );
  if (count > 0) made?.(dimension, count);
  return count;
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
      problems.push(
        `${table.name}.${extra.name}: is not declared, not null and without a default: drop the column or its NOT NULL, or declare it`,
      );
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
