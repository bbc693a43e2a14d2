import { randomBytes } from "node:crypto";
import { getBuild } from "../build.ts";
import { awaitedLater, concerning } from "../errors.ts";
import { fingerprintsOf } from "../fingerprint.ts";
import { deletedPath, getObjectPath, HINTS } from "../lake/keys.ts";
import { writeFile } from "../lake/lines-file.ts";
import {
  checkPredecessor,
  commitManifest,
  getLastUpload,
  sha256,
  writeHint,
  type IngestionManifest,
  type LakeObject,
  type Read,
} from "../lake/manifest.ts";
import type { SourceKeys } from "../lake/quarantined.ts";
import type { Connection } from "../postgres/connection.ts";
import { LIMITS } from "../settings.ts";
import type { Table } from "../table.ts";
import type { Limits } from "./driving.ts";
import type { Key } from "./keyset.ts";
import { NamedRows } from "./named.ts";
import { servedBy, type Asked } from "./plan.ts";
import { drivingSources, getData, type GoneRows, type Reading, type SourceBatch } from "./read.ts";
import { fenceAge, type Holder } from "./snapshot.ts";

/** A batch that an ingestion committed. */
export interface CommittedBatch {
  readonly batch: number;
  readonly run: string;
  readonly kind: IngestionManifest["kind"];
  /** Rows, and those that drive tables among them, by source table. */
  readonly rows: Readonly<Record<string, number>>;
  readonly drivingRows: Readonly<Record<string, number>>;
  /** Keys that the source has no row of. */
  readonly deleted: Readonly<Record<string, number>>;
  readonly bytes: number;
  readonly seconds: number;
}

/** What an ingestion did. */
export interface IngestionSummary {
  /**
   * `committed` what there was to read, or a part of it: the rows that were named, where there are any; `unchanged`: nothing
   * written; `lost the race` to another run, whose batches stand.
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
  /** Rows that were named and found, by source table. */
  readonly named: Readonly<Record<string, number>>;
  /** Keys that were named, and that the source has no row of. */
  readonly deleted: Readonly<Record<string, number>>;
  /** Keys that were named, and not read before time was up: to be named again. */
  readonly unread: Readonly<Record<string, number>>;
}

export interface IngestOptions extends Asked {
  /**
   * Rows to read first, changed or not, by source table: those that the source has are driving rows of batches of their own,
   * keys that it has no row of are deleted ones there. Then the run goes on in the same snapshot.
   */
  readonly named?: ReadonlyMap<string, readonly Key[]>;
  /**
   * Whether the warehouse is to be put right by the named rows: then their batches are of kind `resync`, and a row that is gone
   * leaves the star tables that would keep it, too. Else they are `changes`, and each table does as it declares.
   */
  readonly repair?: boolean;
  /**
   * Asked for the keys of rows in quarantine, by source, where a table is read again because its module has changed: those
   * rows come first. What it says is a hint.
   */
  readonly quarantined?: () => Promise<SourceKeys>;
  /** The day that the objects are filed under. */
  readonly at?: Date;
  readonly limits?: Limits;
  /** Asked before each batch but the first: false leaves the rest to the next invocation. */
  readonly goOn?: () => boolean;
  /** Asked again and again while a batch is read: true ends it after some rows. */
  readonly isLate?: () => boolean;
  /** Told of each batch when it is committed. */
  readonly committed?: (batch: CommittedBatch) => void;
}

/**
 * One invocation: reads what changed since the newest batch, in one snapshot, and commits it, a bounded batch at a time; or
 * goes on with a run that is not done.
 *
 * @param connect opens the source; what was opened is closed again before this returns
 * @throws ContractError, NamedRowsError, BackfillError before anything is written; ManifestError, ConnectionError, S3Error, RaceError. Nothing is lost
 *   then: the next run goes on after the last batch that was committed
 */
