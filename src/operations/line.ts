/** How far the line of batches is: what is read, what is transformed, what is loaded. */
import { HINTS } from "../lake/keys.ts";
import { getLastUpload, listBatches, readHint, type IngestionManifest } from "../lake/manifest.ts";
import { newestLoad, type Load } from "../loading/loads.ts";
import type { Connection } from "../postgres/connection.ts";
import type { Buckets } from "../transformation/transform.ts";
import { readManifests } from "./manifests.ts";
import type { QueueDepth, Stage } from "./places.ts";

/** What is read, transformed and loaded, at one moment. */
export interface Line {
  /** The newest batch's manifest; undefined where there is none yet. */
  readonly newest: IngestionManifest | undefined;
  /** The newest batch in the warehouse, or skipped; 0 where there is none. */
  readonly loaded: number;
  /** undefined where the warehouse could not be asked: then a hint in the bucket said how far it was. */
  readonly load: Load | undefined;
  /** Batches that are read and not loaded, in order. */
  readonly waiting: readonly number[];
  /** Of those, the ones that are not transformed. */
  readonly untransformed: ReadonlySet<number>;
  /** The bucket that lacks the newest batch of the warehouse, which was filled from another one: nothing is loaded from it. */
  readonly otherBucket: string | undefined;
}

/**
 * @param warehouse undefined where it cannot be reached
 * @throws ManifestError, S3Error
 */
export async function readLine(
  { ingestion, processed }: Buckets,
  warehouse: Connection | undefined,
): Promise<Line> {
  // The warehouse first: what is loaded meanwhile is in the listings too.
  const load = warehouse && (await newestLoad(warehouse));
  const loaded =
    load?.batch ?? (warehouse === undefined ? await readHint(processed, HINTS.loaded) : 0);
  const [newest, waiting, transformed] = await Promise.all([
    getLastUpload(ingestion),
    listBatches(ingestion, loaded),
    listBatches(processed, Math.max(0, loaded - 1)),
  ]);
  const made = new Set(transformed);
  // One that was skipped need not be there.
  const isLoaded = load !== undefined && load.sha256 !== null;
  const lacking = (newest?.manifest.batch ?? 0) < loaded ? ingestion : processed;
  return {
    newest: newest?.manifest,
    loaded,
    load,
    waiting,
    untransformed: new Set(waiting.filter((batch) => !made.has(batch))),
    otherBucket: isLoaded && (lacking === ingestion || !made.has(loaded)) ? lacking : undefined,
  };
}

/** The batch that all later ones wait for, and the stage that it is in; undefined where none waits. */
export function nextInLine({
  waiting: [batch],
  untransformed,
}: Pick<Line, "waiting" | "untransformed">): { batch: number; stage: Stage } | undefined {
  if (batch === undefined) return undefined;
  return { batch, stage: untransformed.has(batch) ? "transformation" : "loading" };
}

/** Deliveries after which a message is given up: infrastructure/queues.yml's. */
export const DELIVERIES = 5;

/**
 * Whether the next batch has been given up, as far as dead letters tell: they may be those of batches before it, so it must
 * have been there for as long as all its deliveries take.
 */
export async function isGivenUp(
  buckets: Buckets,
  next: ReturnType<typeof nextInLine>,
  depths: Readonly<Record<Stage, QueueDepth>> | undefined,
): Promise<boolean> {
  const depth = next && depths?.[next.stage];
  if (!depth || depth.dead === 0) return false;
  // One that cannot be read is not done either.
  const [found] = await readManifests(buckets, [next.batch]).catch(() => []);
  const manifest = next.stage === "loading" ? found?.processed : found?.ingested;
  if (!manifest) return true;
  const deliveries = (DELIVERIES - 1) * (depth.visibilityTimeout ?? 0) * 1000;
  return Date.now() - Date.parse(manifest.committed_at) >= deliveries;
}
