/** A source of chance that a seed fixes: the same seed gives the same draws, on every machine. */
export interface Random {
  /** A number from 0 up to, and without, 1. */
  next(): number;
  /** A whole number from `low` to `high`, both included. */
  int(low: number, high: number): number;
  /** True in `probability` (0 to 1) of the draws. */
  chance(probability: number): boolean;
  /** One of `items`; throws a RangeError when there are none. */
  pick<T>(items: readonly T[]): T;
  /** Puts `items` into another order, in place. */
  shuffle<T>(items: T[]): T[];
}

/** A seed, or a source already in use: acts that share one go on drawing where the last one stopped. */
export type Seed = number | Random;

/**
 * A source of chance from `seed`; a source that is one already is given back as it is.
 * The generator is mulberry32: 32 bits of state, good enough for names and prices and not for secrets.
 */
export function random(seed: Seed): Random {
  if (typeof seed !== "number") return seed;
  let state = seed >>> 0;

  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));

  return {
    next,
    int,
    chance: (probability) => next() < probability,
    pick<T>(items: readonly T[]): T {
      if (items.length === 0) throw new RangeError("nothing to pick from");
      return items[int(0, items.length - 1)] as T;
    },
    shuffle<T>(items: T[]): T[] {
      for (let last = items.length - 1; last > 0; last--) {
        const other = int(0, last);
        [items[last], items[other]] = [items[other] as T, items[last] as T];
      }
      return items;
    },
  };
}
