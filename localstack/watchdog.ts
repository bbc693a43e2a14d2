import { spawn } from "node:child_process";
import { once } from "node:events";
import { Socket } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A program and what it is called with. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
}

/** What a watchdog does at the beginning and at the end. */
export interface Task {
  /** Run one after the other before `startWatchdog` returns. */
  readonly start?: readonly Command[];
  /** Run when it ends. */
  readonly stop?: Command;
  /** Removed at the end, whatever happened. Commands run in it. */
  readonly folder: string;
  /** A file that commands log to: its end is part of the report when one of `start` fails. */
  readonly log?: string;
  /** The user that commands run as; the same as this process' where undefined. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
  /** Environment of the commands; this process' where undefined. */
  readonly env?: NodeJS.ProcessEnv;
}

/** A process that outlives this one by a moment, to tidy up after it. */
export interface Watchdog {
  readonly pid: number;
  /** Stops, removes, and waits until that is done. Later calls wait for the first. */
  end(): Promise<void>;
}

/** A command of a task's `start` that failed: with its output. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly program: string;
  readonly output: string;

  constructor(program: string, output: string) {
    super(`${program} failed: ${output}`);
    this.program = program;
    this.output = output;
  }
}

type Report = { readonly ready: true } | { readonly failed: string; readonly output: string };

const program = fileURLToPath(new URL("watchdog.cjs", import.meta.url));

/**
 * Starts a process that runs `start`, and that runs `stop` and removes `folder` as soon as this process ends in any
 * way, `kill -9` included: then its end of the pipe between them closes.
 * @throws CommandError when a command of `start` fails; the folder is removed then
 */
export async function startWatchdog(task: Task): Promise<Watchdog> {
  const child = launch(task);
  const exited = once(child, "exit");
  const lines = createInterface({ input: child.stdout });
  const [first] = await Promise.race([
    once(lines, "line"),
    exited.then(() => ['{"failed":"the watchdog","output":"it ended by itself"}']),
  ]);
  lines.close();
  const report = JSON.parse(String(first)) as Report;
  if ("failed" in report) {
    await exited;
    throw new CommandError(report.failed, report.output);
  }
  // Nothing of it must keep this process alive: that this process ends is what it waits for.
  child.unref();
  child.stdout.destroy();
  if (child.stdin instanceof Socket) child.stdin.unref();
  let ending: Promise<void> | undefined;
  return {
    pid: child.pid ?? 0,
    end: () => (ending ??= end(child, exited, task)),
  };
}

type Child = ReturnType<typeof launch>;

function launch({ env = process.env, ...task }: Task) {
  // In a process group of its own: a Ctrl-C in the terminal is meant for us. The environment is handed on as such: a
  // command line can be read by everybody on the machine.
  const child = spawn(process.execPath, [program, JSON.stringify(task)], {
    detached: true,
    env,
    stdio: ["pipe", "pipe", "ignore"],
  });
  // It was killed: that is seen by its exit.
  child.stdin.on("error", () => undefined);
  return child;
}

async function end(child: Child, exited: Promise<unknown>, task: Task): Promise<void> {
  child.ref();
  child.stdin.end();
  await exited;
  if (child.signalCode === null) return;
  // Somebody killed it before it could tidy up: another one does.
  const { start: _start, ...rest } = task;
  const second = await startWatchdog(rest);
  await second.end();
}
