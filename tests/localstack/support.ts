import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Tries an assertion until it holds, for two seconds; throws what it threw last. */
export async function eventually(assertion: () => unknown, withinMs = 2_000): Promise<void> {
  const end = performance.now() + withinMs;
  for (;;) {
    try {
      await assertion();
      return;
    } catch (error) {
      if (performance.now() > end) throw error;
      await delay(10);
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
