import { allSources } from "../check-tables.ts";
import { noted } from "../errors.ts";
import { LinesFile } from "../lake/lines-file.ts";
import type { Cursor, IngestionManifest } from "../lake/manifest.ts";
import type { SourceKeys } from "../lake/quarantined.ts";
import { readCatalogue, type CatalogueTable } from "../postgres/catalogue.ts";
import type { Connection, Db } from "../postgres/connection.ts";
import { copyOut } from "../postgres/copy-out.ts";
import { name, qualified } from "../postgres/sql.ts";
import type { Source, Table } from "../table.ts";
import { checkContract } from "./contract.ts";
import { DrivingRows, type Limits, type Part, type Position } from "./driving.ts";
import { readFirst } from "./first.ts";
import { keyShape, type Key } from "./keyset.ts";
import { joined, wholeLines, type Lines } from "./lines.ts";
import { checkNamed, cutKeys, type Answered, type NamedKeys } from "./named.ts";
import { planRun, type Asked, type Plan } from "./plan.ts";
import { Queries, type Extent } from "./select.ts";
import {
  beginSnapshot,
  exportSnapshot,
  fenceAge,
  fenceHolder,
  joinSnapshot,
  readSnapshot,
  type Holder,
  type Snapshot,
} from "./snapshot.ts";

/** The rows of one source table in a batch. */
export interface SourceRows {
  readonly table: string;
  readonly rows: number;
  /** The first so many drive tables, the others are there to be looked up. */
  readonly drivingRows: number;
  readonly file: LinesFile;
}

/** Keys that one source table has no row of. */
export type GoneRows = Omit<SourceRows, "drivingRows">;

/** A consistent part of what a run reads: no driving row without the rows that it looks up. */
export interface SourceBatch {
  readonly tables: readonly SourceRows[];
  /** Where the run goes on; null where it is done. */
  readonly cursor: Cursor | null;
  /** What it has of rows that were named; absent where it has what the run reads by itself. */
  readonly named?: { readonly gone: readonly GoneRows[]; readonly answered: readonly Answered[] };
}

/** What a reader is asked to keep an eye on; see IngestOptions. */
interface Time {
  readonly goOn: () => boolean;
  readonly isLate: () => boolean;
}

/** What one snapshot of the source has to say. */
export interface Reading {
  readonly snapshot: Snapshot;
  readonly plan: Plan;
  /** Newest value of the column, of each source whose changes are found by `timestamp`. */
  readonly highWater: Readonly<Record<string, string>>;
  /** Columns of the source that no table module declares, as `table.column`. */
  readonly undeclared: readonly string[];
  /** Who holds the fence back, where anybody does and it is to be seen. */
  readonly holder: Holder | undefined;
  /**
   * Batches until the run is done or time is up, all of this snapshot: rows that were named first. One without rows where
   * there was nothing to read.
   * Leaving off in the middle ends the connection's session.
   */
  batches(limits: Limits, time: Time): AsyncGenerator<SourceBatch>;
  /** A batch without rows, after which the run goes on at its beginning. */
  claim(): SourceBatch;
}

/**
 * Reads what changed since the batch `last`, or what its run has left to read, in one snapshot of the source.
 *
 * @param connection is in the middle of a transaction afterwards: whoever opened it closes it
 * @param connect opens one more, where rows are to be looked up while others are being read
 * @param asked what is read beyond the changes
 * @param named rows to be read before all others, changed or not
 * @param quarantined asked for the rows that did not fit, where a table is read again because its module has changed
 * @throws ContractError, NamedRowsError, BackfillError before any row is read
 */
