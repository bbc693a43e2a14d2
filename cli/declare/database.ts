/** What a database's catalogue says of its tables, as far as declarations are made of it. */
import { readCatalogue, type CatalogueTable } from "../../src/postgres/catalogue.ts";
import type { Db } from "../../src/postgres/connection.ts";

/** A column that holds the key of another table's row. */
export interface ForeignKey {
  readonly column: string;
  readonly table: string;
}

export interface FoundTable extends CatalogueTable {
  /** Empty where there is none, as of a view. */
  readonly primaryKey: readonly string[];
  /** Those of one column. */
  readonly foreignKeys: readonly ForeignKey[];
}

interface Keys {
  readonly name: string;
  readonly primaryKey: readonly string[];
  readonly foreignKeys: readonly ForeignKey[];
}

/** The tables and views of a schema, by name; partitions are parts of their table. */
export async function readSchema(db: Db, schema: string): Promise<ReadonlyMap<string, FoundTable>> {
  const found = await db.any<Keys>(
    `select c.relname as name,
            coalesce((select json_agg(a.attname order by k.position)
                        from pg_constraint p
                       cross join lateral unnest(p.conkey) with ordinality as k(attnum, position)
                        join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
                       where p.conrelid = c.oid and p.contype = 'p'), '[]') as "primaryKey",
            coalesce((select json_agg(json_build_object('column', a.attname, 'table', r.relname) order by a.attnum)
                        from pg_constraint f
                        join pg_class r on r.oid = f.confrelid
                        join pg_attribute a on a.attrelid = c.oid and a.attnum = f.conkey[1]
                       where f.conrelid = c.oid and f.contype = 'f' and cardinality(f.conkey) = 1), '[]') as "foreignKeys"
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = $1 and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
      order by c.relname`,
    [schema],
  );
  const catalogue = await readCatalogue(
    db,
    found.map(({ name }) => ({ schema, name })),
  );
  return new Map(found.map((keys) => [keys.name, { ...catalogue.get(keys.name)!, ...keys }]));
}
