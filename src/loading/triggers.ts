/** The triggers that keep foreign keys valid look each row up by itself. Rows whose keys are held already need none of it. */
import type { Db } from "../postgres/connection.ts";
import { qualified } from "../postgres/sql.ts";
import { keyOf, referencesOf, type Table } from "../table.ts";

/** Whether this user may let triggers sleep. It must not be demanded: not every server can grant it. */
export async function maySilence(db: Db): Promise<boolean> {
  const { version } = await db.one<{ version: number }>(
    "select current_setting('server_version_num')::int as version",
  );
  const { may } = await db.one<{ may: boolean }>(
    version >= 150_000
      ? "select has_parameter_privilege(current_user, 'session_replication_role', 'SET') as may"
      : "select rolsuper as may from pg_roles where rolname = current_user",
  );
  return may;
}

/**
 * Whatever would sleep with the triggers and is more than a look at the keys that the loader has seen to: further foreign
 * keys, triggers and rules of somebody else (`O`, or `R`: those would wake), constraints that are checked late.
 * A partition may have its own.
 */
const IN_THE_WAY = `
  with part as (
    select $1::regclass::oid as oid union select relid from pg_partition_tree($1::regclass)
  ), declared as (
    select r.col, to_regclass(r.dimension) as dimension, r.key
      from unnest($2::text[], $3::text[], $4::text[]) as r(col, dimension, key)
  )
  select format('%s has a foreign key that tables/ does not declare: %I', k.conrelid::regclass, k.conname) as why
    from pg_constraint k join part on part.oid = k.conrelid
   where k.contype = 'f'
     and not exists (select from pg_constraint above join part on part.oid = above.conrelid
                      where above.oid = k.conparentid)
     and not (cardinality(k.conkey) = 1 and exists (
           select from declared d
             join pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[1] and a.attname = d.col
             join pg_attribute b on b.attrelid = k.confrelid and b.attnum = k.confkey[1] and b.attname = d.key
            where k.confrelid = d.dimension))
  union all
  select format('%s has a constraint that is checked late: %I', k.conrelid::regclass, k.conname)
    from pg_constraint k join part on part.oid = k.conrelid
   where k.contype in ('p', 'u', 'x') and k.condeferrable
  union all
  select format('%s has a trigger: %I', t.tgrelid::regclass, t.tgname)
    from pg_trigger t join part on part.oid = t.tgrelid
   where not t.tgisinternal and t.tgenabled in ('O', 'R')
  union all
  select format('%s has a rule: %I', r.ev_class::regclass, r.rulename)
    from pg_rewrite r join part on part.oid = r.ev_class
   where r.ev_enabled in ('O', 'R')
  limit 1`;

/**
 * Why rows are inserted into `table` with a look-up for each of their foreign keys; undefined where that can be left out,
 * because the loader holds the rows that they refer to.
 */
export async function whyTriggersRun(
  db: Db,
  schema: string,
  table: Table,
  byName: ReadonlyMap<string, Table>,
): Promise<string | undefined> {
  if (!(await maySilence(db)))
    return "this user may not set session_replication_role; GRANT SET ON PARAMETER session_replication_role TO it (PostgreSQL 15 or later)";
  return inTheWay(db, schema, table, byName);
}

/**
 * Whether that can be left out in a transaction that is about to insert, by a user who may: nobody changes the answer until
 * it ends.
 */
export async function mayLeaveOutTriggers(
  db: Db,
  schema: string,
  table: Table,
  byName: ReadonlyMap<string, Table>,
): Promise<boolean> {
  // CREATE TRIGGER and ALTER TABLE wait for this lock; others who read and write do not.
  await db.none(`lock table ${qualified(schema, table.name)} in row exclusive mode`);
  return (await inTheWay(db, schema, table, byName)) === undefined;
}

