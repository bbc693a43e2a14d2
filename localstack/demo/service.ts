import { setTimeout as delay } from "node:timers/promises";
import type { IngestionSummary } from "../../src/ingestion/ingest.ts";
import type { LoadedBatch } from "../../src/loading/load-batch.ts";
import type { TransformationSummary } from "../../src/transformation/transform.ts";
import { scheduleEvent, type Queue } from "../events.ts";
import { startFunction, type LambdaFunction } from "../functions.ts";
import type { Stack } from "../stack.ts";
import { errorIn, openLog } from "./log.ts";
import { counted } from "../../cli/terminal.ts";

/** A function failed, or a batch did not arrive: says which, and why. */
export class ServiceError extends Error {
  override readonly name = "ServiceError";
}

/** What the functions did since the tick before, and when the last of it was in the warehouse. */
export interface Tick {
  readonly ingested: IngestionSummary;
  readonly transformed: readonly TransformationSummary[];
  readonly loaded: readonly LoadedBatch[];
  /** When the loading function said so, by `performance.now()`. */
  readonly arrivedAt: number;
}

const names = ["ingestion", "transformation", "loading"] as const;
type Name = (typeof names)[number];

/** As serverless.yml has it. */
export const memoryMb = 512;
/** An invocation that takes so long is stuck. */
const timeoutMs = 120_000;
/** Longest that a message may be on its way while nothing works. */
const patienceMs = 5_000;

/** The three functions as AWS runs them: a process each, woken by queues and by the schedule. */
export class Service {
  readonly #functions: Readonly<Record<Name, LambdaFunction>>;
  readonly #queues: Readonly<Record<"transformation" | "loading", Queue>>;
  readonly #lastError = new Map<string, string>();
  /** Dead letters that were told of, by queue. */
  readonly #buried = new Map<Queue, number>();
  readonly #log: (line: string) => void;
  #transformed: TransformationSummary[] = [];
  #loaded: LoadedBatch[] = [];
  #newest = 0;
  #arrivedAt = 0;
  #said: (text: string) => void = () => undefined;

  /**
   * Starts the functions on a stack and has its queues deliver to them; they stop with the stack.
   * @param logFile takes what they print; begun anew
   * @throws Error where the log cannot be written
   */
  constructor(
    stack: Pick<Stack, "env" | "queues" | "connectFunctions" | "defer">,
    logFile: string,
  ) {
    this.#log = openLog(stack, logFile);
    const env = {
      ...stack.env,
      POWERTOOLS_LOG_LEVEL: "INFO",
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
    };
    const start = (name: Name): LambdaFunction =>
      startFunction({
        name,
        module: `src/handlers/${name}.ts`,
        env,
        memoryMb,
        timeoutMs,
        onLog: (line) => this.#print(name, line),
      });
    this.#functions = {
      ingestion: start("ingestion"),
      transformation: start("transformation"),
      loading: start("loading"),
    };
    stack.defer("functions", () => Promise.all(names.map((name) => this.#functions[name].stop())));
    this.#queues = stack.queues;
    stack.connectFunctions({
      transformation: (event) => this.#invoke("transformation", event),
      loading: (event) => this.#invoke("loading", event),
    });
  }

  /**
   * What the schedule does every ten minutes: starts ingestion and wakes the other two; then waits until what was
   * ingested is in the warehouse and nothing is under way.
   * @param said is told how far it is
   * @throws ServiceError
   */
  async tick(said: (text: string) => void = () => undefined): Promise<Tick> {
    this.#said = said;
    said("ingestion reads what changed in the shop");
    const woken = names.map((name) => this.#invoke(name, scheduleEvent(name)));
    const results = await Promise.allSettled(woken);
    for (const [i, result] of results.entries())
      if (result.status === "rejected") throw failure(names[i]!, messageOf(result.reason));
    const ingested = (await woken[0]) as IngestionSummary;
    await this.#settle(ingested.batch);
    return {
      ingested,
      transformed: this.#transformed.splice(0),
      loaded: this.#loaded.splice(0),
      arrivedAt: this.#arrivedAt,
    };
  }

  /** Writes a line into the log, beside the functions' own. */
  log(line: string): void {
    this.#print("run", line);
  }

  async #invoke(name: Name, event: unknown): Promise<unknown> {
    const result = await this.#functions[name].invoke(event);
    this.#note(name, result);
    return result;
  }

  #note(name: Name, result: unknown): void {
    if (name === "ingestion") {
      const { outcome, batch } = result as IngestionSummary;
      if (outcome === "committed")
        this.#said(`batch ${batch} is in the lake; transformation makes star rows of it`);
      return;
    }
    const { batches = [], loaded = [] } = result as {
      batches?: TransformationSummary[];
      loaded?: LoadedBatch[];
    };
    for (const batch of batches) {
      if (batch.outcome !== "committed") continue;
      this.#transformed.push(batch);
      this.#said(`batch ${batch.batch} is Parquet; loading merges it into the warehouse`);
    }
    for (const batch of loaded) {
      this.#loaded.push(batch);
      this.#newest = Math.max(this.#newest, batch.batch);
      this.#arrivedAt = performance.now();
    }
  }

  /** Waits until a batch is in the warehouse, and the queues are at rest. */
  async #settle(batch: number): Promise<void> {
    const queues = Object.values(this.#queues);
    const consumers = ["transformation", "loading"] as const;
    let idleSince = performance.now();
    for (;;) {
      if (queues.some((queue) => queue.depth + queue.inFlight > 0)) {
        await Promise.all(queues.map((queue) => queue.idle()));
        idleSince = performance.now();
      }
      for (const name of consumers) this.#assertNoDeadLetter(name, this.#queues[name]);
      if (this.#newest >= batch) return;
      // Nothing works and nothing waits: an event is on its way, or was lost.
      if (performance.now() - idleSince > patienceMs)
        throw new ServiceError(
          `Batch ${batch} did not reach the warehouse, which is at batch ${this.#newest}; no function says why`,
        );
      await delay(5);
    }
  }

  /** Each dead letter is told of once. */
  #assertNoDeadLetter(name: Name, queue: Queue): void {
    const { deadLetters } = queue;
    const dead = deadLetters.at(-1);
    const told = this.#buried.get(queue) ?? 0;
    if (!dead || deadLetters.length === told) return;
    this.#buried.set(queue, deadLetters.length);
    // What the handler answered says only which message failed: its log says why.
    const why = dead.reason instanceof Error ? dead.reason.message : this.#lastError.get(name);
    throw failure(
      name,
      `${why ?? "no reason given"} (${counted(deadLetters.length - told, "message")} given up after several attempts)`,
    );
  }

  #print(name: string, line: string): void {
    const error = errorIn(line);
    if (error !== undefined) this.#lastError.set(name, error);
    this.#log(`${name.padEnd(14)} ${line}`);
  }
}

const failure = (name: string, why: string): ServiceError =>
  new ServiceError(`The ${name} function failed: ${why}`);

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
