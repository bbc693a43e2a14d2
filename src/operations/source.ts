/** What the source shows of itself: its shape, its fence and who holds it, whether it has changes that nobody has read. */
import { allSources } from "../check-tables.ts";
import { checkContract } from "../ingestion/contract.ts";
import { whyNotComparable } from "../ingestion/plan.ts";
import {
  beginSnapshot,
  fenceAge,
  fenceHolder,
  readSnapshot,
  type Holder,
  type Snapshot,
} from "../ingestion/snapshot.ts";
import type { IngestionManifest } from "../lake/manifest.ts";
import { readCatalogue } from "../postgres/catalogue.ts";
import type { Connection, Db } from "../postgres/connection.ts";
import { literal, qualified } from "../postgres/sql.ts";
import type { Source, Table } from "../table.ts";

export interface SourceLook {
  readonly database: string;
  readonly tables: number;
  /** About: what the server's statistics say. */
  readonly rows: number;
  /** Columns that are there and not declared, as `table.column`. */
  readonly undeclared: readonly string[];
  /** Why ingestion would refuse it. */
  readonly problem?: Error;
  readonly snapshot?: Snapshot;
  /** Transactions begun since the oldest that is open. */
  readonly fenceAge: number;
  /** Who holds the fence back; undefined where nobody does, or where this user may not see it. */
  readonly holder?: Holder | undefined;
}

/** @param connection in no transaction; it is in one afterwards */
export async function lookAtSource(
  { db }: Connection,
  tables: readonly Table[],
): Promise<SourceLook> {
  const sources = allSources(tables);
  const places = sources.map((source) => qualified(source.schema, source.name));
  const { database, rows } = await db.one<{ database: string; rows: number }>(
    `select current_database() as database,
            (select coalesce(sum(greatest(pg_stat_get_live_tuples(to_regclass(place)), 0)), 0)
               from unnest($1::text[]) as t(place))::float8 as rows`,
    [places],
  );
  const shape = { database, tables: sources.length, rows };
  let undeclared: string[] = [];
  try {
    await beginSnapshot(db);
    const snapshot = await readSnapshot(db);
    const age = fenceAge(snapshot);
    const holder = age > 0 ? await fenceHolder(db, snapshot) : undefined;
    const seen = { ...shape, snapshot, fenceAge: age, holder };
    try {
      undeclared = checkContract(sources, await readCatalogue(db, sources));
    } catch (error) {
      return { ...seen, undeclared, problem: error as Error };
    }
    return { ...seen, undeclared };
  } catch (error) {
    return { ...shape, undeclared, fenceAge: 0, problem: error as Error };
  }
}

/** Milliseconds that looking for changes may take. */
const PROBE = 500;

/**
 * Whether a row was written after the newest batch was read; undefined where that would take long. Looks at the sources alone
 * whose changes are found by transaction.
 * @param db in the transaction of `snapshot`, which is of no use afterwards
 */
export async function hasUnread(
  db: Db,
  tables: readonly Table[],
  newest: IngestionManifest,
  snapshot: Snapshot,
): Promise<boolean | undefined> {
  if (whyNotComparable(newest, snapshot) !== undefined) return true;
  const [, next = ""] = newest.snapshot.split(":");
  const written = ({ schema, name }: Source): string =>
    `exists (select from ${qualified(schema, name)} where age(xmin) <= age(${literal(next)}::xid8::xid))`;
  const found = allSources(tables)
    .filter(({ changes }) => changes.by === "snapshot")
    .map(written);
  if (found.length === 0 || next === snapshot.snapshot.split(":")[1]) return false;
  try {
    await db.any("select set_config('statement_timeout', $1, true)", [String(PROBE)]);
    return (await db.one<{ unread: boolean }>(`select ${found.join(" or ")} as unread`)).unread;
  } catch (error) {
    if ((error as { code?: string }).code === "57014") return undefined;
    throw error;
  }
}