export async function getData(
  connection: Connection,
  connect: () => Promise<Connection>,
  tables: readonly Table[],
  last: IngestionManifest | undefined,
  asked: Asked,
  named: readonly NamedKeys[] = [],
  quarantined: () => Promise<SourceKeys> = () => Promise.resolve({}),
): Promise<Reading> {
  await beginSnapshot(connection.db);
  const snapshot = await readSnapshot(connection.db);
  const sources = allSources(tables);
  const catalogue = await readCatalogue(connection.db, sources);
  const undeclared = checkContract(sources, catalogue);
  await checkNamed(connection.db, named, catalogue);
  const plan = planRun(last, snapshot, tables, asked);
  const marks = plan.goesOn?.cursor.marks ?? last?.high_water ?? {};
  const highWater = plan.goesOn?.high_water ?? (await newestOf(connection.db, sources, marks));
  const holder = fenceAge(snapshot) > 0 ? await fenceHolder(connection.db, snapshot) : undefined;
  const queries = new Queries(tables, catalogue, plan, marks);

  const { order, after } = whereToBegin(inReadingOrder(sources, tables), plan, catalogue);
  const first = await readFirst(connection.db, tables, last, plan, order, catalogue, quarantined);
  const claim = (): SourceBatch => {
    const position = order[0] ? { source: order[0], after } : null;
    return { tables: [], cursor: cursorAt(position, order, plan, marks, catalogue) };
  };

  /** Batches of named rows, which leave what the run reads by itself where it is. */
  async function* namedBatches(
    rows: readonly NamedKeys[],
    lookups: Lookups,
    limits: Limits,
  ): AsyncGenerator<SourceBatch> {
    let most = Math.min(limits.rows, NAMED_AT_ONCE);
    let waiting = rows;
    while (waiting.length > 0) {
      const [some, others] = cutKeys(waiting, most);
      const count = some.reduce((total, { keys }) => total + keys.length, 0);
      // One row is read whatever it is.
      const found = await readNamed(
        connection,
        queries,
        lookups,
        some,
        count > 1 ? limits.bytes : Infinity,
      );
      if (found) {
        const { cursor } = claim();
        yield { ...found, cursor: cursor && { ...cursor, kind: plan.kind } };
        waiting = others;
      }
      most = found ? Math.min(limits.rows, NAMED_AT_ONCE, most * 2) : Math.ceil(count / 2);
    }
  }

  async function* batches(limits: Limits, time: Time): AsyncGenerator<SourceBatch> {
    // Now: once rows are on their way there is no asking for it.
    const exported = await exportSnapshot(connection.db);
    let reading = false;
    const rows = new DrivingRows(order, after, async function* (source, key) {
      reading = true;
      yield* linesFrom(connection, queries.driving(source, key), source);
      reading = false;
    });
    const lookups = new Lookups(connection, connect, queries, exported);
    try {
      // A view may ask what time it is, and that is when a transaction began: both begin now.
      const isView = ({ name: one }: Source): boolean =>
        ["v", "f"].includes(catalogue.get(one)!.kind);
      const seekers = order.filter(isView).map(({ name: one }) => one);
      if (queries.lookedUpBy(new Set(seekers)).length > 0) await lookups.open();
      for await (const batch of namedBatches(named, lookups, limits)) {
        yield batch;
        if (!time.goOn() || time.isLate()) return;
      }
      // Nobody asked for these: the run says nothing of those that are gone.
      for await (const { tables: some, cursor } of namedBatches(first, lookups, limits)) {
        if (some.length === 0) continue;
        yield { tables: some, cursor };
        if (!time.goOn() || time.isLate()) return;
      }
      let most = limits.rows;
      for (let number = 0; ; number++) {
        const wanted = Math.min(most, plan.kind === "changes" ? Infinity : rowsAtFirst(number));
        let parts = await rows.take({ ...limits, rows: wanted }, time.isLate, (source) =>
          queries.lookedUpBy(new Set([source.name])).length === 0 ? new LinesFile() : undefined,
        );
        most = Math.min(limits.rows, most * 2);
        let lookedUp = await lookups.of(stretches(parts), limits.bytes, reading);
        while (!lookedUp) {
          const kept = parts.filter(({ file }) => file);
          const others = parts.filter(({ file }) => !file);
          rows.giveBack(others);
          most = Math.max(1, Math.floor(rowsOf(others) / 2));
          const fewer = await rows.take({ ...limits, rows: most }, time.isLate);
          const isLess = rowsOf(fewer) < rowsOf(others);
          if (!isLess && kept.length > 0) rows.giveBack(fewer);
          parts = !isLess && kept.length > 0 ? kept : [...kept, ...fewer];
          // What one row looks up is read whatever it is.
          lookedUp = await lookups.of(stretches(parts), isLess ? limits.bytes : Infinity, reading);
        }
        yield {
          tables: await byTable(parts, lookedUp),
          cursor: cursorAt(rows.position, order, plan, marks, catalogue),
        };
        if (!rows.position || !time.goOn() || time.isLate()) return;
      }
    } finally {
      await rows.close().finally(() => lookups.close());
    }
  }
  return { snapshot, plan, highWater, undeclared, holder, batches, claim };
}

