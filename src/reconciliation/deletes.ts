/** Rows that the source has deleted: looked for by their keys alone, range by range, by hash while nothing is gone. */
import type { IngestionSummary } from "../ingestion/ingest.ts";
import type { Key } from "../ingestion/keyset.ts";
import { beginSnapshot, readSnapshot } from "../ingestion/snapshot.ts";
import { getLastUpload } from "../lake/manifest.ts";
import { recordKeyText } from "../loading/ledger.ts";
import { readCatalogue, type CatalogueTable } from "../postgres/catalogue.ts";
import type { Connection } from "../postgres/connection.ts";
import { literal, name, qualified } from "../postgres/sql.ts";
import { DELETED_AT, keyedBySource, keyOf, recordIdOf, type Source, type Table } from "../table.ts";
import { ReconciliationError } from "./error.ts";
import {
  cutsOf,
  isCutByKey,
  rangeAt,
  rangeNumberSql,
  sourceOrder,
  starOrder,
  within,
  type KeyOrder,
  type KeyTexts,
} from "./key-ranges.ts";
import type { Sides } from "./reconcile.ts";
import { HASH_SQL, type Digest } from "./texts.ts";

/** What is gone from one source. */
export interface Gone {
  readonly source: string;
  /** Rows that the star has of it, those that it knows to be deleted left out. */
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
/** Keys of a range. */
const RANGE_KEYS = 10_000;

/**
 * Which rows of the warehouse are gone from the source, of each source that declares `deletes: detect`.
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
      const ofTables: Gone[] = [];
      for (const table of there) {
        const comparison = new KeyComparison(
          source,
          warehouse,
          one,
          table,
          catalogue.get(one.name)!,
        );
        ofTables.push(await comparison.run(believed));
      }
      found.push(together(ofTables));
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

/** What is gone of one source, by all tables that show it: a row may be in one of them alone. */
function together(found: readonly Gone[]): Gone {
  const doubted = found.find(({ doubt }) => doubt !== undefined);
  if (doubted) return doubted;
  const keys = new Map(
    found.flatMap((one) => one.keys.map((key) => [JSON.stringify(key), key] as const)),
  );
  return {
    source: found[0]!.source,
    live: Math.max(...found.map(({ live }) => live)),
    gone: keys.size,
    keys: [...keys.values()],
  };
}

/** The keys of one source, and those of a star table that is keyed by it. */
class KeyComparison {
  readonly #source: Connection;
  readonly #warehouse: Connection;
  readonly #declared: Source;
  readonly #theirs: KeyOrder;
  readonly #ours: KeyOrder;
  readonly #place: string;
  readonly #live: string;

  constructor(
    source: Connection,
    warehouse: Connection,
    declared: Source,
    table: Table,
    catalogue: CatalogueTable,
  ) {
    this.#source = source;
    this.#warehouse = warehouse;
    this.#declared = declared;
    this.#theirs = sourceOrder(declared, catalogue);
    this.#ours = starOrder(table);
    this.#place = qualified(declared.schema, declared.name);
    this.#live = liveKeys(warehouse, table);
  }

