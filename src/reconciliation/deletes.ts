/** Rows that the source has deleted: looked for by their keys alone, in the star and in quarantine. */
import type { IngestionSummary } from "../ingestion/ingest.ts";
import type { Key } from "../ingestion/keyset.ts";
import { beginSnapshot, readSnapshot } from "../ingestion/snapshot.ts";
import { getLastUpload } from "../lake/manifest.ts";
import { readCatalogue, type CatalogueTable } from "../postgres/catalogue.ts";
import { arrayText } from "../loading/ledger.ts";
import type { Connection } from "../postgres/connection.ts";
import { parameterised, qualified } from "../postgres/sql.ts";
import { keyedBySource, keyOf, type Source, type Table } from "../table.ts";
import { ReconciliationError } from "./error.ts";
import { fromFirstOf, isCutByKey, sourceOrder } from "./key-ranges.ts";
import { quarantinedGone } from "./quarantined-gone.ts";
import type { Sides } from "./reconcile.ts";
import { StarKeys, type Lacking } from "./star-keys.ts";

/** What is gone from one source. */
export interface Gone {
  readonly source: string;
  /** Rows that the star has of it, those that it knows to be deleted left out; and rows in quarantine alone that are gone. */
  readonly live: number;
  /** Where nobody believes it: at least so many. */
  readonly gone: number;
  /** Keys of those that are gone, in their order; none where it is not believed. */
  readonly keys: readonly Key[];
  /** Why nobody believes it until it is confirmed. */
  readonly doubt?: string;
}

/** What became of a look at all of them. */
export interface Deletes {
  /** By source whose deletes are detected. */
  readonly deletes: readonly Omit<Gone, "keys">[];
  /** The batch that tells the lake; absent where there is nothing to tell. */
  readonly ingested?: IngestionSummary;
}

export interface DeletesOptions {
  /** The share of a source's rows that may be gone before it is doubted. */
  readonly share?: number | undefined;
  /** Names of sources of which it is to be believed, whatever is gone. */
  readonly confirmed?: readonly string[];
}

/** A tenth, unless there are few rows anyway. */
const SHARE = 0.1;
const FEW = 100;
/**
 * Which rows of the warehouse, of the star or in quarantine, are gone from the source, of each source that declares `deletes: detect`.
 *
 * @throws ReconciliationError where a source cannot be looked at; ConnectionError
 */
export async function findDeleted(
  {
    source: connectSource,
    warehouse: connectWarehouse,
    buckets,
    tables,
  }: Pick<Sides, "source" | "warehouse" | "buckets" | "tables">,
  { share = SHARE, confirmed = [] }: DeletesOptions = {},
): Promise<Gone[]> {
  const watched = watchedBy(tables);
  const unknown = confirmed.find((wanted) => !watched.has(wanted));
  if (unknown !== undefined)
    throw new ReconciliationError(
      `${unknown} is no source whose deletes are detected; these are: ${[...watched.keys()].join(", ") || "none"}`,
    );
  if (watched.size === 0) return [];
  const opened: Connection[] = [];
  const open = async (connect: () => Promise<Connection>): Promise<Connection> => {
    const connection = await connect();
    opened.push(connection);
    await beginSnapshot(connection.db);
    await connection.db.none("set local idle_in_transaction_session_timeout = 0");
    // Its snapshot is taken now.
    await connection.db.one("select pg_current_snapshot()::text");
    return connection;
  };
  try {
    // The warehouse first: what it has was in the source once, and what a later moment of the source lacks was deleted.
    const warehouse = await open(connectWarehouse);
    const source = await open(connectSource);
    await checkSameSource(source, buckets.ingestion);
    const catalogue = await readCatalogue(
      source.db,
      [...watched.values()].map(({ source: one }) => one),
    );
    const stars = await readCatalogue(
      warehouse.db,
      [...watched.values()].flatMap(({ tables: of }) =>
        of.map((table) => ({ schema: warehouse.schema, name: table.name })),
      ),
    );
    if (!(await hasRecords(warehouse))) return [];
    const found: Gone[] = [];
    for (const { source: one, tables: of } of watched.values()) {
      // Those that nothing was loaded into yet have nothing to lose.
      const there = of.filter((table) => stars.has(table.name));
      if (there.length === 0) continue;
      const doubt = whyNotDetected(one, there, catalogue);
      if (doubt !== undefined) {
        found.push({ source: one.name, live: 0, gone: 0, keys: [], doubt });
        continue;
      }
      const believed = confirmed.includes(one.name) ? 1 : share;
      const sides = { source, warehouse };
      found.push(
        await goneFrom(
          sides,
          { source: one, tables: there },
          tables,
          catalogue.get(one.name)!,
          believed,
        ),
      );
    }
    return found;
  } finally {
    await Promise.all(opened.map((connection) => connection.close()));
  }
}

/** A source whose deletes are detected, and the star tables that show which of its rows are live. */
interface Watched {
  readonly source: Source;
  readonly tables: readonly Table[];
}

/** Names of the sources whose deletes are detected, and reach a star table. */
export const sourcesWithDeletes = (tables: readonly Table[]): string[] => [
  ...watchedBy(tables).keys(),
];

function watchedBy(tables: readonly Table[]): Map<string, Watched> {
  const watched = new Map<string, Watched>();
  for (const table of tables) {
    const source = keyedBySource(table);
    if (source?.deletes !== "detect" || table.deleted === "keep") continue;
    const before = watched.get(source.name)?.tables ?? [];
    watched.set(source.name, { source, tables: [...before, table] });
  }
  return watched;
}

