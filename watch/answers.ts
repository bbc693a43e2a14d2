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

/** Asks at most once in so many milliseconds, however many ask; what failed is asked again at once. */
export function atMostEvery<T>(milliseconds: number, ask: () => Promise<T>): () => Promise<T> {
  let asked: { readonly at: number; readonly answer: Promise<T> } | undefined;
  return () => {
    if (asked && performance.now() - asked.at < milliseconds) return asked.answer;
    const answer = ask();
    asked = { at: performance.now(), answer };
    answer.catch(() => (asked = undefined));
    return answer;
  };
}
