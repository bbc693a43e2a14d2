import type { Context } from "aws-lambda";

/** What one more batch may take, in milliseconds: with less than that left, an invocation leaves it to the next. */
const ENOUGH = 30_000;

/** Whether an invocation has the time for one more batch. One without a deadline always has. */
export const hasTime = (context: Context | undefined): boolean =>
  (context?.getRemainingTimeInMillis?.() ?? Number.POSITIVE_INFINITY) > ENOUGH;
