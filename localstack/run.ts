// What `make run` calls: the whole pipeline on this machine, and what arrives.
import path from "node:path";
import { fileURLToPath } from "node:url";
import { command } from "../cli/command.ts";
import { onStack } from "./demo/on-stack.ts";
import { KEPT_PORT } from "./demo/keep.ts";
import { HELP, readOptions, type RunOptions } from "./demo/options.ts";
import { play } from "./demo/play.ts";
import { Service } from "./demo/service.ts";

const logFile = fileURLToPath(new URL("../.local/run.log", import.meta.url));

process.exitCode = await command(readOptions, HELP, run);

/** Starts everything, plays, and stops everything, however it went. Gives the exit code. */
function run(options: RunOptions): Promise<number> {
  const staging = {
    title: "TotalTotes: from the shop's database to the warehouse, on this machine",
    port: options.keep ? KEPT_PORT : 0,
    inUse: () => "(LocalStack?): stop what listens, or leave out KEEP=1.",
    logFile,
  };
  return onStack(staging, async (terminal, stack) => {
    const service = new Service(stack, logFile);
    const log = path.relative(process.cwd(), logFile);
    try {
      return await play(options, terminal, stack, service, log);
    } catch (error) {
      service.log(error instanceof Error ? (error.stack ?? error.message) : String(error));
      throw error;
    }
  });
}
