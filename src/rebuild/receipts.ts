import { listReceipts, readReceipt, type Receipt } from "../lake/receipts.ts";
import { eachOf } from "../at-once.ts";

/** Receipts that are read at a time. */
const AT_ONCE = 8;

/**
 * How each batch of a processed bucket was loaded, by batch.
 * @throws ManifestError for a receipt that cannot be read
 */
export async function readReceipts(bucket: string): Promise<ReadonlyMap<number, Receipt>> {
  const receipts = new Map<number, Receipt>();
  await eachOf(await listReceipts(bucket), AT_ONCE, async (batch) => {
    receipts.set(batch, await readReceipt(bucket, batch));
  });
  return receipts;
}
