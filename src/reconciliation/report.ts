import { KINDS, type Difference, type Kind } from "./difference.ts";

/** What comparing one table came to. */
export interface TableReport {
  readonly table: string;
  /** Why it was not compared; the counts are 0 then. */
  readonly notCompared?: string;
  /** Rows of the source that were formatted for it. */
  readonly rows: number;
  /** Key ranges that were held against each other by their hashes; 0 of a table that is not keyed by its source. */
  readonly ranges: number;
  /** Those whose rows were looked at, one by one. */
  readonly descended: number;
  /** Rows that differ because they changed after the batch. */
  readonly pending: number;
  /** Rows of the source that do not fit. */
  readonly quarantined: number;
  /** Inferred members that stand for rows which the source does not make. */
  readonly inferred: number;
  readonly differences: Readonly<Record<Kind, number>>;
  /** What it took, apart from reading the source, which is done once for all tables that a source makes. */
  readonly seconds: number;
}

/** A report in the making. */
export class Tally {
  rows = 0;
  ranges = 0;
  descended = 0;
  pending = 0;
  quarantined = 0;
  inferred = 0;
  readonly #table: string;
  readonly #differences: Record<Kind, number> = { missing: 0, extra: 0, different: 0, stale: 0 };
  #milliseconds = 0;

  constructor(table: string) {
    this.#table = table;
  }

  count({ kind }: Difference): void {
    this.#differences[kind]++;
  }

  /** Begins anew: rows are counted again. */
  clear(): void {
    this.rows = this.ranges = this.descended = 0;
    this.pending = this.quarantined = this.inferred = 0;
  }

  async timed<T>(work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    try {
      return await work();
    } finally {
      this.#milliseconds += performance.now() - began;
    }
  }

  report(notCompared?: string): TableReport {
    const { rows, ranges, descended, pending, quarantined, inferred } = this;
    return {
      table: this.#table,
      ...(notCompared === undefined ? {} : { notCompared }),
      rows,
      ranges,
      descended,
      pending,
      quarantined,
      inferred,
      differences: this.#differences,
      seconds: this.#milliseconds / 1000,
    };
  }
}

/** How many differences a table has. */
export const differencesOf = ({ differences }: TableReport): number =>
  KINDS.reduce((sum, kind) => sum + differences[kind], 0);
