/** Which rows in quarantine are gone from their source: they may have no star row that could be missed. */
import { namedColumns, namedKey, type Key } from "../ingestion/keyset.ts";
import { checkNamed, NamedRowsError } from "../ingestion/named.ts";
import { quarantinedKeys } from "../loading/quarantined-keys.ts";
import type { CatalogueTable } from "../postgres/catalogue.ts";
import type { Connection, Db } from "../postgres/connection.ts";
import { names, qualified } from "../postgres/sql.ts";
import { keyOf, type Source, type Table } from "../table.ts";
import { arraySql, sourceOrder, textsOf, type KeyTexts } from "./key-ranges.ts";

/** Keys that are looked for at a time. */
const PAGE = 10_000;

/** A row in quarantine that is gone. */
export interface QuarantinedGone {
  /** As the quarantine has it: told otherwise, it would not leave. */
  readonly key: Key;
  /** As a star row of it would have it. */
  readonly texts: KeyTexts;
}

/**
 * The rows of a source in quarantine that it lacks, those left out that no key names; or why that cannot be told.
 * @param source and `warehouse` in snapshots of their own, the warehouse's the older
 */
export async function quarantinedGone(
  { source, warehouse }: { readonly source: Connection; readonly warehouse: Connection },
  declared: Source,
  tables: readonly Table[],
  catalogue: CatalogueTable,
): Promise<QuarantinedGone[] | string> {
  const gone: QuarantinedGone[] = [];
  for (let offset = 0; ; offset += PAGE) {
    const { keys, leftOut } = await quarantinedKeys(warehouse, tables, {
      source: declared.name,
      limit: PAGE,
      offset,
    });
    const page = keys[declared.name] ?? [];
    if (page.length > 0) {
      const why = await whyUnreadable(source.db, declared, page, catalogue);
      if (why !== undefined) return why;
      for (const one of await missing(source.db, declared, page, catalogue)) gone.push(one);
    }
    if (page.length + leftOut < PAGE) return gone;
  }
}

/** Keys of before the source's had another type would end the transaction. */
async function whyUnreadable(
  db: Db,
  source: Source,
  keys: readonly Key[],
  catalogue: CatalogueTable,
): Promise<string | undefined> {
  await db.none("savepoint quarantined");
  try {
    await checkNamed(db, [{ source, keys }], new Map([[source.name, catalogue]]));
    return undefined;
  } catch (cause) {
    if (!(cause instanceof NamedRowsError)) throw cause;
    await db.none("rollback to savepoint quarantined");
    return cause.message;
  }
}

async function missing(
  db: Db,
  source: Source,
  keys: readonly Key[],
  catalogue: CatalogueTable,
): Promise<QuarantinedGone[]> {
  const arrays = namedColumns(source, catalogue).map(({ name: column, type }) =>
    arraySql(
      keys.map((key) => key[column]!),
      type,
    ),
  );
  const columns = names(keyOf(source));
  const found = await db.any<{ n: number; texts: string[] }>(
    `select n::int, array[${textsOf(sourceOrder(source, catalogue)).join(", ")}] as texts
       from unnest(${arrays.join(", ")}) with ordinality as t(${columns}, n)
      where not exists (select from ${qualified(source.schema, source.name)} s
                         where (${namedKey(source, catalogue, "s")}) = (${names(keyOf(source), "t.")}))`,
  );
  return found.map(({ n, texts }) => ({ key: keys[n - 1]!, texts }));
}
