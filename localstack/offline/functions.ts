import { FunctionError } from "../functions.ts";
import type { Stack } from "../stack.ts";
import { invoke, startSls, type FunctionName, type Sls, type SlsError } from "./sls.ts";

/**
 * The functions of a stack under `sls offline`, which can be started anew. That takes seconds, where serverless-esbuild's
 * own watch needs one; but its builds overlap, so that an older one may be written last, all of them count as of one age
 * (src/build.ts), and an invocation whose function is replaced meanwhile is never answered.
 */
export class Functions {
  readonly #stack: Stack;
  readonly #port: number;
  readonly #onLine: (line: string) => void;
  readonly #onFailure: (failure: string) => void;
  #running: Sls | undefined;
  #isOver = false;

  /**
   * @param port of the API that invokes them
   * @param onLine takes each line that they and `sls offline` print
   * @param onFailure is told what a function threw
   */
  constructor(
    stack: Stack,
    port: number,
    onLine: (line: string) => void,
    onFailure: (failure: string) => void,
  ) {
    this.#stack = stack;
    this.#port = port;
    this.#onLine = onLine;
    this.#onFailure = onFailure;
    stack.defer("sls offline", () => {
      this.#isOver = true;
      return this.stop();
    });
  }

  /** How `sls offline` ended, when it does; never resolves where it does not run. */
  get ended(): Promise<SlsError> {
    return this.#running?.ended ?? new Promise(() => undefined);
  }

  /**
   * Starts them, and has the queues deliver to them, what was given up included: other code may be luckier with it.
   * @throws SlsError where `sls offline` does not start; Error where the stack has stopped
   */
  async start(): Promise<void> {
    if (this.#isOver) throw new Error("the stack has stopped");
    const sls = startSls({ env: this.#stack.env, port: this.#port, onLine: this.#onLine });
    this.#running = sls;
    try {
      await sls.ready;
    } catch (error) {
      this.#running = undefined;
      throw error;
    }
    this.#stack.connectFunctions({
      ingestion: (event) => this.invoke("ingestion", event),
      transformation: (event) => this.invoke("transformation", event),
      loading: (event) => this.invoke("loading", event),
    });
    for (const queue of Object.values(this.#stack.queues)) queue.redrive();
  }

  /** Ends them and their invocations; the queues keep what comes meanwhile, and what was cut off. */
  async stop(): Promise<void> {
    for (const queue of Object.values(this.#stack.queues)) queue.disconnect();
    const sls = this.#running;
    this.#running = undefined;
    await sls?.stop();
  }

  /** Invokes one of them, and gives what it gives. Throws what `invoke` throws. */
  async invoke(name: FunctionName, event: unknown): Promise<unknown> {
    const sls = this.#running;
    try {
      return await invoke(this.#port, name, event);
    } catch (error) {
      // One that was cut off has not failed.
      if (this.#running === sls && error instanceof FunctionError) this.#onFailure(error.message);
      throw error;
    }
  }
}
