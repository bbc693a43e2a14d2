import * as v from "valibot";
import { listKeys } from "../aws/s3.ts";
import { LOADS, receiptBatchOf, receiptKey } from "./keys.ts";
import { getIfSmall, ManifestError } from "./manifest.ts";

const receipt = v.object({
  batch: v.pipe(v.number(), v.integer(), v.minValue(1)),
  /** Of the batch that was loaded; absent of one that was skipped. */
  run: v.optional(v.string()),
  /** Why an operator left the batch out. */
  skipped_why: v.optional(v.string()),
  /** By table: rows of the batch, and those of them that were new to the warehouse or changed it. */
  tables: v.optional(v.record(v.string(), v.object({ rows: v.number(), changed: v.number() })), {}),
  /** Rows of the batch that did not fit. */
  rejected: v.optional(v.number(), 0),
  /** Tables of the batch that no module declared when it was loaded: their rows were left. */
  left: v.optional(v.array(v.string()), []),
});
/** What a receipt says of how its batch was loaded. */
export type Receipt = v.InferOutput<typeof receipt>;

/** The batches past `after` that have a receipt, in order. */
export async function listReceipts(bucket: string, after = 0): Promise<number[]> {
  const keys = await listKeys(bucket, LOADS, after > 0 ? receiptKey(after) : "");
  return keys.flatMap((key) => receiptBatchOf(key) ?? []);
}

/** @throws ManifestError where the receipt is gone, is none, or is another batch's */
export async function readReceipt(bucket: string, batch: number): Promise<Receipt> {
  const where = `s3://${bucket}/${receiptKey(batch)}`;
  const bytes = await getIfSmall(bucket, receiptKey(batch));
  if (!bytes)
    throw new ManifestError(
      `${where} is gone, or larger than any receipt is; restore it from its version`,
    );
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString());
  } catch (cause) {
    throw new ManifestError(`${where} is not JSON; restore it from its version`, { cause });
  }
  const parsed = v.safeParse(receipt, json);
  if (!parsed.success || parsed.output.batch !== batch)
    throw new ManifestError(
      `${where} is no receipt of batch ${batch}; restore it from its version`,
    );
  return parsed.output;
}
