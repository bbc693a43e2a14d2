import { parseOptions, UsageError, wholeNumber } from "../../cli/options.ts";

/** Which shop to fill. */
export interface ShopChoice {
  /** Folder of the dump to load; undefined = the generator makes a shop. */
  readonly dump: string | undefined;
  /** Sales orders of the generated shop. */
  readonly orders: number;
  /** The same seed makes the same shop, and the same happens in it. */
  readonly seed: number;
}

/** What a run is asked to do. */
export interface RunOptions extends ShopChoice {
  /** Leaves everything up afterwards, until Ctrl-C. */
  readonly keep: boolean;
  /** The shop goes on trading meanwhile. */
  readonly trade: boolean;
}

/** More would not fit this process' memory, where shop and warehouse are compared row by row. */
export const MOST_ORDERS = 100_000;

/** The arguments that say which shop to fill, for `parseOptions`. */
export const SHOP_ARGUMENTS = {
  dump: { type: "string" },
  orders: { type: "string" },
  seed: { type: "string" },
} as const;

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
  const values = parseOptions(args, {
    ...SHOP_ARGUMENTS,
    keep: { type: "boolean" },
    trade: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  });
  if (values.help) return undefined;
  if (values.trade && !values.keep) throw new UsageError("--trade goes with --keep");
  return {
    ...readShop(values, 5000),
    keep: values.keep ?? false,
    trade: values.trade ?? false,
  };
}

/**
 * What SHOP_ARGUMENTS come to.
 * @param orders how many, where the command line does not say
 * @throws UsageError
 */
export function readShop(
  values: { readonly [argument in keyof typeof SHOP_ARGUMENTS]?: string | undefined },
  orders: number,
): ShopChoice {
  if (values.dump === "") throw new UsageError("--dump takes a folder");
  if (values.dump !== undefined && values.orders !== undefined)
    throw new UsageError("--orders is for a generated shop: a dump has the orders that it has");
  return {
    dump: values.dump,
    orders: wholeNumber("orders", values.orders ?? String(orders), 1, MOST_ORDERS),
    seed: wholeNumber("seed", values.seed ?? "1", 0, 2 ** 32 - 1),
  };
}
