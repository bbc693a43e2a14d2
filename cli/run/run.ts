/** What the schedule does every ten minutes, now, and until it is in the warehouse. */
import { setTimeout as delay } from "node:timers/promises";
import { FunctionError, invokeFunction } from "../../src/aws/functions.ts";
import type { IngestionSummary } from "../../src/ingestion/ingest.ts";
import { receiptKey } from "../../src/lake/keys.ts";
import { getIfSmall, readProcessedManifest } from "../../src/lake/manifest.ts";
import { readReceipt } from "../../src/lake/receipts.ts";
import type { LoadedBatch } from "../../src/loading/load-batch.ts";
import type { LoadingSummary } from "../../src/loading/load.ts";
import type { Stage } from "../../src/operations/places.ts";
import { command } from "../../src/operations/verdict.ts";
import { functionName, notDeployed } from "../stage.ts";

/** Where the pipeline is that is to run. */
export interface RunPlace {
  readonly stage: string;
  readonly processedBucket: string;
}

/** What ingestion read. */
export interface ReadRows {
  /** The newest batch now; 0 where there is none. */
  readonly batch: number;
  /** Batches that were committed: those before the newest, and it. */
  readonly batches: number;
  /** By source table. */
  readonly rows: Readonly<Record<string, number>>;
}

/** What is in the warehouse of it. */
export interface LoadedRows {
  /** Rows that were new to the warehouse or changed it, by star table; those without any are left out. */
  readonly changed: Readonly<Record<string, number>>;
  /** Rows that went to quarantine. */
  readonly rejected: number;
}

/** It takes longer than somebody would wait. */
export class RunTimeout extends Error {
  override readonly name = "RunTimeout";
}

/** A function threw: which one, and what. */
export class FunctionFailed extends Error {
  override readonly name = "FunctionFailed";
}

const POLL_MS = 200;

/** The steps of a run; each throws FunctionFailed, RunTimeout, StageError. */
export class Run {
  readonly #place: RunPlace;
  readonly #signal: AbortSignal;
  readonly #seconds: number;
  /** What the loader did for us, by batch. */
  readonly #loaded = new Map<number, LoadedBatch>();

  /** @param seconds longest that all of it may take */
  constructor(place: RunPlace, seconds: number) {
    this.#place = place;
    this.#seconds = seconds;
    this.#signal = AbortSignal.timeout(seconds * 1000);
  }

  /** Reads what changed in the source, however many invocations that takes. */
  async ingest(said: (batch: number) => void = () => undefined): Promise<ReadRows> {
    const rows: Record<string, number> = {};
    let batches = 0;
    for (;;) {
      const summary = await this.#invoke<IngestionSummary>("ingestion");
      batches += summary.batches;
      // Whoever was first may have looked before we were asked.
      if (summary.outcome === "lost the race") continue;
      for (const [table, count] of Object.entries(summary.rows))
        rows[table] = (rows[table] ?? 0) + count;
      if (!summary.unfinished) return { batch: summary.batch, batches, rows };
      said(summary.batch);
    }
  }

  /** Whether a batch was in the warehouse before, or left out of it on purpose; what is due there is loaded. */
  async wasLoaded(batch: number): Promise<boolean> {
    return (await this.#wakeLoader()) >= batch && this.#loaded.size === 0;
  }

  /** Why an operator left a batch out; undefined where nobody did. */
  async whyLeftOut(batch: number): Promise<string | undefined> {
    const { processedBucket } = this.#place;
    if (!(await getIfSmall(processedBucket, receiptKey(batch)))) return undefined;
    return (await readReceipt(processedBucket, batch)).skipped_why;
  }

  /** Has star rows made until the batch has its own; gives how many rows those of the last batches are. */
  async transform({ batch, batches }: Pick<ReadRows, "batch" | "batches">): Promise<number> {
    const { processedBucket } = this.#place;
    const manifestOf = (number: number) => readProcessedManifest(processedBucket, number);
    // An event may have woken it before us; and it may have had no time for all.
    while ((await manifestOf(batch)) === undefined) {
      await this.#invoke("transformation");
      if ((await manifestOf(batch)) === undefined) await this.#pause("transformation");
    }
    let rows = 0;
    for (const number of lastOf(batch, batches))
      for (const object of (await manifestOf(number))?.manifest.objects ?? []) rows += object.rows;
    return rows;
  }

  /** Has batches loaded until this one is; gives what the last ones did, and whatever else was due. */
  async load({ batch, batches }: Pick<ReadRows, "batch" | "batches">): Promise<LoadedRows> {
    while ((await this.#wakeLoader()) < batch) await this.#pause("loading");
    const changed: Record<string, number> = {};
    let rejected = 0;
    for (const number of new Set([...lastOf(batch, batches), ...this.#loaded.keys()])) {
      // A receipt tells of the first time: of a warehouse that was emptied since, the loader.
      const loaded =
        this.#loaded.get(number) ?? (await readReceipt(this.#place.processedBucket, number));
      rejected += loaded.rejected;
      for (const [table, { changed: rows }] of Object.entries(loaded.tables))
        if (rows > 0) changed[table] = (changed[table] ?? 0) + rows;
    }
    return { changed, rejected };
  }

  /** Has loaded what is due; gives the newest batch that the warehouse itself says it has. */
  async #wakeLoader(): Promise<number> {
    for (;;) {
      const { newest, loaded = [] } = await this.#invoke<Partial<LoadingSummary>>("loading");
      for (const one of loaded) this.#loaded.set(one.batch, one);
      if (newest !== undefined) return newest;
      // Another loader is at work.
      await this.#pause("loading");
    }
  }

  #pause(name: Stage): Promise<void> {
    return this.#patiently(name, delay(POLL_MS, undefined, { signal: this.#signal }));
  }

  async #invoke<T>(name: Stage): Promise<T> {
    const { stage } = this.#place;
    const FunctionName = functionName(stage, name);
    const answer = invokeFunction(FunctionName, {}, this.#signal).catch((error: unknown) => {
      if (!(error instanceof FunctionError)) throw error;
      const { thrown } = error;
      if (thrown)
        throw new FunctionFailed(
          `the ${name} function failed: ${thrown.errorType}: ${thrown.errorMessage}`,
        );
      const cause = error.cause as Error;
      throw cause.name === "ResourceNotFoundException"
        ? notDeployed(stage, `function ${FunctionName}`, cause)
        : cause;
    });
    return (await this.#patiently(name, answer)) as T;
  }

  async #patiently<T>(name: Stage, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (!this.#signal.aborted) throw error;
      throw new RunTimeout(
        `${name} is not done after ${this.#seconds} seconds; it goes on without us: \`${command(this.#place, "status")}\` says how far it is`,
        { cause: error },
      );
    }
  }
}

const lastOf = (batch: number, batches: number): number[] =>
  Array.from({ length: batches }, (_, before) => batch - batches + 1 + before);
