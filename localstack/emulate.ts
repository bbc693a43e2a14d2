// What `npm run emulator` calls: an AWS on this machine and the two databases, for `sls deploy --stage local`.
import { once } from "node:events";
import { startCloud, type Cloud } from "./cloud.ts";
import { command } from "../cli/command.ts";
import { parseOptions, wholeNumber } from "../cli/options.ts";
import { fillShop, openDatabase } from "./demo/databases.ts";
import { MOST_ORDERS, readShop, SHOP_ARGUMENTS, type ShopChoice } from "./demo/options.ts";
import { Terminal } from "../cli/terminal.ts";

interface EmulateOptions extends ShopChoice {
  readonly port: number;
}

const ORDERS = 1000;
const PORT = 4566;
const HELP = `Starts an AWS on this machine (ministack, no Docker) and the two databases, to deploy to.
It needs Python 3.11 or later, and installs the rest at the first start.

  npm run emulator                    in one terminal
  npx sls deploy --stage local        in another

  --dump FOLDER   load this dump instead of generating a shop
  --orders N      sales orders to generate, 1 to ${MOST_ORDERS} (default ${ORDERS})
  --seed N        what the generator starts from (default 1)
  --port N        the emulator's (default ${PORT}, which .env.local says)
  --help          this text

It runs until Ctrl-C, and leaves nothing. Exit code: 1 when something failed, 2 for a wrong option.`;

function readOptions(args: readonly string[]): EmulateOptions | undefined {
  const values = parseOptions(args, {
    ...SHOP_ARGUMENTS,
    port: { type: "string" },
    help: { type: "boolean", short: "h" },
  });
  if (values.help) return undefined;
  return {
    ...readShop(values, ORDERS),
    port: wholeNumber("port", values.port ?? String(PORT), 1, 65_535),
  };
}

async function run(options: EmulateOptions): Promise<number> {
  const terminal = new Terminal(process.stdout);
  let cloud: Cloud | undefined;
  // Heard before everything is up, too: it is stopped then as soon as it is.
  const ended = Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
  // A listener for signals keeps no process alive.
  const alive = setInterval(() => undefined, 60_000);
  try {
    cloud = await terminal.working("AWS and PostgreSQL start", () =>
      startCloud({ port: options.port }),
    );
    const { postgres, emulator } = cloud;
    const shop = openDatabase({ postgres, defer: () => undefined }, "totesys");
    terminal.paragraph((await fillShop(options, terminal, shop)).summary);
    await shop.$pool.end();
    await cloud.setSecret("source");
    await cloud.setSecret("warehouse");
    const { host, port, user, password } = postgres;
    const elsewhere = options.port === PORT ? "" : `AWS_ENDPOINT_URL=${emulator.endpoint} `;
    const psql = (database: string): string =>
      `PGPASSWORD=${password} psql -h ${host} -p ${port} -U ${user} ${database}`;
    for (const line of [
      "",
      `AWS is at ${emulator.endpoint}, with any credentials. In another terminal:`,
      `  ${elsewhere}npx sls deploy --stage local --param "rate=rate(1 minute)"`,
      `  ${elsewhere}npx sls logs -f loading --stage local`,
      `  ${psql("totesys")}`,
      `  ${psql("warehouse")}`,
      `  ${elsewhere}npx sls remove --stage local`,
      "",
      "Ctrl-C stops and removes everything.",
    ])
      terminal.line(line);
    await ended;
    return 0;
  } catch (error) {
    terminal.alarm((error as Error).message);
    return 1;
  } finally {
    await cloud?.stop();
    if (cloud) terminal.line("Everything is stopped and removed.");
    clearInterval(alive);
  }
}

process.exitCode = await command(readOptions, HELP, run);
