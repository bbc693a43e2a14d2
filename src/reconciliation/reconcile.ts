import { allSources } from "../check-tables.ts";
import { awaitedLater } from "../errors.ts";
import { fingerprint } from "../fingerprint.ts";
import { checkContract } from "../ingestion/contract.ts";
import { whyNotComparable, type Plan } from "../ingestion/plan.ts";
import { Queries } from "../ingestion/select.ts";
import {
  beginSnapshot,
  exportSnapshot,
  fenceAge,
  joinSnapshot,
  readSnapshot,
  type Snapshot,
} from "../ingestion/snapshot.ts";
import { readChained, readIngestionManifest, type IngestionManifest } from "../lake/manifest.ts";
import { loadsOf } from "../loading/ledger.ts";
import type { ParquetCodec } from "../parquet/codec.ts";
import { readCatalogue, type CatalogueTable } from "../postgres/catalogue.ts";
import type { Connection } from "../postgres/connection.ts";
import type { Source, Table } from "../table.ts";
import type { Buckets } from "../transformation/transform.ts";
import { DerivedTable, inLots } from "./derived.ts";
import type { Difference } from "./difference.ts";
import { ReconciliationError } from "./error.ts";
import { History } from "./history.ts";
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
import { differencesOf, Tally, type TableReport } from "./report.ts";
import { SourceReader } from "./source-rows.ts";
import { WarehouseReader } from "./warehouse-rows.ts";
import type { Work } from "./work.ts";

/** What is compared. */
export interface Sides {
  readonly source: () => Promise<Connection>;
  readonly warehouse: () => Promise<Connection>;
  readonly buckets: Buckets;
  readonly tables: readonly Table[];
  readonly codec: ParquetCodec;
}

export interface ReconcileOptions {
  /** Star tables to compare; all where undefined. */
  readonly only?: readonly string[] | undefined;
  /** Compares rows alone that changed since this batch, or since the newest one that was committed by then. */
  readonly since?: number | Date | undefined;
  /** The share of the key ranges that is compared, drawn at random; 1 unless said otherwise. */
  readonly sample?: number | undefined;
  /** Told of each difference as it is found. */
  readonly tell?: ((difference: Difference) => void | Promise<void>) | undefined;
  /** Told how many of the sources' rows were read, of how many. */
  readonly progress?: ((rows: number, of: number) => void) | undefined;
}

/** What a reconciliation came to. */
export interface Reconciliation {
  /** The newest batch in the warehouse: what the source has that is newer is no difference. */
  readonly batch: number;
  /** When it was committed to the lake, and when it was loaded. */
  readonly committedAt: string;
  readonly loadedAt: string;
  /** Transactions begun since the source's fence. */
  readonly fenceAge: number;
  /** False where the batch's run has not read all that there was: rows that it has yet to read are pending. */
  readonly isWhole: boolean;
  readonly tables: readonly TableReport[];
  readonly differences: number;
  readonly seconds: number;
}

/** Rows of a key range. */
const RANGE_ROWS = 2_000;

/**
 * Compares the warehouse with the source, from one snapshot of each, as of the newest batch in the warehouse.
 *
 * @throws ReconciliationError where it cannot be told; ContractError, ManifestError, ObjectError, ParquetError,
 *   ConnectionError, S3Error
 */
