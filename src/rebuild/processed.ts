import { putOnce } from "../aws/s3.ts";
import { fingerprintsOf } from "../fingerprint.ts";
import { manifestKey, receiptKey } from "../lake/keys.ts";
import {
  listBatches,
  ManifestError,
  readIngestionManifest,
  readProcessedManifest,
  sha256,
} from "../lake/manifest.ts";
import { listReceipts, readReceipt, type Receipt } from "../lake/receipts.ts";
import type { ParquetCodec } from "../parquet/codec.ts";
import type { Table } from "../table.ts";
import {
  serves,
  transform,
  type Buckets,
  type TransformationSummary,
} from "../transformation/transform.ts";
import { noBatch, RebuildError } from "./error.ts";
import type { Skipped } from "./warehouse.ts";

/** What a processed bucket is made of. */
export interface IngestionLake {
  /** `ingestion`, and the bucket that is being filled. */
  readonly buckets: Buckets;
  readonly tables: readonly Table[];
  readonly codec: ParquetCodec;
  /** How each batch was loaded before, where it was. */
  readonly receipts: ReadonlyMap<number, Receipt>;
}

/** Batches from one to another, both of them too; all, where it says nothing. */
export interface BatchRange {
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}

export const isWithin =
  ({ from = 1, to = Infinity }: BatchRange) =>
  (batch: number): boolean =>
    batch >= from && batch <= to;

/** How a processed bucket is made again. */
export interface RebuildOptions {
  /** Which batches, in order; undefined: all. */
  readonly batches?: readonly number[] | undefined;
  /** Told how many of them are made. */
  readonly done?: (batches: number) => void;
  /** Makes those that are not there yet; undefined: here, one after the other. */
  readonly make?: MakeBatches | undefined;
}

export interface ProcessedRebuild {
  /** The newest batch that is made. */
  readonly newest: number;
  /** Batches that an earlier try had made. */
  readonly before: number;
  readonly skipped: readonly Skipped[];
}

/**
 * The batches of the ingestion bucket, in order.
 * @throws RebuildError where one is missing, or there is none, or none that begins or ends the range
 */
export async function ingestedBatches(
  bucket: string,
  range: BatchRange = {},
): Promise<readonly number[]> {
  const batches = await listBatches(bucket, 0);
  const missing = batches.findIndex((batch, i) => batch !== i + 1) + 1;
  if (missing > 0 || batches.length === 0)
    throw new RebuildError(
      `s3://${bucket}/${manifestKey(missing || 1)} is not there: ` +
        (missing > 0
          ? "npx totes rebuild --verify names all that is missing"
          : "nothing was ingested yet, or INGESTION_BUCKET is another one"),
    );
  const newest = batches.length;
  for (const batch of [range.from, range.to])
    if (batch !== undefined && batch > newest) throw noBatch(batch, bucket, newest);
  return batches.filter(isWithin(range));
}

/** Makes these batches of a processed bucket, and tells how many it has made. */
export type MakeBatches = (
  batches: readonly number[],
  done: (made: number) => void,
) => Promise<void>;

/**
 * Makes the processed bucket again, from the ingestion bucket alone: into an empty bucket, or one that an earlier try began
 * to fill. A batch that an operator skipped is left out again, and its receipt says why there too.
 *
 * @throws RebuildError where the bucket holds something else; ManifestError, ObjectError for a batch that is not what was
 *   committed: those before it are made, and the next try goes on there
 */
export async function rebuildProcessed(
  lake: IngestionLake,
  { batches: some, done = () => undefined, make = inTurn(lake) }: RebuildOptions = {},
): Promise<ProcessedRebuild> {
  const { buckets, tables, receipts } = lake;
  const batches = some ?? (await ingestedBatches(buckets.ingestion));
  const there = await checkTarget(buckets, tables);
  const skipped: Skipped[] = [];
  const wanted: number[] = [];
  for (const batch of batches) {
    const why = receipts.get(batch)?.skipped_why;
    if (why !== undefined) {
      await putSkipped(buckets.processed, batch, why);
      skipped.push({ batch, why });
    } else if (!there.has(batch)) wanted.push(batch);
  }
  const before = batches.length - wanted.length;
  done(before);
  await make(wanted, (made) => done(before + made));
  return { newest: batches.at(-1)!, before: before - skipped.length, skipped };
}

const inTurn =
  ({ buckets, tables, codec }: IngestionLake): MakeBatches =>
  async (batches, done) => {
    for (const [i, batch] of batches.entries()) {
      await remakeBatch(buckets, tables, codec, batch);
      done(i + 1);
    }
  };

/**
 * Makes one batch again, whatever code read it; one that is there already is left.
 * @throws ManifestError, ObjectError where it is not what was committed
 */
export async function remakeBatch(
  buckets: Buckets,
  tables: readonly Table[],
  codec: ParquetCodec,
  batch: number,
): Promise<TransformationSummary> {
  const ingested = await readIngestionManifest(buckets.ingestion, batch);
  if (!ingested) throw new ManifestError(`s3://${buckets.ingestion}/${manifestKey(batch)} is gone`);
  // Filed under the day on which it was, and not under today.
  const at = new Date(ingested.manifest.committed_at);
  return transform(buckets, tables, codec, batch, { at, rebuild: true });
}

/** Differs where table modules do: all batches of a rebuild are made by the same. */
export const modulesOf = (tables: readonly Table[]): string =>
  sha256(Buffer.from(JSON.stringify(fingerprintsOf(tables))));

async function putSkipped(bucket: string, batch: number, why: string): Promise<void> {
  const body = Buffer.from(`${JSON.stringify({ batch, skipped_why: why })}\n`);
  await putOnce(bucket, receiptKey(batch), body, "application/json");
}

/** @returns the batches that are there already; empty of a bucket that has none */
async function checkTarget(
  { ingestion, processed }: Buckets,
  tables: readonly Table[],
): Promise<ReadonlySet<number>> {
  const other = (what: string): RebuildError =>
    new RebuildError(`${processed} ${what}: a rebuild wants an empty bucket`);
  for (const batch of await listReceipts(processed))
    if ((await readReceipt(processed, batch)).skipped_why === undefined)
      throw other(`is a pipeline's (it has ${receiptKey(batch)})`);
  const there = await listBatches(processed, 0);
  for (const batch of there) {
    const made = await readProcessedManifest(processed, batch);
    const from = await readIngestionManifest(ingestion, batch);
    if (!made || !from || made.manifest.ingestion_sha256 !== from.sha256)
      throw other(`has a batch ${batch} that was made from another lake`);
    const ours = fingerprintsOf(tables.filter((table) => serves(from.manifest, table)));
    const theirs = made.manifest.fingerprints;
    const changed = [...new Set([...Object.keys(ours), ...Object.keys(theirs)])].filter(
      (table) => ours[table] !== theirs[table],
    );
    if (changed.length > 0)
      throw other(`has a batch ${batch} that other modules made for ${changed.join(", ")}`);
  }
  return new Set(there);
}