async function inTheWay(
  db: Db,
  schema: string,
  table: Table,
  byName: ReadonlyMap<string, Table>,
): Promise<string | undefined> {
  const references = referencesOf(table);
  const found = await db.oneOrNone<{ why: string }>(IN_THE_WAY, [
    qualified(schema, table.name),
    references.map(({ column }) => column),
    references.map((reference) => qualified(schema, reference.table)),
    references.map((reference) => keyOf(byName.get(reference.table)!)[0]!),
  ]);
  return found?.why;
}

/** What more than a look at the keys of declared references would sleep while rows of a dimension are deleted. */
const BEHIND_IT = `
  with part as (
    select $1::regclass::oid as oid union select relid from pg_partition_tree($1::regclass)
  ), declared as (
    select to_regclass(r.place) as place, r.col from unnest($2::text[], $3::text[]) as r(place, col)
  )
  select from pg_constraint k join part on part.oid = k.confrelid
   where k.contype = 'f' and k.conparentid = 0
     and not (cardinality(k.conkey) = 1 and exists (
           select from declared d
             join pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[1] and a.attname = d.col
            where k.conrelid = d.place))
  union all
  select from pg_trigger t join part on part.oid = t.tgrelid
   where not t.tgisinternal and t.tgenabled in ('O', 'R')
  union all
  select from pg_rewrite r join part on part.oid = r.ev_class where r.ev_enabled in ('O', 'R')
  union all
  select from declared d where not has_table_privilege(d.place, 'update')
  limit 1`;

/** A foreign key of another table, whosever that is. */
export interface ForeignKey {
  readonly schema: string;
  readonly table: string;
  readonly columns: readonly string[];
  /** The columns that those refer to, in the same order. */
  readonly keys: readonly string[];
  /** Whether this user may read the table. */
  readonly readable: boolean;
}

/** The foreign keys that keep rows of `table` from being deleted; not those that delete or clear what refers to them. */
export const foreignKeysTo = (db: Db, schema: string, table: Table): Promise<ForeignKey[]> =>
  db.any<ForeignKey>(
    `with part as (
       select $1::regclass::oid as oid union select relid from pg_partition_tree($1::regclass)
     )
     select n.nspname as schema, c.relname as table,
            array(select a.attname::text from unnest(k.conkey) with ordinality u(num, at)
                    join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.num order by u.at) as columns,
            array(select a.attname::text from unnest(k.confkey) with ordinality u(num, at)
                    join pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.num order by u.at) as keys,
            has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')
              and not row_security_active(c.oid) as readable
       from pg_constraint k join part on part.oid = k.confrelid
       join pg_class c on c.oid = k.conrelid
       join pg_namespace n on n.oid = c.relnamespace
      where k.contype = 'f' and k.conparentid = 0 and k.confdeltype in ('a', 'r')
      order by k.oid`,
    [qualified(schema, table.name)],
  );

/**
 * Whether rows of `table` that no row of `referring` refers to may be deleted while triggers sleep, by a user who may silence
 * them: each row's trigger reads all of a table that has no index on its reference. Nobody writes those until the transaction
 * ends.
 */
export async function mayDeleteSilently(
  db: Db,
  schema: string,
  table: Table,
  referring: readonly { readonly table: Table; readonly column: string }[],
): Promise<boolean> {
  const place = qualified(schema, table.name);
  const places = referring.map((one) => qualified(schema, one.table.name));
  await db.none(`lock table ${place} in row exclusive mode`);
  const columns = referring.map(({ column }) => column);
  if ((await db.any(BEHIND_IT, [place, places, columns])).length > 0) return false;
  // In one order everywhere, and not for readers.
  if (places.length > 0) await db.none(`lock table ${places.join(", ")} in share mode`);
  return true;
}

/** Inside a transaction: does `work` while this session's triggers sleep. Their keys stay valid only if held before. */
export async function withoutTriggers<T>(db: Db, work: () => Promise<T>): Promise<T> {
  await db.none("set local session_replication_role to replica");
  const result = await work();
  await db.none("set local session_replication_role to default");
  return result;
}
