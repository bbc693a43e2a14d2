import { fingerprint } from "../fingerprint.ts";
import type { IngestionManifest } from "../lake/manifest.ts";
import type { Table } from "../table.ts";
import type { Snapshot } from "./snapshot.ts";

/** What a run reads, and why. */
export interface Plan {
  readonly kind: IngestionManifest["kind"];
  /** Why more than the changes is read; empty where it is not. */
  readonly reasons: readonly string[];
  /** The fence to read changes from; null where everything is read. */
  readonly since: string | null;
  /** Names of the sources that are read from the start. */
  readonly whole: ReadonlySet<string>;
}

/** A fence further back than this is not compared any more: 32-bit ids wrap at 2³², half of that is ahead. */
const FARTHEST = 1_000_000_000n;

/**
 * Says what to read after the batch `last`, from what `snapshot` shows: the changes since its fence; the whole of a
 * source that a new or changed table module is driven by; or everything, where transaction ids cannot be compared.
 */
export function planRun(
  last: IngestionManifest | undefined,
  snapshot: Snapshot,
  tables: readonly Table[],
  { resync = false }: { resync?: boolean } = {},
): Plan {
  const everything = new Set(tables.flatMap((table) => table.sources.map((source) => source.name)));
  if (!last) return { kind: "backfill", reasons: ["first run"], since: null, whole: everything };
  const doubt = resync ? "asked for" : whyNotComparable(last, snapshot);
  if (doubt !== undefined)
    return { kind: "resync", reasons: [doubt], since: null, whole: everything };
  const unfilled = tables.filter((table) => last.fingerprints[table.name] !== fingerprint(table));
  const unmarked = tables
    .flatMap((table) => table.sources)
    .filter(({ name, changes }) => changes.by === "timestamp" && !(name in last.high_water));
  return {
    kind: unfilled.length > 0 ? "backfill" : "changes",
    reasons: unfilled.map(({ name }) =>
      name in last.fingerprints ? `${name} has changed` : `${name} is new`,
    ),
    since: last.fence,
    whole: new Set(
      [...unfilled.flatMap((table) => table.sources), ...unmarked].map((source) => source.name),
    ),
  };
}

/** Transaction ids mean something only within one timeline of one database, and only forwards. */
function whyNotComparable(last: IngestionManifest, now: Snapshot): string | undefined {
  if (last.system_identifier !== now.system_identifier)
    return `the source is another server (${last.system_identifier} → ${now.system_identifier})`;
  if (last.database_oid !== now.database_oid)
    return `the source is another database (oid ${last.database_oid} → ${now.database_oid})`;
  if (last.timeline !== now.timeline)
    return `the source was restored or failed over (timeline ${last.timeline} → ${now.timeline})`;
  if (last.server_started_at !== now.server_started_at)
    return `the source was restarted at ${now.server_started_at}`;
  const behind = BigInt(now.fence) - BigInt(last.fence);
  if (behind < 0n) return `the fence went back (${last.fence} → ${now.fence})`;
  if (behind > FARTHEST) return `the last batch is ${behind} transactions ago`;
  return undefined;
}
