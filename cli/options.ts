import { parseArgs, type ParseArgsConfig } from "node:util";
import { LAST_BATCH } from "../src/lake/keys.ts";

/** The command line asks for what there is not. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/**
 * Takes a command line apart.
 * @param options as node:util's parseArgs has them
 * @throws UsageError
 */
export function parseOptions<const O extends NonNullable<ParseArgsConfig["options"]>>(
  args: readonly string[],
  options: O,
) {
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    // Node goes on about positional arguments, of which there are none here.
    const [first = ""] = error.message.split(/[.\n]/);
    throw new UsageError(first, { cause: error });
  }
}

/** `0.1` and `10%`, as 0.1. @throws UsageError where an argument is neither, or not above 0 and at most 1 */
export function shareOf(option: string, text: string): number {
  const found = /^(\d*\.?\d+)(%?)$/.exec(text);
  const value = Number(found?.[1]) / (found?.[2] === "%" ? 100 : 1);
  if (value > 0 && value <= 1) return value;
  throw new UsageError(`--${option} takes a share, 0.1 or 10%, not "${text}"`);
}

/** @throws UsageError where an argument is no whole number, or one out of bounds */
export function wholeNumber(option: string, text: string, least: number, most: number): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= least && number <= most) return number;
  throw new UsageError(`--${option} takes a whole number from ${least} to ${most}, not "${text}"`);
}

/** @throws UsageError where an argument is no batch's number */
export const batchNumber = (option: string, text: string): number =>
  wholeNumber(option, text, 1, LAST_BATCH);
