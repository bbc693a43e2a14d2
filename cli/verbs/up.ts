// Everything that the pipeline needs, on this machine, in the background.
import path from "node:path";
import { allOrders } from "../../localstack/demo/databases.ts";
import { readShop } from "../../localstack/demo/options.ts";
import { launchStack, LaunchError, type Launch } from "../../localstack/background/launch.ts";
import { LOCAL_FOLDER, runningStack, type StackState } from "../../localstack/background/state.ts";
import { UsageError, wholeNumber } from "../options.ts";
import { StageError } from "../stage.ts";
import type { Terminal } from "../terminal.ts";
import { defineVerb, type Verb } from "../verb.ts";

const ORDERS = 5000;
const PORT = 4566;
const EVERY = 10;

interface Asked {
  readonly orders?: string | undefined;
  readonly dump?: string | undefined;
  readonly seed?: string | undefined;
  readonly empty: boolean;
  readonly every: number | null;
  readonly port: number;
}

/** What the shop is to be filled with; null = nothing. */
function shopOf({ orders, dump, seed, empty }: Asked): ReturnType<typeof readShop> | null {
  if (!empty) {
    const shop = readShop({ orders, dump, seed }, ORDERS);
    return shop.dump === undefined ? shop : { ...shop, dump: path.resolve(shop.dump) };
  }
  if (orders !== undefined || dump !== undefined || seed !== undefined)
    throw new UsageError("--empty goes without --orders, --dump and --seed");
  return null;
}

async function follow(
  stack: Launch,
  shop: ReturnType<typeof shopOf>,
  terminal: Terminal,
): Promise<StackState> {
  await terminal.working(
    "PostgreSQL, S3, Secrets Manager, SQS and Lambda start",
    () => stack.started,
  );
  if (shop) {
    const summary =
      shop.dump === undefined
        ? await terminal.progress(allOrders(shop), "orders", (done) => stack.filled(done))
        : await terminal.working(`${shop.dump} is loaded`, () => stack.filled());
    terminal.field("Shop", summary);
  }
  return terminal.working("the functions start", () => stack.ready);
}

function showDoors(terminal: Terminal, state: StackState): void {
  const { endpoint, source, every, log } = state;
  terminal.field("AWS", `${endpoint}: S3, Secrets Manager, SQS, Lambda`);
  terminal.field(
    "PostgreSQL",
    `${source.host}:${source.port}: totesys is the shop, warehouse the star`,
  );
  terminal.field(
    "Schedule",
    every === null ? "off: `totes run` is a tick by hand" : `a tick every ${every} s`,
  );
  terminal.field("Log", path.relative(process.cwd(), log));
  terminal.line();
  terminal.line(`  export PGPASSWORD=${source.password}`);
  terminal.line(`  psql -h ${source.host} -p ${source.port} -U ${source.user} warehouse`);
  terminal.line();
  for (const [line, does] of [
    ["totes run", "ingests, transforms and loads now"],
    ["totes trade", "has the shop go on trading"],
    ["totes down", "stops and removes everything"],
  ] as const)
    terminal.line(`  npx ${line.padEnd(14)} ${does}`);
}

/** @param folder where the stack's state and its log are */
export const upIn = (folder: string): Verb =>
  defineVerb({
    command: "up",
    describe: "starts everything on this machine, in the background: two databases, AWS, a shop",
    about:
      "It comes back once all is up, and goes on until `totes down`. Its functions run the code of this checkout as it is: " +
      "what is changed in src/ or tables/ counts from their next invocation on.",
    examples: [
      ["up", `a shop of ${ORDERS} sales orders, a tick every ${EVERY} s`],
      ["up --every off", "nothing moves until `totes run`"],
      ["up --dump FOLDER", "a real dump: <table>.jsonl.gz, eleven of them"],
      ["up --empty", "tables without rows"],
    ],
    stopped: "everything that was started stops with it",
    build: (args) =>
      args
        .option("orders", {
          type: "string",
          describe: `sales orders to generate (${ORDERS} unless said)`,
        })
        .option("seed", {
          type: "string",
          describe: "what the generator starts from (1 unless said)",
        })
        .option("dump", {
          type: "string",
          describe: "loads this dump in place of a generated shop",
        })
        .option("empty", { type: "boolean", default: false, describe: "leaves the shop empty" })
        .option("every", {
          type: "string",
          default: String(EVERY),
          describe: "seconds between two ticks of the schedule, or off",
          coerce: (text: string) => (text === "off" ? null : wholeNumber("every", text, 1, 86_400)),
        })
        .option("port", {
          type: "string",
          default: String(PORT),
          describe: "of the local AWS; 0 = any free one",
          coerce: (text: string) => wholeNumber("port", text, 0, 65_535),
        })
        .check((asked) => {
          shopOf(asked);
          return true;
        }),
    run: async (asked, { terminal, answer }) => {
      const shop = shopOf(asked);
      const running = runningStack(folder);
      if (running) {
        terminal.line(`  A stack is up already, since ${running.since}; \`totes down\` stops it.`);
        terminal.line();
        showDoors(terminal, running);
        answer(running);
        return 0;
      }
      const { port, every } = asked;
      const stack = launchStack({ folder, port, shop, every });
      const state = await follow(stack, shop, terminal).catch((error: unknown) => {
        throw error instanceof LaunchError
          ? new StageError(error.message, { cause: error })
          : error;
      });
      showDoors(terminal, state);
      answer(state);
      return 0;
    },
  });

export const up = upIn(LOCAL_FOLDER);
