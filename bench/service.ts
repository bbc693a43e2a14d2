import { setTimeout as delay } from "node:timers/promises";
import { errorIn } from "../localstack/demo/log.ts";
import { scheduleEvent } from "../localstack/events.ts";
import type { Pipeline } from "../localstack/stack.ts";
import { STAGES, type StageName } from "../scripts/bundle.ts";
import { Processes, type Bundles, type Used } from "./functions.ts";

/** A function failed, or a batch did not arrive: says which, and why. */
export class ServiceError extends Error {
  override readonly name = "ServiceError";
}

/** What of the functions' answers is looked at. */
interface Answer {
  readonly batch?: number;
  readonly unfinished?: boolean;
  readonly batchItemFailures?: readonly unknown[];
  readonly loaded?: readonly unknown[];
}

/** Longest that nothing may happen before the schedule's turn is taken, in milliseconds. */
const PATIENCE = 2_000;

/** The three functions on one pipeline, each in processes of its own, woken by the queues. */
export class Service {
  readonly #pipeline: Pipeline;
  readonly #newest: () => Promise<number>;
  readonly #processes: Readonly<Record<StageName, Processes>>;
  readonly #lastError = new Map<StageName, string>();
  #fail: (error: ServiceError) => void = () => undefined;
  #arrivedAt = 0;

  /**
   * @param newest gives the newest batch in the warehouse, 0 where there is none
   * @param log takes what the functions print
   */
  constructor(
    pipeline: Pipeline,
    bundles: Pick<Bundles, "worker" | "functions">,
    newest: () => Promise<number>,
    log: (line: string) => void,
  ) {
    this.#pipeline = pipeline;
    this.#newest = newest;
    const env = {
      ...pipeline.env,
      POWERTOOLS_LOG_LEVEL: "INFO",
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
    };
    const start = (name: StageName): Processes =>
      new Processes(name, bundles.functions[name], bundles.worker, env, (line) => {
        // Node's last words, where it is not the function's.
        const error = errorIn(line) ?? /JavaScript heap out of memory/.exec(line)?.[0];
        if (error !== undefined) this.#lastError.set(name, error);
        log(`${name.padEnd(14)} ${line}`);
      });
    this.#processes = {
      ingestion: start("ingestion"),
      transformation: start("transformation"),
      loading: start("loading"),
    };
    pipeline.connectFunctions({
      transformation: (event) => this.#fromQueue("transformation", event),
      loading: (event) => this.#fromQueue("loading", event),
    });
  }

  /**
   * Invokes ingestion, again while it says that it is unfinished, and waits until what it committed is in the warehouse.
   * @returns when that was so, by `performance.now()`
   * @throws ServiceError
   */
  async run(event: object = scheduleEvent("ingestion")): Promise<number> {
    const failed = new Promise<never>((_, reject) => (this.#fail = reject));
    // Between runs nobody waits for it.
    failed.catch(() => undefined);
    return Promise.race([this.#run(event), failed]);
  }

  async #run(event: object): Promise<number> {
    let answer = await this.invoke("ingestion", event);
    while (answer.unfinished === true)
      answer = await this.invoke("ingestion", scheduleEvent("ingestion"));
    const ingestedAt = performance.now();
    await this.#settle(answer.batch ?? 0);
    return Math.max(ingestedAt, this.#arrivedAt);
  }

  /** What a tick of the schedule does to one function. Throws ServiceError. */
  async invoke(name: StageName, event: object = scheduleEvent(name)): Promise<Answer> {
    let answer: Answer;
    try {
      answer = ((await this.#processes[name].invoke(event)) ?? {}) as Answer;
    } catch (error) {
      throw this.#failure(name, (error as Error).message);
    }
    if (answer.batchItemFailures?.length) throw this.#failure(name, "a message failed");
    if (name === "loading" && answer.loaded?.length !== 0) this.#arrivedAt = performance.now();
    return answer;
  }

  /** Counts from now on. */
  async mark(): Promise<void> {
    for (const name of STAGES) await this.#processes[name].mark();
  }

  /** What each function used since {@link mark}. */
  async used(): Promise<Record<StageName, Used>> {
    const used = await Promise.all(
      STAGES.map(async (name) => [name, await this.#processes[name].used()] as const),
    );
    return Object.fromEntries(used) as Record<StageName, Used>;
  }

  /** Ends the processes; the queues keep what comes. */
  async stop(): Promise<void> {
    for (const queue of Object.values(this.#pipeline.queues)) queue.disconnect();
    await Promise.all(STAGES.map((name) => this.#processes[name].stop()));
  }

  async #fromQueue(name: StageName, event: object): Promise<Answer> {
    try {
      return await this.invoke(name, event);
    } catch (error) {
      // The queue would deliver it again, and the figures be of something else.
      this.#fail(error as ServiceError);
      throw error;
    }
  }

  #failure(name: StageName, why: string): ServiceError {
    const said = this.#lastError.get(name);
    return new ServiceError(
      `the ${name} function failed: ${said === undefined || said === why ? why : `${said} (${why})`}`,
    );
  }

  async #settle(batch: number): Promise<void> {
    const queues = Object.values(this.#pipeline.queues);
    let since = performance.now();
    let ticks = 0;
    for (;;) {
      if (queues.some((queue) => queue.depth + queue.inFlight > 0)) {
        await Promise.all(queues.map((queue) => queue.idle()));
        since = performance.now();
      }
      const newest = await this.#newest();
      if (newest >= batch && queues.every((queue) => queue.depth + queue.inFlight === 0)) return;
      if (performance.now() - since > PATIENCE) {
        if (++ticks > 3)
          throw new ServiceError(
            `batch ${batch} did not reach the warehouse, which is at batch ${newest}`,
          );
        // What an invocation near its deadline leaves over.
        await this.invoke("transformation");
        await this.invoke("loading");
        since = performance.now();
      }
      await delay(5);
    }
  }
}
