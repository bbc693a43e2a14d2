/** What becomes of star rows whose source row is gone. */
import type { Db } from "../postgres/connection.ts";
import { name, names, qualified } from "../postgres/sql.ts";
import {
  DELETED_AT,
  deletedColumns,
  getColumnNames,
  keyOf,
  recordIdOf,
  referencesOf,
  type Deleted,
  type Table,
} from "../table.ts";
import { recordKeyText } from "./ledger.ts";
import {
  about,
  inferringIn,
  RIGHTS,
  stage,
  stageRows,
  type Rows,
  type Warehouse,
} from "./merge.ts";
import { foreignKeysTo, mayDeleteSilently, withoutTriggers } from "./triggers.ts";
import { inferMembers, placeholderSql, rememberMembers, type Inferring } from "./warehouse.ts";

/** What was done about the keys that are gone. */
export interface DeletedLoad {
  /** Records marked or removed, by table. */
  readonly deleted: Map<string, number>;
  /** Inferred members that rows became which others refer to, by dimension. */
  readonly inferred: Map<string, number>;
}

/**
 * Does with the rows whose keys are gone what their tables declare: once the batch's own rows are in, of those that refer
 * before those that are referred to.
 *
 * @param gone keys, and when each was gone, by table, in the order of the tables' references
 * @param isRepair whether rows leave the tables that keep them, too
 */
export async function deleteGone(
  warehouse: Warehouse,
  gone: ReadonlyMap<Table, Rows>,
  isRepair: boolean,
): Promise<DeletedLoad> {
  const { db, schema } = warehouse;
  const done: DeletedLoad = { deleted: new Map(), inferred: new Map() };
  const into = inferringIn(warehouse, done.inferred);
  for (const [table, rows] of [...gone].toReversed()) {
    const policy = policyOf(table, isRepair);
    if (policy === "keep") continue;
    const staged = { name: `deleted_${table.name}`, columns: deletedColumns(table) };
    await stageRows(warehouse, staged, rows);
    const from = stage(staged);
    const isVersioned = recordIdOf(table) !== undefined;
    if (policy === "mark") {
      const mark = isVersioned ? appendMarked : markRows;
      done.deleted.set(table.name, await about(table, RIGHTS, mark(db, schema, table, from)));
    } else if (isVersioned) {
      const removed = await about(table, TO_DELETE, removeVersions(db, schema, table, from));
      done.deleted.set(table.name, removed);
    } else {
      const referred = await isReferred(warehouse, table);
      const inferring = inferReferred(warehouse, into, table, from, referred);
      const inferred = await about(table, RIGHTS, inferring);
      const removed = await about(table, TO_DELETE, removeRows(warehouse, table, from, referred));
      const isGone = `not exists (select from ${qualified(schema, table.name)} d where ${sameKey(table, "d")})`;
      await warehouse.inferred.replaced(db, table, from, isGone);
      done.deleted.set(table.name, inferred + removed);
    }
  }
  return done;
}

const TO_DELETE = "GRANT DELETE on it to this user";

const policyOf = ({ deleted }: Table, isRepair: boolean): Deleted =>
  deleted === "keep" && isRepair ? "remove" : deleted;

const count = (db: Db, sql: string): Promise<number> =>
  db.result(sql, undefined, (result) => result.rowCount);

const sameKey = (table: Table, row: string): string =>
  keyOf(table)
    .map((column) => `${row}.${name(column)} = s.${name(column)}`)
    .join(" and ");

/** Rows that say already that they are gone go on saying since when. */
const markRows = (db: Db, schema: string, table: Table, from: string): Promise<number> =>
  count(
    db,
    `update ${qualified(schema, table.name)} d set ${name(DELETED_AT)} = s.${name(DELETED_AT)}
       from ${from} s where ${sameKey(table, "d")} and d.${name(DELETED_AT)} is null`,
  );

/** Appends to each record a version which says that it is gone, unless the latest does. */
function appendMarked(db: Db, schema: string, table: Table, from: string): Promise<number> {
  const columns = getColumnNames(table);
  const others = columns.filter((column) => column !== DELETED_AT);
  const key = keyOf(table);
  return count(
    db,
    `insert into ${qualified(schema, table.name)} (${names(others)}, ${name(DELETED_AT)})
     select ${names(others, "f.")}, s.${name(DELETED_AT)}
       from ${from} s
       join (select distinct on (${names(key, "f.")}) ${names(columns, "f.")}
               from ${qualified(schema, table.name)} f join ${from} s on ${sameKey(table, "f")}
              order by ${names(key, "f.")}, f.${name(recordIdOf(table)!)} desc) f on ${sameKey(table, "f")}
      where f.${name(DELETED_AT)} is null
      order by ${names(key, "s.")}`,
  );
}

