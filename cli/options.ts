import { parseArgs, type ParseArgsConfig } from "node:util";

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

/** @throws UsageError where an argument is no whole number, or one out of bounds */
export function wholeNumber(option: string, text: string, least: number, most: number): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= least && number <= most) return number;
  throw new UsageError(`--${option} takes a whole number from ${least} to ${most}, not "${text}"`);
}
