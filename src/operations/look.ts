/** Everything that a verdict goes by, read once. What cannot be reached is an error in its place: the rest is still told. */
import type { IngestionManifest } from "../lake/manifest.ts";
import { hasLedger } from "../loading/loads.ts";
import type { Connection } from "../postgres/connection.ts";
import { arrivals, type Arrival } from "./arrivals.ts";
import { summaries } from "./batches.ts";
import { isGivenUp, nextInLine, readLine, type Line } from "./line.ts";
import { readManifests } from "./manifests.ts";
import type { Places, QueueDepth, Stage } from "./places.ts";
import { withPlace } from "./reach.ts";
import { hasUnread, lookAtSource, type SourceLook } from "./source.ts";
import thresholds from "./thresholds.json" with { type: "json" };
import type { BatchSummary } from "./types.ts";
import { lookAtWarehouse, type WarehouseLook } from "./warehouse.ts";
import { whyStands } from "./why.ts";

/** From when on something is worth a word, in seconds. */
export interface Patience {
  /** A transaction that holds the fence back: longer than one tick. */
  readonly held: number;
  /** A batch that waits: it is looked why. */
  readonly waits: number;
  /** Nothing moves, though something waits to be read or loaded. */
  readonly silent: number;
}

export const PATIENCE: Patience = { held: 600, waits: 30, silent: thresholds.silentSeconds };

export interface Look {
  readonly now: number;
  readonly source: SourceLook | Error;
  readonly warehouse: WarehouseLook | Error;
  readonly line: Line | Error;
  readonly depths: Readonly<Record<Stage, QueueDepth>> | Error | undefined;
  readonly recent: readonly BatchSummary[];
  /** Of the last hour. */
  readonly arrivals: readonly Arrival[];
  /** When the next batch in line was committed, in ms since 1970. */
  readonly nextCommitted: number | undefined;
  /** Why it is not loaded, where it is time to ask and something was found. */
  readonly cause: Error | undefined;
  /** Whether the next batch in line was delivered as often as a message is, and failed each time. */
  readonly isGivenUp: boolean;
  /** Whether the source has changes that nobody read for longer than is usual. */
  readonly isUnread: boolean;
  /** How long the fence has been held back, in seconds; at least so long, where nobody is to be seen. */
  readonly heldSeconds: number;
}

/** How many batches are shown. */
const RECENT = 8;

export async function lookAt(places: Places, patience: Patience): Promise<Look> {
  const now = Date.now();
  const depths = await places.queues?.().catch((error: unknown) => error as Error);
  const known = depths instanceof Error ? undefined : depths;
  const rest = await withPlace(places.warehouse, async (warehouse, unreachable) => {
    const look = warehouse ? await lookAtWarehouse(warehouse, places.tables) : unreachable!;
    const lake = await lookAtLake(places, warehouse, known, now, patience);
    return { warehouse: look, ...lake };
  });
  const manifest = rest.line instanceof Error ? undefined : rest.line.newest;
  const source = await withPlace(places.source, async (connection, unreachable) => {
    if (!connection) return { look: unreachable!, isUnread: false };
    const look = await lookAtSource(connection, places.tables);
    const isSilent =
      manifest !== undefined && now - Date.parse(manifest.committed_at) > patience.silent * 1000;
    const isUnread =
      isSilent &&
      look.problem === undefined &&
      look.snapshot !== undefined &&
      (await hasUnread(connection.db, places.tables, manifest, look.snapshot)) === true;
    return { look, isUnread };
  });
  return {
    now,
    depths,
    ...rest,
    source: source.look,
    isUnread: source.isUnread,
    heldSeconds: source.look instanceof Error ? 0 : heldFor(source.look, rest.manifests, now),
  };
}

type LakeLook = Pick<
  Look,
  "line" | "recent" | "arrivals" | "nextCommitted" | "cause" | "isGivenUp"
> & {
  readonly manifests: readonly IngestionManifest[];
};

async function lookAtLake(
  places: Places,
  warehouse: Connection | undefined,
  depths: Readonly<Record<Stage, QueueDepth>> | undefined,
  now: number,
  patience: Patience,
): Promise<LakeLook> {
  const nothing = {
    recent: [],
    arrivals: [],
    nextCommitted: undefined,
    cause: undefined,
    isGivenUp: false,
    manifests: [],
  };
  try {
    const line = await readLine(places.buckets, warehouse);
    const ledger = warehouse && (await hasLedger(warehouse)) ? warehouse : undefined;
    const newest = line.newest?.batch ?? 0;
    const numbers = Array.from({ length: Math.min(RECENT, newest) }, (_, i) => newest - i);
    const next = nextInLine(line);
    const isStuck = await isGivenUp(places.buckets, next, depths);
    const [first] = next ? await readManifests(places.buckets, [next.batch]) : [];
    const committed = first?.ingested?.committed_at;
    const nextCommitted = committed === undefined ? undefined : Date.parse(committed);
    const isLate = next !== undefined && now - (nextCommitted ?? 0) > patience.waits * 1000;
    const cause = isStuck || isLate ? await whyStands(places, warehouse, line) : undefined;
    const recent = await summaries(places, line, ledger, numbers, isStuck || cause !== undefined);
    return {
      line,
      recent,
      arrivals: ledger ? await arrivals(ledger, line.loaded, 3600) : [],
      nextCommitted,
      cause,
      isGivenUp: isStuck,
      manifests: (await readManifests(places.buckets, numbers)).flatMap(
        ({ ingested }) => ingested ?? [],
      ),
    };
  } catch (error) {
    return { ...nothing, line: error as Error };
  }
}

/** @param manifests the newest first */
function heldFor(
  { fenceAge, holder, snapshot }: SourceLook,
  manifests: readonly IngestionManifest[],
  now: number,
): number {
  if (fenceAge === 0) return 0;
  if (typeof holder?.seconds === "number") return holder.seconds;
  const since = manifests.findLastIndex(({ fence }) => fence === snapshot?.fence);
  return since < 0 ? 0 : (now - Date.parse(manifests[since]!.committed_at)) / 1000;
}
