/** Manifests, many at a time. What is committed is never changed: those that were read are kept. */
import {
  readIngestionManifest,
  readProcessedManifest,
  type IngestionManifest,
  type ProcessedManifest,
} from "../lake/manifest.ts";
import type { Buckets } from "../transformation/transform.ts";

/** What the lake has of a batch. */
export interface Manifests {
  readonly batch: number;
  readonly ingested: IngestionManifest | undefined;
  readonly processed: ProcessedManifest | undefined;
}

/** Batches whose manifests are asked for at a time. */
const AT_ONCE = 16;
/** Manifests that are kept. */
const KEPT = 2_000;

/** By bucket and batch, those first that were asked for least recently. */
const kept = new Map<string, IngestionManifest | ProcessedManifest>();

async function remembered<M extends IngestionManifest | ProcessedManifest>(
  bucket: string,
  batch: number,
  read: (bucket: string, batch: number) => Promise<{ readonly manifest: M } | undefined>,
): Promise<M | undefined> {
  const at = `${bucket}/${batch}`;
  const found = (kept.get(at) as M | undefined) ?? (await read(bucket, batch))?.manifest;
  if (!found) return undefined;
  kept.delete(at);
  kept.set(at, found);
  for (const oldest of kept.keys()) {
    if (kept.size <= KEPT) break;
    kept.delete(oldest);
  }
  return found;
}

/**
 * The manifests of some batches, in the order in which those are named. One that was damaged since it was read first is told
 * as it was: who wants to know asks for the batch itself.
 * @throws ManifestError, S3Error
 */
export async function readManifests(
  { ingestion, processed }: Buckets,
  batches: readonly number[],
): Promise<Manifests[]> {
  const found: Manifests[] = [];
  for (let from = 0; from < batches.length; from += AT_ONCE)
    found.push(
      ...(await Promise.all(
        batches.slice(from, from + AT_ONCE).map(async (batch): Promise<Manifests> => {
          const [ingested, made] = await Promise.all([
            remembered(ingestion, batch, readIngestionManifest),
            remembered(processed, batch, readProcessedManifest),
          ]);
          return { batch, ingested, processed: made };
        }),
      )),
    );
  return found;
}
