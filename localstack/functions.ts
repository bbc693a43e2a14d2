import { fork, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { FromWorker, ThrownError, ToWorker, Usage } from "./function-worker.ts";

export type { Usage } from "./function-worker.ts";

/** Which handler to run, and how. */
export interface FunctionOptions {
  readonly name: string;
  /** The file that holds the handler, TypeScript or JavaScript; relative to the project's root. */
  readonly module: string;
  /** `handler` where undefined. */
  readonly exportName?: string;
  /** All of the function's environment but PATH and the like, and what Lambda adds. */
  readonly env?: Readonly<Record<string, string>>;
  /** Takes each line that the function prints. */
  readonly onLog?: (line: string, stream: "stdout" | "stderr") => void;
  /** An invocation is cut off after so many milliseconds. */
  readonly timeoutMs?: number;
  /** Megabytes; nine tenths of it are Node's for objects, as on Lambda. */
  readonly memoryMb?: number;
  /**
   * function-worker.ts as JavaScript: the process is then node alone, as on Lambda, and the module is JavaScript. With
   * tsx where undefined.
   */
  readonly worker?: string;
  /** The Node that runs it, by its path; this process's own unless said. */
  readonly node?: string;
}

/** A function whose handler runs in a process of its own. */
export interface LambdaFunction {
  readonly name: string;
  /** The process' id; undefined while there is none. */
  readonly pid: number | undefined;
  /**
   * Runs the handler, one invocation after the other, and gives what it gives, passed through JSON.
   * @param requestId one is drawn unless said
   * @throws FunctionError what the handler threw, or how its process ended
   */
  readonly invoke: (event: unknown, requestId?: string) => Promise<unknown>;
  /**
   * What its process has used, once the invocations before are done; undefined where there is none.
   * @throws FunctionError how the process ended
   */
  readonly usage: () => Promise<Usage | undefined>;
  /** Ends the process, as a crash would. The next invocation starts another one. */
  kill(signal?: NodeJS.Signals): void;
  /** Ends the process for good, and the invocation that it has. */
  stop(): Promise<void>;
}

/** An invocation that failed: Lambda's account of it. */
export class FunctionError extends Error {
  override readonly name = "FunctionError";
  /** The class of what was thrown, or like `Runtime.ExitError`, `Sandbox.Timedout`. */
  readonly errorType: string;
  readonly stackTrace: readonly string[];

  constructor({ errorType, errorMessage, stackTrace }: ThrownError) {
    super(errorMessage);
    this.errorType = errorType;
    this.stackTrace = stackTrace;
  }
}

const root = fileURLToPath(new URL("..", import.meta.url));
const ownWorker = fileURLToPath(new URL("function-worker.ts", import.meta.url));
// By its path: a bare `tsx` would be looked for from the working directory.
const tsx = import.meta.resolve("tsx");

/** What a process needs of the machine. All else is kept away, as on Lambda: PGHOST and AWS_PROFILE above all. */
const inherited = ["PATH", "HOME", "TMPDIR", "TEMP", "TMP", "SystemRoot", "NODE_NO_WARNINGS"];

/** Longest that a module may take to load, in milliseconds. */
const initTimeoutMs = 60_000;

/**
 * Starts a process for a function and has it load its module. What is wrong with the module is said at the first
 * invocation.
 */
export function startFunction(options: FunctionOptions): LambdaFunction {
  let stopped = false;
  let running: Runtime | undefined = new Runtime(options);
  let queue: Promise<unknown> = Promise.resolve();

  const invoke = async (event: unknown, requestId: string): Promise<unknown> => {
    if (stopped) throw exited("the function was stopped");
    if (!running || running.isGone) running = new Runtime(options);
    return running.invoke(event, requestId);
  };
  const afterOthers = <T>(work: () => Promise<T>): Promise<T> => {
    const result = queue.then(work);
    // The next one begins whether this one failed or not; whoever called this one is told.
    queue = result.catch(() => undefined);
    return result;
  };
  return {
    name: options.name,
    get pid() {
      return running && !running.isGone ? running.pid : undefined;
    },
    invoke: (event, requestId = randomUUID()) => afterOthers(() => invoke(event, requestId)),
    usage: () => afterOthers(async () => (running?.isGone === false ? running.usage() : undefined)),
    kill(signal = "SIGKILL") {
      running?.kill(signal);
      // One that is about to end takes no further invocation; one that was only halted does.
      if (signal === "SIGKILL" || signal === "SIGTERM") running = undefined;
    },
    async stop() {
      stopped = true;
      await running?.stop();
    },
  };
}

/** One process, from its start to its end. It has one invocation at most. */
class Runtime {
  readonly #options: FunctionOptions;
  readonly #timeoutMs: number;
  readonly #child: ChildProcess;
  readonly #ready: Promise<void>;
  readonly #ended: Promise<FunctionError>;
  #timedOut: FunctionError | undefined;
  isGone = false;

  constructor(options: FunctionOptions) {
    this.#options = options;
    this.#timeoutMs = options.timeoutMs ?? 60_000;
    this.#child = launch(options);
    // Not its `close`: Node leaves that out after our own disconnect.
    const exit = once(this.#child, "exit").then(([code, signal]) => {
      this.isGone = true;
      return this.#timedOut ?? exited(signal ? `signal: ${signal}` : `exit status ${code}`);
    });
    const lastWords = (["stdout", "stderr"] as const).map((stream) =>
      readLines(this.#child[stream], (line) => options.onLog?.(line, stream)),
    );
    this.#ended = Promise.all([exit, ...lastWords]).then(([error]) => error);
    this.#ready = this.#initialise();
    // It is looked at by the first invocation, which may come much later.
    this.#ready.catch(() => undefined);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  async invoke(event: unknown, requestId: string): Promise<unknown> {
    await this.#ready;
    const message = `Task timed out after ${(this.#timeoutMs / 1000).toFixed(2)} seconds`;
    this.#send({ requestId, event, timeoutMs: this.#timeoutMs });
    const answer = await this.#answer(this.#timeoutMs, "Sandbox.Timedout", message);
    await linesRead();
    if ("error" in answer) throw new FunctionError(answer.error);
    if ("result" in answer) return answer.result;
    throw exited("an answer that was not asked for");
  }

  async usage(): Promise<Usage> {
    await this.#ready;
    this.#send({ usage: true });
    const late = `No answer within ${initTimeoutMs / 1000} seconds`;
    const answer = await this.#answer(initTimeoutMs, "Sandbox.Timedout", late);
    if ("usage" in answer) return answer.usage;
    throw exited("an answer that was not asked for");
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async stop(): Promise<void> {
    if (this.isGone) return;
    // It ends by itself when nobody is at the other end; unless it is too busy to see that.
    if (this.#child.connected) this.#child.disconnect();
    const timer = setTimeout(() => this.kill("SIGKILL"), 1_000);
    await this.#ended;
    clearTimeout(timer);
  }

  async #initialise(): Promise<void> {
    const answer = await this.#answer(
      initTimeoutMs,
      "Sandbox.Timedout",
      `The module ${this.#options.module} did not load within ${initTimeoutMs / 1000} seconds`,
    );
    if ("error" in answer) {
      this.kill("SIGKILL");
      await this.#ended;
      throw new FunctionError(answer.error);
    }
  }

  #send(message: ToWorker): void {
    // A process that is gone meanwhile is seen by its end.
    this.#child.send(message, () => undefined);
  }

  /** The next message, unless the process ends before, or time is up: then it is ended. */
  async #answer(timeoutMs: number, errorType: string, errorMessage: string): Promise<FromWorker> {
    const timer = setTimeout(() => {
      this.#timedOut = new FunctionError({ errorType, errorMessage, stackTrace: [] });
      this.kill("SIGKILL");
    }, timeoutMs);
    const abort = new AbortController();
    try {
      return await Promise.race([
        once(this.#child, "message", { signal: abort.signal }).then(
          ([message]) => message as FromWorker,
        ),
        this.#ended.then((error) => Promise.reject(error)),
      ]);
    } finally {
      clearTimeout(timer);
      abort.abort();
    }
  }
}

