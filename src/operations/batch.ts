/** One batch: what it held, where its objects are, how long each stage took, what it did to the warehouse. */
import { Compactions, goneOfBatch, type CompactedObject } from "../lake/compactions.ts";
import {
  readIngestionManifest,
  ManifestError,
  missing,
  readProcessedManifest,
  type LakeObject,
  type Read,
  type IngestionManifest,
  type ProcessedManifest,
} from "../lake/manifest.ts";
import { getContentFromFile, getIfThere, goneError, ObjectError } from "../lake/objects.ts";
import { hasLedger, loadsOfBatches, type Load } from "../loading/loads.ts";
import { recordIdOf, type Table } from "../table.ts";
import { summaryOf } from "./batches.ts";
import { DELIVERIES, isGivenUp, nextInLine, readLine } from "./line.ts";
import type { Places } from "./places.ts";
import { withPlace } from "./reach.ts";
import type { Batch, BatchObject, BatchSummary, Effect } from "./types.ts";
import { whyStands } from "./why.ts";

/**
 * A batch, its objects read and held against their hashes, its chain against the bytes of the manifest before.
 * @returns undefined where the ingestion bucket has no such batch
 * @throws ManifestError where its manifest cannot be read, or is not there and was; S3Error
 */
export async function batch(places: Places, number: number): Promise<Batch | undefined> {
  const { buckets, tables } = places;
  const depths = await places.queues?.().catch(() => undefined);
  return withPlace(places.warehouse, async (warehouse) => {
    // How far all is comes first: what is committed meanwhile is in the buckets too.
    const line = await readLine(buckets, warehouse);
    const [ingested, before, processed] = await Promise.all([
      readIngestionManifest(buckets.ingestion, number),
      number > 1 ? readIngestionManifest(buckets.ingestion, number - 1) : undefined,
      readProcessedManifest(buckets.processed, number),
    ]);
    if (!ingested) {
      if (number > Math.max(line.loaded, line.newest?.batch ?? 0)) return undefined;
      throw missing(buckets.ingestion, number, "and later ones, or what was made of it, are");
    }
    const loads =
      warehouse && (await hasLedger(warehouse)) ? await loadsOfBatches(warehouse, [number]) : null;
    const load = loads?.get(number);
    const manifests = {
      batch: number,
      ingested: ingested.manifest,
      processed: processed?.manifest,
    };
    const summary = summaryOf(manifests, load, number <= line.loaded)!;
    const next = nextInLine(line);
    const isNext = next?.batch === number;
    const failed = isNext && (await isGivenUp(buckets, next, depths));
    const stands = isNext ? await whyStands(places, warehouse, line) : undefined;
    const lacks =
      summary.status === "loaded" && !processed
        ? missing(buckets.processed, number, "and its batch was loaded")
        : undefined;
    const { manifest, sha256 } = ingested;
    return {
      ...summary,
      ...(failed || stands ? { status: "failed" as const } : {}),
      ...(failed ? { attempts: DELIVERIES } : {}),
      run: manifest.run,
      sha256,
      previous_sha256: manifest.previous_sha256,
      chain: manifest.previous_sha256 === (before?.sha256 ?? null) ? "equal" : "broken",
      snapshot: manifest.snapshot,
      fence: manifest.fence,
      system_identifier: manifest.system_identifier,
      ...reasonOf(load, stands ?? lacks),
      steps: stepsOf(summary),
      objects: await objectsOf(places, ingested, processed),
      effects: effectsOf(tables, load, processed?.manifest),
    };
  });
}

function reasonOf(load: Load | undefined, error: Error | undefined): Pick<Batch, "error"> {
  if (typeof load?.skippedWhy === "string") return { error: `skipped: ${load.skippedWhy}` };
  return error ? { error: error.message } : {};
}

/** What the manifests and the ledger tell of: the work of each stage, and the way to it. */
function stepsOf({ stages: { ingestion, transformation, loading } }: BatchSummary): Batch["steps"] {
  const steps: Batch["steps"][number][] = [
    { stage: "ingestion", name: "read and committed", ...ingestion },
  ];
  let { end_ms: start_ms } = ingestion;
  for (const [stage, name, span] of [
    ["transformation", "verified, formatted and committed", transformation],
    ["loading", "merged and committed", loading],
  ] as const) {
    if (!span) break;
    steps.push({ stage: "queue", name: `waited for ${stage}`, start_ms, end_ms: span.start_ms });
    steps.push({ stage, name, ...span });
    start_ms = span.end_ms;
  }
  return steps;
}

/** Objects that are read at a time: each may be some 30 MB. */
const AT_ONCE = 4;

async function objectsOf(
  { buckets }: Places,
  ingested: Read<IngestionManifest>,
  processed: Read<ProcessedManifest> | undefined,
): Promise<BatchObject[]> {
  const made = processed?.manifest;
  const all = [
    ...[ingested.manifest.objects, ingested.manifest.deleted].flatMap((objects) =>
      objects.map((object) => ({ bucket: "ingestion" as const, object })),
    ),
    ...[made?.objects, made?.deleted, made?.rejected, made?.driven].flatMap((objects) =>
      (objects ?? []).map((object) => ({ bucket: "processed" as const, object })),
    ),
  ];
  const compactions = new Compactions(buckets.processed);
  const found: BatchObject[] = [];
  for (let from = 0; from < all.length; from += AT_ONCE)
    found.push(
      ...(await Promise.all(
        all.slice(from, from + AT_ONCE).map(async ({ bucket, object }) => {
          const { table, key, rows, bytes, sha256 } = object;
          const find = async (): Promise<CompactedObject> => {
            if (!processed || bucket !== "processed" || !key.endsWith(".parquet"))
              throw goneError(buckets[bucket], object);
            const of = { batch: processed.manifest.batch, sha256: processed.sha256 };
            const part = await compactions.find(of, object);
            if (!part) throw await goneOfBatch(buckets.processed, of.batch, object);
            return part.compacted;
          };
          const state = await stateOf(buckets[bucket], object, find);
          return { bucket, table, key, rows, bytes, sha256, ...state };
        }),
      )),
    );
  return found;
}

/** @param find gives what the object's rows are read from where it is gone, or throws that nothing has them */
async function stateOf(
  bucket: string,
  object: LakeObject,
  find: () => Promise<CompactedObject>,
): Promise<Pick<BatchObject, "verified" | "damage" | "compacted">> {
  try {
    if (await getIfThere(bucket, object)) return { verified: true };
    const compacted = await find();
    await getContentFromFile(bucket, compacted);
    return { verified: true, compacted: compacted.key };
  } catch (error) {
    if (error instanceof ObjectError || error instanceof ManifestError)
      return { verified: false, damage: error.message };
    throw error;
  }
}

function effectsOf(
  tables: readonly Table[],
  load: Load | undefined,
  processed: ProcessedManifest | undefined,
): Effect[] {
  const versioned = new Set(
    tables.filter((table) => recordIdOf(table) !== undefined).map(({ name }) => name),
  );
  const rejected = new Map(processed?.rejected.map(({ table, rows }) => [table, rows]));
  const done = load?.receipt.tables ?? {};
  return [...new Set([...Object.keys(done), ...rejected.keys()])].map((table) => {
    const { rows = 0, changed = 0 } = done[table] ?? {};
    const isVersioned = versioned.has(table);
    return {
      table,
      added: isVersioned ? changed : 0,
      changed: isVersioned ? 0 : changed,
      equal: rows - changed,
      versions: isVersioned ? changed : 0,
      quarantined: rejected.get(table) ?? 0,
    };
  });
}
