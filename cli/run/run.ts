/** What the schedule does every ten minutes, now, and until it is in the warehouse. */
import { setTimeout as delay } from "node:timers/promises";
import { FunctionError, invokeFunction } from "../../src/aws/functions.ts";
import type { IngestionSummary } from "../../src/ingestion/ingest.ts";
import { receiptKey } from "../../src/lake/keys.ts";
import { getIfSmall, readProcessedManifest } from "../../src/lake/manifest.ts";
import { readReceipt } from "../../src/lake/receipts.ts";
import type { Stage } from "../../src/operations/places.ts";
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
      for (const [table, count] of Object.entries(summary.rows))
        rows[table] = (rows[table] ?? 0) + count;
      if (!summary.unfinished) return { batch: summary.batch, batches, rows };
      said(summary.batch);
    }
  }

  /** Whether a batch is in the warehouse, or was left out on purpose. */
  async isLoaded(batch: number): Promise<boolean> {
    const { processedBucket } = this.#place;
    return batch === 0 || (await getIfSmall(processedBucket, receiptKey(batch))) !== undefined;
  }

  /** Has star rows made until the batch has its own; gives how many rows those of the last batches are. */
  async transform({ batch, batches }: Pick<ReadRows, "batch" | "batches">): Promise<number> {
    const { processedBucket } = this.#place;
    const manifestOf = (number: number) => readProcessedManifest(processedBucket, number);
    await this.#until("transformation", async () => (await manifestOf(batch)) !== undefined);
    let rows = 0;
    for (const number of lastOf(batch, batches))
      for (const object of (await manifestOf(number))?.manifest.objects ?? []) rows += object.rows;
    return rows;
  }

  /** Has batches loaded until this one is; gives what the last ones did. */
  async load({ batch, batches }: Pick<ReadRows, "batch" | "batches">): Promise<LoadedRows> {
    await this.#until("loading", () => this.isLoaded(batch));
    const changed: Record<string, number> = {};
    let rejected = 0;
    for (const number of lastOf(batch, batches)) {
      const receipt = await readReceipt(this.#place.processedBucket, number);
      rejected += receipt.rejected;
      for (const [table, { changed: rows }] of Object.entries(receipt.tables))
        if (rows > 0) changed[table] = (changed[table] ?? 0) + rows;
    }
    return { changed, rejected };
  }

  /** Wakes a function, as a tick does, until `isDone`: an event may have woken it before us, and it may have had no time for all. */
  async #until(name: Stage, isDone: () => Promise<boolean>): Promise<void> {
    for (;;) {
      if (await isDone()) return;
      await this.#invoke(name);
      if (await isDone()) return;
      await this.#patiently(name, delay(POLL_MS, undefined, { signal: this.#signal }));
    }
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
        `${name} is not done after ${this.#seconds} seconds; it goes on without us: \`totes status\` says how far it is`,
        { cause: error },
      );
    }
  }
}

const lastOf = (batch: number, batches: number): number[] =>
  Array.from({ length: batches }, (_, before) => batch - batches + 1 + before);
