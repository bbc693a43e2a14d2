/** Which batches the next compaction takes. */
import { eachOf } from "../at-once.ts";
import { ignoring } from "../errors.ts";
import { agreedRange, newestCompaction, type Compaction } from "../lake/compactions.ts";
import {
  ManifestError,
  missing,
  readProcessedManifest,
  type LakeObject,
  type Read,
} from "../lake/manifest.ts";
import { listReceipts, readReceipt } from "../lake/receipts.ts";
import { CompactionError } from "./error.ts";

/** What is compacted. */
export interface RangeOptions {
  /** The last batch; else as far as `keep` allows. */
  readonly to?: number | undefined;
  /** So many of the newest loaded batches are left as they are: whoever looks for what has just arrived finds it by its batch. */
  readonly keep: number;
  /** Fewer batches than that are not worth a compaction. */
  readonly least: number;
}

/** A day of ten-minute batches is left, and a day's worth is the least. */
export const USUAL: RangeOptions = { keep: 144, least: 144 };

/**
 * What a compaction takes at most, so that a function has the time for it: two weeks of ten-minute batches, and so many bytes of
 * their objects. What is left is the next one's.
 */
const MOST = { batches: 2_000, bytes: 512 << 20 } as const;
/** Manifests and receipts that are read at a time. */
const AT_ONCE = 16;

/** Batches that follow one another, and how far they go. */
export interface Range {
  readonly before: Read<Compaction> | undefined;
  readonly from: number;
  readonly to: number;
  /** Whether an earlier run has agreed on it. */
  readonly isAgreed: boolean;
}

/** A batch of a compaction. */
export interface Batch {
  readonly batch: number;
  readonly isSkipped: boolean;
  /** Of its processed manifest; null where it was skipped and has none. */
  readonly sha256: string | null;
  readonly objects: readonly LakeObject[];
  readonly deleted: readonly LakeObject[];
}

/**
 * The batches that the next compaction takes: those that follow the newest compaction's, and are loaded. What an earlier run
 * has agreed on goes before what is asked for.
 * @param after the compaction to go on from; the bucket's newest where it is not said
 * @returns undefined where there are too few
 * @throws CompactionError where batches are asked for that are not loaded; ManifestError
 */
export async function nextRange(
  bucket: string,
  { to, keep, least }: RangeOptions,
  after?: Pick<Range, "from" | "to">,
): Promise<Range | undefined> {
  const before = await newestCompaction(bucket);
  const from = Math.max(before?.manifest.to ?? 0, after?.to ?? 0) + 1;
  const agreed = await agreedRange(bucket, from);
  if (agreed !== undefined) return { before, from, to: agreed, isAgreed: true };
  const loaded = await loadedSince(bucket, from);
  if (to !== undefined && to > loaded)
    throw new CompactionError(
      `batch ${to} cannot be compacted: the newest with a receipt is ${loaded}; a batch is compacted once it is loaded`,
    );
  const last = Math.min(to ?? loaded - keep, from + MOST.batches - 1);
  return last - from + 1 >= Math.max(1, to === undefined ? least : 1)
    ? { before, from, to: last, isAgreed: false }
    : undefined;
}

/** The last batch that is loaded, with all from `from` on; `from - 1` where that one is not. */
async function loadedSince(bucket: string, from: number): Promise<number> {
  let loaded = from - 1;
  for (const batch of await listReceipts(bucket, loaded)) {
    if (batch !== loaded + 1) break;
    loaded = batch;
  }
  return loaded;
}

/** Of batches that follow one another, as many as a compaction takes by their bytes: one at least. */
export function upToMost(batches: readonly Batch[]): readonly Batch[] {
  let room: number = MOST.bytes;
  const beyond = batches.findIndex(({ objects, deleted }) => {
    for (const { bytes } of [...objects, ...deleted]) room -= bytes;
    return room < 0;
  });
  return beyond < 0 ? batches : batches.slice(0, Math.max(1, beyond));
}

/**
 * What the lake has of the batches of a range, in order. A batch that an operator skipped has no objects here: the warehouse
 * has none of its rows, and what is wrong with them is why it was skipped.
 * @throws ManifestError where a manifest or receipt is missing or cannot be read
 */
export async function readBatches(
  bucket: string,
  { from, to }: Pick<Range, "from" | "to">,
): Promise<Batch[]> {
  const batches: Batch[] = [];
  const numbers = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  await eachOf(numbers, AT_ONCE, async (batch) => {
    batches[batch - from] = await readBatch(bucket, batch);
  });
  return batches;
}

async function readBatch(bucket: string, batch: number): Promise<Batch> {
  const { skipped_why: skipped } = await readReceipt(bucket, batch);
  if (skipped !== undefined) {
    const found = await readProcessedManifest(bucket, batch).catch(ignoring(ManifestError));
    return { batch, isSkipped: true, sha256: found?.sha256 ?? null, objects: [], deleted: [] };
  }
  const found = await readProcessedManifest(bucket, batch);
  if (!found) throw missing(bucket, batch, "and its batch was loaded");
  const { objects, deleted } = found.manifest;
  return { batch, isSkipped: false, sha256: found.sha256, objects, deleted };
}