export async function ingest(
  connect: () => Promise<Connection>,
  bucket: string,
  tables: readonly Table[],
  {
    resync = false,
    backfill = [],
    named = new Map(),
    repair = true,
    quarantined = () => Promise.resolve({}),
    at = new Date(),
    limits = LIMITS,
    goOn = () => true,
    isLate = () => false,
    committed = () => undefined,
  }: IngestOptions = {},
): Promise<IngestionSummary> {
  const rows = new NamedRows(drivingSources(tables), named);
  const { reasons } = rows;
  const work = { connect, bucket, tables, at, rows, repair, quarantined, committed };
  const asked: Asked = { resync, backfill };
  const read = (what: Asked): Promise<IngestionSummary> =>
    withRun({ ...work, asked: what }, async (run, reading) => {
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
  // Whoever asks for something has it, also while another run commits batch after batch.
  let summary = await read(asked);
  let isClaimed = !resync && backfill.length === 0;
  for (let tries = 0; summary.outcome === "lost the race"; tries++) {
    if (isClaimed && rows.waiting.length === 0) break;
    if (tries === CLAIMS || !(await claim({ ...work, asked: isClaimed ? {} : asked })))
      throw new RaceError(
        `other runs were first ${CLAIMS} times; send ${resync ? '{ "resync": true }' : backfill.length > 0 ? "the tables" : "the rows"} again`,
      );
    isClaimed = true;
    summary = await read({});
  }
  // The named rows stand, whoever won what came after them.
  const areAnswered = summary.outcome === "lost the race" && rows.areAnswered;
  const outcome = areAnswered ? "committed" : summary.outcome;
  return { ...summary, outcome, reasons: [...reasons, ...summary.reasons] };
}

/** Begins a run, whatever others commit meanwhile. @returns false where they were first each time */
async function claim(work: Work): Promise<boolean> {
  let tries = 0;
  const begin = (): Promise<boolean | "plan anew"> =>
    withRun(work, async (_, reading, last) => {
      // A batch without rows is quicker than theirs with some; and without rows none can be older than what they wrote since.
      for (; tries < CLAIMS; tries++) {
        const newest = await getLastUpload(work.bucket);
        // What another run has begun since, and not ended, must go on: a plan that does not know of it would end it.
        const isTheirs = newest?.manifest.cursor && newest.sha256 !== last?.sha256;
        if (isTheirs && work.asked.resync !== true) return "plan anew";
        if (await new Run(work, reading, newest).commit(reading.claim())) return true;
      }
      return false;
    });
  for (; ; tries++) {
    const begun = await begin();
    if (begun !== "plan anew") return begun;
  }
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
  readonly asked: Asked;
  readonly at: Date;
  readonly rows: NamedRows;
  readonly repair: boolean;
  readonly quarantined: () => Promise<SourceKeys>;
  readonly committed: (batch: CommittedBatch) => void;
}

/** Does `work` on what there is to read since the newest batch. */
async function withRun<T>(
  work: Work,
  task: (run: Run, reading: Reading, last: Read<IngestionManifest> | undefined) => Promise<T>,
): Promise<T> {
  const { connect, bucket, tables, asked, rows, quarantined } = work;
  // The manifest first, the snapshot after: a snapshot older than the newest batch would take the warehouse back.
  const last = await getLastUpload(bucket);
  const connection = await connect();
  try {
    const { waiting } = rows;
    const reading = await getData(
      connection,
      connect,
      tables,
      last?.manifest,
      asked,
      waiting,
      quarantined,
    );
    return await task(new Run(work, reading, last), reading, last);
  } finally {
    await connection.close();
  }
}

/** The batches of one invocation, committed one after the other. */
class Run {
  readonly #work: Work;
  readonly #reading: Reading;
  readonly #run = randomBytes(6).toString("hex");
  #outcome: IngestionSummary["outcome"] = "unchanged";
  #last: Read<IngestionManifest> | undefined;
  #batches = 0;
  #bytes = 0;
  #began = new Date();
  readonly #rows = new Map<string, number>();

  constructor(work: Work, reading: Reading, last: Read<IngestionManifest> | undefined) {
    this.#work = work;
    this.#reading = reading;
    this.#last = last;
  }

  /** @returns false where the run ends here: there is nothing new, or another run was first */
  commit(read: SourceBatch): Promise<boolean> {
    const batch = (this.#last?.manifest.batch ?? 0) + 1;
    return concerning({ batch }, () => this.#commit(batch, read));
  }

  async #commit(batch: number, { tables, cursor, named }: SourceBatch): Promise<boolean> {
    const { bucket, repair } = this.#work;
    const { plan, snapshot } = this.#reading;
    const began = this.#began;
    // The next batch is read while this one is written.
    this.#began = new Date();
    const made = await Promise.all(
      tables.map(async ({ drivingRows, ...rows }) => {
        const { object, body } = await this.#finish(getObjectPath, batch, rows);
        return { object: { ...object, driving_rows: drivingRows }, body };
      }),
    );
    const gone = await Promise.all(
      (named?.gone ?? []).map((rows) => this.#finish(deletedPath, batch, rows)),
    );
    const manifest: IngestionManifest = {
      batch,
      run: this.#run,
      kind: named ? (repair ? "resync" : "changes") : plan.kind,
      previous_sha256: this.#last?.sha256 ?? null,
      started_at: began.toISOString(),
      committed_at: new Date().toISOString(),
      ...snapshot,
      fence: plan.goesOn?.fence ?? snapshot.fence,
      since: plan.since,
      high_water: this.#reading.highWater,
      cursor,
      build: getBuild(),
      fingerprints: servedBy(plan, fingerprintsOf(this.#work.tables)),
      objects: made.map(({ object }) => object),
      deleted: gone.map(({ object }) => object),
    };
    for (const { table, rows } of manifest.objects)
      this.#rows.set(table, (this.#rows.get(table) ?? 0) + rows);
    this.#bytes += manifest.objects.reduce((sum, { bytes }) => sum + bytes, 0);

    const begins = this.#batches === 0 && !plan.goesOn;
    const isEmpty = tables.length === 0 && !cursor;
    if (begins && (isEmpty || isNothingNew(manifest, this.#last?.manifest))) return false;
    if (this.#batches === 0 && this.#last) await checkPredecessor(bucket, this.#last.manifest);
    await Promise.all(
      [...made, ...gone].map(({ object, body }) => writeFile(bucket, object.key, body)),
    );
    const committed = await commitManifest(bucket, manifest);
    this.#outcome = committed ? "committed" : "lost the race";
    if (!committed) return false;
    this.#work.rows.done(named?.answered ?? []);
    this.#last = committed;
    this.#batches++;
    this.#work.committed(summaryOf(manifest, began));
    return true;
  }

  async #finish(
    path: typeof getObjectPath,
    batch: number,
    { table, rows, file }: GoneRows,
  ): Promise<{ body: Buffer; object: LakeObject }> {
    const key = path(table, { at: this.#work.at, batch, run: this.#run }, "json.gz");
    const body = await file.end();
    return { body, object: { table, key, rows, bytes: body.length, sha256: sha256(body) } };
  }

  async end(): Promise<IngestionSummary> {
    const { plan, snapshot, holder, undeclared } = this.#reading;
    const { bucket, rows } = this.#work;
    const newest = this.#last?.manifest;
    if (newest && this.#batches > 0) await writeHint(bucket, HINTS.newest, newest.batch);
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
      named: rows.found,
      deleted: rows.gone,
      unread: rows.left,
    };
  }
}

function summaryOf(
  { batch, run, kind, objects, deleted }: IngestionManifest,
  began: Date,
): CommittedBatch {
  return {
    batch,
    run,
    kind,
    rows: Object.fromEntries(objects.map(({ table, rows }) => [table, rows])),
    drivingRows: Object.fromEntries(objects.map((one) => [one.table, one.driving_rows])),
    deleted: Object.fromEntries(deleted.map(({ table, rows }) => [table, rows])),
    bytes: objects.reduce((sum, { bytes }) => sum + bytes, 0),
    seconds: (Date.now() - began.getTime()) / 1000,
  };
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
