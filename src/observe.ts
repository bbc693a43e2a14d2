import { Logger } from "@aws-lambda-powertools/logger";
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import type { Context } from "aws-lambda";
import { concernOf } from "./errors.ts";

/** A metric's name and its unit. Alarms and dashboards go by the names. */
const UNITS = {
  /** One an invocation that came to its end: silence means death. */
  Heartbeat: MetricUnit.Count,
  /** Rows read from the source. */
  RowsIngested: MetricUnit.Count,
  /** Bytes of the ingestion bucket's objects. */
  BytesIngested: MetricUnit.Bytes,
  /** Transactions begun since the fence. */
  FenceAge: MetricUnit.Count,
  RowsTransformed: MetricUnit.Count,
  BytesTransformed: MetricUnit.Bytes,
  /** Rows that did not fit. */
  RowsRejected: MetricUnit.Count,
  /** Rows of the batches that were loaded. */
  RowsLoaded: MetricUnit.Count,
  /** Rows inserted or updated in the warehouse. */
  RowsChanged: MetricUnit.Count,
  /** Rows in quarantine now. */
  Quarantined: MetricUnit.Count,
  /** Since the oldest of them came in; 0 where there is none. */
  QuarantineAge: MetricUnit.Seconds,
  /** Inferred members that there are now. */
  InferredMembers: MetricUnit.Count,
  /** Records marked or removed in the warehouse because the source has them no more. */
  RowsDeleted: MetricUnit.Count,
  /** From ingestion's commit to the warehouse's. */
  Lag: MetricUnit.Seconds,
  /** One a reconciliation that came to its end. */
  Reconciled: MetricUnit.Count,
  /** Rows of the source that the warehouse was held against. */
  RowsReconciled: MetricUnit.Count,
  /** Rows of the warehouse that are not what the source makes of them. */
  Differences: MetricUnit.Count,
  /** Rows of the warehouse that were found to be gone from the source. */
  RowsGone: MetricUnit.Count,
  /** Sources of which so many rows are gone that it is not believed. */
  DeletesRefused: MetricUnit.Count,
  /** Objects of batches that a compaction stands for now. */
  ObjectsCompacted: MetricUnit.Count,
  /** The newest batch. */
  Batch: MetricUnit.Count,
  /** How long an invocation took. */
  Seconds: MetricUnit.Seconds,
} as const;

export type Metric = keyof typeof UNITS;

/** Structured logs and metrics of one function, both on standard output, as CloudWatch takes them. */
export class Observer {
  readonly logger: Logger;
  readonly #metrics: Metrics;

  constructor(serviceName: string) {
    this.logger = new Logger({ serviceName });
    this.#metrics = new Metrics({
      // One a stage: metrics of two would add up.
      namespace: process.env["POWERTOOLS_METRICS_NAMESPACE"] ?? "TotesWarehouse",
      serviceName,
    });
  }

  /**
   * Does the work of one invocation. Its lines have the request's id; what it throws is logged before it goes on to Lambda,
   * which would log it as mere text; its metrics are put out, of a failed one too.
   */
  async run<T>(context: Context | undefined, work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    this.logger.resetKeys();
    if (context) this.logger.addContext(context);
    try {
      return await work();
    } catch (error) {
      this.failed(error as Error);
      throw error;
    } finally {
      this.count({ Seconds: (performance.now() - started) / 1000 });
      this.#metrics.publishStoredMetrics();
    }
  }

  count(values: Partial<Record<Metric, number>>): void {
    for (const [metric, value] of Object.entries(values) as [Metric, number][])
      this.#metrics.addMetric(metric, UNITS[metric], value);
  }

  /** An event that is not for this function, and why. */
  ignored(why: string): void {
    this.logger.info(`event ignored: ${why}`);
  }

  /** What failed: a line for each error, with the batch and the table that it is about. */
  failed(error: Error): void {
    for (const one of error instanceof AggregateError ? (error.errors as Error[]) : [error])
      this.logger.error(one.message, { error: one, ...concernOf(one) });
  }
}

/** The sum of `of` over the values of a record; of the values themselves unless said otherwise. */
export function sum(record: Readonly<Record<string, number>>): number;
export function sum<T>(record: Readonly<Record<string, T>>, of: (value: T) => number): number;
export function sum<T>(
  record: Readonly<Record<string, T>>,
  of: (value: T) => number = Number,
): number {
  return Object.values(record).reduce((total, value) => total + of(value), 0);
}
