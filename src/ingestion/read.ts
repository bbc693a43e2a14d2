import pgPromise from "pg-promise";
import { allSources } from "../check-tables.ts";
import type { IngestionManifest } from "../lake/manifest.ts";
import type { WrittenFile } from "../lake/streams.ts";
import { readCatalogue } from "../postgres/catalogue.ts";
import type { Connection, Db } from "../postgres/connection.ts";
import { copyOut } from "../postgres/copy.ts";
import { name, qualified } from "../postgres/sql.ts";
import type { Source, Table } from "../table.ts";
import { checkContract } from "./contract.ts";
import { planRun, type Plan } from "./plan.ts";
import { Queries, type SourceQueries } from "./select.ts";
import { fenceAge, fenceHolder, readSnapshot, type Holder, type Snapshot } from "./snapshot.ts";

/** The rows of one source table, as a file. */
export interface SourceFile {
  readonly table: string;
  readonly file: WrittenFile;
}

/** What one snapshot of the source had to say. */
export interface Reading {
  readonly snapshot: Snapshot;
  readonly plan: Plan;
  /** Newest value of the column, of each source whose changes are found by `timestamp`. */
  readonly highWater: Readonly<Record<string, string>>;
  /** Columns of the source that no table module declares, as `table.column`. */
  readonly undeclared: readonly string[];
  /** Who holds the fence back, where anybody does and it is to be seen. */
  readonly holder: Holder | undefined;
  /** One a source table that has rows in this batch. */
  readonly files: readonly SourceFile[];
}

const { TransactionMode, isolationLevel } = pgPromise.txMode;
const oneSnapshot = new TransactionMode({
  tiLevel: isolationLevel.repeatableRead,
  readOnly: true,
});

/**
 * Streams what changed since the batch `last` into files, all of it from one snapshot of the source.
 *
 * @param write makes a file of the lines of `parts`, one after the other
 * @throws ContractError before anything is written
 */
export function getData(
  connection: Connection,
  tables: readonly Table[],
  last: IngestionManifest | undefined,
  resync: boolean,
  write: (table: string, parts: AsyncIterable<Buffer>[]) => Promise<WrittenFile>,
): Promise<Reading> {
  return connection.db.tx({ mode: oneSnapshot }, async (transaction) => {
    const snapshot = await readSnapshot(transaction);
    const sources = allSources(tables);
    const catalogue = await readCatalogue(transaction, sources);
    const undeclared = checkContract(sources, catalogue);
    const plan = planRun(last, snapshot, tables, { resync });
    const before = last?.high_water ?? {};
    const highWater = await newestOf(transaction, sources, before);
    const queries = new Queries(tables, plan, before);

    const files: SourceFile[] = [];
    const driving = new Map<string, number>();
    for (const { source, query } of seekersFirst(
      sources.map((source) => ({ source, query: queries.of(source, catalogue.get(source.name)!) })),
    )) {
      // Where no driving row looks this source up, the second query would find nothing.
      const sought = query.lookedUpBy.some((seeker) => driving.get(seeker) !== 0);
      const parts = [
        query.driving,
        ...(query.lookedUp !== undefined && sought ? [query.lookedUp] : []),
      ];
      const file = await write(
        source.name,
        parts.map((sql) => copyOut(connection, sql)),
      );
      driving.set(source.name, file.rows[0]!);
      if (file.rows.some((rows) => rows > 0)) files.push({ table: source.name, file });
    }
    const holder = fenceAge(snapshot) > 0 ? await fenceHolder(transaction, snapshot) : undefined;
    return { snapshot, plan, highWater, undeclared, holder, files };
  });
}

interface Todo {
  readonly source: Source;
  readonly query: SourceQueries;
}

/** A source comes after those that look it up, where they do not look each other up. */
function seekersFirst(todo: readonly Todo[]): readonly Todo[] {
  const ordered = new Set<Todo>();
  const visit = (item: Todo, path: readonly Todo[]): void => {
    if (ordered.has(item) || path.includes(item)) return;
    for (const seeker of item.query.lookedUpBy)
      visit(
        todo.find(({ source }) => source.name === seeker)!,
        [...path, item],
      );
    ordered.add(item);
  };
  for (const item of todo) visit(item, []);
  return [...ordered];
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