/**
 * Rows of the n-th batch of a whole reading: small ones at first, four of a size, so that the next stages soon have something
 * to do. Changes are not cut for that: they should be seen all at once.
 */
const rowsAtFirst = (number: number): number => 25_000 * (1 + Math.floor(number / 4));

const rowsOf = (parts: readonly Part[]): number => parts.reduce((sum, { rows }) => sum + rows, 0);

const stretches = (parts: readonly Part[]): Map<string, Extent> =>
  new Map(parts.map((part) => [part.source.name, part]));

/** What a query gives of a source, line by line. @throws as `copyOut` and `wholeLines`, noted to be about the source */
async function* linesFrom(
  connection: Connection,
  query: string,
  { name: table }: Source,
): AsyncGenerator<Lines> {
  try {
    yield* wholeLines(copyOut(connection, query), table);
  } catch (error) {
    throw noted(error, { table });
  }
}

/** Named keys that a batch has at most: each is told to the source in as many queries as there are lookups. */
const NAMED_AT_ONCE = 5000;

/** The rows with some keys, with what they look up, and the keys that have none; undefined where that is more than `most` bytes. */
async function readNamed(
  connection: Connection,
  queries: Queries,
  lookups: Lookups,
  named: readonly NamedKeys[],
  most: number,
): Promise<Omit<SourceBatch, "cursor"> | undefined> {
  let left = most;
  const all = async (query: string, source: Source): Promise<Lines> => {
    const lines: Lines[] = [];
    // To the end, also where it is too much: the connection is wanted again.
    for await (const some of linesFrom(connection, query, source)) {
      left -= some.bytes;
      if (left >= 0) lines.push(some);
    }
    return joined(lines);
  };
  const parts: DrivingPart[] = [];
  const gone: GoneRows[] = [];
  const answered: Answered[] = [];
  for (const { source, keys } of named) {
    const table = source.name;
    const lines = await all(queries.named(source, keys), source);
    if (lines.rows > 0) parts.push({ source, rows: lines.rows, lines });
    const missing = await all(queries.gone(source, keys), source);
    answered.push({ table, named: keys.length, found: lines.rows, gone: missing.rows });
    if (missing.rows === 0) continue;
    const file = new LinesFile();
    await file.write(missing.chunks);
    gone.push({ table, rows: missing.rows, file });
  }
  if (left < 0) return undefined;
  const extents = new Map(named.map(({ source, keys }) => [source.name, { keys }]));
  const lookedUp = await lookups.of(extents, most, false);
  return lookedUp && { tables: await byTable(parts, lookedUp), named: { gone, answered } };
}

/** Reads what a batch's driving rows look up, in their snapshot. */
class Lookups {
  readonly #connection: Connection;
  readonly #connect: () => Promise<Connection>;
  readonly #queries: Queries;
  readonly #snapshot: string;
  #second: Connection | undefined;

  /** @param snapshot as the connection's transaction exported it */
  constructor(
    connection: Connection,
    connect: () => Promise<Connection>,
    queries: Queries,
    snapshot: string,
  ) {
    this.#connection = connection;
    this.#connect = connect;
    this.#queries = queries;
    this.#snapshot = snapshot;
  }

  /**
   * The rows that driving rows look up, by source table; undefined where they are more than `most` bytes.
   * @param extents by source, which rows those are
   * @param isBusy true while the first connection sends driving rows
   */
  async of(
    extents: ReadonlyMap<string, Extent>,
    most: number,
    isBusy: boolean,
  ): Promise<ReadonlyMap<string, Lines> | undefined> {
    const found = new Map<string, Lines>();
    let left = most;
    for (const target of this.#queries.lookedUpBy(new Set(extents.keys()))) {
      const query = this.#queries.lookedUp(target, extents);
      if (query === undefined) continue;
      const lines: Lines[] = [];
      // To the end, also where it is too much: the connection is wanted again.
      const connection = isBusy ? await this.open() : this.#connection;
      for await (const some of linesFrom(connection, query, target)) {
        left -= some.bytes;
        if (left >= 0) lines.push(some);
      }
      if (left < 0) return undefined;
      if (lines.length > 0) found.set(target.name, joined(lines));
    }
    return found;
  }

