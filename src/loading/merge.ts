import { concerning } from "../errors.ts";
import { ObjectError } from "../lake/objects.ts";
import { ParquetError } from "../parquet/codec.ts";
import type { Connection, Db } from "../postgres/connection.ts";
import { copyIn } from "../postgres/copy.ts";
import { literal, name, names, qualified } from "../postgres/sql.ts";
import { keyOf, recordIdOf, referencesOf, getColumnNames, type Table } from "../table.ts";
import { cut, type Stretch, type Vector } from "../vectors.ts";
import { copyBlocks, fieldOf, HEADER, TRAILER } from "./binary.ts";
import type { InferredMembers } from "./inferred.ts";
import type { Quarantine } from "./quarantine.ts";
import { rangeOf, type Range } from "./range.ts";
import { makeReferenced, referencedKeys } from "./references.ts";
import { mayLeaveOutTriggers, withoutTriggers } from "./triggers.ts";
import { sqlType, WarehouseError, type FoundType, type Inferring } from "./warehouse.ts";

/** The warehouse, in the transaction of one batch. */
export interface Warehouse {
  readonly connection: Connection;
  readonly db: Db;
  readonly schema: string;
  /** The batch's number. */
  readonly batch: number;
  readonly inferred: InferredMembers;
  readonly quarantine: Quarantine;
  readonly byName: ReadonlyMap<string, Table>;
  readonly typeOf: FoundType;
  /** Whether this user may let triggers sleep. */
  readonly maySilence: boolean;
  /** Called when the last table's rows are about to go: whoever waits for PostgreSQL may do something else. */
  readonly meanwhile: () => void;
}

/** A table's rows of a batch, by column. */
export type Rows = ReadonlyMap<string, Vector>;
/** What a batch has of its tables. */
export interface Files {
  /** Reads columns of a table's rows: of all of them, or of a stretch. */
  read(table: Table, columns: readonly string[], stretch?: Stretch): Promise<Rows>;
  /** The stretches that texts are so large as to be read in, one after the other; undefined where they are not. */
  stretches(table: Table, texts: readonly string[]): Promise<readonly Stretch[] | undefined>;
}

/** Columns that are read while they are copied. */
interface LargeTexts {
  readonly columns: readonly string[];
  readonly stretches: readonly Stretch[];
  readonly read: (stretch: Stretch) => Promise<Rows>;
}

export const stage = ({ name: table }: Pick<Table, "name">): string =>
  qualified("pg_temp", `stage_${table}`);

/** Says which table it was that failed: PostgreSQL itself does not, of a value that is too long for its column. */
export const about = <T>(table: Table, ifDenied: string, work: Promise<T>): Promise<T> =>
  concerning({ table: table.name }, async () => {
    try {
      return await work;
    } catch (cause) {
      if (
        cause instanceof WarehouseError ||
        cause instanceof ParquetError ||
        cause instanceof ObjectError
      )
        throw cause;
      const { code, message } = cause as { code?: string; message: string };
      const advice = code === "42501" ? `; ${ifDenied}` : "";
      throw new WarehouseError(`${table.name}: ${message}${advice}`, { cause });
    }
  });

export const RIGHTS = "GRANT SELECT, INSERT, UPDATE on it, and USAGE on its sequence, to this user";

/**
 * Brings a batch's rows into the warehouse: dimensions, then inferred members for what facts refer to and nobody has,
 * then facts. All writes to dimensions come before the first read of a fact, as a distributed PostgreSQL wants it; so
 * of facts only the columns that refer are read at first, the others when their turn comes: of one table at a time.
 *
 * @param tables those that the batch has rows of, in the order of their references
 * @returns rows inserted or updated, by table, and inferred members made, by dimension
 */
