import { allSources } from "../check-tables.ts";
import { checkContract } from "../ingestion/contract.ts";
import { Queries } from "../ingestion/select.ts";
import {
  beginSnapshot,
  exportSnapshot,
  fenceAge,
  joinSnapshot,
  readSnapshot,
} from "../ingestion/snapshot.ts";
import { readChained } from "../lake/manifest.ts";
import type { ParquetCodec } from "../parquet/codec.ts";
import { readCatalogue } from "../postgres/catalogue.ts";
import type { Connection } from "../postgres/connection.ts";
import type { Table } from "../table.ts";
import type { Buckets } from "../transformation/transform.ts";
import {
  changesFrom,
  checkComparable,
  checkThere,
  pendingFrom,
  sinceOf,
  skippedBatches,
  theNewestLoad,
  whyNotCompared,
} from "./comparable.ts";
import { Comparison } from "./comparison.ts";
import type { Difference } from "./difference.ts";
import { ReconciliationError } from "./error.ts";
import { History } from "./history.ts";
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
    const loaded = await theNewestLoad(warehouse);
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
      history: new History(buckets.processed, codec, {
        newest: loaded.batch,
        skipped: await skippedBatches(warehouse),
      }),
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
      loadedAt: loaded.loadedAt,
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