/** A warehouse that others prepared has no records of single rows until a batch is loaded. */
async function hasRecords({ db, ledger }: Connection): Promise<boolean> {
  const { there } = await db.one<{ there: boolean }>(
    parameterised(
      "select bool_and(to_regclass(t) is not null) as there from unnest($1::text[]) t",
      [arrayText(["inferred_member", "quarantine"].map((table) => qualified(ledger, table)))],
    ),
  );
  return there;
}

/** @throws ReconciliationError where the source is another database than the one that the lake was read from */
async function checkSameSource({ db }: Connection, bucket: string): Promise<void> {
  const newest = await getLastUpload(bucket);
  if (!newest) return;
  const { system_identifier, database_oid } = await readSnapshot(db);
  const { manifest } = newest;
  if (system_identifier === manifest.system_identifier && database_oid === manifest.database_oid)
    return;
  throw new ReconciliationError(
    `the source is another database than batch ${manifest.batch} was read from: correct SOURCE_SECRET, or run ingestion ` +
      "first, which reads everything again",
  );
}

/** Why a source's deletes cannot be detected; undefined where they can. */
function whyNotDetected(
  source: Source,
  tables: readonly Table[],
  catalogue: ReadonlyMap<string, CatalogueTable>,
): string | undefined {
  if (!catalogue.has(source.name))
    return `deletes of ${source.name} cannot be detected: there is no such table`;
  const other = tables.find((table) => !isCutByKey(table, catalogue));
  return (
    other &&
    `deletes of ${source.name} cannot be detected: expected a key (${keyOf(source).join(", ")}) that is not null, ` +
      `as ${other.name} has it; found another`
  );
}

/** How many rows may be gone, of a source of so many and a star of so many. */
const mostOf =
  (share: number) =>
  (rows: number, live: number): number => {
    if (share >= 1) return Infinity;
    // An empty source is doubted, however few rows it had.
    return rows === 0 ? 0 : Math.max(FEW, Math.floor(live * share));
  };

/**
 * What is gone of one source, by all tables that show it, as a row may be in one of them alone; and by what is in quarantine, as
 * it may be in none.
 */
async function goneFrom(
  sides: { readonly source: Connection; readonly warehouse: Connection },
  { source, tables: shown }: Watched,
  tables: readonly Table[],
  catalogue: CatalogueTable,
  share: number,
): Promise<Gone> {
  const most = mostOf(share);
  const doubt = (lacking: Lacking): Promise<Gone> =>
    doubted(sides.source, source, catalogue, lacking);
  const found: Lacking[] = [];
  for (const table of shown) {
    const keys = new StarKeys(sides.source, sides.warehouse, source, table, catalogue);
    const lacking = await keys.lacking(most);
    if (lacking.gone > most(lacking.rows, lacking.live)) return doubt(lacking);
    found.push(lacking);
  }
  const columns = keyOf(source);
  const keys = new Map(
    found.flatMap((one) =>
      one.keys.map((texts) => {
        const key = Object.fromEntries(columns.map((column, at) => [column, texts[at]!]));
        return [JSON.stringify(texts), key] as const;
      }),
    ),
  );
  const inQuarantine = await quarantinedGone(sides, source, tables, catalogue);
  if (typeof inQuarantine === "string")
    return {
      source: source.name,
      live: 0,
      gone: 0,
      keys: [],
      doubt: `deletes of ${source.name} cannot be detected: its quarantine has a key that it can have none of: ${inQuarantine}; delete it there`,
    };
  const alone = inQuarantine.filter(({ texts }) => !keys.has(JSON.stringify(texts)));
  const { rows } = found[0]!;
  const live = Math.max(...found.map((one) => one.live)) + alone.length;
  const gone = keys.size + alone.length;
  if (alone.length > 0 && gone > most(rows, live)) {
    const all = [
      ...found.flatMap((one) => one.keys.slice(0, 1)),
      ...alone.map(({ texts }) => texts),
    ];
    return doubt({ rows, live, gone, keys: all });
  }
  return {
    source: source.name,
    live,
    gone,
    keys: [...keys.values(), ...alone.map(({ key }) => key)],
  };
}

/** What looks like too much, in words. @param lacking has the first of the keys that are gone, among others */
async function doubted(
  { db }: Connection,
  source: Source,
  catalogue: CatalogueTable,
  { rows, live, gone, keys }: Lacking,
): Promise<Gone> {
  const what = `${gone} of ${live} rows of ${source.name} are gone`;
  const confirm = `if it is meant, \`totes deletes --confirm ${source.name}\` says so`;
  const say = (doubt: string): Gone => ({ source: source.name, live, gone, keys: [], doubt });
  if (rows === 0) return say(`${what}: it is empty, as after TRUNCATE; ${confirm}`);
  const later = fromFirstOf(sourceOrder(source, catalogue), "t", keys);
  const { none } = await db.one<{ none: boolean }>(
    `select not exists (select from ${qualified(source.schema, source.name)} t where ${later}) as none`,
  );
  return say(
    none
      ? `${what}, all of them after the last key that it has, as when an older backup was restored; ${confirm}`
      : `${what}, more than are deleted in a day; ${confirm}`,
  );
}
