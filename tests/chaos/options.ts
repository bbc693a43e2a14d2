import { availableParallelism } from "node:os";
import { parseOptions, UsageError, wholeNumber } from "../../cli/options.ts";
import { KINDS } from "./faults.ts";
import { kindsIn } from "./plan.ts";

/** What to play. */
export interface ChaosOptions {
  readonly scenarios: number;
  /** The first scenario's; the next ones follow it. */
  readonly seed: number;
  /** Kinds of faults that are drawn from. */
  readonly kinds: readonly string[];
  /** What `--only` said: part of a replay. */
  readonly only: string | undefined;
  /** Stacks, each with its own PostgreSQL and S3, that play at the same time. */
  readonly lanes: number;
  readonly isReplay: boolean;
  readonly isJson: boolean;
}

const SCENARIOS = 1000;

/** What `--help` prints. */
export const HELP = `Plays seeded histories of a shop whose pipeline is struck by faults, then looks whether anything
was lost, doubled or wrong.

  npm run chaos                                    ${SCENARIOS.toLocaleString("en-GB")} scenarios
  npm run chaos -- --scenarios 50 --only kill,s3   fifty, with faults of these kinds
  npm run chaos -- --replay 4711                   one, as it was, and all about it

  --scenarios N   how many, 1 to 1,000,000 (default ${SCENARIOS.toLocaleString("en-GB")})
  --seed N        the first one's seed (default 1); those after it follow
  --only KIND,…   faults of these kinds, or of those that begin so
  --lanes N       stacks that play at the same time, 1 to 64 (default: one a core)
  --replay SEED   this scenario alone
  --json          the figures as JSON on standard output
  --help          this text

Kinds:
${wrapped(KINDS)}

Exit code: 0 when all holds, 1 when anything does not, 2 for a wrong option.`;

/**
 * Reads a command line; undefined where it asks for help.
 * @throws UsageError
 */
export function readOptions(args: readonly string[]): ChaosOptions | undefined {
  const values = parseOptions(args, {
    scenarios: { type: "string" },
    seed: { type: "string" },
    only: { type: "string" },
    lanes: { type: "string" },
    replay: { type: "string" },
    json: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  });
  if (values.help) return undefined;
  const isReplay = values.replay !== undefined;
  if (isReplay && (values.scenarios !== undefined || values.seed !== undefined))
    throw new UsageError("--replay plays one scenario: it goes without --scenarios and --seed");
  const seed = isReplay ? values.replay : values.seed;
  const lanes =
    values.lanes === undefined ? availableParallelism() : wholeNumber("lanes", values.lanes, 1, 64);
  return {
    scenarios: isReplay
      ? 1
      : wholeNumber("scenarios", values.scenarios ?? String(SCENARIOS), 1, 1_000_000),
    seed: wholeNumber(isReplay ? "replay" : "seed", seed ?? "1", 0, 1_000_000_000),
    kinds: values.only === undefined ? KINDS : kindsOf(values.only),
    only: values.only,
    lanes: isReplay ? 1 : lanes,
    isReplay,
    isJson: values.json === true,
  };
}

function kindsOf(list: string): readonly string[] {
  const names = list.split(",").map((name) => name.trim());
  const unknown = names.find((name) => kindsIn([name]).length === 0);
  if (unknown !== undefined)
    throw new UsageError(`--only takes kinds of faults, or what they begin with, not "${unknown}"`);
  return kindsIn(names);
}

function wrapped(words: readonly string[]): string {
  const lines: string[] = [""];
  for (const word of words) {
    const line = lines.at(-1)!;
    if (line.length + word.length > 90) lines.push(`  ${word}`);
    else lines[lines.length - 1] = line === "" ? `  ${word}` : `${line}, ${word}`;
  }
  return lines.join(",\n");
}
