import { createHash } from "node:crypto";
import * as v from "valibot";
import { awaitedLater } from "../errors.ts";
import { getObject, listKeys, overwrite, putOnce, TooLargeError } from "../aws/s3.ts";
import { BATCHES, HINTS, batchOf, manifestKey } from "./keys.ts";

/** A manifest that is missing, unreadable or not the one that its successor was made after. */
export class ManifestError extends Error {
  override readonly name = "ManifestError";
}

export const count = v.pipe(v.number(), v.integer(), v.minValue(0));
export const sha256Shape = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

export const lakeObject = v.object({
  table: v.string(),
  key: v.string(),
  rows: count,
  bytes: count,
  sha256: sha256Shape,
});
/** A data object that a manifest commits. `bytes` and `sha256` are of the object as it lies in the bucket. */
export type LakeObject = v.InferOutput<typeof lakeObject>;

const kinds = v.picklist(["changes", "backfill", "resync"]);

const common = {
  batch: v.pipe(v.number(), v.integer(), v.minValue(1)),
  /** Unique to the invocation that wrote the batch. */
  run: v.string(),
  kind: kinds,
  /** Of the bytes of the ingestion manifest before; null for batch 1. */
  previous_sha256: v.nullable(sha256Shape),
  /** When the work on the batch began; manifests of before it was written lack it. Nothing but people go by it. */
  started_at: v.optional(v.string()),
  committed_at: v.string(),
  /** Keys of rows that are gone: one object a table that has any. */
  deleted: v.optional(v.array(lakeObject), []),
  /** When the code that wrote the batch was last changed, in ms since 1970; 0 where that is not known. */
  build: v.optional(count, 0),
};

const cursor = v.object({
  /** The source table that is being read. */
  table: v.string(),
  /** Its last driving row so far, by primary key; null where none was read yet. */
  after: v.nullable(v.record(v.string(), v.nullable(v.string()))),
  /** The key's columns and types: where they are others by then, the table is begun anew. */
  key: v.string(),
  /** The source tables that come then. */
  next: v.array(v.string()),
  /** Those that the run reads whole. */
  whole: v.array(v.string()),
  /** What the run reads a timestamp source from; see `high_water`. */
  marks: v.record(v.string(), v.string()),
  /** What kind of run this is, where the batch is of another. */
  kind: v.optional(kinds),
});
/** Where a run was left off, and what it needs to go on. */
export type Cursor = v.InferOutput<typeof cursor>;

const ingestionManifest = v.object({
  ...common,
  /** Which database this was read from: another one, another timeline of it, or one that crashed since, has other transaction ids. */
  system_identifier: v.string(),
  database_oid: v.string(),
  timeline: v.string(),
  server_started_at: v.string(),
  /** `xmin:xmax:xip,…` of the one snapshot that the batch was read in. */
  snapshot: v.string(),
  /**
   * Of the run's first snapshot, a 64-bit xid: every transaction below it is settled, and in the lake when the run is done;
   * what it or a later one wrote is read by the next run.
   */
  fence: v.string(),
  /** The fence that the run's changes are read from; null where everything is read. */
  since: v.nullable(v.string()),
  /** Newest value of the column at the run's first snapshot, of each source whose changes are found by `timestamp`. */
  high_water: v.record(v.string(), v.string()),
  /** Where an unfinished run goes on; null where the run is done, and the warehouse will be as one moment of the source. */
  cursor: v.nullable(cursor),
  /** Of each table module that this batch serves. */
  fingerprints: v.record(v.string(), v.string()),
  /** One a source table. The first `driving_rows` rows drive tables, the rest are there to be looked up. */
  objects: v.array(v.object({ ...lakeObject.entries, driving_rows: count })),
});
export type IngestionManifest = v.InferOutput<typeof ingestionManifest>;

const processedManifest = v.object({
  ...common,
  /** Of the bytes of the ingestion manifest that this was made from. */
  ingestion_sha256: sha256Shape,
  ingested_at: v.string(),
  /** Of each table module that the rows were made by. */
  fingerprints: v.optional(v.record(v.string(), v.string()), {}),
  objects: v.array(lakeObject),
  rejected: v.array(lakeObject),
  rejected_rows: count,
  /** One a source: the keys of rows that tables were made from, and that no star row tells of. */
  driven: v.optional(v.array(lakeObject), []),
  /** One a source: the keys of rows that it has no more. Manifests from before this field have them in `driven`. */
  gone: v.optional(v.array(lakeObject), []),
});
export type ProcessedManifest = v.InferOutput<typeof processedManifest>;

