/** The whole pipeline at one moment. */
import { counted, duration, size, whole } from "../words.ts";
import { checksOf } from "./checks.ts";
import type { Line } from "./line.ts";
import { lookAt, PATIENCE, type Look, type Patience } from "./look.ts";
import type { Places, Stage } from "./places.ts";
import thresholds from "./thresholds.json" with { type: "json" };
import type { Moving, Overview, Point, Station, Status } from "./types.ts";
import { clock, depthsOf, isStanding, verdictOf } from "./verdict.ts";

/**
 * How the pipeline is. What cannot be reached is said in the verdict, and the rest is told: nothing is thrown for it.
 * Writes nothing; opens one connection to each database.
 */
export async function overview(places: Places, patience: Patience = PATIENCE): Promise<Overview> {
  const look = await lookAt(places, patience);
  const { now, line, warehouse } = look;
  const newest = line instanceof Error ? undefined : line.newest;
  return {
    now: new Date(now).toISOString(),
    stack: places.stage === "local" ? "local, embedded" : places.stage,
    verdict: verdictOf(look, places, patience),
    stations: stationsOf(look, patience),
    moving: movingOf(look, patience),
    lag: newest ? lagPoints(look) : [],
    rows: newest ? rowPoints(look) : [],
    lag_alarm_s: thresholds.lagSeconds,
    checks: checksOf(look, places, patience),
    recent: look.recent,
    quarantined: warehouse instanceof Error ? 0 : warehouse.quarantined,
    batches: newest?.batch ?? 0,
  };
}

function stationsOf(look: Look, patience: Patience): Station[] {
  const { source, warehouse, line, recent, heldSeconds } = look;
  const lost = source instanceof Error;
  const isHeld = heldSeconds >= patience.held;
  const isLake = !(line instanceof Error);
  const newest = isLake ? line.newest : undefined;
  const none: Status = newest ? "ok" : "idle";
  const bytes = newest?.objects.reduce((sum, object) => sum + object.bytes, 0) ?? 0;
  const made = isLake ? (newest?.batch ?? 0) - line.untransformed.size : 0;
  const lastSpan = (stage: "ingestion" | "transformation" | "loading"): string => {
    const span = recent.map(({ stages }) => stages[stage]).find((one) => one !== undefined);
    return span ? `${duration(span.end_ms - span.start_ms)} last batch` : "has not run";
  };
  const stands = isStanding(look, patience);
  const waitsFor = isLake && line.waiting.length > 0 ? stageOf(line) : undefined;
  const stage = (id: Stage, title: string): Station => ({
    id,
    title,
    kind: "function",
    lines: [lastSpan(id), depthText(look, id)],
    status: stands && waitsFor === id ? "bad" : waitsFor === id ? "busy" : none,
  });
  const ingestion = stage("ingestion", "Ingestion");
  const bucket = (
    id: "ingestion_bucket" | "processed_bucket",
    count: number,
    line2: string,
  ): Station => ({
    id,
    title: id === "ingestion_bucket" ? "Ingestion bucket" : "Processed bucket",
    kind: id === "ingestion_bucket" ? "S3, JSON" : "S3, Parquet",
    lines: isLake ? [counted(count, "batch", "batches"), line2] : ["no answer"],
    status: isLake ? none : "bad",
  });
  return [
    {
      id: "source",
      title: "Source",
      kind: lost ? "PostgreSQL" : `PostgreSQL, ${source.database}`,
      lines: lost
        ? ["no answer"]
        : [
            `${counted(source.tables, "table")}, ${counted(source.rows, "row")}`,
            isHeld ? `fence held for ${duration(heldSeconds * 1000)}` : "fence moves freely",
          ],
      status: lost || source.problem ? "bad" : isHeld ? "warn" : "ok",
      ...(lost || source.problem ? { out: "broken" as const } : {}),
    },
    lost || source.problem ? { ...ingestion, status: "bad" } : ingestion,
    bucket("ingestion_bucket", newest?.batch ?? 0, `${size(bytes)} in the newest`),
    stage("transformation", "Transformation"),
    bucket(
      "processed_bucket",
      made,
      newest ? `newest: ${clock(newest.committed_at, look.now)}` : "nothing yet",
    ),
    stage("loading", "Loading"),
    {
      id: "warehouse",
      title: "Warehouse",
      kind: warehouse instanceof Error ? "PostgreSQL" : `PostgreSQL, ${warehouse.database}`,
      lines:
        warehouse instanceof Error
          ? ["no answer"]
          : [
              isLake && line.loaded > 0 ? `at batch ${whole(line.loaded)}` : "no batch yet",
              counted(warehouse.rows, "row"),
            ],
      status:
        warehouse instanceof Error || warehouse.problem ? "bad" : stands && newest ? "warn" : none,
    },
  ];
}

/** The stage that the next batch in line is in. */
const stageOf = ({ waiting, untransformed }: Line): Stage =>
  untransformed.has(waiting[0]!) ? "transformation" : "loading";

function depthText(look: Look, stage: Stage): string {
  const depth = depthsOf(look)?.[stage];
  return depth
    ? `${whole(depth.waiting + depth.inFlight)} waiting, ${whole(depth.dead)} dead`
    : "queue not asked";
}

function movingOf(look: Look, patience: Patience): Moving[] {
  const { line } = look;
  if (line instanceof Error) return [];
  const depths = depthsOf(look);
  const stands = isStanding(look, patience);
  const unmade = line.waiting.filter((batch) => line.untransformed.has(batch));
  const made = line.waiting.filter((batch) => !line.untransformed.has(batch));
  return [[unmade, "transformation", 2.5] as const, [made, "loading", 4.5] as const].flatMap(
    ([numbers, stage, queued]): Moving[] => {
      const [first] = numbers;
      if (first === undefined) return [];
      const isAtWork = (depths?.[stage].inFlight ?? 0) > 0 && !stands;
      const last = numbers.at(-1)!;
      return [
        {
          label: first === last ? whole(first) : `${whole(first)}–${whole(last)}`,
          at: isAtWork ? queued + 0.5 : queued,
          status: stands ? "warn" : "busy",
        },
      ];
    },
  );
}

const MINUTE = 60_000;

/** The ends of the last 60 minutes, the oldest first. */
const minutes = (now: number): number[] =>
  Array.from({ length: 60 }, (_, i) => now - (59 - i) * MINUTE);

function lagPoints({ now, arrivals, nextCommitted }: Look): Point[] {
  return minutes(now).map((end) => {
    // What came in this minute, and what was on its way when it ended.
    const lags = arrivals.flatMap(({ at, lagSeconds }) => {
      if (at > end - MINUTE && at <= end) return [lagSeconds];
      const committed = at - lagSeconds * 1000;
      return at > end && committed <= end ? [(end - committed) / 1000] : [];
    });
    if (nextCommitted !== undefined && nextCommitted <= end)
      lags.push((end - nextCommitted) / 1000);
    const value = lags.reduce((most, lag) => Math.max(most, lag), 0);
    return { at: new Date(end).toISOString(), value: Math.round(value * 100) / 100 };
  });
}

const rowPoints = ({ now, arrivals }: Look): Point[] =>
  minutes(now).map((end) => ({
    at: new Date(end).toISOString(),
    value: arrivals
      .filter(({ at }) => at > end - MINUTE && at <= end)
      .reduce((sum, { rows }) => sum + rows, 0),
  }));
