/** A batch's object: its own, or where that is gone the compaction's that stands for it. */
import type { OfBatch } from "../lake/compactions.ts";
import type { LakeObject } from "../lake/manifest.ts";
import { getIfThere } from "../lake/objects.ts";
import type { ParquetCodec } from "../parquet/codec.ts";
import { rowsOf, type ParquetRows } from "../parquet/rows.ts";
import type { Compacted } from "./compacted.ts";

export interface ProcessedBucket {
  readonly bucket: string;
  readonly codec: ParquetCodec;
  readonly compacted: Compacted;
}

/** @throws ObjectError where it is gone and no compaction has it, or is not what was committed; ManifestError */
export async function openObject(
  { bucket, codec, compacted }: ProcessedBucket,
  of: OfBatch,
  object: LakeObject,
): Promise<ParquetRows> {
  const bytes = await getIfThere(bucket, object);
  const where = `s3://${bucket}/${object.key}`;
  return bytes ? rowsOf(codec, bytes, { ...object, where }) : compacted.rowsOf(of, object);
}
