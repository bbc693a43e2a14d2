import type { Configuration } from "../aws/functions.ts";
import type { Connection } from "../postgres/connection.ts";
import type { Table } from "../table.ts";
import type { Buckets } from "../transformation/transform.ts";

/** The stages that a queue wakes. */
export const STAGES = ["ingestion", "transformation", "loading"] as const;
export type Stage = (typeof STAGES)[number];

/** The functions, in the order of a batch's way. */
export const FUNCTIONS = [...STAGES, "reconciliation"] as const;
export type Function = (typeof FUNCTIONS)[number];

/** Those that have a log: the same, and one that not every stage has. */
export const LOGGED = [...FUNCTIONS, "compaction"] as const;
export type Logged = (typeof LOGGED)[number];

/** What is in a stage's queue, about: SQS counts as it goes. */
export interface QueueDepth {
  readonly waiting: number;
  /** Messages that the function has, and those whose delivery failed until they are delivered again. */
  readonly inFlight: number;
  readonly dead: number;
  /** Seconds after which a failed message is delivered again, where the queue says so. */
  readonly visibilityTimeout?: number;
}

/** Where a pipeline is. Everything in `src/operations/` reads from here, and writes nothing. */
export interface Places {
  /** Opens the source; whoever opens it closes it. */
  readonly source: () => Promise<Connection>;
  readonly warehouse: () => Promise<Connection>;
  readonly buckets: Buckets;
  readonly tables: readonly Table[];
  /** `local`, or the name of a deployed stage: what `--stage` takes. */
  readonly stage: string;
  /** How a function is set up; it throws what Lambda says. Left out where there are none. */
  readonly functionOf?: (of: Function) => Promise<Configuration>;
  /** Asks the queues. What it throws is shown instead of figures. Left out where there are none. */
  readonly queues?: () => Promise<Readonly<Record<Stage, QueueDepth>>>;
}