export async function reconcile(
  { source: connectSource, warehouse: connectWarehouse, buckets, tables, codec }: Sides,
  options: ReconcileOptions = {},
): Promise<Reconciliation> {
  const began = performance.now();
  const wanted = chosenOf(tables, options.only);
  const opened: Connection[] = [];
  const open = async (connect: () => Promise<Connection>): Promise<Connection> => {
    const connection = await connect();
    opened.push(connection);
    return connection;
  };
  try {
    // The warehouse first: whatever the source has in its later snapshot and the batch has not is newer than the batch.
    const warehouse = await open(connectWarehouse);
    await begin(warehouse);
    const loaded = await newestLoad(warehouse);
    const { manifest, sha256 } = await readChained(buckets.ingestion, loaded.batch);
    if (loaded.sha256 !== null && loaded.sha256 !== sha256)
      throw new ReconciliationError(
        `the warehouse has another batch ${loaded.batch} than ${buckets.ingestion}: correct INGESTION_BUCKET or WAREHOUSE_SECRET`,
      );
    const source = await open(connectSource);
    await begin(source);
    const snapshot = await readSnapshot(source.db);
    checkComparable(manifest, snapshot);
    if (pendingFrom(manifest) === null)
      throw new ReconciliationError(
        `batch ${manifest.batch} is of a run that reads everything and is not done: run ingestion until it is, then transformation and loading`,
      );
    const since = await sinceOf(options.since, manifest, buckets.ingestion);
    if (since) checkComparable(since, snapshot);
    const sources = allSources(wanted);
    const catalogue = await readCatalogue(source.db, sources);
    checkContract(sources, catalogue);
    // Two connections to either side, at one moment: what is asked for while rows are on their way goes by the second.
    const another = async (connect: () => Promise<Connection>, of: Connection) => {
      const second = await open(connect);
      await joinSnapshot(second.db, await exportSnapshot(of.db));
      return second;
    };
    const second = await another(connectSource, source);
    const hashes = await another(connectWarehouse, warehouse);

    const whyNot = new Map(wanted.map((table) => [table, whyNotCompared(table, manifest)]));
    const compared = wanted.filter((table) => whyNot.get(table) === undefined);
    const found = await WarehouseReader.open(warehouse, tables);
    checkThere(compared, found);
    const tallies = new Map(wanted.map((table) => [table, new Tally(table.name)]));
    const marks = manifest.cursor?.marks ?? manifest.high_water;
    const work: Work = {
      tables,
      warehouse: found,
      hashes: await WarehouseReader.open(hashes, compared),
      history: new History(buckets.processed, codec, loaded.batch),
      source: new SourceReader(source, second, catalogue),
      isPending: (table, one) =>
        new Queries([table], catalogue, changesFrom(pendingFrom(manifest)), marks).changed(
          one,
          "t",
          false,
        ),
      where: (one) =>
        since
          ? new Queries(compared, catalogue, changesFrom(since.fence), since.high_water).changed(
              one,
              "t",
              true,
            )
          : "true",
      isSince: since !== undefined,
      isPartial: since !== undefined || options.sample !== undefined,
      tally: (table) => tallies.get(table)!,
      tell: options.tell ?? (() => undefined),
    };
    await new Comparison(compared, source, catalogue, work, options).run();
    const reports = wanted.map((table) => tallies.get(table)!.report(whyNot.get(table)));
    return {
      batch: loaded.batch,
      committedAt: manifest.committed_at,
      loadedAt: loaded.at,
      fenceAge: fenceAge({ ...snapshot, fence: manifest.fence }),
      isWhole: manifest.cursor === null,
      tables: reports,
      differences: reports.reduce((sum, report) => sum + differencesOf(report), 0),
      seconds: (performance.now() - began) / 1000,
    };
  } finally {
    await Promise.all(opened.map((connection) => connection.close()));
  }
}

/** A snapshot that lasts until the connection is closed, however long the other side takes. */
async function begin({ db }: Connection): Promise<void> {
  await beginSnapshot(db);
  await db.none("set local idle_in_transaction_session_timeout = 0");
}

/** @throws ReconciliationError for a name that no table has */
function chosenOf(tables: readonly Table[], only: readonly string[] | undefined): readonly Table[] {
  if (only === undefined) return tables;
  const unknown = only.find((wanted) => tables.every(({ name }) => name !== wanted));
  if (unknown !== undefined)
    throw new ReconciliationError(
      `there is no table ${unknown}; there are ${tables.map(({ name }) => name).join(", ")}`,
    );
  return tables.filter(({ name }) => only.includes(name));
}