/** @returns how many records are gone, whatever versions they had */
async function removeVersions(db: Db, schema: string, table: Table, from: string): Promise<number> {
  const { records } = await db.one<{ records: number }>(
    `with gone as (
       delete from ${qualified(schema, table.name)} f using ${from} s where ${sameKey(table, "f")}
       returning ${names(keyOf(table), "f.")})
     select count(*)::int as records from (select distinct * from gone) g`,
  );
  return records;
}

/** The columns of other tables that refer to this one. */
const referringTo = (
  { byName }: Warehouse,
  { name: target }: Table,
): { readonly table: Table; readonly column: string }[] =>
  [...byName.values()].flatMap((table) =>
    referencesOf(table)
      .filter((reference) => reference.table === target)
      .map(({ column }) => ({ table, column })),
  );

/**
 * True of the table's rows `d` that rows of others refer to: by what is declared, or by a foreign key of somebody else's. Of a
 * table that this user may not read, any row may refer to any.
 */
async function isReferred(warehouse: Warehouse, table: Table): Promise<string> {
  const [key] = keyOf(table);
  const { db, schema } = warehouse;
  const declared = referringTo(warehouse, table);
  const referring = declared.map(({ table: other, column }) => {
    const place = qualified(schema, other.name);
    return `exists (select from ${place} o where o.${name(column)} = d.${name(key!)})`;
  });
  for (const theirs of await foreignKeysTo(db, schema, table)) {
    const isDeclared =
      theirs.schema === schema &&
      declared.some(
        (one) =>
          one.table.name === theirs.table &&
          theirs.columns.length === 1 &&
          theirs.columns[0] === one.column,
      );
    if (isDeclared) continue;
    if (!theirs.readable) return "true";
    const same = theirs.columns.map(
      (column, at) => `o.${name(column)} = d.${name(theirs.keys[at]!)}`,
    );
    referring.push(
      `exists (select from ${qualified(theirs.schema, theirs.table)} o where ${same.join(" and ")})`,
    );
  }
  return referring.join(" or ") || "false";
}

/** Makes inferred members of the rows that must stay, because others refer to them. @returns how many were none before */
async function inferReferred(
  warehouse: Warehouse,
  into: Inferring,
  table: Table,
  from: string,
  referred: string,
): Promise<number> {
  const { db, schema, byName } = warehouse;
  if (referred === "false") return 0;
  const key = keyOf(table);
  const others = getColumnNames(table).filter((column) => !key.includes(column));
  const place = `${qualified(schema, table.name)} d`;
  const which = `${sameKey(table, "d")} and (${referred})`;
  for (const { column, table: target } of referencesOf(table)) {
    if (key.includes(column)) continue;
    const value = placeholderSql(table.columns[column]!);
    const member = `select distinct ${value} as key from ${place}, ${from} s where ${which}`;
    await inferMembers(into, byName.get(target)!, member);
  }
  const set = others.map((column) => `${name(column)} = ${placeholderSql(table.columns[column]!)}`);
  const members = `${recordKeyText(table, "d")} as key`;
  const found = await db.any<{ key: string }>(
    set.length > 0
      ? `update ${place} set ${set.join(", ")} from ${from} s where ${which} returning ${members}`
      : `select ${members} from ${place}, ${from} s where ${which}`,
  );
  return rememberMembers(into, table, found);
}

/** Removes the rows that no other refers to. */
async function removeRows(
  warehouse: Warehouse,
  table: Table,
  from: string,
  referred: string,
): Promise<number> {
  const { db, schema } = warehouse;
  const remove = (): Promise<number> =>
    count(
      db,
      `delete from ${qualified(schema, table.name)} d using ${from} s
        where ${sameKey(table, "d")} and not (${referred})`,
    );
  const isSilent =
    warehouse.maySilence &&
    (await mayDeleteSilently(db, schema, table, referringTo(warehouse, table)));
  return isSilent ? withoutTriggers(db, remove) : remove();
}
