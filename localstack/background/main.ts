// The process that `totes up` leaves in the background. It has what it is to do as its argument, and tells whoever started
// it how far it is; when that one goes before all is up, it goes too.
import { closeSync, openSync, writeSync } from "node:fs";
import path from "node:path";
import { startStack, type Stack } from "../stack.ts";
import { fill, openDatabase } from "../demo/databases.ts";
import { watchFolders } from "../offline/watch.ts";
import { hostFunctions, type Functions } from "./functions.ts";
import type { FromStack, Order } from "./launch.ts";
import { ownLine, type Print } from "./log.ts";
import { startSchedule } from "./schedule.ts";
import { logFile, removeState, writeState, type StackState } from "./state.ts";

const ROOT = path.join(import.meta.dirname, "..", "..");

const order = JSON.parse(process.argv[2] ?? "") as Order;
const tell = (message: FromStack): Promise<void> =>
  new Promise((heard) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => heard());
    else heard();
  });
const alone = (): void => void process.kill(process.pid, "SIGTERM");
process.on("disconnect", alone);
// It went while this was being loaded.
if (!process.connected) process.exit(1);

try {
  const state = await start(order);
  process.off("disconnect", alone);
  await tell({ ready: state });
} catch (error) {
  const { code, port, message } = error as NodeJS.ErrnoException & { readonly port?: number };
  process.off("disconnect", alone);
  await tell({
    failed: message,
    ...(code === "EADDRINUSE" && port !== undefined ? { port } : {}),
  });
  process.exitCode = 1;
}
if (process.connected) process.disconnect();

/** Stops all that it started where it throws. */
async function start({ folder, port, shop: choice, every }: Order): Promise<StackState> {
  const stack = await startStack({ port, quiet: true, handleSignals: true });
  try {
    const { postgres, aws } = stack;
    void tell({ started: true });
    if (choice) {
      const shop = openDatabase({ postgres, defer: () => undefined }, "totesys");
      const { summary } = await fill(choice, shop, (orders) => void tell({ orders }));
      await shop.$pool.end();
      void tell({ filled: summary });
    }
    const print = openLog(stack, folder);
    const functions = hostFunctions(stack, print);
    renewOnChange(stack, functions, print);
    if (every !== null) stack.defer("schedule", startSchedule(functions, every));
    const { host, user, password } = postgres;
    const door = { host, port: postgres.port, user, password };
    const state: StackState = {
      pid: process.pid,
      since: new Date().toISOString(),
      endpoint: aws.endpoint,
      source: { ...door, database: "totesys" },
      warehouse: { ...door, database: "warehouse" },
      every,
      log: logFile(folder),
    };
    writeState(folder, state);
    stack.defer("its state", () => removeState(folder));
    print(ownLine("stack", `up at ${aws.endpoint}`, "INFO"));
    return state;
  } catch (error) {
    await stack.stop();
    throw error;
  }
}

/** Whoever started us has begun the file anew. */
function openLog(stack: Stack, folder: string): Print {
  const log = openSync(logFile(folder), "a");
  let isOpen = true;
  stack.defer("log", () => {
    isOpen = false;
    closeSync(log);
  });
  return (line) => {
    if (isOpen) writeSync(log, `${line}\n`);
  };
}

/** Has the functions take the code as it is once somebody has changed it. */
function renewOnChange(stack: Stack, functions: Functions, print: Print): void {
  const changes = watchFolders(ROOT, ["src", "tables"]);
  stack.defer("watch", () => changes.close());
  const goOn = async (): Promise<never> => {
    for (;;) {
      const files = await changes.next();
      print(ownLine("stack", `${files.join(", ")} changed: the functions start anew`, "INFO"));
      await Promise.all(Object.values(functions).map((one) => one.renew()));
    }
  };
  void goOn();
}
