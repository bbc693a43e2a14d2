/** What the page asks, of one pipeline. */
import type {
  Batch,
  BatchPage,
  Overview,
  QuarantineGroup,
  Table,
  TableSummary,
} from "../src/operations/types.ts";
import type { Business } from "./business.ts";

/** Undefined where there is no such thing. */
export interface Answers {
  readonly overview: () => Promise<Overview>;
  readonly batches: (page: {
    /** Batches below this number; from the newest on where undefined. */
    readonly before?: number;
    readonly limit: number;
    readonly only: "all" | "quarantined" | "unfinished";
  }) => Promise<BatchPage>;
  readonly batch: (number: number) => Promise<Batch | undefined>;
  readonly tables: () => Promise<readonly TableSummary[]>;
  readonly table: (name: string) => Promise<Table | undefined>;
  readonly quarantine: () => Promise<readonly QuarantineGroup[]>;
  readonly business: () => Promise<Business>;
}

/**
 * Asks again so many milliseconds after the last answer, however many ask; what failed is asked again at once. Nobody asks while
 * somebody waits: an answer that takes longer than that would be asked for ever more often.
 */
export function atMostEvery<T>(milliseconds: number, ask: () => Promise<T>): () => Promise<T> {
  let asked: { answeredAt: number; readonly answer: Promise<T> } | undefined;
  return () => {
    if (asked && performance.now() - asked.answeredAt < milliseconds) return asked.answer;
    const one = { answeredAt: Infinity, answer: ask() };
    asked = one;
    one.answer.then(
      () => (one.answeredAt = performance.now()),
      () => (asked = undefined),
    );
    return one.answer;
  };
}