export async function mergeBatch(
  warehouse: Warehouse,
  tables: readonly Table[],
  files: Files,
): Promise<{ changed: Map<string, number>; inferred: Map<string, number> }> {
  const { db, schema, byName } = warehouse;
  const changed = new Map<string, number>();
  const inferred = new Map<string, number>();
  const into = inferringIn(warehouse, inferred);
  const infer = async (table: Table, rows: Rows, hold: boolean): Promise<void> => {
    for (const references of referencedKeys(table, rows, byName))
      await about(references.dimension, RIGHTS, makeReferenced(into, references, hold));
  };
  const versioned = tables.filter((table) => recordIdOf(table) !== undefined);
  const last = versioned.at(-1) ?? tables.at(-1);
  const silent = new Set<Table>();
  const known = new Map<Table, Rows>();
  for (const table of tables)
    if (versioned.includes(table)) {
      const referring = referencesOf(table).map(({ column }) => column);
      if (referring.length === 0) continue;
      const hold =
        warehouse.maySilence &&
        (await about(table, RIGHTS, mayLeaveOutTriggers(db, schema, table, byName)));
      if (hold) silent.add(table);
      const rows = await files.read(table, referring);
      await infer(table, rows, hold);
      known.set(table, rows);
    } else {
      const { rows, large } = await readTable(files, table);
      await infer(table, rows, false);
      if (table === last) warehouse.meanwhile();
      changed.set(table.name, await put(warehouse, table, rows, large, upsert));
      await warehouse.quarantine.arrived(table, rows);
    }
  for (const table of versioned) {
    const before: Rows = known.get(table) ?? new Map();
    known.delete(table);
    const { rows, large } = await readTable(files, table, before);
    if (table === last) warehouse.meanwhile();
    changed.set(table.name, await put(warehouse, table, rows, large, append, silent.has(table)));
    await warehouse.quarantine.arrived(table, rows);
  }
  return { changed, inferred };
}

/** Where a batch's inferred members are made. @param counts of those that it makes, by dimension */
export function inferringIn(
  { db, schema, byName, batch, inferred }: Warehouse,
  counts: Map<string, number>,
): Inferring {
  const made = (dimension: Table, count: number): void => {
    counts.set(dimension.name, (counts.get(dimension.name) ?? 0) + count);
    inferred.made(dimension, count);
  };
  return { db, schema, ledger: inferred.ledger, byName, batch, made };
}

/** All columns of a table but texts that are too large to be held; `before` are those that were read already. */
async function readTable(
  files: Files,
  table: Table,
  before: Rows = new Map(),
): Promise<{ rows: Rows; large: LargeTexts | undefined }> {
  const columns = getColumnNames(table).filter((column) => !before.has(column));
  const texts = columns.filter((column) => {
    const { type, key, references } = table.columns[column]!;
    return type === "text" && !key && references === undefined;
  });
  const stretches = await files.stretches(table, texts);
  const held = stretches ? columns.filter((column) => !texts.includes(column)) : columns;
  return {
    rows: new Map([...before, ...(await files.read(table, held))]),
    large: stretches && {
      columns: texts,
      stretches,
      read: (stretch) => files.read(table, texts, stretch),
    },
  };
}

/** How staged rows get into their table. @returns how many were inserted or updated */
type Merge = (db: Db, schema: string, table: Table, range: KeyRange | undefined) => Promise<number>;

/** Straight into the table where it has nothing that the rows could meet, else by way of a staging table. */
async function put(
  warehouse: Warehouse,
  table: Table,
  rows: Rows,
  large: LargeTexts | undefined,
  merge: Merge,
  silent = false,
): Promise<number> {
  const { connection, db, schema } = warehouse;
  const typeOf = (column: string): string | undefined => warehouse.typeOf(table, column);
  const range = keyRange(table, rows);
  const write = (work: () => Promise<number>): Promise<number> =>
    about(table, RIGHTS, silent ? withoutTriggers(db, work) : work());
  if (range && (await about(table, RIGHTS, isFree(db, schema, table, range))))
    return write(() =>
      copyRows({ connection, typeOf }, qualified(schema, table.name), table, rows, large),
    );
  await stageRows(warehouse, table, rows, large);
  const changed = await write(() => merge(db, schema, table, range));
  await warehouse.inferred.replaced(db, table, stage(table));
  return changed;
}

async function copyRows(
  {
    connection,
    typeOf,
  }: { connection: Connection; typeOf: (column: string) => string | undefined },
  into: string,
  { columns: declared }: Pick<Table, "columns">,
  rows: Rows,
  large: LargeTexts | undefined,
): Promise<number> {
  const columns = [...rows.keys(), ...(large?.columns ?? [])];
  const blocks = (some: Rows): Generator<Buffer> => {
    const fields = columns.map((column) =>
      fieldOf(declared[column]!, typeOf(column), some.get(column)!),
    );
    return copyBlocks(fields, some.get(columns[0]!)!.values.length);
  };
  async function* all(): AsyncGenerator<Buffer> {
    yield HEADER;
    if (large === undefined) yield* blocks(rows);
    else
      for (const stretch of large.stretches) {
        const part = [...rows].map(([column, vector]) => [column, cut(vector, stretch)] as const);
        yield* blocks(new Map([...part, ...(await large.read(stretch))]));
      }
    yield TRAILER;
  }
  return copyIn(connection, `copy ${into} (${names(columns)}) from stdin (format binary)`, all());
}

