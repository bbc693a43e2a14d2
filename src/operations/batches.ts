/** The batches of a pipeline, a page at a time. */
import { hasLedger, loadsOfBatches, type Load } from "../loading/loads.ts";
import type { Connection } from "../postgres/connection.ts";
import { loadsOf } from "../loading/ledger.ts";
import { DELIVERIES, isGivenUp, nextInLine, readLine, type Line } from "./line.ts";
import { readManifests, type Manifests } from "./manifests.ts";
import { withPlace } from "./reach.ts";
import type { Places } from "./places.ts";
import type { BatchPage, BatchSummary, Span } from "./types.ts";

export type Only = "all" | "quarantined" | "unfinished";

export interface PageOptions {
  /** Batches of lower numbers alone. */
  readonly before?: number | undefined;
  /** 50 unless said otherwise. */
  readonly limit?: number | undefined;
  /** `quarantined`: rows of the batch did not fit; `unfinished`: not loaded, or left out. */
  readonly only?: Only | undefined;
}

/** Batches in a trail at most. */
const TRAIL = 1_000;

/**
 * The newest batches, or those before another. What it costs goes by what is shown, not by what there is.
 * @throws ManifestError, S3Error. A warehouse that cannot be reached is told of by `overview`: here it costs the loadings' times
 */
export async function batches(
  places: Places,
  { before = Infinity, limit = 50, only = "all" }: PageOptions = {},
): Promise<BatchPage> {
  const depths = await places.queues?.().catch(() => undefined);
  return withPlace(places.warehouse, async (warehouse) => {
    const line = await readLine(places.buckets, warehouse);
    const ledger = warehouse && (await hasLedger(warehouse)) ? warehouse : undefined;
    const matching = await matchesOf(line, ledger, only);
    const shown = matching.below(before, limit);
    const isStuck = await isGivenUp(places.buckets, nextInLine(line), depths);
    return {
      total: matching.total,
      trail: await trailOf(matching.below(Infinity, TRAIL).toReversed(), ledger),
      batches: await summaries(places, line, ledger, shown, isStuck),
    };
  });
}

/** Batches by their numbers. */
interface Matches {
  readonly total: number;
  /** The newest of lower numbers. */
  readonly below: (before: number, limit: number) => number[];
}

async function matchesOf(
  { newest, waiting }: Line,
  ledger: Connection | undefined,
  only: Only,
): Promise<Matches> {
  if (only === "all") {
    const total = newest?.batch ?? 0;
    return {
      total,
      below: (before, limit) => {
        const from = Math.min(total, before - 1);
        return Array.from({ length: Math.max(0, Math.min(limit, from)) }, (_, i) => from - i);
      },
    };
  }
  const found = ledger ? await chosen(ledger, only) : [];
  const all = [...found, ...(only === "unfinished" ? waiting : [])];
  return {
    total: all.length,
    below: (before, limit) =>
      all
        .filter((batch) => batch < before)
        .slice(-limit)
        .toReversed(),
  };
}

/** What the warehouse knows them by, in order. */
async function chosen(
  { db, ledger }: Connection,
  only: Exclude<Only, "all">,
): Promise<readonly number[]> {
  const which =
    only === "unfinished" ? "skipped_why is not null" : "(receipt ->> 'rejected')::bigint > 0";
  const found = await db.any<{ batch: number }>(
    `select batch::float8 as batch from ${loadsOf(ledger)} where ${which} order by batch`,
  );
  return found.map(({ batch }) => batch);
}

async function trailOf(
  numbers: readonly number[],
  ledger: Connection | undefined,
): Promise<BatchPage["trail"]> {
  const found = ledger
    ? await ledger.db.any<{ batch: number; ms: number | null }>(
        `select batch::float8 as batch, round((receipt ->> 'lagSeconds')::numeric * 1000)::float8 as ms
           from ${loadsOf(ledger.ledger)} where batch = any($1::bigint[])`,
        [numbers],
      )
    : [];
  const times = new Map(found.map(({ batch, ms }) => [batch, ms]));
  return { first: numbers[0] ?? 0, ms: numbers.map((batch) => times.get(batch) ?? null) };
}

/**
 * What there is to say of batches, in the order in which they are named; one that the lake lost is left out.
 * @param isStuck whether the next batch in line was given up
 */
export async function summaries(
  { buckets }: Pick<Places, "buckets">,
  line: Line,
  ledger: Connection | undefined,
  numbers: readonly number[],
  isStuck: boolean,
): Promise<BatchSummary[]> {
  const [manifests, loads] = await Promise.all([
    readManifests(buckets, numbers),
    ledger ? loadsOfBatches(ledger, numbers) : new Map<number, Load>(),
  ]);
  const stuck = isStuck ? nextInLine(line)?.batch : undefined;
  return manifests.flatMap((found) => {
    const one = summaryOf(found, loads.get(found.batch), found.batch <= line.loaded);
    if (!one) return [];
    return found.batch === stuck ? [{ ...one, status: "failed", attempts: DELIVERIES }] : [one];
  });
}

/** undefined where the lake has nothing of it. @param isLoaded as far as a hint tells, where its load is not known */
export function summaryOf(
  { batch, ingested, processed }: Manifests,
  load: Load | undefined,
  isLoaded: boolean,
): BatchSummary | undefined {
  const committed_at = ingested?.committed_at ?? processed?.ingested_at;
  const kind = ingested?.kind ?? processed?.kind;
  if (committed_at === undefined || kind === undefined) return undefined;
  const objects = ingested?.objects ?? [];
  const status = load === undefined ? (isLoaded ? "loaded" : "waiting") : "loaded";
  return {
    batch,
    kind,
    status: typeof load?.skippedWhy === "string" ? "skipped" : status,
    committed_at,
    rows: objects.reduce((sum, { rows }) => sum + rows, 0),
    tables: objects.filter(({ rows }) => rows > 0).length,
    quarantined: processed?.rejected_rows ?? 0,
    attempts: 1,
    stages: stagesOf({ batch, ingested, processed }, committed_at, load),
  };
}

function stagesOf(
  { ingested, processed }: Manifests,
  committedAt: string,
  load: Load | undefined,
): BatchSummary["stages"] {
  const committed = Date.parse(committedAt);
  const began = Date.parse(ingested?.started_at ?? committedAt);
  const span = (from: number, to: number): Span => ({
    start_ms: Math.round(from - began),
    end_ms: Math.round(to - began),
  });
  const lag = load?.receipt.lagSeconds;
  // By the functions' clocks: the database's may be another.
  const loaded = lag === undefined ? undefined : committed + lag * 1000;
  return {
    ingestion: span(began, committed),
    ...(processed && {
      transformation: span(
        Date.parse(processed.started_at ?? processed.committed_at),
        Date.parse(processed.committed_at),
      ),
    }),
    ...(loaded !== undefined && { loading: span(loaded - load!.seconds * 1000, loaded) }),
  };
}
