import type { Source, Table } from "../table.ts";
import type { Difference } from "./difference.ts";
import type { Tally } from "./report.ts";
import { describe, settle, type Candidate, type Evidence } from "./settle.ts";
import type { SourceReader } from "./source-rows.ts";
import type { StarRow, WarehouseReader } from "./warehouse-rows.ts";

/** What every table's comparison is done with. */
export interface Work extends Evidence {
  readonly source: SourceReader;
  /** The same moment of the warehouse, for what its ranges come to while rows are read. */
  readonly hashes: WarehouseReader;
  /** True of a row `t` of `source` whose change, as far as `table` is made of it, came after the batch. */
  readonly isPending: (table: Table, source: Source) => string;
  /** True of the rows `t` that are compared. */
  readonly where: (source: Source) => string;
  /** Whether rows that changed since a batch alone are compared: of the others nothing is known, and none is extra. */
  readonly isSince: boolean;
  /** Whether some rows alone are compared, for whatever reason. */
  readonly isPartial: boolean;
  readonly tally: (table: Table) => Tally;
  readonly tell: (difference: Difference) => void | Promise<void>;
}

/** Candidates that are settled at once. */
const AT_ONCE = 10_000;

/** Candidates of one table on their way to be settled. */
export class Settling {
  readonly #table: Table;
  readonly #work: Work;
  #candidates: Candidate[] = [];

  constructor(table: Table, work: Work) {
    this.#table = table;
    this.#work = work;
  }

  async add(candidates: readonly Candidate[]): Promise<void> {
    for (const candidate of candidates) this.#candidates.push(candidate);
    if (this.#candidates.length >= AT_ONCE) await this.end();
  }

  /** Settles those that are left. */
  async end(): Promise<void> {
    const candidates = this.#candidates;
    this.#candidates = [];
    if (candidates.length === 0) return;
    const tally = this.#work.tally(this.#table);
    const { differences, inferred, pending } = await settle(this.#table, candidates, this.#work);
    tally.inferred += inferred;
    tally.pending += pending;
    for (const difference of differences) await this.#tell(difference);
  }

  /** Versions that are the same as the one before them. */
  async repeated(rows: readonly StarRow[]): Promise<void> {
    for (const { texts, repeats } of rows)
      await this.#tell({
        table: this.#table.name,
        kind: "extra",
        key: describe(this.#table, { found: texts }).key,
        columns: [],
        recordId: repeats!,
        note: `version ${repeats} repeats the one before it`,
      });
  }

  async #tell(difference: Difference): Promise<void> {
    this.#work.tally(this.#table).count(difference);
    await this.#work.tell(difference);
  }
}
