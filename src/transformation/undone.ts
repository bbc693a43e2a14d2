import { concerning, joined } from "../errors.ts";
import { HINTS, receiptKey } from "../lake/keys.ts";
import { getIfSmall, listBatches, readHint } from "../lake/manifest.ts";
import type { ParquetCodec } from "../parquet/codec.ts";
import type { Table } from "../table.ts";
import { transform, type Buckets, type TransformationSummary } from "./transform.ts";

export interface Progress {
  readonly done: (batch: TransformationSummary) => void;
  readonly failed: (error: Error) => void;
  /** Asked before each batch but the first: false leaves the rest to the next invocation. */
  readonly goOn: () => boolean;
}

/**
 * Makes good whatever event was lost: transforms the batch that was woken for first, then older ones that are still
 * undone; on a tick, all that are.
 *
 * @throws what the batch woken for threw; on a tick, what any batch threw, once all were tried. An older batch that
 *   fails beside the one woken for is reported to `failed` alone: its own message and the next tick try it again
 */
export async function transformUndone(
  buckets: Buckets,
  tables: readonly Table[],
  codec: ParquetCodec,
  wake: { readonly batch: number } | { readonly tick: true },
  { done, failed, goOn }: Progress,
): Promise<void> {
  const own = "batch" in wake ? wake.batch : undefined;
  const doOne = async (batch: number): Promise<void> =>
    done(await concerning({ batch }, () => transform(buckets, tables, codec, batch)));
  if (own !== undefined) await doOne(own);
  const errors: Error[] = [];
  for (const [i, batch] of (await listUndone(buckets)).entries()) {
    if (own !== undefined && batch > own) break;
    if ((own !== undefined || i > 0) && !goOn()) break;
    try {
      await doOne(batch);
    } catch (error) {
      if (own === undefined) errors.push(error as Error);
      else failed(error as Error);
    }
  }
  if (errors.length > 0) throw joined(errors);
}

/**
 * The batches of the ingestion bucket that have no processed manifest yet, in order. Whatever is below the newest
 * loaded batch is done, which saves listing it: the hint says where that is, and the receipt there proves it.
 */
async function listUndone(buckets: Buckets): Promise<number[]> {
  const hint = await readHint(buckets.processed, HINTS.loaded);
  const loaded = hint > 0 && (await getIfSmall(buckets.processed, receiptKey(hint))) ? hint : 0;
  const ingested = await listBatches(buckets.ingestion, loaded);
  if (ingested.length === 0) return [];
  const processed = new Set(await listBatches(buckets.processed, loaded));
  return ingested.filter((batch) => !processed.has(batch));
}
