/** A day, in milliseconds. */
export const DAY = 86_400_000;

const OPENS = 8 * 3_600_000;
const CLOSES = 19 * 3_600_000;
/** 07:55, when the bank's messages of the night are entered. */
const SETTLES = 7 * 3_600_000 + 55 * 60_000;

/** `YYYY-MM-DDTHH:MM:SS.mmm` of a moment in milliseconds since 1970: UTC, as the shop's clocks have it. */
export function stamp(moment: number): string {
  return new Date(moment).toISOString().slice(0, -1);
}

/** `YYYY-MM-DD` of a moment in milliseconds since 1970, UTC. */
export function dayOf(moment: number): string {
  return stamp(moment).slice(0, 10);
}

/** Saturday or Sunday, of a moment in milliseconds since 1970, UTC. */
function isWeekend(moment: number): boolean {
  const day = new Date(moment).getUTCDay();
  return day === 0 || day === 6;
}

/**
 * When the shop learns that a payment has come: 07:55 on its date. Null when it never does, which is so
 * of payments due at a weekend or on the day of their order. All in milliseconds since 1970, UTC;
 * `within` is how long after 07:55:00 this one's turn comes.
 */
export function settlement(createdAt: number, due: number, within: number): number | null {
  const day = Math.floor(due / DAY) * DAY;
  if (day <= createdAt || isWeekend(day)) return null;
  return day + SETTLES + within;
}

/** The moments of a period at which a shop takes orders. */
export interface Timeline {
  /** The moment when `part` (0 to 1) of the period's trade is done: milliseconds since 1970, never falling. */
  at(part: number): number;
}

/**
 * The working hours (08:00 to 19:00, Monday to Friday) from `from` to `to`, in milliseconds since 1970,
 * UTC, with two busy seasons; all hours of a period that holds no working ones.
 * Throws a RangeError when the period ends before it begins.
 */
export function timeline(from: number, to: number): Timeline {
  if (!(from < to)) throw new RangeError("the period has to end after it begins");

  const shifts: { start: number; before: number }[] = [];
  let total = 0;
  for (let day = Math.floor(from / DAY) * DAY; day < to; day += DAY) {
    const start = Math.max(from, day + OPENS);
    const end = Math.min(to, day + CLOSES);
    if (isWeekend(day) || start >= end) continue;
    shifts.push({ start, before: total });
    total += end - start;
  }
  if (shifts.length === 0) {
    shifts.push({ start: from, before: 0 });
    total = to - from;
  }

  return {
    at(part) {
      const worked = Math.floor(seasonal(part) * (total - 1));
      let low = 0;
      let high = shifts.length - 1;
      while (low < high) {
        const middle = Math.ceil((low + high) / 2);
        if ((shifts[middle]?.before ?? Infinity) <= worked) low = middle;
        else high = middle - 1;
      }
      const shift = shifts[low];
      return shift ? shift.start + worked - shift.before : from;
    },
  };
}

/** Bends an even flow into one with two busy seasons: rises all the way, from 0 at 0 to 1 at 1. */
function seasonal(part: number): number {
  return part + (0.35 * Math.sin(4 * Math.PI * part)) / (4 * Math.PI);
}
