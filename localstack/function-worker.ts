// The process in which a function runs: functions.ts starts it with a module and the name of an export.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type { Context } from "aws-lambda";

/** One invocation. */
export interface Invocation {
  readonly requestId: string;
  readonly event: unknown;
  readonly timeoutMs: number;
}

/** An invocation, or the question what the process has used so far. */
export type ToWorker = Invocation | { readonly usage: true };

/** What a process has used since its start. */
export interface Usage {
  /** User and system time. */
  readonly cpuSeconds: number;
  /** The most memory that it ever had. */
  readonly peakRssBytes: number;
}

/** An error as Lambda hands it on. */
export interface ThrownError {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly stackTrace: readonly string[];
}

/** First that the module is loaded (or not), then an answer to each invocation. */
export type FromWorker =
  | { readonly loaded: true }
  | { readonly result: unknown }
  | { readonly usage: Usage }
  | { readonly error: ThrownError };

type Handler = (event: unknown, context: Context) => unknown;

class HandlerNotFound extends Error {
  override readonly name = "Runtime.HandlerNotFound";
}

const [modulePath = "", exportName = "handler"] = process.argv.slice(2);

process.on("disconnect", () => process.exit());

const handler = await load();
if (handler) {
  process.on("message", (message: ToWorker) => {
    if ("usage" in message) send({ usage: usage() });
    else void run(handler, message);
  });
  send({ loaded: true });
}

async function load(): Promise<Handler | undefined> {
  try {
    const loaded = (await import(pathToFileURL(modulePath).href)) as Record<string, unknown>;
    const inDefault = loaded["default"] as Record<string, unknown> | undefined;
    const found = loaded[exportName] ?? inDefault?.[exportName];
    if (typeof found === "function") return found as Handler;
    throw new HandlerNotFound(`${modulePath} has no function "${exportName}"`);
  } catch (error) {
    send({ error: thrown(error) });
    return undefined;
  }
}

async function run(handle: Handler, message: Invocation): Promise<void> {
  try {
    const result = await handle(message.event, contextOf(message));
    // JSON has no undefined; Lambda answers null as well.
    send({ result: result ?? null });
  } catch (error) {
    send({ error: thrown(error) });
  }
}

function usage(): Usage {
  const { user, system } = process.cpuUsage();
  return { cpuSeconds: (user + system) / 1e6, peakRssBytes: peakRss() };
}

function peakRss(): number {
  const { maxRSS } = process.resourceUsage();
  if (process.platform !== "linux") return maxRSS * 1024;
  // Linux counts into maxRSS what the process had been before it became this program: its parent, copied by fork.
  const found = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
  return Number(found?.[1] ?? maxRSS) * 1024;
}

function contextOf({ requestId, timeoutMs }: Invocation): Context {
  // Not the wall clock: it may be set, or be a test's.
  const deadline = performance.now() + timeoutMs;
  const { env } = process;
  const name = env["AWS_LAMBDA_FUNCTION_NAME"] ?? "";
  const nothing = (): void => undefined;
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: name,
    functionVersion: env["AWS_LAMBDA_FUNCTION_VERSION"] ?? "",
    invokedFunctionArn: `arn:aws:lambda:${env["AWS_REGION"] ?? "eu-west-2"}:000000000000:function:${name}`,
    memoryLimitInMB: env["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] ?? "",
    awsRequestId: requestId,
    logGroupName: env["AWS_LAMBDA_LOG_GROUP_NAME"] ?? "",
    logStreamName: env["AWS_LAMBDA_LOG_STREAM_NAME"] ?? "",
    getRemainingTimeInMillis: () => Math.max(0, Math.floor(deadline - performance.now())),
    // What callbacks were for; Node 24 on Lambda has none.
    done: nothing,
    fail: nothing,
    succeed: nothing,
  };
}

function thrown(error: unknown): ThrownError {
  if (error instanceof Error)
    return {
      errorType: error.name,
      errorMessage: error.message,
      stackTrace: (error.stack ?? "").split("\n"),
    };
  return { errorType: typeof error, errorMessage: String(error), stackTrace: [] };
}

function send(message: FromWorker): void {
  process.send?.(message);
}
