import { mkdir, mkdtemp } from "node:fs/promises";
import path from "node:path";
import { memoryMb } from "../localstack/demo/service.ts";
import { FunctionError, startFunction, type LambdaFunction } from "../localstack/functions.ts";
import { bundleFunction, bundleModule, STAGES, type StageName } from "../scripts/bundle.ts";

/** What the bench runs by node alone, as files. */
export interface Bundles {
  /** localstack/function-worker.ts, copy-pipe.ts. */
  readonly worker: string;
  readonly pipe: string;
  /** The functions as they are deployed. */
  readonly functions: Readonly<Record<StageName, string>>;
  /** The same with the table modules of bench/tables/. */
  readonly withLookup: Readonly<Record<StageName, string>>;
}

/** Bundles everything into a new folder in `parent` (under a second). Throws esbuild's BuildFailure. */
export async function makeBundles(parent: string): Promise<Bundles> {
  const folder = await mkdtemp(path.join(parent, "bench-"));
  const bundled = async (name: string, tables: readonly string[]) => {
    const into = path.join(folder, name);
    await mkdir(into);
    await Promise.all(STAGES.map((one) => bundleFunction(one, { folder: into, tables })));
    const files = STAGES.map((one) => [one, path.join(into, `${one}.cjs`)] as const);
    return Object.fromEntries(files) as Record<StageName, string>;
  };
  const worker = path.join(folder, "function-worker.mjs");
  const pipe = path.join(folder, "copy-pipe.mjs");
  await bundleModule("localstack/function-worker.ts", worker);
  await bundleModule("bench/copy-pipe.ts", pipe);
  const functions = await bundled("functions", []);
  const withLookup = await bundled("with-lookup", ["bench/tables"]);
  return { worker, pipe, functions, withLookup };
}

/** As serverless.yml has it, in milliseconds. */
const TIMEOUT = 300_000;
/** So many processes at a time: of transformation what its queue allows. One loader at a time has the lock anyway. */
const MOST = { ingestion: 1, transformation: 2, loading: 1 } as const;

/** What a function's processes did since the last {@link Processes.mark}. */
export interface Used {
  readonly processes: number;
  readonly invocations: number;
  readonly busyMs: number;
  readonly billedMs: number;
  readonly cpuSeconds: number;
  readonly peakRssBytes: number;
  readonly logBytes: number;
}

/** The processes of one function: each is started when all others are busy, as Lambda does. */
export class Processes {
  readonly #name: StageName;
  readonly #start: () => LambdaFunction;
  readonly #all: { readonly run: LambdaFunction; isBusy: boolean; cpuBefore: number }[] = [];
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #busySince = 0;
  #used = { invocations: 0, busyMs: 0, billedMs: 0, logBytes: 0 };

  constructor(
    name: StageName,
    module: string,
    worker: string,
    env: Readonly<Record<string, string>>,
    onLog: (line: string) => void,
  ) {
    this.#name = name;
    const options = { name, module, worker, env, memoryMb, timeoutMs: TIMEOUT };
    const take = (line: string): void => {
      this.#used.logBytes += Buffer.byteLength(line) + 1;
      onLog(line);
    };
    this.#start = () => startFunction({ ...options, onLog: take });
  }

  /** Gives what the handler gives. Throws FunctionError. */
  async invoke(event: unknown): Promise<unknown> {
    const process = await this.#free();
    const began = performance.now();
    if (this.#running++ === 0) this.#busySince = began;
    process.isBusy = true;
    try {
      return await process.run.invoke(event);
    } finally {
      const ended = performance.now();
      process.isBusy = false;
      this.#used.invocations++;
      this.#used.billedMs += ended - began;
      if (--this.#running === 0) this.#used.busyMs += ended - this.#busySince;
      this.#waiting.shift()?.();
    }
  }

  /** Counts from now on. */
  async mark(): Promise<void> {
    for (const process of this.#all)
      process.cpuBefore = (await this.#usage(process.run)).cpuSeconds;
    this.#used = { invocations: 0, busyMs: 0, billedMs: 0, logBytes: 0 };
  }

  /** @throws FunctionError where a process has ended */
  async used(): Promise<Used> {
    let [cpuSeconds, peakRssBytes] = [0, 0];
    for (const { run, cpuBefore } of this.#all) {
      const usage = await this.#usage(run);
      cpuSeconds += usage.cpuSeconds - cpuBefore;
      peakRssBytes = Math.max(peakRssBytes, usage.peakRssBytes);
    }
    return { ...this.#used, processes: this.#all.length, cpuSeconds, peakRssBytes };
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all.map(({ run }) => run.stop()));
  }

  /** One that is free, started where there may be more; waits for one otherwise. */
  async #free() {
    for (;;) {
      const free = this.#all.find(({ isBusy }) => !isBusy);
      if (free) return free;
      if (this.#all.length < MOST[this.#name]) break;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    const started = { run: this.#start(), isBusy: false, cpuBefore: 0 };
    this.#all.push(started);
    return started;
  }

  async #usage(run: LambdaFunction) {
    const usage = await run.usage();
    if (usage) return usage;
    throw new FunctionError({
      errorType: "Runtime.ExitError",
      errorMessage: `a process of ${this.#name} has ended`,
      stackTrace: [],
    });
  }
}
