import { randomBytes } from "node:crypto";
import { getBuild } from "../build.ts";
import { awaitedLater } from "../errors.ts";
import { fingerprintsOf } from "../fingerprint.ts";
import { getObjectPath, HINTS } from "../lake/keys.ts";
import { writeFile } from "../lake/lines-file.ts";
import {
  checkPredecessor,
  commitManifest,
  getLastUpload,
  sha256,
  writeHint,
  type IngestionManifest,
  type Read,
} from "../lake/manifest.ts";
import type { Connection } from "../postgres/connection.ts";
import { LIMITS } from "../settings.ts";
import type { Table } from "../table.ts";
import type { Limits } from "./driving.ts";
import { servedBy } from "./plan.ts";
import { getData, type Reading, type SourceBatch, type SourceRows } from "./read.ts";
import { fenceAge, type Holder } from "./snapshot.ts";

/** What an ingestion did. */
export interface IngestionSummary {
  /**
   * `committed` what there was to read, or a part of it; `unchanged`: nothing written; `lost the race` to another run, whose
   * batches stand.
   */
  readonly outcome: "committed" | "unchanged" | "lost the race";
  /** The newest batch now; 0 where there is none. */
  readonly batch: number;
  /** Batches that this invocation committed. */
  readonly batches: number;
  /** True where time was up before the run was done: the next invocation goes on. */
  readonly unfinished: boolean;
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

export interface IngestOptions {
  /** Reads everything again. */
  readonly resync?: boolean;
  /** The day that the objects are filed under. */
  readonly at?: Date;
  readonly limits?: Limits;
  /** Asked before each batch but the first: false leaves the rest to the next invocation. */
  readonly goOn?: () => boolean;
  /** Asked again and again while a batch is read: true ends it after some rows. */
  readonly isLate?: () => boolean;
}

/**
 * One invocation: reads what changed since the newest batch, in one snapshot, and commits it, a bounded batch at a time; or
 * goes on with a run that is not done.
 *
 * @param connect opens the source; what was opened is closed again before this returns
 * @throws ContractError before anything is written; ManifestError, ConnectionError, S3Error, RaceError. Nothing is lost
 *   then: the next run goes on after the last batch that was committed
 */
export async function ingest(
  connect: () => Promise<Connection>,
  bucket: string,
  tables: readonly Table[],
  {
    resync = false,
    at = new Date(),
    limits = LIMITS,
    goOn = () => true,
    isLate = () => false,
  }: IngestOptions = {},
): Promise<IngestionSummary> {
  const read = (everything: boolean): Promise<IngestionSummary> =>
    withRun({ connect, bucket, tables, resync: everything, at }, async (run, reading) => {
      let committing: Promise<boolean> = Promise.resolve(true);
      try {
        for await (const batch of reading.batches(limits, { goOn, isLate })) {
          // One batch is written while the next is read.
          if (!(await committing)) break;
          committing = awaitedLater(run.commit(batch));
        }
        await committing;
      } finally {
        await committing.catch(() => undefined);
      }
      return run.end();
    });
  const summary = await read(resync);
  if (!resync || summary.outcome !== "lost the race") return summary;
  // Whoever asks for everything has it, also while another run commits batch after batch.
  const claimed = await withRun({ connect, bucket, tables, resync, at }, async (_, reading) => {
    // A batch without rows is quicker than theirs with some; and without rows none can be older than what they wrote since.
    for (let tries = 0; tries < CLAIMS; tries++) {
      const newest = await getLastUpload(bucket);
      if (await new Run(bucket, tables, reading, newest, at).commit(reading.claim())) return true;
    }
    return false;
  });
  if (claimed) return read(false);
  throw new RaceError(`other runs were first ${CLAIMS} times; send { "resync": true } again`);
}

/** A run that was asked for could not begin, for others that did. */
export class RaceError extends Error {
  override readonly name = "RaceError";
}

const CLAIMS = 50;

interface Work {
  readonly connect: () => Promise<Connection>;
  readonly bucket: string;
  readonly tables: readonly Table[];
  readonly resync: boolean;
  readonly at: Date;
}

/** Does `work` on what there is to read since the newest batch. */
async function withRun<T>(
  { connect, bucket, tables, resync, at }: Work,
  work: (run: Run, reading: Reading) => Promise<T>,
): Promise<T> {
  // The manifest first, the snapshot after: a snapshot older than the newest batch would take the warehouse back.
  const last = await getLastUpload(bucket);
  const connection = await connect();
  try {
    const reading = await getData(connection, connect, tables, last?.manifest, resync);
    return await work(new Run(bucket, tables, reading, last, at), reading);
  } finally {
    await connection.close();
  }
}

/** The batches of one invocation, committed one after the other. */
class Run {
  readonly #bucket: string;
  readonly #tables: readonly Table[];
  readonly #reading: Reading;
  readonly #at: Date;
  readonly #run = randomBytes(6).toString("hex");
  #outcome: IngestionSummary["outcome"] = "unchanged";
  #last: Read<IngestionManifest> | undefined;
  #batches = 0;
  #bytes = 0;
  readonly #rows = new Map<string, number>();

