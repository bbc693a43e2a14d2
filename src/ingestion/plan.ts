import { fingerprint } from "../fingerprint.ts";
import type { Cursor, IngestionManifest } from "../lake/manifest.ts";
import type { Table } from "../table.ts";
import type { Snapshot } from "./snapshot.ts";

/** The last batch so far of a run that is not done. */
export type Unfinished = IngestionManifest & { readonly cursor: Cursor };

/** What a run reads, and why. */
export interface Plan {
  readonly kind: IngestionManifest["kind"];
  /** Why more than the changes is read; empty where it is not. */
  readonly reasons: readonly string[];
  /** The fence to read changes from; null where everything is read. */
  readonly since: string | null;
  /** Names of the sources that are read from the start. */
  readonly whole: ReadonlySet<string>;
  /** The batch after which an unfinished run goes on; absent where a run begins. */
  readonly goesOn?: Unfinished;
}

/** What a run was asked for, beyond the changes. */
export interface Asked {
  /** Everything is read again. */
  readonly resync?: boolean;
  /** Names of tables whose sources are read again from the start. */
  readonly backfill?: readonly string[];
}

/** Tables cannot be read again now; the message says why. Nothing was written. */
export class BackfillError extends Error {
  override readonly name = "BackfillError";
}

/** A fence further back than this is not compared any more: 32-bit ids wrap at 2³², half of that is ahead. */
const FARTHEST = 1_000_000_000n;

/**
 * Says what to read after the batch `last`, from what `snapshot` shows: the rest of its run, where that is not done; else
 * the changes since its fence; the whole of a source that a new or changed table module is driven by; or everything, where
 * transaction ids cannot be compared.
 * @throws BackfillError where tables are to be read again, and a run is not done
 */
export function planRun(
  last: IngestionManifest | undefined,
  snapshot: Snapshot,
  tables: readonly Table[],
  { resync = false, backfill = [] }: Asked = {},
): Plan {
  const everything = new Set(tables.flatMap((table) => table.sources.map((source) => source.name)));
  if (!last) return { kind: "backfill", reasons: ["first run"], since: null, whole: everything };
  const doubt = resync ? "asked for" : whyNotComparable(last, snapshot);
  if (doubt !== undefined)
    return { kind: "resync", reasons: [doubt], since: null, whole: everything };
  if (isUnfinished(last) && backfill.length > 0)
    throw new BackfillError(
      `${backfill.join(", ")} cannot be read again now: batch ${last.batch} left off in ${last.cursor.table}, and its run goes ` +
        "on first; ask again when it is done",
    );
  if (isUnfinished(last))
    return {
      kind: last.cursor.kind ?? last.kind,
      reasons: [`batch ${last.batch} left off in ${last.cursor.table}`],
      since: last.since,
      whole: new Set(last.cursor.whole),
      goesOn: last,
    };
  const hasChanged = (table: Table): boolean =>
    last.fingerprints[table.name] !== fingerprint(table);
  const unfilled = tables.filter((table) => hasChanged(table) || backfill.includes(table.name));
  const unmarked = tables
    .flatMap((table) => table.sources)
    .filter(({ name, changes }) => changes.by === "timestamp" && !(name in last.high_water));
  return {
    kind: unfilled.length > 0 ? "backfill" : "changes",
    reasons: unfilled.map((table) => {
      if (!hasChanged(table)) return `${table.name} was asked for`;
      return `${table.name} ${table.name in last.fingerprints ? "has changed" : "is new"}`;
    }),
    since: last.fence,
    whole: new Set(
      [...unfilled.flatMap((table) => table.sources), ...unmarked].map((source) => source.name),
    ),
  };
}

const isUnfinished = (manifest: IngestionManifest): manifest is Unfinished =>
  manifest.cursor !== null;

/**
 * The fingerprints of the tables that a run serves: all of them; of one that goes on, those that it began with and that
 * are the same still. The next run finds the others new, and fills them.
 */
export function servedBy(
  { goesOn }: Plan,
  fingerprints: Readonly<Record<string, string>>,
): Record<string, string> {
  if (!goesOn) return fingerprints;
  return Object.fromEntries(
    Object.entries(fingerprints).filter(([name, of]) => goesOn.fingerprints[name] === of),
  );
}

/**
 * Transaction ids mean something only within one timeline of one database, and only forwards.
 * @returns why those of a batch cannot be held against what `now` shows; undefined where they can
 */
export function whyNotComparable(last: IngestionManifest, now: Snapshot): string | undefined {
  if (last.system_identifier !== now.system_identifier)
    return `the source is another server (${last.system_identifier} → ${now.system_identifier})`;
  if (last.database_oid !== now.database_oid)
    return `the source is another database (oid ${last.database_oid} → ${now.database_oid})`;
  if (last.timeline !== now.timeline)
    return `the source was restored or failed over (timeline ${last.timeline} → ${now.timeline})`;
  if (last.server_started_at !== now.server_started_at)
    return `the source was restarted at ${now.server_started_at}`;
  if (BigInt(now.fence) < BigInt(last.fence))
    return `the fence went back (${last.fence} → ${now.fence})`;
  // An unfinished run goes on reading what it began to, from further back.
  const from = (isUnfinished(last) ? last.since : undefined) ?? last.fence;
  const behind = BigInt(now.fence) - BigInt(from);
  if (behind > FARTHEST) return `the last batch is ${behind} transactions ago`;
  return undefined;
}
