/** Rows that come first when a table is read again because its module has changed: those that did not fit the module before. */
import { fingerprint } from "../fingerprint.ts";
import type { IngestionManifest } from "../lake/manifest.ts";
import type { SourceKeys } from "../lake/quarantined.ts";
import type { CatalogueTable } from "../postgres/catalogue.ts";
import type { Db } from "../postgres/connection.ts";
import type { Source, Table } from "../table.ts";
import { checkNamed, NamedRows, type NamedKeys } from "./named.ts";
import type { Plan } from "./plan.ts";

/**
 * The keys of rows in quarantine that a run is about to read anyway: of sources of tables that have changed. None where the
 * run has no such table, or has begun already.
 *
 * @param db in the run's transaction, which goes on whatever the keys are
 * @param order the run's sources, in the order in which they are read
 * @param quarantined what a hint says: nothing of it is believed, and all of it is left out where something is wrong with it
 */
export async function readFirst(
  db: Db,
  tables: readonly Table[],
  last: IngestionManifest | undefined,
  { kind, goesOn }: Plan,
  order: readonly Source[],
  catalogue: ReadonlyMap<string, CatalogueTable>,
  quarantined: () => Promise<SourceKeys>,
): Promise<readonly NamedKeys[]> {
  if (kind !== "backfill" || goesOn || !last) return [];
  const changed = tables.filter(
    (table) =>
      table.name in last.fingerprints && last.fingerprints[table.name] !== fingerprint(table),
  );
  const sources = new Set(changed.flatMap((table) => table.sources).map(({ name }) => name));
  if (sources.size === 0) return [];
  const keys = Object.entries(await quarantined()).filter(([source]) => sources.has(source));
  if (keys.length === 0) return [];
  await db.none("savepoint hint");
  try {
    const { waiting } = new NamedRows(order, new Map(keys));
    await checkNamed(db, waiting, catalogue);
    return waiting;
  } catch {
    await db.none("rollback to savepoint hint");
    return [];
  } finally {
    // A snapshot cannot be handed on from within.
    await db.none("release savepoint hint");
  }
}