  /** The second connection, in the same snapshot. */
  async open(): Promise<Connection> {
    if (!this.#second) {
      this.#second = await this.#connect();
      await joinSnapshot(this.#second.db, this.#snapshot);
    }
    return this.#second;
  }

  async close(): Promise<void> {
    await this.#second?.close();
  }
}

/** Sources that drive dimensions alone come before those that drive facts, which refer to them; looked-up ones first. */
function inReadingOrder(sources: readonly Source[], tables: readonly Table[]): Source[] {
  const drives = ({ name: source }: Source): number =>
    tables.findLastIndex((table) => table.sources.some((one) => one.name === source));
  return sources.toSorted((a, b) => drives(a) - drives(b));
}

/** The sources that drive tables, in the order in which they are read. */
export const drivingSources = (tables: readonly Table[]): Source[] =>
  inReadingOrder(allSources(tables.map((table) => ({ ...table, lookups: {} }))), tables);

/** What an unfinished run has left; all of it where a run begins. */
function whereToBegin(
  sources: readonly Source[],
  { goesOn }: Plan,
  catalogue: ReadonlyMap<string, CatalogueTable>,
): { order: readonly Source[]; after: Key | null } {
  if (!goesOn) return { order: sources, after: null };
  const { table, after, key, next } = goesOn.cursor;
  const order = [table, ...next].flatMap(
    (left) => sources.find(({ name: one }) => one === left) ?? [],
  );
  const [first] = order;
  const isSame = first?.name === table && key === keyShape(first, catalogue.get(table)!);
  return { order, after: isSame ? after : null };
}

function cursorAt(
  position: Position | null,
  order: readonly Source[],
  { whole }: Plan,
  marks: Readonly<Record<string, string>>,
  catalogue: ReadonlyMap<string, CatalogueTable>,
): Cursor | null {
  if (!position) return null;
  const { source, after } = position;
  const next = order.slice(order.indexOf(source) + 1).map(({ name: one }) => one);
  const key = keyShape(source, catalogue.get(source.name)!);
  return { table: source.name, after, key, next, whole: [...whole], marks };
}

/** What is written of a part. */
type DrivingPart = Pick<Part, "source" | "rows" | "lines" | "file">;

async function byTable(
  parts: readonly DrivingPart[],
  lookedUp: ReadonlyMap<string, Lines>,
): Promise<SourceRows[]> {
  const driving = new Map(parts.map((part) => [part.source.name, part]));
  const made: SourceRows[] = [];
  for (const table of new Set([...driving.keys(), ...lookedUp.keys()])) {
    const part = driving.get(table);
    const others = lookedUp.get(table);
    const file = part?.file ?? new LinesFile();
    await file.write(part?.lines.chunks ?? []);
    await file.write(others?.chunks ?? []);
    const drivingRows = part?.rows ?? 0;
    made.push({ table, rows: drivingRows + (others?.rows ?? 0), drivingRows, file });
  }
  return made;
}

/**
 * The newest value of each timestamp column now; what it was before, where the table is empty. Never one that is yet
 * to come: a row from a clock that is wrong must not hide those that follow.
 */
async function newestOf(
  db: Db,
  sources: readonly Source[],
  before: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const newest: Record<string, string> = {};
  for (const source of sources) {
    const { changes } = source;
    if (changes.by !== "timestamp") continue;
    const { value } = await db.one<{ value: string | null }>(
      `select least(max(c) filter (where isfinite(c)), now()::${source.columns[changes.column]!.type})::text as value
         from (select ${name(changes.column)} as c from ${qualified(source.schema, source.name)}) t`,
    );
    const mark = value ?? before[source.name];
    if (mark !== undefined) newest[source.name] = mark;
  }
  return newest;
}
