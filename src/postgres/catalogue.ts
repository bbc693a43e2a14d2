import type { Db } from "./connection.ts";

/** A column as the server's catalogue has it. */
export interface CatalogueColumn {
  readonly name: string;
  /** As a person would write it: `character varying(3)`. */
  readonly type: string;
  /** The type's internal name, a domain's the one beneath it: `varchar`. */
  readonly base: string;
  /** True of an enum. */
  readonly isEnum: boolean;
  /** False of an extension's type, whose operators lie in a schema of their own. */
  readonly builtIn: boolean;
  readonly notNull: boolean;
  /** True where an insert may leave it out: a default, an identity, a generated column. */
  readonly filled: boolean;
  /** `numeric`'s, null where it has none. */
  readonly precision: number | null;
  readonly scale: number | null;
  readonly selectable: boolean;
}

export interface CatalogueTable {
  readonly schema: string;
  readonly name: string;
  /** `r` table, `p` partitioned, `v` view, `m` materialised view, `f` foreign table. */
  readonly kind: "r" | "p" | "v" | "m" | "f";
  /** Whether this user may read xmin, which a grant of columns leaves out; null where there is none. */
  readonly xminSelectable: boolean | null;
  /** True where row level security would hide rows from this user. */
  readonly rowSecurity: boolean;
  readonly columns: readonly CatalogueColumn[];
  /** The column lists of its unique indexes, the primary key's among them. */
  readonly unique: readonly (readonly string[])[];
}

/** What the catalogue says of those of `tables` that exist, by name. */
export async function readCatalogue(
  db: Db,
  tables: readonly { readonly schema: string; readonly name: string }[],
): Promise<ReadonlyMap<string, CatalogueTable>> {
  const found = await db.any<CatalogueTable>(
    `select n.nspname as schema, c.relname as name, c.relkind as kind,
            has_column_privilege(c.oid, -2::int2, 'select') as "xminSelectable",
            row_security_active(c.oid) as "rowSecurity",
            coalesce(cols.list, '[]') as columns,
            coalesce(uniq.list, '[]') as "unique"
       from unnest($1::text[], $2::text[]) as wanted(schema, name)
       join pg_catalog.pg_namespace n on n.nspname = wanted.schema
       join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = wanted.name
                                 and c.relkind in ('r', 'p', 'v', 'm', 'f')
       left join lateral (
         select json_agg(json_build_object(
                  'name', a.attname,
                  'type', format_type(a.atttypid, a.atttypmod),
                  'base', b.typname,
                  'isEnum', b.typtype = 'e',
                  'builtIn', b.typtype = 'e' or b.typnamespace = 'pg_catalog'::regnamespace,
                  'notNull', a.attnotnull,
                  'filled', a.atthasdef or a.attidentity <> '',
                  'precision', case when b.typname = 'numeric' and m.typmod >= 4
                                    then ((m.typmod - 4) >> 16) & 65535 end,
                  'scale', case when b.typname = 'numeric' and m.typmod >= 4 then (m.typmod - 4) & 65535 end,
                  'selectable', has_column_privilege(c.oid, a.attnum, 'select')
                ) order by a.attnum) as list
           from pg_catalog.pg_attribute a
           join pg_catalog.pg_type t on t.oid = a.atttypid
           join pg_catalog.pg_type b on b.oid = case t.typtype when 'd' then t.typbasetype else t.oid end
          cross join lateral (select case t.typtype when 'd' then t.typtypmod else a.atttypmod end as typmod) m
          where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) cols on true
       left join lateral (
         select json_agg(k.names) as list
           from pg_catalog.pg_index i
          cross join lateral (
            select json_agg(a.attname order by o.position) as names
              from unnest(i.indkey[0:i.indnkeyatts - 1]) with ordinality as o(attnum, position)
              join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = o.attnum) k
          where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indpred is null
            and i.indexprs is null and i.indimmediate) uniq on true`,
    [tables.map((table) => table.schema), tables.map((table) => table.name)],
  );
  return new Map(found.map((table) => [table.name, table]));
}
