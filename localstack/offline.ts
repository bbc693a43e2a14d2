// What `npm run offline` calls: the schedule and the invoke API on this machine, while somebody edits the functions.
import { fileURLToPath } from "node:url";
import { command } from "../cli/command.ts";
import { onStack } from "./demo/on-stack.ts";
import { HELP, readOptions, type OfflineOptions } from "./offline/options.ts";
import { serve } from "./offline/serve.ts";

const logFile = fileURLToPath(new URL("../.local/offline.log", import.meta.url));

process.exitCode = await command(readOptions, HELP, run);

/** Runs everything until it is ended. Gives the exit code of an end that nobody asked for. */
function run(options: OfflineOptions): Promise<number> {
  const { port, invokePort } = options;
  const staging = {
    title: "TotalTotes: the schedule and the functions, on this machine, as you write them",
    port,
    ports: [invokePort],
    inUse: (taken: number) =>
      `(another npm run offline, make run KEEP=1, LocalStack?): stop what listens, or run ` +
      `npm run offline -- ${taken === invokePort ? "--invoke-port" : "--port"} 0`,
    logFile,
  };
  return onStack(staging, (terminal, stack) => serve(options, terminal, stack, logFile));
}
