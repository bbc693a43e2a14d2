import type { Context } from "aws-lambda";

const remaining = (context: Context | undefined): number =>
  context?.getRemainingTimeInMillis?.() ?? Infinity;

/** What an invocation keeps for its last batch, in milliseconds. */
const ENOUGH = 30_000;

/** How an invocation shares out its time. One without a deadline always has some. */
export interface Deadline {
  /** Whether there is time for one more batch: more than half a minute, and more than a quarter of the whole. */
  readonly goOn: () => boolean;
  /** Whether the batch at hand must end: less than half a minute is left, or half of what was little already. */
  readonly isLate: () => boolean;
}

/** To be asked for when an invocation begins. */
export function deadlineOf(context: Context | undefined): Deadline {
  const whole = remaining(context);
  // With the quarter, a long run stays below what the Duration alarms watch for.
  const forOneMore = whole === Infinity ? 0 : Math.max(ENOUGH, whole / 4);
  const late = Math.min(ENOUGH, whole / 2);
  return {
    goOn: () => remaining(context) > forOneMore,
    isLate: () => remaining(context) < late,
  };
}

/** How long an invocation waits for another to finish, in milliseconds: a minute, or half of what it has left. */
export const patience = (context: Context | undefined): number =>
  Math.min(60_000, remaining(context) / 2);