function launch(options: FunctionOptions): ChildProcess {
  const { name, module, exportName, env, memoryMb = 1024, worker, node } = options;
  const runsSources = worker === undefined;
  return fork(worker ?? ownWorker, [path.resolve(root, module), exportName ?? "handler"], {
    ...(node === undefined ? {} : { execPath: node }),
    execArgv: [
      ...(runsSources ? ["--import", tsx] : []),
      `--max-old-space-size=${Math.floor(memoryMb * 0.9)}`,
    ],
    serialization: "json",
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    env: {
      ...Object.fromEntries(inherited.map((variable) => [variable, process.env[variable]])),
      AWS_LAMBDA_FUNCTION_NAME: name,
      AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMb),
      AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${name}`,
      AWS_LAMBDA_LOG_STREAM_NAME: `${new Date().toISOString().slice(0, 10).replaceAll("-", "/")}/[$LATEST]${randomUUID().replaceAll("-", "")}`,
      AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
      TZ: "UTC",
      ...env,
    },
  });
}

/** Hands over what a process prints, line by line. Resolves at the stream's end. */
export async function readLines(
  input: Readable | null,
  take: (line: string) => void,
): Promise<void> {
  if (!input) return;
  const lines = createInterface({ input });
  lines.on("line", take);
  await once(lines, "close");
}

/** What was printed before the answer is in the pipe already: it is read in the turns before this resolves. */
async function linesRead(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}

function exited(reason: string): FunctionError {
  return new FunctionError({
    errorType: "Runtime.ExitError",
    errorMessage: `Runtime exited with error: ${reason}`,
    stackTrace: [],
  });
}
