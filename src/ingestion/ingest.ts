import { randomBytes } from "node:crypto";
import { getBuild } from "../build.ts";
import { fingerprintsOf } from "../fingerprint.ts";
import { getObjectPath, HINTS } from "../lake/keys.ts";
import {
  commitManifest,
  getLastUpload,
  writeHint,
  type IngestionManifest,
} from "../lake/manifest.ts";
import { writeFile, type Hold } from "../lake/streams.ts";
import type { Connection } from "../postgres/connection.ts";
import type { Table } from "../table.ts";
import { getData, type Reading } from "./read.ts";
import { fenceAge, type Holder } from "./snapshot.ts";

/** What an ingestion did. */
export interface IngestionSummary {
  /** `committed` a batch; `unchanged`: nothing written; `lost the race` to another run, whose batch stands. */
  readonly outcome: "committed" | "unchanged" | "lost the race";
  /** The newest batch now; 0 where there is none. */
  readonly batch: number;
  readonly kind: IngestionManifest["kind"];
  /** Why more than the changes was read. */
  readonly reasons: readonly string[];
  readonly run: string;
  /** Rows read, by source table; those without any are left out. */
  readonly rows: Readonly<Record<string, number>>;
  readonly bytes: number;
  /** Transactions begun since the fence: how far an open one holds it back. */
  readonly fenceAge: number;
  readonly fenceHolder?: Holder;
  /** Columns of the source that no table module declares. */
  readonly undeclared: readonly string[];
}

/** Bytes that a run's files may hold in memory until it is known whether they are news. */
const HOLD = 16 << 20;

/**
 * One run: reads what changed since the newest batch, in one snapshot, and commits it as the next batch.
 *
 * @param connect opens the source; it is closed again before this returns
 * @throws ContractError before anything is written; ManifestError, ConnectionError, S3Error. Nothing is lost then: the
 *   next run reads from the same fence
 */
export async function ingest(
  connect: () => Promise<Connection>,
  bucket: string,
  tables: readonly Table[],
  { resync = false, at = new Date() }: { resync?: boolean; at?: Date } = {},
): Promise<IngestionSummary> {
  // The manifest first, the snapshot after: a snapshot older than the newest batch would take the warehouse back.
  const last = await getLastUpload(bucket);
  const batch = (last?.manifest.batch ?? 0) + 1;
  const run = randomBytes(6).toString("hex");
  const hold: Hold = { left: HOLD };
  const connection = await connect();
  let reading: Reading;
  try {
    reading = await getData(connection, tables, last?.manifest, resync, (table, parts) =>
      writeFile(bucket, getObjectPath(table, { at, batch, run }, "json.gz"), parts, hold),
    );
  } finally {
    await connection.close();
  }

  const { snapshot, plan, files } = reading;
  const objects = files.map(({ table, file }) => ({
    table,
    key: file.key,
    rows: file.rows.reduce((sum, rows) => sum + rows, 0),
    driving_rows: file.rows[0]!,
    bytes: file.bytes,
    sha256: file.sha256,
  }));
  const manifest: IngestionManifest = {
    batch,
    run,
    kind: plan.kind,
    previous_sha256: last?.sha256 ?? null,
    committed_at: new Date().toISOString(),
    ...snapshot,
    since: plan.since,
    high_water: reading.highWater,
    cursor: null,
    build: getBuild(),
    fingerprints: fingerprintsOf(tables),
    objects,
  };
  const done = (outcome: IngestionSummary["outcome"], batch: number): IngestionSummary => ({
    outcome,
    batch,
    kind: plan.kind,
    reasons: plan.reasons,
    run,
    rows: Object.fromEntries(objects.map(({ table, rows }) => [table, rows])),
    bytes: objects.reduce((sum, { bytes }) => sum + bytes, 0),
    fenceAge: fenceAge(snapshot),
    ...(reading.holder ? { fenceHolder: reading.holder } : {}),
    undeclared: reading.undeclared,
  });

  const held = files.every(({ file }) => file.held);
  if (objects.length === 0 || isNothingNew(manifest, last?.manifest, held))
    return done("unchanged", batch - 1);
  await Promise.all(files.map(({ file }) => file.put()));
  if (!(await commitManifest(bucket, manifest))) return done("lost the race", batch);
  await writeHint(bucket, HINTS.newest, batch);
  return done("committed", batch);
}

/**
 * True where a batch would say what the newest one says: an open transaction holds the fence back, and the same rows
 * were read again. One too large to be held in memory is committed all the same where that moves the fence: reading
 * it again and again would cost more.
 */
function isNothingNew(
  now: IngestionManifest,
  last: IngestionManifest | undefined,
  held: boolean,
): boolean {
  if (!last || now.kind !== "changes") return false;
  const same = <T>(of: (manifest: IngestionManifest) => T): boolean =>
    JSON.stringify(of(now)) === JSON.stringify(of(last));
  return (
    same((m) => Object.entries(m.fingerprints)) &&
    same((m) =>
      m.objects.map(({ table, rows, driving_rows, sha256 }) => [table, rows, driving_rows, sha256]),
    ) &&
    (held || now.fence === last.fence)
  );
}
