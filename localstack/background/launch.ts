import { fork } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { ShopChoice } from "../demo/options.ts";
import { LOCAL_FOLDER, logFile, PROGRAM, type StackState } from "./state.ts";

/** What the stack is to be like. */
export interface Order {
  /** Where its state and its log are kept. */
  readonly folder: string;
  /** Of S3 and the others; 0 = any free one. */
  readonly port: number;
  /** What the shop is filled with; null = nothing. */
  readonly shop: ShopChoice | null;
  /** Seconds between two ticks of the schedule; null = none. */
  readonly every: number | null;
}

/** What the process in the background says, in this order. */
export type FromStack =
  | { readonly started: true }
  /** So many orders are in the shop. */
  | { readonly orders: number }
  | { readonly filled: string }
  | { readonly ready: StackState }
  | { readonly failed: string; readonly port?: number };

/** The stack did not come up: says why, and what to do. */
export class LaunchError extends Error {
  override readonly name = "LaunchError";
}

/** A stack that comes up. Each of these fails with LaunchError where it does not. */
export interface Launch {
  /** PostgreSQL and the local AWS are there. */
  readonly started: Promise<void>;
  /**
   * The shop is filled: says with what.
   * @param progress is told how many orders are made
   */
  filled(progress?: (orders: number) => void): Promise<string>;
  /** All is up, and goes on by itself. */
  readonly ready: Promise<StackState>;
}

const TSX = import.meta.resolve("tsx");

/** Starts a stack in a process of its own. It ends with this one unless all is up before. */
export function launchStack({
  folder = LOCAL_FOLDER,
  ...order
}: Partial<Order> & Omit<Order, "folder">): Launch {
  mkdirSync(folder, { recursive: true });
  writeFileSync(logFile(folder), "");
  const log = openSync(logFile(folder), "a");
  const child = fork(PROGRAM, [JSON.stringify({ ...order, folder } satisfies Order)], {
    // A Ctrl-C in the terminal is for us alone.
    detached: true,
    execArgv: ["--import", TSX],
    cwd: path.dirname(PROGRAM),
    stdio: ["ignore", log, log, "ipc"],
    env: { ...process.env, NODE_NO_WARNINGS: "1" },
  });
  closeSync(log);

  const started = milestone<void>();
  const filled = milestone<string>();
  const ready = milestone<StackState>();
  let progress: (orders: number) => void = () => undefined;
  const fail = (error: LaunchError): void => {
    for (const one of [started, filled, ready]) one.reject(error);
  };
  const onExit = (code: number | null, signal: string | null): void => {
    const said = readFileSync(logFile(folder), "utf8").trim().slice(-2000);
    const how = signal ?? `exit code ${code}`;
    fail(new LaunchError(`the stack did not come up (${how}). It said:\n${said}`));
  };
  child.once("exit", onExit);
  child.on("message", (message: FromStack) => {
    if ("started" in message) started.resolve();
    else if ("orders" in message) progress(message.orders);
    else if ("filled" in message) filled.resolve(message.filled);
    else if ("ready" in message) {
      child.off("exit", onExit);
      child.unref();
      ready.resolve(message.ready);
    } else fail(new LaunchError(inWords(message)));
  });
  return {
    started: started.promise,
    filled(told = () => undefined) {
      progress = told;
      return filled.promise;
    },
    ready: ready.promise,
  };
}

const inWords = ({ failed, port }: { readonly failed: string; readonly port?: number }): string =>
  port === undefined
    ? failed
    : `port ${port} is in use: stop what listens there (another checkout's stack, \`make run KEEP=1\`, LocalStack), ` +
      "or take another with --port";

interface Milestone<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

function milestone<T>(): Milestone<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((...both) => ([resolve, reject] = both));
  // Whoever waits for another one hears of it.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
