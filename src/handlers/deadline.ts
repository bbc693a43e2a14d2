import type { Context } from "aws-lambda";

/** What one more batch may take, in milliseconds: with less than that left, an invocation leaves it to the next. */
const ENOUGH = 30_000;

const remaining = (context: Context | undefined): number =>
  context?.getRemainingTimeInMillis?.() ?? Number.POSITIVE_INFINITY;

/** Whether an invocation has the time for one more batch. One without a deadline always has. */
export const hasTime = (context: Context | undefined): boolean => remaining(context) > ENOUGH;

/** How long an invocation waits for another to finish, in milliseconds: a minute, or half of what it has left. */
export const patience = (context: Context | undefined): number =>
  Math.min(60_000, remaining(context) / 2);
