import { mkdtemp } from "node:fs/promises";
import path from "node:path";
import { FunctionError, startFunction, type LambdaFunction } from "../../localstack/functions.ts";
import { bundleFunction, bundleModule, FUNCTIONS } from "../../scripts/bundle.ts";
import type { Service, Stage } from "./calls.ts";
import { startHttpProxy, type HttpProxy } from "./http-proxy.ts";
import { startPostgresProxy, type PostgresProxy } from "./postgres-proxy.ts";
import type { Switchboard } from "./switchboard.ts";
import type { Invocation } from "./worker.ts";

/** How an invocation ended. */
export type Ended =
  | { readonly answer: Readonly<Record<string, unknown>> }
  | { readonly failed: FunctionError };

/** Where the functions' traffic goes to. */
export interface Places {
  readonly aws: number;
  readonly postgres: number;
  readonly roleOf: (bucket: string) => string;
  readonly serviceOf: (database: string) => Service;
}

/** Longest that an invocation may take, in milliseconds. */
const TIMEOUT = 60_000;

/** A process for functions, with proxies of its own: so that its calls are known from those of others. */
export class Slot {
  #stage: Stage = "ingestion";
  isBusy = false;
  readonly #run: LambdaFunction;
  readonly #http: HttpProxy;
  readonly #postgres: PostgresProxy;

  private constructor(run: LambdaFunction, http: HttpProxy, postgres: PostgresProxy) {
    this.#run = run;
    this.#http = http;
    this.#postgres = postgres;
  }

  static async start(
    bundles: Bundles,
    places: Places,
    board: Switchboard,
    onLog: (line: string) => void,
  ): Promise<Slot> {
    const made: { slot?: Slot } = {};
    const meet = (request: object) =>
      made.slot && board.meet(made.slot, { ...request, stage: made.slot.stage } as never);
    const postgres = await startPostgresProxy(places.postgres, places.serviceOf, meet);
    const http = await startHttpProxy(places.aws, places.roleOf, postgres.port, meet);
    const run = startFunction({
      name: "chaos",
      module: bundles.module,
      worker: bundles.worker,
      timeoutMs: TIMEOUT,
      onLog,
      env: {
        CHAOS_FUNCTIONS: bundles.functions,
        AWS_ENDPOINT_URL: http.endpoint,
        POWERTOOLS_LOG_LEVEL: "DEBUG",
        AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
      },
    });
    return (made.slot = new Slot(run, http, postgres));
  }

  get stage(): Stage {
    return this.#stage;
  }

  async invoke(invocation: Invocation): Promise<Ended> {
    this.#stage = invocation.stage;
    try {
      return { answer: (await this.#run.invoke(invocation)) as Record<string, unknown> };
    } catch (error) {
      if (!(error instanceof FunctionError)) throw error;
      return { failed: error };
    }
  }

  /** As `kill -9`. */
  kill(): void {
    this.#run.kill("SIGKILL");
  }

  freeze(): void {
    this.#run.kill("SIGSTOP");
  }

  thaw(): void {
    this.#run.kill("SIGCONT");
  }

  async stop(): Promise<void> {
    this.kill();
    await this.#run.stop();
    await Promise.all([this.#http.close(), this.#postgres.close()]);
  }
}

/** What the processes run, as files. */
export interface Bundles {
  readonly worker: string;
  readonly module: string;
  readonly functions: string;
}

/** Bundles the functions as a deploy does, and what runs them, into a new folder in `parent`. */
export async function makeBundles(parent: string): Promise<Bundles> {
  const functions = await mkdtemp(path.join(parent, "chaos-"));
  const worker = path.join(functions, "function-worker.mjs");
  const module = path.join(functions, "worker.mjs");
  await Promise.all([
    bundleModule("localstack/function-worker.ts", worker),
    bundleModule("tests/chaos/worker.ts", module),
    ...FUNCTIONS.map((name) => bundleFunction(name, { folder: functions })),
  ]);
  return { worker, module, functions };
}

/** Processes, each started when all others are busy, as Lambda does. */
export class Slots {
  readonly #start: () => Promise<Slot>;
  readonly #all: Slot[] = [];

  constructor(start: () => Promise<Slot>) {
    this.#start = start;
  }

  /** Runs an invocation in a process that is free. */
  async invoke(
    invocation: Invocation,
    told: (slot: Slot) => void = () => undefined,
  ): Promise<Ended> {
    const slot = await this.#free(invocation.stage);
    try {
      told(slot);
      return await slot.invoke(invocation);
    } finally {
      slot.isBusy = false;
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all.map((slot) => slot.stop()));
  }

  async #free(stage: Stage): Promise<Slot> {
    const free = this.#all.filter(({ isBusy }) => !isBusy);
    // A process that ran the stage before is warm.
    const found = free.find((slot) => slot.stage === stage) ?? free[0];
    if (found) {
      found.isBusy = true;
      return found;
    }
    const slot = await this.#start();
    slot.isBusy = true;
    this.#all.push(slot);
    return slot;
  }
}
