import { parseOptions, wholeNumber } from "../../cli/options.ts";
import { MOST_ORDERS, readShop, SHOP_ARGUMENTS, type ShopChoice } from "../demo/options.ts";

/** How the stack and the functions are to run while somebody develops. */
export interface OfflineOptions extends ShopChoice {
  /** S3's; 0 = any free one. */
  readonly port: number;
  /** Of the API that invokes the functions; 0 = any free one. */
  readonly invokePort: number;
  /** Seconds from one trade of the shop to the next; 0 = it rests. */
  readonly trade: number;
}

/** LocalStack's, which .env.local has, and serverless-offline's. */
const PORTS = { stack: 4566, invoke: 3002 };
const ORDERS = 1000;
/** In seconds. */
const TRADE = 30;

/** What `--help` prints. */
export const HELP = `Runs the schedule and the invoke API on this machine, while you edit tables/ and src/.

  npm run offline                               a generated shop that trades
  npm run offline -- --trade 0                  it rests: change rows yourself
  npm run offline -- --dump folder              a real dump: <table>.jsonl.gz, eleven of them
  npm run offline -- --port 0 --invoke-port 0   beside another one

  --dump FOLDER     load this dump instead of generating a shop
  --orders N        sales orders to generate, 1 to ${MOST_ORDERS} (default ${ORDERS})
  --seed N          what the generator starts from (default 1)
  --trade SECONDS   new orders, payments and silent changes, so often (default ${TRADE}; 0: none)
  --port N          S3's and Secrets Manager's (default ${PORTS.stack}; 0: any free one)
  --invoke-port N   the invoke API's (default ${PORTS.invoke}; 0: any free one)
  --help            this text

It runs until Ctrl-C. Exit code: 1 when something failed, 2 for a wrong option.
NO_COLOR=1 leaves out colours and motion.`;

/**
 * Reads a command line; undefined where it asks for help.
 * @throws UsageError
 */
export function readOptions(args: readonly string[]): OfflineOptions | undefined {
  const values = parseOptions(args, {
    ...SHOP_ARGUMENTS,
    trade: { type: "string" },
    port: { type: "string" },
    "invoke-port": { type: "string" },
    help: { type: "boolean", short: "h" },
  });
  if (values.help) return undefined;
  const port = (option: "port" | "invoke-port", otherwise: number): number =>
    wholeNumber(option, values[option] ?? String(otherwise), 0, 65_535);
  return {
    ...readShop(values, ORDERS),
    port: port("port", PORTS.stack),
    invokePort: port("invoke-port", PORTS.invoke),
    trade: wholeNumber("trade", values.trade ?? String(TRADE), 0, 86_400),
  };
}
