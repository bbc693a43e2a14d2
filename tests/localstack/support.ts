import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Longest that anything may take on a machine that has much else to do, in milliseconds. */
export const PATIENCE = 120_000;

/** Tries an assertion until it holds, and gives what it gives; throws what it threw last where that never happens. */
export async function eventually<T>(assertion: () => T | Promise<T>, everyMs = 10): Promise<T> {
  const end = performance.now() + PATIENCE;
  for (;;) {
    try {
      return await assertion();
    } catch (error) {
      if (performance.now() > end) throw error;
      await delay(everyMs);
    }
  }
}

/** Whether a process of that id is at work. One that has ended and waits for its parent to notice is not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    const stat = existsSync("/proc/self/stat") ? readFileSync(`/proc/${pid}/stat`, "utf8") : "";
    return !/\) [ZX] /.test(stat);
  } catch (error) {
    // EPERM: it is there, and another user's. ENOENT: it went in between.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** A process that runs one of the fixtures. */
export interface Launched {
  readonly child: ChildProcess;
  /** The JSON of the first line that it printed. */
  readonly said: unknown;
  /** All that it printed so far. */
  readonly output: () => string;
}

/**
 * Runs a fixture in a process of its own, and waits for what it says first.
 * @param argument what the fixture is called with
 * @param temporary the folder that it takes for its temporary files
 */
export async function launch(
  fixture: string,
  argument?: string,
  temporary = tmpdir(),
): Promise<Launched> {
  const file = fileURLToPath(new URL(`fixtures/${fixture}`, import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", file, argument ?? ""], {
    cwd: root,
    env: { ...process.env, TMPDIR: temporary, TEMP: temporary, TMP: temporary },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let spoken = "";
  child.stdout.on("data", (chunk: Buffer) => (spoken += String(chunk)));
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (output += String(chunk)));
  const end = performance.now() + 30_000;
  while (!spoken.includes("\n")) {
    if (child.exitCode !== null || child.signalCode !== null || performance.now() > end)
      throw new Error(`${fixture} said nothing: ${output}`);
    await delay(10);
  }
  return { child, said: JSON.parse(spoken.split("\n")[0] ?? ""), output: () => output };
}

/** Ids of a process' children, their children, and so on. */
export function descendantsOf(pid: number): number[] {
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).split("\n");
  const parents = lines.map((line) => line.trim().split(/\s+/).map(Number));
  const children = parents.filter(([, parent]) => parent === pid).map(([child = 0]) => child);
  return children.flatMap((child) => [child, ...descendantsOf(child)]);
}

/** Sends SIGINT to a process and all that it has started, as a terminal does at Ctrl-C. Gives the ids of the latter. */
export function interrupt({ child }: Command): number[] {
  const processes = descendantsOf(child.pid!);
  for (const pid of [child.pid!, ...processes])
    try {
      process.kill(pid, "SIGINT");
    } catch {
      // It ended just now, or is another user's.
    }
  return processes;
}

/** Everything that was written, as text. */
export class Paper extends Writable {
  text = "";
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += String(chunk);
    done();
  }
}

/** The folder that commands take for their temporary files. */
export class Temporary {
  folder = "";

  make(): void {
    this.folder = mkdtempSync(path.join(tmpdir(), "command-test-"));
    // PostgreSQL runs as another user where we are root, and has its folder in there.
    chmodSync(this.folder, 0o755);
  }

  /** What is left of the commands' own; tsx keeps its compiled files. */
  leftovers(): string[] {
    return readdirSync(this.folder).filter((name) => !name.startsWith("tsx-"));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A command of the project at work. */
export interface Command {
  readonly child: ChildProcess;
  /** All that it printed so far. */
  readonly output: () => string;
}

/**
 * Starts a command.
 * @param entry its file, relative to `project`, which is this checkout where undefined
 */
export function startCommand(
  entry: string,
  args: readonly string[],
  { temporary, project = root }: { temporary: Temporary; project?: string },
): Command {
  const child = spawn(process.execPath, ["--import", "tsx", entry, ...args], {
    cwd: project,
    env: { ...process.env, TMPDIR: temporary.folder },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (output += String(chunk)));
  return { child, output: () => output };
}
