import { nameOf, type Call, type Injury, type Point } from "./calls.ts";
import type { Slot } from "./slots.ts";

/** A fault that waits for its call. */
export interface Armed {
  readonly kind: string;
  readonly at: Pick<Call, "stage" | "service" | "what">;
  /** The how many-th such call. */
  readonly nth: number;
  /** How many calls suffer, one after the other: a single one is made good by a retry. */
  readonly times: number;
  readonly injure: (slot: Slot, call: Call) => Injury;
}

/** Sees every call of every function, and says what becomes of it. */
export class Switchboard {
  readonly #counts = new Map<string, { readonly call: Call; count: number }>();
  #armed: { readonly fault: Armed; seen: number; fired: number }[] = [];

  /** Forgets what it saw and every fault. */
  clear(): void {
    this.#counts.clear();
    this.#armed = [];
  }

  arm(fault: Armed): void {
    this.#armed.push({ fault, seen: 0, fired: 0 });
  }

  /** No fault strikes any more. How often each did, by now, stays. */
  disarm(): ReadonlyMap<Armed, number> {
    const fired = new Map(this.#armed.map((one) => [one.fault, one.fired]));
    this.#armed = [];
    return fired;
  }

  /** Whether every fault has struck at least once. */
  get isSpent(): boolean {
    return this.#armed.every(({ fired }) => fired > 0);
  }

  meet(slot: Slot, call: Call): Injury | undefined {
    const name = nameOf(call);
    const counted = this.#counts.get(name);
    if (counted) counted.count++;
    else this.#counts.set(name, { call, count: 1 });
    for (const one of this.#armed) {
      const { fault } = one;
      if (nameOf({ ...fault.at }) !== name || ++one.seen < fault.nth || one.fired >= fault.times)
        continue;
      one.fired++;
      return fault.injure(slot, call);
    }
    return undefined;
  }

  /** What was called since the last {@link clear}, and how often. */
  get counts(): ReadonlyMap<string, { readonly call: Call; readonly count: number }> {
    return this.#counts;
  }
}

/** The points of a first run and of a later one, in an order that is always the same. */
export function pointsOf(
  first: Switchboard["counts"],
  later: Switchboard["counts"],
): readonly Point[] {
  const names = [...new Set([...first.keys(), ...later.keys()])].sort();
  return names.map((name): Point => {
    const [inFirst, inLater] = [first.get(name), later.get(name)];
    const { stage, service, what, isConditional = false } = (inFirst ?? inLater)!.call;
    const counts = [inFirst, inLater].flatMap((one) => one?.count ?? []);
    return {
      stage,
      service,
      what,
      isConditional,
      count: Math.min(...counts),
      tick: inFirst ? (inLater ? "any" : "first") : "later",
    };
  });
}
