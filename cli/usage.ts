/** What yargs finds wrong with a command line, in one line that says what to do. */
import { didYouMean } from "./nearest.ts";
import { listed } from "./terminal.ts";

/** The command line that is wrong. */
export interface Line {
  readonly args: readonly string[];
  /** The verb that was read, as it is declared: `batch <number>`; undefined where it names none that there is. */
  readonly command: string | undefined;
  /** Names of all verbs. */
  readonly verbs: readonly string[];
  /** Names of all options that the verb takes. */
  readonly options: readonly string[];
}

export function usageInWords(message: string, line: Line): string {
  const unknown = /^Unknown arguments?: (.+)$/.exec(message)?.[1];
  if (unknown !== undefined) return unknownInWords(unknown.split(", "), line);
  const [, name, given, choices] =
    /Argument: ([^,]+), Given: "?(.*?)"?, Choices: (.+)$/.exec(message) ?? [];
  if (name !== undefined) {
    const known = choices!.split(", ").map((choice) => choice.replaceAll('"', ""));
    return `${name} is one of ${listed(known)}, not "${given}"${didYouMean(given!, known)}`;
  }
  const missing = /^Missing required arguments?: (.+)$/.exec(message)?.[1];
  if (missing !== undefined)
    return `say also ${listed(missing.split(", ").map((option) => `--${option}`))}`;
  if (message.startsWith("Not enough non-option arguments"))
    return line.command === undefined ? "say which verb" : `say what: totes ${line.command}`;
  return message.replaceAll(/\s+/g, " ");
}

function unknownInWords(
  unknown: readonly string[],
  { args, command, verbs, options }: Line,
): string {
  // yargs names `--a-b` as aB, too.
  const word = unknown.find((one) => args.some((arg) => bare(arg) === one)) ?? unknown[0]!;
  if (args.some((arg) => arg.startsWith("-") && bare(arg) === word)) {
    const dashes = word.length === 1 ? "-" : "--";
    const known = options.filter((option) => option.length > 1).map((option) => `--${option}`);
    return `there is no option ${dashes}${word}${didYouMean(`--${word}`, known)}`;
  }
  return command === undefined
    ? `there is no verb ${word}${didYouMean(word, verbs)}`
    : `"${word}" is a word too many`;
}

/** `table` of `--table=x`. */
const bare = (arg: string): string => arg.replace(/^--?([^=]+)(=.*)?$/s, "$1");
