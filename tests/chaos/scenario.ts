import { random } from "../../localstack/totesys/random.ts";
import { queued } from "../support/pipeline.ts";
import { STAGES, nameOf, type Stage } from "./calls.ts";
import { problemsOf } from "./checks.ts";
import { POINT_KINDS, TICK_KINDS, type Surroundings } from "./faults.ts";
import { History } from "./history.ts";
import type { Lane, World } from "./lane.ts";
import type { Plan, PlannedFault, Run, Tick } from "./plan.ts";
import type { Ended, Slot } from "./slots.ts";
import type { Armed } from "./switchboard.ts";

/** What became of a fault. */
export interface FaultOutcome {
  readonly kind: string;
  /** Where it struck, or `tick`. */
  readonly at: string;
  readonly stage: Stage | "any";
  /** How often. */
  readonly fired: number;
}

/** What became of a scenario. */
export interface Outcome {
  readonly seed: number;
  readonly faults: readonly FaultOutcome[];
  /** Runs of functions, those until all was at rest among them, and how many of them failed. */
  readonly runs: number;
  readonly failed: number;
  readonly batches: number;
  readonly seconds: number;
  /** What does not hold: nothing where all is well. */
  readonly problems: readonly string[];
}

/** Ticks after the faults until all must be at rest. */
const REST = 12;

/** Plays a scenario on a lane, and looks at what it left. */
export async function play(lane: Lane, plan: Plan): Promise<Outcome> {
  const began = performance.now();
  const world = await lane.open(plan.shop, `planted-${plan.seed}`);
  lane.printed.length = 0;
  lane.board.clear();
  const scenario = new Scenario(lane, world, plan);
  const problems: string[] = [];
  try {
    await scenario.suffer();
    problems.push(...(await scenario.rest()), ...(await problemsOf(lane, world)));
  } catch (error) {
    problems.push(`the scenario broke: ${error instanceof Error ? error.stack : String(error)}`);
  } finally {
    await world.close();
  }
  return { ...scenario.outcome, problems, seconds: (performance.now() - began) / 1000 };
}

class Scenario {
  readonly #lane: Lane;
  readonly #world: World;
  readonly #plan: Plan;
  readonly #history: History;
  readonly #around: Surroundings;
  readonly #fired = new Map<PlannedFault, number>();
  readonly #armed = new Map<Armed, PlannedFault>();
  /** What faults have begun, which a call that was cut off does not wait for: restarts, other runs. */
  readonly #underWay = new Set<Promise<unknown>>();
  #runs = 0;
  #failed = 0;
  #batches = 0;

  constructor(lane: Lane, world: World, plan: Plan) {
    this.#lane = lane;
    this.#world = world;
    this.#plan = plan;
    this.#history = new History(world.shop, random(plan.seed));
    this.#around = {
      lane,
      world,
      rival: async (stage) => void (await this.#invoke({ stage, wake: "tick" }, 1_500)),
    };
  }

