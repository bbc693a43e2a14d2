import { Compacted, ofManifest } from "../compaction/compacted.ts";
import type { Receipt } from "../lake/receipts.ts";
import { load } from "../loading/load.ts";
import { newestLoad } from "../loading/loads.ts";
import { skipBatch } from "../loading/skip.ts";
import type { ParquetCodec } from "../parquet/codec.ts";
import type { Connection } from "../postgres/connection.ts";
import type { Table } from "../table.ts";
import { RebuildError } from "./error.ts";

/** What a warehouse is made of. */
export interface ProcessedLake {
  readonly bucket: string;
  readonly tables: readonly Table[];
  readonly codec: ParquetCodec;
  /** How each batch was loaded before, where it was. */
  readonly receipts: ReadonlyMap<number, Receipt>;
  /** The bucket's compactions: batches whose own objects are gone are read from there. */
  readonly compacted?: Compacted;
}

/** A batch that an operator left out, and why. */
export interface Skipped {
  readonly batch: number;
  readonly why: string;
}

/** The newest batch that a warehouse has loaded, or that was skipped; 0 where there is none. */
export const newestLoaded = async (warehouse: Connection): Promise<number> =>
  (await newestLoad(warehouse))?.batch ?? 0;

/**
 * Brings a rebuilt warehouse to batch `to`, from where it is: loads each batch as it was loaded before, and skips those
 * that were skipped. Nothing is written to the bucket.
 *
 * @param rebuilt claimed by {@link claim}
 * @param loaded told of each batch when it is in
 * @returns the batches of it all that were skipped
 * @throws RebuildError where a batch is not there or the rebuild is past `to`; what `load` throws for a batch that is
 *   not what was committed: those before it are in, and the next try goes on there
 */
export async function loadAgain(
  rebuilt: Connection,
  { bucket, tables, codec, receipts, compacted = new Compacted(bucket, codec) }: ProcessedLake,
  to: number,
  loaded: (batch: number) => void = () => undefined,
): Promise<Skipped[]> {
  const begin = await newestLoaded(rebuilt);
  if (begin > to)
    throw new RebuildError(
      `schema "${rebuilt.schema}" holds a rebuild up to batch ${begin}, which is past ${to}: --replace drops it and begins anew`,
    );
  const skipped = [...receipts.values()]
    .flatMap(({ batch, skipped_why: why }) => (why === undefined ? [] : [{ batch, why }]))
    .filter(({ batch }) => batch <= to)
    .toSorted((a, b) => a.batch - b.batch);
  const upTo = async (last: number): Promise<void> => {
    const { newest } = await load(rebuilt, bucket, tables, codec, {
      loaded: ({ batch }) => loaded(batch),
      rebuild: {
        to: last,
        left: (batch) => receipts.get(batch)?.left ?? [],
        instead: (of, object) => compacted.rowsOf(ofManifest(of), object),
      },
    });
    if (newest < last)
      throw new RebuildError(
        `batch ${newest + 1} is not in ${bucket}, and it is to be made up to batch ${to}; npx totes rebuild --verify names all that is missing`,
      );
  };
  for (const skip of skipped.filter(({ batch }) => batch > begin)) {
    await upTo(skip.batch - 1);
    await skipBatch(rebuilt, bucket, skip, { rebuild: true });
    loaded(skip.batch);
  }
  await upTo(to);
  return skipped;
}
