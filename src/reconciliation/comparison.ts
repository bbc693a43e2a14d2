/** The comparison itself, source by source. */
import { awaitedLater } from "../errors.ts";
import type { CatalogueTable } from "../postgres/catalogue.ts";
import type { Connection } from "../postgres/connection.ts";
import type { Source, Table } from "../table.ts";
import { DerivedTable, inLots } from "./derived.ts";
import {
  cutsOf,
  isCutByKey,
  neighbours,
  rangeAt,
  rowsAt,
  sourceOrder,
  within,
  type Cuts,
  type KeyOrder,
} from "./key-ranges.ts";
import { KeyedTable } from "./keyed.ts";
import type { ReconcileOptions } from "./reconcile.ts";
import type { Work } from "./work.ts";

/** Rows of a key range. */
const RANGE_ROWS = 2_000;

/** One reading of a source, for all tables that it makes. */
interface Reading {
  readonly source: Source;
  readonly keyed: readonly KeyedTable[];
  readonly derived: readonly DerivedTable[];
  readonly cuts: Cuts;
  /** The numbers of the ranges that are compared; all where undefined. */
  readonly drawn: readonly number[] | undefined;
}

/** The comparison itself, source by source: each is read once for all tables that it makes. */
export class Comparison {
  readonly #tables: readonly Table[];
  readonly #connection: Connection;
  readonly #catalogue: ReadonlyMap<string, CatalogueTable>;
  readonly #work: Work;
  readonly #options: ReconcileOptions;
  #read = 0;
  #total = 0;

  constructor(
    tables: readonly Table[],
    connection: Connection,
    catalogue: ReadonlyMap<string, CatalogueTable>,
    work: Work,
    options: ReconcileOptions,
  ) {
    this.#tables = tables;
    this.#connection = connection;
    this.#catalogue = catalogue;
    this.#work = work;
    this.#options = options;
  }

  async run(): Promise<void> {
    const isKeyed = (table: Table): boolean => isCutByKey(table, this.#catalogue);
    const keyed = this.#tables.filter(isKeyed).map((table) => new KeyedTable(table, this.#work));
    const derived = await this.#derive(this.#tables.filter((table) => !isKeyed(table)));
    const sources = new Map(
      this.#tables.flatMap((table) => table.sources).map((source) => [source.name, source]),
    );
    const readings: Reading[] = [];
    for (const source of sources.values())
      readings.push(await this.#reading(source, keyed, derived));
    this.#total = readings.reduce((sum, { cuts }) => sum + cuts.rows, 0);
    // While one source's rows are on their way, the warehouse is at work on the tables of the next.
    let asked = this.#ask(readings[0]);
    for (const [at, reading] of readings.entries()) {
      await asked;
      asked = this.#ask(readings[at + 1]);
      await this.#compare(reading);
    }
    for (const one of derived) await this.#work.tally(one.table).timed(() => one.compare());
    await this.#compareUnkeyed(keyed.filter((one) => !one.isKeyed).map(({ table }) => table));
  }

  /** Tables whose rows turned out not to have their source rows' keys. */
  async #compareUnkeyed(tables: readonly Table[]): Promise<void> {
    for (const one of await this.#derive(tables)) {
      this.#work.tally(one.table).clear();
      for (const source of one.table.sources)
        await this.#compare(await this.#reading(source, [], [one]));
      await this.#work.tally(one.table).timed(() => one.compare());
    }
  }

  async #derive(tables: readonly Table[]): Promise<DerivedTable[]> {
    const derived: DerivedTable[] = [];
    for (const table of tables)
      derived.push(new DerivedTable(table, this.#work, await this.#work.warehouse.count(table)));
    return derived;
  }

  #order(source: Source): KeyOrder {
    return sourceOrder(source, this.#catalogue.get(source.name)!);
  }

  async #reading(
    source: Source,
    keyed: readonly KeyedTable[],
    derived: readonly DerivedTable[],
  ): Promise<Reading> {
    const made = keyed.filter((one) => one.source.name === source.name);
    const cuts = await cutsOf(
      this.#connection,
      source,
      this.#order(source),
      made.length > 0 ? RANGE_ROWS : Infinity,
      this.#work.where(source),
    );
    return {
      source,
      keyed: made,
      derived: derived.filter(({ table }) =>
        table.sources.some(({ name }) => name === source.name),
      ),
      cuts,
      drawn: this.#draw(cuts),
    };
  }

  #draw({ bounds }: Cuts): number[] | undefined {
    const { sample } = this.#options;
    if (sample === undefined) return undefined;
    const all = Array.from({ length: bounds.length + 1 }, (_, at) => at);
    const drawn = all.filter(() => Math.random() < sample);
    return drawn.length > 0 ? drawn : [Math.floor(Math.random() * all.length)];
  }

  /** Asks the warehouse what its ranges come to. Of a part of each, as what changed since a batch is, no hash says anything. */
  #ask(reading: Reading | undefined): Promise<void> {
    const asked = async (): Promise<void> => {
      if (reading === undefined || this.#work.isSince) return;
      for (const one of reading.keyed) await one.ask(reading.cuts, reading.drawn);
    };
    return awaitedLater(asked());
  }

  async #compare(reading: Reading): Promise<void> {
    const { keyed, cuts, drawn } = reading;
    const last = cuts.bounds.length;
    for (const { table } of keyed) this.#work.tally(table).ranges += drawn?.length ?? last + 1;
    const stretches = drawn ? neighbours(drawn) : [[0, last] as const];
    for (const [from, to] of stretches) await this.#take(reading, from, to);
    for (const one of keyed) await one.end();
  }

  /** Ranges that lie side by side, by one query. */
  async #take(
    { source, keyed, derived, cuts }: Reading,
    first: number,
    last: number,
  ): Promise<void> {
    const { source: reader, where } = this.#work;
    const { bounds } = cuts;
    const order = this.#order(source);
    const stretch = within(order, "t", {
      from: bounds[first - 1] ?? null,
      to: bounds[last] ?? null,
    });
    const tables = [...keyed, ...derived].map(({ table }) => table);
    const by = keyed.length > 0 ? order.of("t").join(", ") : undefined;
    let range = first;
    for await (const rows of inLots(
      reader.rows(source, `(${where(source)}) and ${stretch}`, by),
      keyed.length > 0 ? (lot) => rowsAt(cuts, first + lot) : () => RANGE_ROWS,
    )) {
      const found = await reader.look(tables, source, rows);
      for (const one of keyed) await one.take(range, rangeAt(bounds, range), rows, found);
      for (const one of derived) await one.take(source, rows, found);
      range++;
      this.#read += rows.length;
      this.#options.progress?.(this.#read, this.#total);
    }
    // A source without rows has one range all the same.
    if (range === first)
      for (const one of keyed) await one.take(range, rangeAt(bounds, range), [], new Map());
  }
}