  get outcome(): Omit<Outcome, "problems" | "seconds"> {
    return {
      seed: this.#plan.seed,
      faults: this.#plan.faults.map((fault) => ({
        kind: fault.kind,
        at: fault.point ? `${nameOf(fault.point)} (${fault.nth}×${fault.times})` : "tick",
        stage: fault.point?.stage ?? "any",
        fired: this.#fired.get(fault) ?? 0,
      })),
      runs: this.#runs,
      failed: this.#failed,
      batches: this.#batches,
    };
  }

  /** The ticks that were drawn, under the faults that were. */
  async suffer(): Promise<void> {
    const { ticks } = this.#plan;
    for (const [i, tick] of ticks.entries()) {
      const faults = this.#plan.faults.filter((fault) => fault.tick === i);
      const end = await this.#begin(faults);
      try {
        await this.#tick(tick);
      } finally {
        await end();
      }
    }
    // One more, plain, for a fault that has not met its call yet.
    if (!this.#lane.board.isSpent)
      await this.#tick({
        acts: ["orders", "silence"],
        isBusy: false,
        groups: STAGES.map((stage) => [{ stage, wake: "tick" }]),
      });
    for (const [armed, fired] of this.#lane.board.disarm())
      this.#fired.set(this.#armed.get(armed)!, fired);
  }

  /** Ticks without faults, until nothing is left to do. Gives why it does not come to rest. */
  async rest(): Promise<string[]> {
    await this.#history.end();
    let last: readonly Ended[] = [];
    for (let tick = 0; tick < REST; tick++) {
      const [began, ...others] = last;
      const ended = await this.#invoke({ stage: "ingestion", wake: "tick" }, 120_000);
      // What the tick before left undone, this one's other functions would find.
      if (isIdle(ended) && began !== undefined && others.every(isDone)) return [];
      last = [ended];
      for (const stage of STAGES.slice(1))
        last = [...last, await this.#invoke({ stage, wake: "tick" }, 120_000)];
      if (last.every(isIdle)) return [];
    }
    const left = last.map((ended, i) =>
      "failed" in ended
        ? `${STAGES[i]} fails: ${ended.failed.message}`
        : `${STAGES[i]} did ${JSON.stringify(ended.answer).slice(0, 200)}`,
    );
    return [`not at rest after ${REST} ticks without faults: ${left.join("; ")}`];
  }

  async #begin(faults: readonly PlannedFault[]): Promise<() => Promise<void>> {
    const ends: (() => unknown)[] = [];
    for (const fault of faults) {
      const chance = random(fault.seed);
      const pointKind = POINT_KINDS[fault.kind];
      const tickKind = TICK_KINDS[fault.kind];
      if (pointKind && fault.point) {
        const armed: Armed = {
          kind: fault.kind,
          at: fault.point,
          nth: fault.nth ?? 1,
          times: fault.times ?? 1,
          injure: this.#followed(pointKind.injure(this.#around, chance)),
        };
        this.#armed.set(armed, fault);
        this.#lane.board.arm(armed);
        continue;
      }
      if (tickKind) ends.push(await tickKind(this.#around, chance));
      this.#fired.set(fault, 1);
    }
    return async () => {
      for (const end of ends) await end();
    };
  }

  async #tick({ acts, isBusy, groups }: Tick): Promise<void> {
    const trading = this.#history.act(acts);
    if (!isBusy) await trading;
    for (const group of groups)
      await Promise.all(group.map((run) => this.#invoke(run, this.#plan.remainingMs)));
    await trading;
    await Promise.allSettled(this.#underWay);
  }

  /** Has the end of the tick wait for what an injury does. */
  #followed(injure: Armed["injure"]): Armed["injure"] {
    return (slot, call) => {
      const injury = injure(slot, call);
      if (injury.do !== "run") return injury;
      const run = async (): Promise<void> => {
        const running = Promise.resolve(injury.run());
        this.#underWay.add(running);
        try {
          await running;
        } finally {
          this.#underWay.delete(running);
        }
      };
      return { ...injury, run };
    };
  }

  async #invoke(run: Run, remainingMs: number): Promise<Ended> {
    const { stage, wake, clock, killAfter } = run;
    const { env } = this.#world;
    const bucket = stage === "transformation" ? env.INGESTION_BUCKET : env.PROCESSED_BUCKET;
    const event =
      wake === "tick"
        ? stage === "ingestion"
          ? null
          : {}
        : queued(bucket, Math.max(1, this.#batches - wake.batch));
    // Each process has an endpoint of its own.
    const { AWS_ENDPOINT_URL, ...rest } = env;
    void AWS_ENDPOINT_URL;
    let timer: NodeJS.Timeout | undefined;
    const toBeKilled = (slot: Slot): void => {
      if (killAfter !== undefined) timer = setTimeout(() => slot.kill(), killAfter);
    };
    const ended = await this.#lane.slots.invoke(
      {
        stage,
        event,
        env: { ...rest, BATCH_ROWS: String(this.#plan.batchRows) },
        remainingMs,
        ...(clock ? { clock } : {}),
      },
      toBeKilled,
    );
    clearTimeout(timer);
    this.#runs++;
    if ("failed" in ended) {
      this.#failed++;
      // An answer that a person reads as well.
      this.#lane.printed.push(ended.failed.message, ...ended.failed.stackTrace);
    } else if (stage === "ingestion")
      this.#batches = Math.max(this.#batches, Number(ended.answer["batch"] ?? 0));
    return ended;
  }
}

/** Whether a run found nothing to do. */
function isIdle(ended: Ended): boolean {
  if ("failed" in ended) return false;
  const { outcome, batches, loaded, batchItemFailures } = ended.answer;
  const isEmpty = (list: unknown): boolean => !Array.isArray(list) || list.length === 0;
  return (
    (outcome === undefined || outcome === "unchanged") &&
    isEmpty(batches) &&
    isEmpty(loaded) &&
    isEmpty(batchItemFailures)
  );
}

/** Whether a run left nothing to do. */
const isDone = (ended: Ended): boolean =>
  !("failed" in ended) &&
  ended.answer["waitingFor"] === undefined &&
  !(
    Array.isArray(ended.answer["batchItemFailures"]) && ended.answer["batchItemFailures"].length > 0
  );
