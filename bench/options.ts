import { parseOptions, UsageError, wholeNumber } from "../cli/options.ts";

/** What can be measured, in the order in which it is. */
export const SCENARIOS = [
  "backfill",
  "resync",
  "warm",
  "idle",
  "one-row",
  "silent",
  "lookup",
] as const;
export type ScenarioName = (typeof SCENARIOS)[number];

/** What to measure, and where to say it. */
export interface BenchOptions {
  /** Sales orders of the shop. */
  readonly rows: number;
  /** How often each thing is measured. */
  readonly rounds: number;
  readonly only: readonly ScenarioName[];
  /** Takes the figures, as JSON. */
  readonly json: string | undefined;
  /** An earlier run's figures, to be compared with. */
  readonly compare: string | undefined;
  /** The report, in Markdown; its chart is beside it, with the ending `.svg`. */
  readonly out: string;
}

const ROWS = 200_000;
const ROUNDS = 3;
const OUT = "docs/performance.md";

/** What `--help` prints. */
export const HELP = `Measures the pipeline against a raw COPY pipe of the same rows, on this machine.

  make bench                                   ${ROWS.toLocaleString("en-GB")} sales orders, ${ROUNDS} rounds
  make bench ARGS="--rows 2000000 --rounds 1"  a big shop: some minutes
  npm run bench -- --json before.json          then, with other code:
  npm run bench -- --compare before.json       what became slower

  --rows N         sales orders, 1,000 to 100,000,000 (default ${ROWS})
  --rounds K       how often each is measured, 1 to 99 (default ${ROUNDS})
  --only NAME,…    of ${SCENARIOS.join(", ")}
  --json FILE      write the figures there
  --compare FILE   compare with the figures of an earlier --json
  --out FILE       the report (default ${OUT}), and its chart beside it
  --help           this text

Exit code: 1 when something failed or the warehouse is not the shop's star,
2 for a wrong option. NO_COLOR=1 leaves out colours and motion.`;

/**
 * Reads a command line; undefined where it asks for help.
 * @throws UsageError
 */
export function readOptions(args: readonly string[]): BenchOptions | undefined {
  const values = parseOptions(args, {
    rows: { type: "string" },
    rounds: { type: "string" },
    only: { type: "string" },
    json: { type: "string" },
    compare: { type: "string" },
    out: { type: "string" },
    help: { type: "boolean", short: "h" },
  });
  if (values.help) return undefined;
  for (const option of ["json", "compare", "out"] as const)
    if (values[option] === "") throw new UsageError(`--${option} takes a file`);
  const { out = OUT } = values;
  if (!out.endsWith(".md"))
    throw new UsageError(`--out takes a file that ends in .md, not "${out}"`);
  return {
    rows: wholeNumber("rows", values.rows ?? String(ROWS), 1_000, 100_000_000),
    rounds: wholeNumber("rounds", values.rounds ?? String(ROUNDS), 1, 99),
    only: values.only === undefined ? SCENARIOS : scenariosIn(values.only),
    json: values.json,
    compare: values.compare,
    out,
  };
}

function scenariosIn(list: string): ScenarioName[] {
  const names = list.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !SCENARIOS.some((one) => one === name));
  if (unknown !== undefined)
    throw new UsageError(`--only takes names of ${SCENARIOS.join(", ")}, not "${unknown}"`);
  return SCENARIOS.filter((name) => names.includes(name));
}
