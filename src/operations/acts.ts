/** What an operator has the deployed functions do, through their own events: one way, for a stage on AWS and for this machine. */
import { invokeFunction } from "../aws/functions.ts";
import { nameOf } from "../aws/names.ts";
import type { IngestionSummary } from "../ingestion/ingest.ts";
import { hasLedger, loadsOfBatches, type Load } from "../loading/loads.ts";
import type { Deletes, DeletesOptions } from "../reconciliation/deletes.ts";
import { manifestKey } from "../lake/keys.ts";
import { readIngestionManifest } from "../lake/manifest.ts";
import type { LoadingSummary } from "../loading/load.ts";
import type { TransformationSummary } from "../transformation/transform.ts";
import type { Connection } from "../postgres/connection.ts";
import { whole } from "../words.ts";
import { nextInLine, readLine } from "./line.ts";
import type { Function, Places } from "./places.ts";
import { command } from "./verdict.ts";

/** What was asked for cannot be done as things are: says why, and what can be. Nothing was done. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
}

/** Has a function take an event, and gives its answer. */
export type Invoke = (of: Function, event: object) => Promise<unknown>;

/** The functions of a stage. What they give throws FunctionError. */
export const functionsOf =
  (stage: string): Invoke =>
  (of, event) =>
    invokeFunction(nameOf(stage, of), event);

/** What became of a batch that was done again. */
export interface Replayed {
  readonly batch: number;
  /** `done already`: its manifest stands, and nothing was made again. */
  readonly transformation: TransformationSummary["outcome"];
  /** Batches that came to the warehouse now. */
  readonly loaded: readonly number[];
  /** Whether the warehouse has it now. */
  readonly isLoaded: boolean;
  /** Why an operator left it out: then it will never be there. */
  readonly leftOut?: string;
}

/**
 * Has transformation and loading do a batch now, as its event would: what is done already stays as it is.
 * @throws RefusedError where there is no such batch; FunctionError with what a function said
 */
export async function replay(places: Places, invoke: Invoke, batch: number): Promise<Replayed> {
  await mustBe(places, batch);
  const event = {
    Records: [
      { s3: { bucket: { name: places.buckets.ingestion }, object: { key: manifestKey(batch) } } },
    ],
  };
  const { batches } = (await invoke("transformation", event)) as {
    batches: readonly TransformationSummary[];
  };
  const { loaded = [] } = (await invoke("loading", {})) as Partial<LoadingSummary>;
  return {
    batch,
    transformation: batches.find((one) => one.batch === batch)?.outcome ?? "done already",
    loaded: loaded.map((one) => one.batch),
    ...(await stateOf(places, batch)),
  };
}

/**
 * Whether a batch may be left out: it is the next to be loaded.
 * @throws RefusedError where it is loaded, left out already, not there, or not the next
 */
export async function checkSkippable(places: Places, batch: number): Promise<void> {
  await mustBe(places, batch);
  const connection = await places.warehouse();
  try {
    const line = await readLine(places.buckets, connection);
    if (batch <= line.loaded) {
      const load = await loadOf(connection, batch);
      throw new RefusedError(
        typeof load?.skippedWhy === "string"
          ? `batch ${whole(batch)} was left out already, on ${load.loadedAt}: ${load.skippedWhy}`
          : `batch ${whole(batch)} is in the warehouse: there is nothing to leave out`,
      );
    }
    const next = nextInLine(line)?.batch ?? line.loaded + 1;
    if (batch !== next)
      throw new RefusedError(
        `batch ${whole(batch)} is not the next: ${whole(next)} is, and it stops those behind it`,
      );
  } finally {
    await connection.close();
  }
}

/** What became of a batch that was left out. */
export interface Skipped {
  readonly batch: number;
  readonly why: string;
  /** Batches behind it that came to the warehouse now. */
  readonly loaded: readonly number[];
}

/**
 * Leaves a batch out, for good, and has those behind it loaded. Recorded in the warehouse with its reason.
 * @throws RefusedError as `checkSkippable`; FunctionError
 */
export async function skip(
  places: Places,
  invoke: Invoke,
  { batch, why }: { readonly batch: number; readonly why: string },
): Promise<Skipped> {
  await checkSkippable(places, batch);
  const { loaded = [] } = (await invoke("loading", {
    skip: batch,
    why,
  })) as Partial<LoadingSummary>;
  return { batch, why, loaded: loaded.map((one) => one.batch) };
}

/**
 * Has ingestion read the sources of a star table again from the start; what changed elsewhere is read with it.
 * @throws FunctionError with what ingestion said
 */
export const backfill = (invoke: Invoke, table: string): Promise<IngestionSummary> =>
  invoke("ingestion", { backfill: [table] }) as Promise<IngestionSummary>;

/**
 * Has reconciliation look for rows that the source has deleted, and tell the lake of them.
 * @throws FunctionError with what reconciliation said
 */
export const detectDeletes = (invoke: Invoke, options: DeletesOptions): Promise<Deletes> =>
  invoke("reconciliation", { deletes: true, ...options }) as Promise<Deletes>;

async function mustBe({ buckets, stage }: Places, batch: number): Promise<void> {
  if (await readIngestionManifest(buckets.ingestion, batch)) return;
  throw new RefusedError(
    `there is no batch ${whole(batch)}; \`${command({ stage }, "batches")}\` shows which there are`,
  );
}

async function stateOf(
  { warehouse }: Places,
  batch: number,
): Promise<Pick<Replayed, "isLoaded" | "leftOut">> {
  const connection = await warehouse();
  try {
    const load = await loadOf(connection, batch);
    const leftOut = load?.skippedWhy;
    return typeof leftOut === "string"
      ? { isLoaded: false, leftOut }
      : { isLoaded: load !== undefined };
  } finally {
    await connection.close();
  }
}

/** undefined where the warehouse does not have it. */
const loadOf = async (warehouse: Connection, batch: number): Promise<Load | undefined> =>
  (await hasLedger(warehouse)) ? (await loadsOfBatches(warehouse, [batch])).get(batch) : undefined;
