import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import path from "node:path";
import type { DatabaseUser } from "../users.ts";

/** The stack that is up in the background: where, and since when. */
export interface StackState {
  /** The process that all of it ends with. */
  readonly pid: number;
  /** When it was up, ISO 8601. */
  readonly since: string;
  /** Of S3, Secrets Manager, SQS and Lambda. */
  readonly endpoint: string;
  /** As whom one may do everything in the shop's database, and in the warehouse. */
  readonly source: DatabaseUser;
  readonly warehouse: DatabaseUser;
  /** Seconds between two ticks of the schedule; null = none. */
  readonly every: number | null;
  /** Where the functions' lines go. */
  readonly log: string;
}

/** Where this checkout keeps what runs. */
export const LOCAL_FOLDER = path.join(import.meta.dirname, "..", "..", ".local");

export const logFile = (folder: string): string => path.join(folder, "stack.log");

const stateFile = (folder: string): string => path.join(folder, "stack.json");

/** The program that the process runs, as the machine shows it. */
export const PROGRAM = path.join(import.meta.dirname, "main.ts");

/**
 * The stack that is up; undefined where there is none. What one left that was killed is removed.
 * @param folder where its state is kept
 */
export function runningStack(folder = LOCAL_FOLDER): StackState | undefined {
  const state = readState(folder);
  if (state === undefined || isOurs(state.pid)) return state;
  rmSync(stateFile(folder), { force: true });
  return undefined;
}

function readState(folder: string): StackState | undefined {
  try {
    return JSON.parse(readFileSync(stateFile(folder), "utf8")) as StackState;
  } catch (error) {
    // One that was cut off in the writing is none either: nothing came up.
    if ((error as NodeJS.ErrnoException).code === "ENOENT" || error instanceof SyntaxError)
      return undefined;
    throw error;
  }
}

/**
 * Says that a stack is up, to those who may read everything of the user's own.
 * @throws Error where another one is
 */
export function writeState(folder: string, state: StackState): void {
  const text = `${JSON.stringify(state, undefined, 2)}\n`;
  const write = (flag: "w" | "wx"): void =>
    writeFileSync(stateFile(folder), text, { flag, mode: 0o600 });
  try {
    write("wx");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause;
    if (runningStack(folder))
      throw new Error(
        "another `totes up` was first: its stack is up, and `totes status` tells of it",
        {
          cause,
        },
      );
    write("w");
  }
}

export const removeState = (folder: string): void => rmSync(stateFile(folder), { force: true });

/** Whether a process runs our program: after a restart of the machine, its number may be another's. */
export function isOurs(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM" && isOurProgram(pid);
  }
  return isOurProgram(pid);
}

function isOurProgram(pid: number): boolean {
  const line = commandLine(pid);
  return line === undefined || line.includes(PROGRAM);
}

/** A process' command line; empty of one that has ended, undefined where the machine does not say. */
function commandLine(pid: number): string | undefined {
  if (process.platform === "linux")
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8");
    } catch {
      return "";
    }
  const { status, stdout } = spawnSync("ps", ["-o", "command=", "-p", String(pid)], {
    encoding: "utf8",
  });
  return status === null ? undefined : stdout;
}