/** Every object that a manifest names, whichever of its lists it is in. */
export const allObjectsOf = (manifest: IngestionManifest | ProcessedManifest): LakeObject[] =>
  Object.values(manifest).flatMap((list: unknown) =>
    Array.isArray(list) ? list.filter((one): one is LakeObject => v.is(lakeObject, one)) : [],
  );

/** A manifest and the SHA-256 of its bytes. */
export interface Read<M> {
  readonly manifest: M;
  readonly sha256: string;
}

export const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

async function read<M extends { batch: number }>(
  bucket: string,
  batch: number,
  shape: v.GenericSchema<unknown, M>,
): Promise<Read<M> | undefined> {
  const key = manifestKey(batch);
  const found = await readJson(bucket, key, shape);
  if (found && found.manifest.batch !== batch)
    throw new ManifestError(
      `s3://${bucket}/${key} says that it is batch ${found.manifest.batch}; ${RESTORE}`,
    );
  return found;
}

/** @throws ManifestError where the object is not JSON of that shape */
export async function readJson<M>(
  bucket: string,
  key: string,
  shape: v.GenericSchema<unknown, M>,
): Promise<Read<M> | undefined> {
  const bytes = await getSmall(bucket, key);
  if (!bytes) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString());
  } catch (cause) {
    throw new ManifestError(`s3://${bucket}/${key} is not JSON; ${RESTORE}`, { cause });
  }
  const parsed = v.safeParse(shape, json);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    throw new ManifestError(
      `s3://${bucket}/${key}: ${v.getDotPath(issue) ?? "manifest"}: ${issue.message}; ${RESTORE}`,
    );
  }
  return { manifest: parsed.output, sha256: sha256(bytes) };
}

/** Bytes of a manifest, a receipt or a hint at most: a table takes some hundred, so that there is room for tens of thousands. */
const SMALL_BYTES = 16 << 20;

/** @throws ManifestError for one that is larger than any manifest is; none of it was read */
async function getSmall(bucket: string, key: string): Promise<Buffer | undefined> {
  try {
    return await getObject(bucket, key, SMALL_BYTES);
  } catch (error) {
    if (!(error instanceof TooLargeError)) throw error;
    throw new ManifestError(`${error.message}; ${RESTORE}`, { cause: error });
  }
}

export const RESTORE =
  "restore the version of the object that was written first (the bucket keeps them)";

export const readIngestionManifest = (
  bucket: string,
  batch: number,
): Promise<Read<IngestionManifest> | undefined> => read(bucket, batch, ingestionManifest);

export const readProcessedManifest = (
  bucket: string,
  batch: number,
): Promise<Read<ProcessedManifest> | undefined> => read(bucket, batch, processedManifest);

/** What is said of a manifest that was there. @param though why that is known */
export const missing = (bucket: string, batch: number, though = ""): ManifestError =>
  new ManifestError(
    `s3://${bucket}/${manifestKey(batch)} is not there${though && `, ${though}`}; ${RESTORE}`,
  );

/**
 * Reads a batch's ingestion manifest and holds it against its predecessor: a gap or an edit shows.
 * @throws ManifestError where the manifest, or the one before it, is missing or not what was committed
 */
export async function readChained(bucket: string, batch: number): Promise<Read<IngestionManifest>> {
  // What is wrong with this batch itself is said first.
  const before = awaitedLater(readBefore(bucket, batch));
  const found = await readIngestionManifest(bucket, batch);
  if (!found) throw missing(bucket, batch);
  checkChain(bucket, batch, found.manifest.previous_sha256, (await before)?.sha256 ?? null);
  return found;
}

/**
 * Holds an ingestion manifest against its predecessor: a gap or an edit shows.
 * @throws ManifestError where the one before it is missing or not what was committed
 */
export async function checkPredecessor(
  bucket: string,
  { batch, previous_sha256 }: IngestionManifest,
): Promise<void> {
  const before = await readBefore(bucket, batch);
  checkChain(bucket, batch, previous_sha256, before?.sha256 ?? null);
}

