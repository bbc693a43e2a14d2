// What `make run` calls: the whole pipeline on this machine, and what arrives.
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { KEPT_PORT } from "./demo/keep.ts";
import { HELP, readOptions, UsageError, type RunOptions } from "./demo/options.ts";
import { play } from "./demo/play.ts";
import { Service } from "./demo/service.ts";
import { seconds, Terminal } from "./demo/terminal.ts";
import { startStack, type Stack } from "./stack.ts";
import { DumpError } from "./totesys/dump.ts";

const logFile = fileURLToPath(new URL("../.local/run.log", import.meta.url));
const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] = "true";
process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let options: RunOptions | undefined;
  try {
    options = readOptions(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}; --help says what there is`);
    return 2;
  }
  if (options) return run(options);
  console.log(HELP);
  return 0;
}

/** Starts everything, plays, and stops everything, however it went. Gives the exit code. */
async function run(options: RunOptions): Promise<number> {
  const startedAt = performance.now();
  const terminal = new Terminal(process.stdout);
  const log = path.relative(process.cwd(), logFile);
  const leaving = listen(terminal);
  let stack: Stack | undefined;
  let service: Service | undefined;
  let code: number;
  try {
    terminal.line("TotalTotes: from the shop's database to the warehouse, on this machine");
    terminal.line();
    // At a signal it stops itself, and ends the process.
    stack = await terminal.working("PostgreSQL, S3 and Secrets Manager start", () =>
      startStack({ port: options.keep ? KEPT_PORT : 0, quiet: true, handleSignals: true }),
    );
    service = new Service(stack, logFile);
    code = await play(options, terminal, stack, service, log);
  } catch (error) {
    await leaving.ifAsked();
    service?.log(error instanceof Error ? (error.stack ?? error.message) : String(error));
    if (stack) terminal.line();
    terminal.alarm(inPlainWords(error));
    if (service && !(error instanceof DumpError))
      terminal.paragraph(`What the functions said is in ${log}`);
    code = 1;
  }
  try {
    await stack?.stop();
    const after = seconds(performance.now() - startedAt);
    if (stack) terminal.paragraph(`Everything is stopped and removed, ${after} after the start.`);
  } catch (error) {
    terminal.alarm(inPlainWords(error));
    code = 1;
  }
  leaving.listenNoMore();
  return code;
}

/** Has the terminal fall silent at a signal: what fails from then on fails because everything is being stopped. */
function listen(terminal: Terminal): { ifAsked(): Promise<void>; listenNoMore(): void } {
  let asked = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (asked) return;
    asked = true;
    terminal.calm();
    terminal.line();
    terminal.paragraph(`${signal}: everything is stopped and removed.`);
    terminal.silence();
  };
  // Nobody reads on, as after `| head`.
  const onBrokenPipe = (): void => {
    if (!asked) process.kill(process.pid, "SIGTERM");
  };
  for (const signal of signals) process.on(signal, onSignal);
  process.stdout.on("error", onBrokenPipe);
  return {
    async ifAsked() {
      // Ctrl-C reaches the functions as it reaches us, and their end may be heard of first.
      await delay(50);
      if (asked) await new Promise(() => undefined);
    },
    listenNoMore() {
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
}

function inPlainWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  if (code === "EADDRINUSE")
    return `Port ${KEPT_PORT} is in use (LocalStack?): stop what listens, or leave out KEEP=1.`;
  if (error instanceof AggregateError) return error.errors.map(inPlainWords).join("; ");
  return error.message.charAt(0).toUpperCase() + error.message.slice(1);
}
