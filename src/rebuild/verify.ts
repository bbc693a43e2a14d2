/** Is the lake whole? Reads all of it, goes on after the first problem, and names each. */
import { listKeys } from "../aws/s3.ts";
import { CompactionsCheck, expectedOf, NONE, type Expected } from "../compaction/check.ts";
import { Compacted } from "../compaction/compacted.ts";
import type { OfBatch } from "../lake/compactions.ts";
import { BATCHES, COMPACTIONS, HINTS, LOADS, RANGES, madeBy, manifestKey } from "../lake/keys.ts";
import {
  allObjectsOf,
  ManifestError,
  readIngestionManifest,
  readProcessedManifest,
  type IngestionManifest,
  type LakeObject,
  type ProcessedManifest,
  type Read,
} from "../lake/manifest.ts";
import { getIfThere, goneError, ObjectError, readS3Json } from "../lake/objects.ts";
import { readReceipt, type Receipt } from "../lake/receipts.ts";
import { ParquetError, type ParquetCodec } from "../parquet/codec.ts";
import { rowsOf } from "../parquet/rows.ts";
import { fileColumns } from "../parquet/schema.ts";
import type { Buckets } from "../transformation/transform.ts";
import { eachOf } from "../at-once.ts";
import { unseen, type Progress } from "../progress.ts";
import { checkManifests, listManifests, type Link, type Listed } from "./verify-manifests.ts";

/** Something in the lake that is not as it was committed. */
export interface LakeProblem {
  readonly bucket: string;
  readonly batch: number;
  /**
   * `gap`: no manifest of a number that has later ones; `manifest`: one that cannot be read; `chain`: one that is not what
   * another says of it; `object`: gone, altered, unreadable or of other rows; `receipt`: of no batch, or of another run;
   * `compaction`: not what was committed, or not what it stands for: its batch is the last of those.
   */
  readonly kind: "gap" | "manifest" | "chain" | "object" | "receipt" | "compaction";
  readonly message: string;
  /** Why an operator left its batch out; such a problem is known. */
  readonly skipped?: string;
}

export interface Verification {
  /** Batches of the ingestion bucket. */
  readonly batches: number;
  /** Of those, how many have a processed manifest. */
  readonly processed: number;
  /** Objects that were read. */
  readonly objects: number;
  readonly bytes: number;
  /** Objects that no manifest names: what runs left behind that lost a race, or that are at work now. */
  readonly orphans: number;
  readonly compactions: number;
  /** The batches of another one, which was begun and is not there: it is at work, or has died, or its manifest is lost. */
  readonly begun?: { readonly from: number; readonly to: number };
  /** Of the batches' objects, those that are gone and whose rows a compaction has. */
  readonly compacted: number;
  readonly problems: readonly LakeProblem[];
}

/** Manifests that are read at a time, each with its objects. */
const AT_ONCE = 8;

/**
 * Reads every manifest, receipt and object of both buckets and holds each against what says what it should be.
 * Writes nothing. Memory does not grow with the objects.
 * @throws S3Error where a bucket cannot be read
 */
export async function verify(
  buckets: Buckets,
  codec: ParquetCodec,
  progress: Progress = unseen,
): Promise<Verification> {
  const listed = await listManifests(buckets);
  const { receipted, transformed, ingested } = listed;
  const lake = new Lake(buckets, codec);
  await eachOf(receipted, AT_ONCE, (batch) => lake.readReceipt(batch));
  await lake.compactions.read();
  await progress(transformed.length + ingested.length, "manifests", async (done) => {
    let read = 0;
    const each = (batches: readonly number[], work: (batch: number) => Promise<void>) =>
      eachOf(batches, AT_ONCE, async (batch) => {
        await work(batch);
        done(++read);
      });
    await each(ingested, (batch) => lake.readIngested(batch));
    await each(transformed, (batch) => lake.readProcessed(batch));
  });
  lake.checkManifests(listed);
  await lake.checkCompactions();
  return {
    batches: ingested.length,
    processed: transformed.length,
    objects: lake.objects + lake.compactions.objects,
    bytes: lake.bytes + lake.compactions.bytes,
    orphans: await lake.countOrphans(),
    compactions: lake.compactions.count,
    ...(lake.compactions.begun ? { begun: lake.compactions.begun } : {}),
    compacted: lake.compacted,
    problems: lake.problems,
  };
}

class Lake {
  objects = 0;
  bytes = 0;
  compacted = 0;
  readonly compactions: CompactionsCheck;
  readonly #buckets: Buckets;
  readonly #codec: ParquetCodec;
  readonly #problems: LakeProblem[] = [];
  readonly #ingested = new Map<number, Link>();
  readonly #processed = new Map<number, Link>();
  readonly #receipts = new Map<number, Receipt>();
  /** What compactions are to have of each batch whose manifest could be read. */
  readonly #expected = new Map<number, Expected>();

  constructor(buckets: Buckets, codec: ParquetCodec) {
    this.#buckets = buckets;
    this.#codec = codec;
    const { processed: bucket } = buckets;
    const compacted = new Compacted(bucket, codec);
    this.compactions = new CompactionsCheck(bucket, codec, compacted, (batch, work) =>
      this.#trying({ bucket, batch, kind: "compaction" }, work),
    );
  }