/** Brings rows into a staging table that is gone with the transaction. */
export async function stageRows(
  { connection, db }: Warehouse,
  table: Pick<Table, "name" | "columns">,
  rows: Rows,
  large?: LargeTexts,
): Promise<void> {
  const definitions = getColumnNames(table).map(
    (column) => `${name(column)} ${sqlType(table.columns[column]!)}`,
  );
  await db.none(
    `create temporary table ${name(`stage_${table.name}`)} (${definitions.join(", ")}) on commit drop`,
  );
  await copyRows({ connection, typeOf: () => undefined }, stage(table), table, rows, large);
  // The keys are all that the plan goes by; the other columns would cost as much as the COPY.
  await db.none(`analyze ${stage(table)} (${names(keyOf(table))})`);
}

/** Of the first key column. */
interface KeyRange extends Range {
  readonly column: string;
  /** Whether at least every other key that there may be in it is one of the rows'. */
  readonly isDense: boolean;
}

function keyRange(table: Table, rows: Rows): KeyRange | undefined {
  const column = keyOf(table)[0]!;
  const { values } = rows.get(column)!;
  const range = rangeOf(table.columns[column]!, values);
  const isDense = keyOf(table).length === 1 && (range?.size ?? Infinity) <= 2 * values.length;
  return range && { column: name(column), isDense, ...range };
}

/**
 * Whether no row of the table has a key in that range, and COPY would do what INSERT does (it passes rules by).
 * Not by `exists`: a plan for the first row of any order may read the whole table to find none.
 */
async function isFree(
  db: Db,
  schema: string,
  table: Table,
  { column, lowest, highest }: KeyRange,
): Promise<boolean> {
  const place = qualified(schema, table.name);
  const { free } = await db.one<{ free: boolean }>(
    `select (select ${column} from ${place} where ${column} between ${lowest} and ${highest}
              order by ${column} limit 1) is null
        and not (select relhasrules from pg_class where oid = ${literal(place)}::regclass) as free`,
  );
  return free;
}

/** Type 1: a row is inserted, or updated where a column differs; unchanged ones are not rewritten. */
function upsert(db: Db, schema: string, table: Table): Promise<number> {
  const columns = getColumnNames(table);
  const key = keyOf(table);
  const others = columns.filter((column) => !key.includes(column));
  const update =
    others.length === 0
      ? "do nothing"
      : `do update set ${others.map((c) => `${name(c)} = excluded.${name(c)}`).join(", ")}
           where (${names(others, "d.")}) is distinct from (${names(others, "excluded.")})`;
  return db.result(
    `insert into ${qualified(schema, table.name)} as d (${names(columns)})
     select ${names(columns)} from ${stage(table)} order by ${names(key)}
         on conflict (${names(key)}) ${update}`,
    undefined,
    (result) => result.rowCount,
  );
}

/** A row is appended where it differs from the latest version of its record. */
function append(
  db: Db,
  schema: string,
  table: Table,
  range: KeyRange | undefined,
): Promise<number> {
  const columns = getColumnNames(table);
  const key = keyOf(table);
  const recordId = recordIdOf(table)!;
  const sameKey = key.map((column) => `f.${name(column)} = s.${name(column)}`).join(" and ");
  const within = range
    ? `where f.${range.column} between ${range.lowest} and ${range.highest}`
    : "";
  // Most of a dense range is met: looking for what is not would take as long as all the rest.
  const met = range?.isDense === true ? "" : `join ${stage(table)} s on ${sameKey}`;
  return db.result(
    `insert into ${qualified(schema, table.name)} (${names(columns)})
     select ${names(columns, "s.")}
       from ${stage(table)} s
       left join (select distinct on (${names(key, "f.")}) ${names(columns, "f.")}, true as there
                    from ${qualified(schema, table.name)} f
                    ${met} ${within}
                   order by ${names(key, "f.")}, f.${name(recordId)} desc) f on ${sameKey}
      where f.there is null or (${names(columns, "s.")}) is distinct from (${names(columns, "f.")})
      order by ${names(key, "s.")}`,
    undefined,
    (result) => result.rowCount,
  );
}
