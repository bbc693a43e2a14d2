import type { Context } from "aws-lambda";

/** What an invocation keeps for its last batch, in milliseconds: with less than that left, the next invocation goes on. */
const ENOUGH = 30_000;

const remaining = (context: Context | undefined): number =>
  context?.getRemainingTimeInMillis?.() ?? Infinity;

/** Whether an invocation has the time for one more batch. One without a deadline always has. */
export const hasTime = (context: Context | undefined): boolean => remaining(context) > ENOUGH;

/**
 * Tells whether an invocation must end the batch that it is at: little time is left, or half of what there was when this
 * was called, where that was little already.
 */
export function isLateOf(context: Context | undefined): () => boolean {
  const enough = Math.min(ENOUGH, remaining(context) / 2);
  return () => remaining(context) < enough;
}

/** How long an invocation waits for another to finish, in milliseconds: a minute, or half of what it has left. */
export const patience = (context: Context | undefined): number =>
  Math.min(60_000, remaining(context) / 2);