  /** In the order of their batches; those of a batch that was skipped say so. */
  get problems(): LakeProblem[] {
    return this.#problems
      .map((problem) => {
        const skipped = this.#receipts.get(problem.batch)?.skipped_why;
        return skipped === undefined || problem.kind === "compaction"
          ? problem
          : { ...problem, skipped };
      })
      .toSorted((a, b) => a.batch - b.batch || (a.message < b.message ? -1 : 1));
  }

  async readReceipt(batch: number): Promise<void> {
    const bucket = this.#buckets.processed;
    await this.#trying({ bucket, batch, kind: "receipt" }, async () => {
      this.#receipts.set(batch, await readReceipt(bucket, batch));
    });
  }

  async readIngested(batch: number): Promise<void> {
    await this.#readManifest(this.#buckets.ingestion, batch, readIngestionManifest, this.#ingested);
  }

  async readProcessed(batch: number): Promise<void> {
    await this.#readManifest(
      this.#buckets.processed,
      batch,
      readProcessedManifest,
      this.#processed,
    );
  }

  async #readManifest<M extends IngestionManifest | ProcessedManifest>(
    bucket: string,
    batch: number,
    read: (bucket: string, batch: number) => Promise<Read<M> | undefined>,
    into: Map<number, Link>,
  ): Promise<void> {
    await this.#trying({ bucket, batch, kind: "manifest" }, async () => {
      const found = await read(bucket, batch);
      if (!found) throw new ManifestError(`s3://${bucket}/${manifestKey(batch)} is gone`);
      const { manifest, sha256 } = found;
      into.set(batch, {
        sha256,
        previous: manifest.previous_sha256,
        run: manifest.run,
        ...("ingestion_sha256" in manifest ? { madeFrom: manifest.ingestion_sha256 } : {}),
      });
      if ("ingestion_sha256" in manifest) this.#expected.set(batch, expectedOf(sha256, manifest));
      for (const object of allObjectsOf(manifest))
        await this.#trying({ bucket, batch, kind: "object" }, () =>
          this.#checkObject(bucket, object, { batch, sha256 }),
        );
    });
  }

  /** What manifests and receipts say of each other. */
  checkManifests(there: Listed): void {
    const found = checkManifests(this.#buckets, there, {
      ingested: this.#ingested,
      processed: this.#processed,
      receipts: this.#receipts,
    });
    this.#problems.push(...found);
  }

  async #checkObject(bucket: string, object: LakeObject, of: OfBatch): Promise<void> {
    if (!object.key.endsWith(".parquet")) {
      this.#count(object);
      // Counts them, and wants each to be a JSON object.
      for await (const _ of readS3Json(bucket, object));
      return;
    }
    const where = `s3://${bucket}/${object.key}`;
    const bytes = await getIfThere(bucket, object);
    // What was skipped is in no compaction: nobody wanted it.
    const isSkipped = this.#isSkipped(of.batch);
    if (!bytes) {
      if (isSkipped) throw goneError(bucket, object);
      const rows = await this.compactions.rowsOf(of, object);
      await rows.read(fileColumns({}));
      this.compacted++;
      return;
    }
    this.#count(object);
    await rowsOf(this.#codec, bytes, { ...object, where }).read(fileColumns({}));
    if (!isSkipped) await this.compactions.compare(of, object, bytes);
  }

  #isSkipped(batch: number): boolean {
    return this.#receipts.get(batch)?.skipped_why !== undefined;
  }

  #count({ bytes }: LakeObject): void {
    this.objects++;
    this.bytes += bytes;
  }

  /** What compactions say of manifests. */
  checkCompactions(): Promise<void> {
    return this.compactions.checkManifests((batch) =>
      this.#isSkipped(batch) ? NONE : this.#expected.get(batch),
    );
  }

  /** How many objects no manifest names: those of a run that did not commit that batch. */
  async countOrphans(): Promise<number> {
    const { ingestion, processed } = this.#buckets;
    const others = [BATCHES, LOADS, COMPACTIONS, RANGES, ...Object.values(HINTS)];
    let count = 0;
    for (const [bucket, manifests] of [
      [ingestion, this.#ingested],
      [processed, this.#processed],
    ] as const)
      for (const key of await listKeys(bucket, "", "")) {
        const made = madeBy(key);
        const isNamed =
          (made && manifests.get(made.batch)?.run === made.run) || this.compactions.keys.has(key);
        if (!isNamed && !others.some((other) => key.startsWith(other))) count++;
      }
    return count;
  }

  /** A problem of the lake is noted; what else goes wrong is thrown. */
  async #trying(
    about: Pick<LakeProblem, "bucket" | "batch" | "kind">,
    work: () => Promise<void>,
  ): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (
        !(error instanceof ManifestError) &&
        !(error instanceof ObjectError) &&
        !(error instanceof ParquetError)
      )
        throw error;
      const { message } = error;
      // Of a compaction that stands for another batch, each of the batch's objects tells.
      const isTold =
        about.kind === "compaction" && this.#problems.some((one) => one.message === message);
      if (!isTold) this.#problems.push({ ...about, message });
    }
  }
}