interface Load {
  readonly batch: number;
  /** Of the batch's ingestion manifest; null of one that was skipped unread. */
  readonly sha256: string | null;
  readonly at: string;
}

async function newestLoad({ db, ledger }: Connection): Promise<Load> {
  const { there } = await db.one<{ there: boolean }>(
    "select to_regclass($1) is not null as there",
    [loadsOf(ledger)],
  );
  const last = there
    ? await db.oneOrNone<{ batch: string; sha256: string | null; at: Date }>(
        `select batch, ingestion_sha256 as sha256, loaded_at as at from ${loadsOf(ledger)} order by batch desc limit 1`,
      )
    : null;
  if (!last)
    throw new ReconciliationError(
      "the warehouse has no batch yet: run ingestion, transformation and loading first",
    );
  return { batch: Number(last.batch), sha256: last.sha256, at: last.at.toISOString() };
}

/** @throws ReconciliationError where the source does not tell what changed since the batch */
function checkComparable(manifest: IngestionManifest, snapshot: Snapshot): void {
  const doubt = whyNotComparable(manifest, snapshot);
  if (doubt !== undefined)
    throw new ReconciliationError(
      `${doubt}, so that it cannot be told what changed after batch ${manifest.batch}: run ingestion first, which reads everything again`,
    );
}

/** The fence from which on a change is newer than a batch, or yet to be read by its run; null where all is. */
const pendingFrom = ({ cursor, since, fence }: IngestionManifest): string | null =>
  cursor ? since : fence;

const changesFrom = (since: string | null): Plan => ({
  kind: "changes",
  reasons: [],
  since,
  whole: new Set(),
});

/** The batch from which on changes are compared. */
async function sinceOf(
  since: number | Date | undefined,
  newest: IngestionManifest,
  bucket: string,
): Promise<IngestionManifest | undefined> {
  if (since === undefined) return undefined;
  const read = async (batch: number): Promise<IngestionManifest> =>
    batch === newest.batch
      ? newest
      : ((await readIngestionManifest(bucket, batch))?.manifest ??
        (await readChained(bucket, batch)).manifest);
  if (typeof since === "number") {
    if (since >= 1 && since <= newest.batch) return read(since);
    throw new ReconciliationError(
      `there is no batch ${since} to begin at: the warehouse has 1 to ${newest.batch}`,
    );
  }
  // The last that was committed by then: their times ascend as their numbers do.
  let [low, high] = [0, newest.batch];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (new Date((await read(middle)).committed_at) <= since) low = middle;
    else high = middle - 1;
  }
  if (low > 0) return read(low);
  throw new ReconciliationError(
    `no batch was committed by ${since.toISOString()}: leave --since out to compare everything`,
  );
}

/** Why the warehouse cannot have a table as its source is; undefined where it should. */
function whyNotCompared(
  table: Table,
  { batch, cursor, fingerprints }: IngestionManifest,
): string | undefined {
  if (fingerprints[table.name] !== fingerprint(table))
    return `batch ${batch} was made ${table.name in fingerprints ? "by another version of" : "without"} its module: the next runs fill it`;
  const unread = cursor ? [cursor.table, ...cursor.next] : [];
  const filling = table.sources.find(
    ({ name }) => cursor?.whole.includes(name) === true && unread.includes(name),
  );
  return filling && `it is being filled: batch ${batch} left off before the end of ${filling.name}`;
}

/** @throws ReconciliationError for a table that the warehouse does not have as it is declared */
function checkThere(tables: readonly Table[], warehouse: WarehouseReader): void {
  for (const table of tables) {
    const lacking = warehouse.lacks(table);
    if (lacking === undefined) continue;
    throw new ReconciliationError(
      `the warehouse has no ${lacking === "" ? table.name : `${table.name}.${lacking}`}: run loading, which makes it, ` +
        "or correct WAREHOUSE_SECRET",
    );
  }
}

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
class Comparison {
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
