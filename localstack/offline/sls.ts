import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { FunctionError, readLines } from "../functions.ts";
import type { StackEnv } from "../stack.ts";

/** `sls offline` does not start, or has ended: with what it said of the reason. */
export class SlsError extends Error {
  override readonly name = "SlsError";
}

/** How to start it. */
export interface SlsOptions {
  readonly env: StackEnv;
  /** Of the API that invokes the functions. */
  readonly port: number;
  /** Takes each line that it and the functions print. */
  readonly onLine: (line: string) => void;
}

/** A running `sls offline start`. */
export interface Sls {
  /**
   * Resolves when the functions can be invoked.
   * @throws SlsError where it ends before
   */
  readonly ready: Promise<void>;
  /** Resolves when it has ended, with how. */
  readonly ended: Promise<SlsError>;
  /** Ends it, and the invocations that it has. */
  stop(): Promise<void>;
}

/** What serverless.yml calls the functions. */
export type FunctionName = "ingestion" | "transformation" | "loading";

const root = fileURLToPath(new URL("../..", import.meta.url));
const bin = path.join(
  path.dirname(createRequire(import.meta.url).resolve("serverless/package.json")),
  "bin/serverless.js",
);
const host = "127.0.0.1";

/** Service and stage: the functions' names begin with it. */
export const SERVICE = "totes-warehouse-local";

/** `sls offline` runs in whole minutes at best. */
const RATE = "rate(1 minute)";
/** In seconds. A function that starts anew with each tick would only be slower. */
const IDLE = 3600;
/**
 * Has it end with us, `kill -9` included: then the channel between us closes. That alone must not keep it alive, or it
 * would not end of an error.
 */
const endsWithParent =
  "data:text/javascript,if(process.connected){process.on('disconnect',()=>process.exit());process.channel.unref()}";
/** So many of the last lines may tell why it ended. */
const LAST_LINES = 60;

/** The address below which functions are invoked, by POST of an event to `<name>/invocations`. */
export const functionsOn = (port: number): string => `http://${host}:${port}/2015-03-31/functions`;

/** Starts `sls offline start --stage local` on a stack: it packages the functions, then runs the schedule and the API. */
export function startSls({ env, port, onLine }: SlsOptions): Sls {
  const child = launch(env, port);
  const lastLines: string[] = [];
  const take = (line: string): void => {
    lastLines.push(line);
    if (lastLines.length > LAST_LINES) lastLines.shift();
    onLine(line);
  };
  const printed = [child.stdout, child.stderr].map((stream) => readLines(stream, take));
  const exit = once(child, "exit") as Promise<[code: number | null, signal: string | null]>;
  const ended = Promise.all([exit, ...printed]).then(([[code, signal]]) => {
    const how = signal === null ? `exit code ${code}` : signal;
    return new SlsError([`\`sls offline\` ended (${how}).`, ...reasons(lastLines)].join(" "));
  });
  return {
    ready: answers(port, ended),
    ended,
    async stop() {
      // It has nothing to tidy up, and would wait seconds for open connections.
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/**
 * Invokes a function with an event, and gives what it gives.
 * @throws FunctionError what the function threw, or why the API refuses; TypeError where nobody answers
 */
export async function invoke(port: number, name: FunctionName, event: unknown): Promise<unknown> {
  const response = await fetch(`${functionsOn(port)}/${SERVICE}-${name}/invocations`, {
    method: "POST",
    body: JSON.stringify(event),
  });
  const answer = (await response.json()) as Failure;
  if (response.ok && !response.headers.has("x-amz-function-error")) return answer;
  const { errorType = String(response.status), errorMessage, Message, trace = [] } = answer;
  throw new FunctionError({
    errorType,
    errorMessage: errorMessage ?? Message ?? JSON.stringify(answer),
    stackTrace: trace,
  });
}

/** The first two are a function's, the last the API's own. */
interface Failure {
  readonly errorType?: string;
  readonly errorMessage?: string;
  readonly trace?: readonly string[];
  readonly Message?: string;
}

function launch(env: StackEnv, port: number): ChildProcess {
  const options = {
    stage: "local",
    host,
    lambdaPort: port,
    terminateIdleLambdaTime: IDLE,
    param: `rate=${RATE}`,
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  return fork(bin, ["offline", "start", "--noSponsor", ...args], {
    cwd: root,
    execArgv: ["--import", endsWithParent],
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    env: {
      // Each AWS_ variable reaches the functions: a profile of the shell's would go before the stack's keys.
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^AWS_/i.test(name))),
      ...env,
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
      NODE_NO_WARNINGS: "1",
      NO_COLOR: "1",
    },
  });
}

async function answers(port: number, ended: Promise<SlsError>): Promise<void> {
  let end: SlsError | undefined;
  void ended.then((error) => (end = error));
  for (;;) {
    if (end) throw end;
    try {
      await fetch(functionsOn(port));
      return;
    } catch {
      await delay(50);
    }
  }
}

/** The lines that tell of errors, each once: without stacks, and without what the functions log. */
function reasons(lines: readonly string[]): string[] {
  const told = lines.filter(
    (line) => /error[^:]*: ?\S/i.test(line) && !/^(?:\s+at |\{)/.test(line),
  );
  return [...new Set(told.map((line) => line.trim().replace(/^\W*Error: /, "")))];
}