  async run(share: number): Promise<Gone> {
    const { rows, bounds } = await cutsOf(this.#source, this.#declared, this.#theirs, RANGE_KEYS);
    const expected = await digestsOf(this.#source, this.#place, this.#theirs, bounds);
    const found = await digestsOf(this.#warehouse, this.#live, this.#ours, bounds);
    const live = [...found.values()].reduce((sum, { keys }) => sum + keys, 0);
    // An empty source is doubted, however few rows it had.
    const few = rows === 0 ? 0 : Math.max(FEW, Math.floor(live * share));
    const most = share < 1 ? few : Infinity;
    const keys: KeyTexts[] = [];
    let gone = 0;
    for (const [range, { keys: ours, digest }] of [...found].toSorted(([a], [b]) => a - b)) {
      const theirs = expected.get(range);
      if (theirs?.digest === digest) continue;
      const least = ours - (theirs?.keys ?? 0);
      // After TRUNCATE one range has all that there was: of too many, the first is enough.
      const isTooMany = gone + least > most;
      const missing = await this.#missing(
        bounds,
        range,
        isTooMany ? (theirs?.keys ?? 0) + 1 : undefined,
      );
      gone += isTooMany ? Math.max(least, missing.length) : missing.length;
      // Of more, only how many they are is of interest.
      if (gone > most) keys.length = Math.min(keys.length, 1);
      for (const key of gone > most ? missing.slice(0, 1 - keys.length) : missing) keys.push(key);
    }
    const source = this.#declared.name;
    if (gone > most)
      return { source, live, gone, keys: [], doubt: await this.#doubt(rows, live, gone, keys[0]!) };
    const columns = keyOf(this.#declared);
    return {
      source,
      live,
      gone,
      keys: keys.map((key) => Object.fromEntries(columns.map((column, at) => [column, key[at]!]))),
    };
  }

  /**
   * Keys of a range that the star has and the source has not, in their order.
   * @param most of the star's keys that are looked at; all where undefined
   */
  async #missing(bounds: readonly KeyTexts[], range: number, most?: number): Promise<KeyTexts[]> {
    const there = new Set<string>();
    for (const key of await this.#keysOf(this.#source, this.#place, this.#theirs, bounds, range))
      there.add(JSON.stringify(key));
    const live = await this.#keysOf(this.#warehouse, this.#live, this.#ours, bounds, range, most);
    return live.filter((key) => !there.has(JSON.stringify(key)));
  }

  async #keysOf(
    { db }: Connection,
    from: string,
    order: KeyOrder,
    bounds: readonly KeyTexts[],
    range: number,
    most?: number,
  ): Promise<KeyTexts[]> {
    const rows = await db.any<{ key: string[] }>(
      `select array[${textsOf(order).join(", ")}] as key from ${from} t
        where ${within(order, "t", rangeAt(bounds, range))} order by ${order.of("t").join(", ")}
        limit ${most ?? "all"}`,
    );
    return rows.map(({ key }) => key);
  }

  /** What it looks like, in words. */
  async #doubt(rows: number, live: number, gone: number, first: KeyTexts): Promise<string> {
    const { name: source } = this.#declared;
    const what = `${gone} of ${live} rows of ${source} are gone`;
    const confirm = `if it is meant, \`totes deletes --confirm ${source}\` says so`;
    if (rows === 0) return `${what}: it is empty, as after TRUNCATE; ${confirm}`;
    const later = within(this.#theirs, "t", { from: first, to: null });
    const { none } = await this.#source.db.one<{ none: boolean }>(
      `select not exists (select from ${this.#place} t where ${later}) as none`,
    );
    return none
      ? `${what}, all of them after the last key that it has, as when an older backup was restored; ${confirm}`
      : `${what}, more than are deleted in a day; ${confirm}`;
  }
}

/** The keys of rows that are not known to be gone, as a table of SQL: those marked are, and inferred members are no rows of the source. */
function liveKeys({ schema, ledger }: Connection, table: Table): string {
  const place = qualified(schema, table.name);
  const columns = keyOf(table);
  const keys = columns.map((column) => name(column));
  const recordId = recordIdOf(table);
  const isMarked = table.deleted === "mark";
  const isInferred = `exists (select from ${qualified(ledger, "inferred_member")} m
                               where m.table_name = ${literal(table.name)} and m.key = ${recordKeyText(table, "t")})`;
  const live = `where not ${isInferred}${isMarked ? ` and ${name(DELETED_AT)} is null` : ""}`;
  if (recordId === undefined) return `(select ${keys.join(", ")} from ${place} t ${live})`;
  // The latest version says whether a record is live.
  const read = [...keys, ...(isMarked ? [name(DELETED_AT)] : [])].join(", ");
  const order = [...keys, `${name(recordId)} desc`].join(", ");
  return `(select * from (select distinct on (${keys.join(", ")}) ${read} from ${place} order by ${order}) t ${live})`;
}

/** A key's columns as texts, the same ones for equal keys. */
const textsOf = (order: KeyOrder): string[] =>
  order
    .texts(order.columns("t"))
    .map((text, at) =>
      order.types[at]!.startsWith("numeric") ? `trim_scale(${order.columns("t")[at]})::text` : text,
    );

interface KeyDigest {
  readonly keys: number;
  readonly digest: Digest;
}

/** What the keys of each range come to, by its number. */
async function digestsOf(
  { db }: Connection,
  from: string,
  order: KeyOrder,
  bounds: readonly KeyTexts[],
): Promise<Map<number, KeyDigest>> {
  const text = textsOf(order)
    .map((key) => `octet_length(convert_to(${key}, 'UTF8')), ':', ${key}`)
    .join(", ");
  const found = await db.any<{ n: number; keys: string; digest: Digest }>(
    `select n, count(*) as keys,
            concat(count(*), ':', sum(${HASH_SQL.high("hash")}), ':', sum(${HASH_SQL.low("hash")})) as digest
       from (select ${rangeNumberSql(order, "t", bounds)} as n, ${HASH_SQL.hash(`concat(${text})`)} as hash
               from ${from} t offset 0) t
      group by n`,
  );
  return new Map(found.map(({ n, keys, digest }) => [n, { keys: Number(keys), digest }]));
}
