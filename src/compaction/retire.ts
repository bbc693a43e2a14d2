/** Marks the objects of batches that compactions stand for, so that a lifecycle rule may delete them. */
import { eachOf } from "../at-once.ts";
import { tagObject } from "../aws/s3.ts";
import { readCompaction } from "../lake/compactions.ts";
import { ManifestError, type LakeObject } from "../lake/manifest.ts";
import { getIfThere, ObjectError } from "../lake/objects.ts";
import { ParquetError, type ParquetCodec } from "../parquet/codec.ts";
import { unseen, type Progress } from "../progress.ts";
import { CompactionsCheck, expectedOf, NONE } from "./check.ts";
import { Compacted } from "./compacted.ts";
import { CompactionError } from "./error.ts";
import { readBatches } from "./range.ts";

/** The tag that the lifecycle rule goes by (infrastructure/buckets.yml). */
export const TAG = { Key: "compacted", Value: "true" } as const;
/** Batches that are looked at a time, and objects that are marked. */
const AT_ONCE = 8;

export interface Retired {
  /** The last batch that a compaction stands for; 0 where there is none. */
  readonly to: number;
  readonly compactions: number;
  /** Objects that were marked, or would be: those that are there. */
  readonly objects: number;
  readonly bytes: number;
  /** Objects that are gone already. */
  readonly gone: number;
}

/**
 * Holds every compaction against the batches that it stands for, row by row, and then marks those batches' objects of data.
 * Marks none of a compaction that is not whole, nor of those after it.
 * @throws CompactionError naming what is wrong; S3Error
 */
export async function retire(
  bucket: string,
  codec: ParquetCodec,
  { dry = false, progress = unseen }: { readonly dry?: boolean; readonly progress?: Progress } = {},
): Promise<Retired> {
  const compacted = new Compacted(bucket, codec);
  const problems: string[] = [];
  const check = new CompactionsCheck(bucket, codec, compacted, async (_, work) => {
    try {
      await work();
    } catch (error) {
      const isOurs = [ManifestError, ObjectError, ParquetError].some((one) => error instanceof one);
      if (!isOurs) throw error;
      problems.push((error as Error).message);
    }
  });
  const refuse = (): void => {
    if (problems.length > 0)
      throw new CompactionError(
        `nothing is marked of what is not compacted whole: ${problems[0]}; npx totes rebuild --verify names all`,
      );
  };
  await check.read();
  refuse();
  // Those that were read: one that was committed since is the next run's.
  const ends = check.whole.map(({ to }) => to);
  let [objects, bytes, gone] = [0, 0, 0];
  await progress(ends.at(-1) ?? 0, "batches", async (done) => {
    let count = 0;
    for (const to of ends) {
      const { manifest } = await readCompaction(bucket, to);
      const there: LakeObject[] = [];
      // None of a batch that was skipped: it is in no compaction, and its objects stay.
      const batches = await readBatches(bucket, manifest);
      await check.checkManifest(manifest, (batch) => {
        const of = batches[batch - manifest.from]!;
        return of.isSkipped ? NONE : expectedOf(of.sha256!, of);
      });
      await eachOf(batches, AT_ONCE, async (batch) => {
        const of = { batch: batch.batch, sha256: batch.sha256 ?? "" };
        for (const object of [...batch.objects, ...batch.deleted]) {
          const found = await getIfThere(bucket, object).catch((error: unknown) => {
            if (!(error instanceof ObjectError)) throw error;
            problems.push(error.message);
          });
          if (found) {
            if (!(await check.compare(of, object, found)))
              problems.push(`s3://${bucket}/${object.key} was compared with no compaction`);
            there.push(object);
          } else gone++;
        }
        done(++count);
      });
      refuse();
      if (!dry) await eachOf(there, AT_ONCE, ({ key }) => tagObject(bucket, key, TAG));
      objects += there.length;
      bytes += there.reduce((sum, object) => sum + object.bytes, 0);
    }
  });
  return { to: ends.at(-1) ?? 0, compactions: ends.length, objects, bytes, gone };
}
