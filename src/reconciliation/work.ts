import type { Key } from "../ingestion/keyset.ts";
import { keyIn } from "../loading/quarantine-rows.ts";
import { keyedBySource, keyOf, type Source, type SourceRow, type Table } from "../table.ts";
import type { Difference } from "./difference.ts";
import type { Tally } from "./report.ts";
import { describe, isReadInFull, settle, type Candidate, type Evidence } from "./settle.ts";
import { oneOf, sourceOrder } from "./key-ranges.ts";
import { keyOfRow, type SourceReader } from "./source-rows.ts";
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

  /**
   * Rows of a source that do not fit. Those that the quarantine does not have, and that did not change after the batch, fitted
   * when they were read last, or are misread here: nothing else is known of them.
   */
  async rejected(source: Source, rows: readonly SourceRow[]): Promise<void> {
    const { warehouse, source: reader, isPending } = this.#work;
    if (rows.length === 0 || isReadInFull(this.#table)) return;
    const byKey = new Map(rows.map((row) => [keyIn(source, row), row]));
    const known = await warehouse.quarantined(this.#table, source, [...byKey.keys()]);
    if (known === undefined) return;
    const unknown = new Map<string, Key>();
    for (const [id, row] of byKey) {
      const key = keyOfRow(source, row);
      if (!known.has(id) && Object.values(key).every((value) => value !== null))
        unknown.set(JSON.stringify(key), key);
    }
    if (unknown.size === 0) return;
    const order = sourceOrder(source, reader.catalogue.get(source.name)!);
    const theirs = [...unknown.values()].map((key) => Object.values(key) as string[]);
    const changed = `(${isPending(this.#table, source)}) and ${oneOf(order, "t", theirs)}`;
    for await (const pending of reader.meanwhile(source, changed))
      for (const row of pending) unknown.delete(JSON.stringify(keyOfRow(source, row)));
    const columns = keyedBySource(this.#table) ? keyOf(this.#table) : keyOf(source);
    for (const key of unknown.values())
      await this.#tell({
        table: this.#table.name,
        kind: "missing",
        key: Object.fromEntries(columns.map((column, at) => [column, Object.values(key)[at]!])),
        columns: [],
        note: `its row of ${source.name} does not fit, and the quarantine does not have it`,
        source: { table: source.name, key },
      });
  }

  async #tell(difference: Difference): Promise<void> {
    this.#work.tally(this.#table).count(difference);
    await this.#work.tell(difference);
  }
}
