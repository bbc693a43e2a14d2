// What the commands share that start everything on this machine, and stop it.
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "../postgres.ts";
import { startStack, type Stack, type StackOptions } from "../stack.ts";
import { DumpError } from "../totesys/dump.ts";
import { seconds, Terminal } from "../../cli/terminal.ts";

/** How a command starts the stack, and what it says. */
export interface Staging {
  /** Its first line. */
  readonly title: string;
  /** S3's port; 0 = any free one. */
  readonly port: number;
  /** Other ports that it will need. */
  readonly ports?: readonly number[];
  /** What to do about a port that somebody else has, in a sentence. */
  readonly inUse: (port: number) => string;
  /** What the functions print. */
  readonly logFile: string;
  /** PostgreSQL's, beyond those that it always has here. */
  readonly postgresSettings?: NonNullable<StackOptions["postgresSettings"]>;
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Starts a stack, has `work` work on it, and stops everything, however it went. Gives the exit code: what `work` gives,
 * 1 where anything failed. At a signal everything stops, and the process ends.
 */
export async function onStack(
  { title, port, ports = [], inUse, logFile, postgresSettings }: Staging,
  work: (terminal: Terminal, stack: Stack) => Promise<number>,
): Promise<number> {
  const startedAt = performance.now();
  const terminal = new Terminal(process.stdout);
  const leaving = listen(terminal);
  const inPlainWords = (error: unknown): string => plain(error, inUse);
  let stack: Stack | undefined;
  let code: number;
  try {
    terminal.line(title);
    terminal.line();
    for (const needed of ports) await freePort(needed);
    // At a signal it stops itself, and ends the process.
    stack = await terminal.working("PostgreSQL, S3 and Secrets Manager start", () =>
      startStack({
        port,
        quiet: true,
        handleSignals: true,
        ...(postgresSettings ? { postgresSettings } : {}),
      }),
    );
    code = await work(terminal, stack);
  } catch (error) {
    await leaving.ifAsked();
    if (stack) terminal.line();
    terminal.alarm(inPlainWords(error));
    if (stack && !(error instanceof DumpError))
      terminal.paragraph(`What the functions said is in ${path.relative(process.cwd(), logFile)}`);
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

function plain(error: unknown, inUse: (port: number) => string): string {
  if (!(error instanceof Error)) return String(error);
  const { code, port } = error as NodeJS.ErrnoException & { readonly port?: number };
  if (code === "EADDRINUSE" && port !== undefined) return `Port ${port} is in use ${inUse(port)}`;
  if (error instanceof AggregateError)
    return error.errors.map((one: unknown) => plain(one, inUse)).join("; ");
  return error.message.charAt(0).toUpperCase() + error.message.slice(1);
}
