// The function that each process of the harness runs: any of the three handlers, as they are deployed, in the environment
// and at the time that its event says.
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Stage } from "./calls.ts";

/** How the clock of a process is off. */
export interface Clock {
  /** Milliseconds that it is fast. */
  readonly offset: number;
  /** So many looks at it later it jumps: it is fast by `later`. */
  readonly looks?: number;
  readonly later?: number;
}

/** One invocation. */
export interface Invocation {
  readonly stage: Stage;
  readonly event: unknown;
  readonly env: Readonly<Record<string, string>>;
  readonly clock?: Clock;
  /** What the invocation has left, in milliseconds, at any moment. */
  readonly remainingMs: number;
}

type Handler = (event: unknown, context: object) => Promise<unknown>;

const folder = process.env["CHAOS_FUNCTIONS"] ?? "";
const RealDate = Date;
let clock: Clock = { offset: 0 };
let looks = 0;

globalThis.Date = class extends RealDate {
  constructor(...given: unknown[]) {
    if (given.length === 0) super(now());
    else super(...(given as [number]));
  }
  static override now = now;
} as DateConstructor;

function now(): number {
  const { offset, looks: last = Infinity, later = offset } = clock;
  return RealDate.now() + (++looks > last ? later : offset);
}

export async function handler(invocation: Invocation): Promise<unknown> {
  const { stage, event, env, remainingMs } = invocation;
  Object.assign(process.env, env);
  clock = invocation.clock ?? { offset: 0 };
  looks = 0;
  const file = pathToFileURL(path.join(folder, `${stage}.cjs`)).href;
  const { default: loaded } = (await import(file)) as { default: { handler: Handler } };
  try {
    return await loaded.handler(event, {
      functionName: stage,
      getRemainingTimeInMillis: () => remainingMs,
    });
  } finally {
    clock = { offset: 0 };
  }
}