async function readBefore(
  bucket: string,
  batch: number,
): Promise<Read<IngestionManifest> | undefined> {
  if (batch === 1) return undefined;
  const before = await readIngestionManifest(bucket, batch - 1);
  if (!before)
    throw new ManifestError(
      `the chain of manifests is broken: s3://${bucket}/${manifestKey(batch - 1)} is gone; ${RESTORE}`,
    );
  return before;
}

/** @throws ManifestError unless `previous` is the hash that the batch before has */
export function checkChain(
  where: string,
  batch: number,
  previous: string | null,
  actual: string | null,
): void {
  if (previous !== actual)
    throw new ManifestError(
      `the chain of manifests is broken at batch ${batch} (${where}): it was made after a batch ${batch - 1} with SHA-256 ` +
        `${previous}, found ${actual}; ${RESTORE}`,
    );
}

/**
 * Commits a batch: compare-and-swap on its number.
 * @returns the manifest as it was committed; undefined where another run's has its number: of two overlapping runs one wins
 */
export const commitManifest = <M extends IngestionManifest | ProcessedManifest>(
  bucket: string,
  manifest: M,
): Promise<Read<M> | undefined> => putJsonOnce(bucket, manifestKey(manifest.batch), manifest);

/** @returns what was put; undefined where something else has that key */
export async function putJsonOnce<M>(
  bucket: string,
  key: string,
  manifest: M,
): Promise<Read<M> | undefined> {
  const body = Buffer.from(`${JSON.stringify(manifest)}\n`);
  // The put may have been ours: an answer that got lost on the way is retried by the SDK, and finds its own object.
  const committed =
    (await putOnce(bucket, key, body, "application/json")) ||
    (await getSmall(bucket, key))?.equals(body);
  return committed ? { manifest, sha256: sha256(body) } : undefined;
}

/** The batches with a manifest in `bucket` whose numbers are greater than `after`, in order. */
export async function listBatches(bucket: string, after: number): Promise<number[]> {
  const keys = await listKeys(bucket, BATCHES, after > 0 ? manifestKey(after) : "");
  return keys.flatMap((key) => batchOf(key) ?? []);
}

/**
 * The newest batch at or after `batch`, which is there.
 * @throws ManifestError where it cannot be read
 */
export async function readNewest<M>(
  bucket: string,
  batch: number,
  read: (bucket: string, batch: number) => Promise<Read<M> | undefined>,
): Promise<M> {
  const newest = (await listBatches(bucket, batch)).at(-1) ?? batch;
  const found = await read(bucket, newest);
  if (!found) throw missing(bucket, newest);
  return found.manifest;
}

/** The newest batch that this process has seen, by bucket: as good a hint as the one in the bucket, and costs no request. */
const seen = new Map<string, number>();

/**
 * Finds the newest batch of the ingestion bucket. The cost does not grow with the batches: the listing begins where
 * a hint says. One that is missing, stale or wrong costs a longer listing, and nothing else.
 *
 * @returns the newest manifest, or undefined where there is none yet
 * @throws ManifestError where it cannot be read
 */
export async function getLastUpload(bucket: string): Promise<Read<IngestionManifest> | undefined> {
  const hint = seen.get(bucket) ?? (await readHint(bucket, HINTS.newest));
  let batches = hint > 0 ? await listBatches(bucket, hint - 1) : [];
  if (batches[0] !== hint) batches = await listBatches(bucket, 0);
  const newest = batches.at(-1);
  if (newest === undefined) return undefined;
  seen.set(bucket, newest);
  const found = await readIngestionManifest(bucket, newest);
  if (!found) throw missing(bucket, newest);
  return found;
}

/** @returns the batch that a hint names, 0 where it names none */
export async function readHint(bucket: string, key: string): Promise<number> {
  const text = (await getIfSmall(bucket, key))?.toString() ?? "";
  const batch = Number(/^\{"batch":(\d{1,10})\}$/.exec(text.trim())?.[1] ?? 0);
  return batch;
}

/** A hint or a receipt; undefined also where it is too large to be one: without either nothing changes but the cost. */
export async function getIfSmall(bucket: string, key: string): Promise<Buffer | undefined> {
  try {
    return await getObject(bucket, key, SMALL_BYTES);
  } catch (error) {
    if (error instanceof TooLargeError) return undefined;
    throw error;
  }
}

export const writeHint = (bucket: string, key: string, batch: number): Promise<void> =>
  overwrite(bucket, key, JSON.stringify({ batch }));
