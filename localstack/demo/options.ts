import { parseArgs } from "node:util";

/** What a run is asked to do. */
export interface RunOptions {
  /** Folder of the dump to load; undefined = the generator makes a shop. */
  readonly dump: string | undefined;
  /** Leaves everything up afterwards, until Ctrl-C. */
  readonly keep: boolean;
  /** The shop goes on trading meanwhile. */
  readonly trade: boolean;
  /** Sales orders of the generated shop. */
  readonly orders: number;
  /** The same seed makes the same shop, and the same happens in it. */
  readonly seed: number;
}

/** The command line asks for what there is not. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** More would not fit this process' memory, where shop and warehouse are compared row by row. */
const MOST_ORDERS = 100_000;

/** What `--help` prints. */
export const HELP = `Runs the whole pipeline on this machine, and shows what arrives.

  make run                                 a generated shop, under a minute
  make run DUMP=folder                     a real dump: <table>.jsonl.gz, eleven of them
  make run KEEP=1                          leaves everything up, to look around
  make run ARGS="--orders 20000 --seed 7"  another shop
  make run KEEP=1 ARGS=--trade             the shop goes on trading

or, without make, node --import tsx localstack/run.ts with

  --dump FOLDER   load this dump instead of generating a shop
  --orders N      sales orders to generate, 1 to ${MOST_ORDERS} (default 5000)
  --seed N        what the generator starts from (default 1)
  --keep          leave everything up until Ctrl-C, S3 on port 4566
  --trade         with --keep: new orders, payments and silent changes go on
  --help          this text

Exit code: 0 when the warehouse equals the shop at the end, 1 when it does not or
something failed, 2 for a wrong option. NO_COLOR=1 leaves out colours and motion.`;

/**
 * Reads a command line; undefined where it asks for help.
 * @throws UsageError
 */
export function readOptions(args: readonly string[]): RunOptions | undefined {
  const values = parse(args);
  if (values.help) return undefined;
  if (values.dump === "") throw new UsageError("--dump takes a folder");
  if (values.dump !== undefined && values.orders !== undefined)
    throw new UsageError("--orders is for a generated shop: a dump has the orders that it has");
  if (values.trade && !values.keep) throw new UsageError("--trade goes with --keep");
  return {
    dump: values.dump,
    keep: values.keep ?? false,
    trade: values.trade ?? false,
    orders: whole("orders", values.orders ?? "5000", 1, MOST_ORDERS),
    seed: whole("seed", values.seed ?? "1", 0, 2 ** 32 - 1),
  };
}

function parse(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        dump: { type: "string" },
        keep: { type: "boolean" },
        trade: { type: "boolean" },
        orders: { type: "string" },
        seed: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    });
    return values;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    // Node goes on about positional arguments, of which there are none here.
    const [first = ""] = error.message.split(/[.\n]/);
    throw new UsageError(first, { cause: error });
  }
}

function whole(option: string, text: string, least: number, most: number): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= least && number <= most) return number;
  throw new UsageError(`--${option} takes a whole number from ${least} to ${most}, not "${text}"`);
}
