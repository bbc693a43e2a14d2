// What a seed means: everything of a scenario that is drawn, before it begins.
import { random, type Random } from "../../localstack/totesys/random.ts";
import { STAGES, type Point, type Stage } from "./calls.ts";
import { KINDS, POINT_KINDS } from "./faults.ts";
import { drawActs, type Act } from "./history.ts";
import { SHOP_COUNT } from "./lane.ts";
import type { Clock } from "./worker.ts";

/** A run of a function. */
export interface Run {
  readonly stage: Stage;
  /** `batch`: the event of a manifest, this many before the newest one. */
  readonly wake: "tick" | { readonly batch: number };
  readonly clock?: Clock;
  /** Killed after so many milliseconds. */
  readonly killAfter?: number;
}

/** One tick of the schedule, and what events came. */
export interface Tick {
  readonly acts: readonly Act[];
  /** Whether the shop trades while the functions run, or before. */
  readonly isBusy: boolean;
  /** Runs of one group overlap; the groups follow one another. */
  readonly groups: readonly (readonly Run[])[];
}

/** A fault as it was drawn. */
export interface PlannedFault {
  readonly kind: string;
  /** The tick at which it begins. */
  readonly tick: number;
  readonly point?: Point;
  readonly nth?: number;
  readonly times?: number;
  /** For what it draws itself. */
  readonly seed: number;
}

/** A scenario before it begins. */
export interface Plan {
  readonly seed: number;
  readonly shop: number;
  /** Rows that a batch holds at most. */
  readonly batchRows: number;
  readonly remainingMs: number;
  readonly ticks: readonly Tick[];
  readonly faults: readonly PlannedFault[];
}

const DAY = 86_400_000;

/**
 * Draws a scenario. The same seed, kinds and points give the same.
 * @throws Error where no call that is made can suffer any of the kinds
 */
export function drawPlan(seed: number, asked: readonly string[], points: readonly Point[]): Plan {
  const kinds = asked.filter((kind) => points.some(POINT_KINDS[kind]?.fits ?? (() => true)));
  if (kinds.length === 0) throw new Error(`no call is made that ${asked.join(", ")} could strike`);
  const chance = random(Math.imul(seed, 0x9e3779b1));
  const count = chance.int(2, 3);
  const faults = Array.from({ length: chance.int(1, 3) }, () =>
    drawFault(chance, kinds, points, count),
  );
  const ticks = Array.from({ length: count }, (_, tick) =>
    drawTick(
      chance,
      faults.filter((fault) => fault.tick === tick).map(({ kind }) => kind),
    ),
  );
  return {
    seed,
    shop: chance.int(0, SHOP_COUNT - 1),
    batchRows: chance.pick([30, 150, 100_000, 100_000]),
    // With little left an invocation does one batch.
    remainingMs: chance.pick([10_000, 120_000]),
    ticks,
    faults,
  };
}

function drawFault(
  chance: Random,
  kinds: readonly string[],
  points: readonly Point[],
  ticks: number,
): PlannedFault {
  const kind = chance.pick(kinds);
  const seed = chance.int(1, 1e9);
  const pointKind = POINT_KINDS[kind];
  if (!pointKind) return { kind, seed, tick: chance.int(0, ticks - 1) };
  // By stage and service first: the most calls are of one kind of statement.
  const fitting = points.filter((point) => pointKind.fits(point));
  const services = [...new Set(fitting.map(({ stage, service }) => `${stage} ${service}`))];
  const service = chance.pick(services);
  const point = chance.pick(fitting.filter((one) => `${one.stage} ${one.service}` === service));
  return {
    kind,
    seed,
    point,
    nth: chance.int(1, Math.min(point.count, 6)),
    times: chance.pick(pointKind.times),
    // A point of the first load alone is not met later, nor one of later runs at first.
    tick: point.tick === "first" ? 0 : point.tick === "later" ? 1 : chance.int(0, 1),
  };
}

function drawTick(chance: Random, kinds: readonly string[]): Tick {
  const inTurn = STAGES.map((stage): Run[] => [{ stage, wake: "tick" }]);
  let groups: Run[][] = inTurn;
  const shape = chance.next();
  if (kinds.includes("overlap") || shape < 0.15) groups = overlapping(chance);
  else if (kinds.includes("events") || shape < 0.35) groups = strayEvents(chance);
  if (kinds.includes("clock")) {
    const clock = drawClock(chance);
    groups = groups.map((group) => group.map((run) => ({ ...run, clock })));
  }
  if (kinds.includes("kill-at-an-instant"))
    groups = groups.map((group) =>
      group.map((run) => (chance.chance(0.7) ? { ...run, killAfter: chance.int(1, 250) } : run)),
    );
  return { acts: drawActs(chance), isBusy: chance.chance(0.3), groups };
}

/** Two or three runs of each stage, or of all of them, at once. */
function overlapping(chance: Random): Run[][] {
  const runs = (stage: Stage): Run[] =>
    Array.from({ length: chance.int(2, 3) }, () => ({ stage, wake: "tick" }));
  return chance.chance(0.5)
    ? STAGES.map(runs)
    : [STAGES.map((stage): Run => ({ stage, wake: "tick" })), STAGES.slice(1).flatMap(runs)];
}

/** Events that are lost, doubled, late and out of order. */
function strayEvents(chance: Random): Run[][] {
  const groups: Run[][] = [[{ stage: "ingestion", wake: "tick" }]];
  for (let left = chance.int(0, 5); left > 0; left--) {
    const stage = chance.pick(STAGES);
    const batch = chance.int(0, 2);
    groups.push([{ stage, wake: stage === "ingestion" ? "tick" : { batch } }]);
    if (chance.chance(0.3)) groups.push([...groups.at(-1)!]);
  }
  return groups;
}

function drawClock(chance: Random): Clock {
  const off = (): number =>
    chance.pick([-1, 1]) * chance.pick([60_000, 3_600_000, DAY, 40 * DAY, 3_650 * DAY]);
  if (chance.chance(0.5)) return { offset: off() };
  // In the middle: midnight passes, a server's time is put right, a leap.
  return { offset: chance.pick([0, off()]), looks: chance.int(1, 60), later: off() };
}

/** The kinds that a list of names and beginnings of names means: `s3`, `kill-before`. */
export const kindsIn = (names: readonly string[]): readonly string[] =>
  KINDS.filter((kind) => names.some((name) => kind === name || kind.startsWith(`${name}-`)));