  constructor(
    bucket: string,
    tables: readonly Table[],
    reading: Reading,
    last: Read<IngestionManifest> | undefined,
    at: Date,
  ) {
    this.#bucket = bucket;
    this.#tables = tables;
    this.#reading = reading;
    this.#last = last;
    this.#at = at;
  }

  /** @returns false where the run ends here: there is nothing new, or another run was first */
  async commit({ tables, cursor }: SourceBatch): Promise<boolean> {
    const { plan, snapshot } = this.#reading;
    const batch = (this.#last?.manifest.batch ?? 0) + 1;
    const made = await Promise.all(tables.map((table) => this.#finish(table, batch)));
    const manifest: IngestionManifest = {
      batch,
      run: this.#run,
      kind: plan.kind,
      previous_sha256: this.#last?.sha256 ?? null,
      committed_at: new Date().toISOString(),
      ...snapshot,
      fence: plan.goesOn?.fence ?? snapshot.fence,
      since: plan.since,
      high_water: this.#reading.highWater,
      cursor,
      build: getBuild(),
      fingerprints: servedBy(plan, fingerprintsOf(this.#tables)),
      objects: made.map(({ object }) => object),
    };
    for (const { table, rows } of manifest.objects)
      this.#rows.set(table, (this.#rows.get(table) ?? 0) + rows);
    this.#bytes += manifest.objects.reduce((sum, { bytes }) => sum + bytes, 0);

    const begins = this.#batches === 0 && !plan.goesOn;
    const isEmpty = tables.length === 0 && !cursor;
    if (begins && (isEmpty || isNothingNew(manifest, this.#last?.manifest))) return false;
    if (this.#batches === 0 && this.#last)
      await checkPredecessor(this.#bucket, this.#last.manifest);
    await Promise.all(made.map(({ object, body }) => writeFile(this.#bucket, object.key, body)));
    const committed = await commitManifest(this.#bucket, manifest);
    this.#outcome = committed ? "committed" : "lost the race";
    if (!committed) return false;
    this.#last = committed;
    this.#batches++;
    return true;
  }

  async #finish(
    { table, rows, drivingRows, file }: SourceRows,
    batch: number,
  ): Promise<{ body: Buffer; object: IngestionManifest["objects"][number] }> {
    const key = getObjectPath(table, { at: this.#at, batch, run: this.#run }, "json.gz");
    const body = await file.end();
    const { length: bytes } = body;
    return {
      body,
      object: { table, key, rows, driving_rows: drivingRows, bytes, sha256: sha256(body) },
    };
  }

  async end(): Promise<IngestionSummary> {
    const { plan, snapshot, holder, undeclared } = this.#reading;
    const newest = this.#last?.manifest;
    if (newest && this.#batches > 0) await writeHint(this.#bucket, HINTS.newest, newest.batch);
    const lost = this.#outcome === "lost the race";
    return {
      outcome: this.#outcome,
      batch: (newest?.batch ?? 0) + (lost ? 1 : 0),
      batches: this.#batches,
      unfinished: !lost && this.#batches > 0 && newest?.cursor !== null,
      kind: plan.kind,
      reasons: plan.reasons,
      run: this.#run,
      rows: Object.fromEntries(this.#rows),
      bytes: this.#bytes,
      fenceAge: fenceAge(snapshot),
      ...(holder ? { fenceHolder: holder } : {}),
      undeclared,
    };
  }
}

/**
 * True where a run would say in one batch what the newest one says: an open transaction holds the fence back, and the same
 * rows were read again.
 */
function isNothingNew(now: IngestionManifest, last: IngestionManifest | undefined): boolean {
  if (!last || now.kind !== "changes" || now.cursor || last.cursor) return false;
  const same = <T>(of: (manifest: IngestionManifest) => T): boolean =>
    JSON.stringify(of(now)) === JSON.stringify(of(last));
  return (
    same((m) => Object.entries(m.fingerprints)) &&
    same((m) =>
      m.objects.map(({ table, rows, driving_rows, sha256 }) => [table, rows, driving_rows, sha256]),
    )
  );
}
