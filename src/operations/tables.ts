/** The warehouse's tables: what is declared, how fresh they are, what is in them. */
import { loadsOf } from "../loading/ledger.ts";
import { hasLedger } from "../loading/loads.ts";
import { readCatalogue } from "../postgres/catalogue.ts";
import type { Connection, Db } from "../postgres/connection.ts";
import { literal, name, parameterised, qualified } from "../postgres/sql.ts";
import { isFact, keyOf, recordIdOf, referencesOf, type Table as Declaration } from "../table.ts";
import { columnsInWords } from "./catalog.ts";
import type { Point, Table, TableSummary, Value } from "./types.ts";

/** Where the tables are, and what declares them. */
export interface Warehouse {
  readonly warehouse: () => Promise<Connection>;
  readonly tables: readonly Declaration[];
}

const DAYS = 30;
const MINUTES = 60;
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** Tables larger than this are estimated: counting them takes seconds. */
const COUNTED_BYTES = 256 << 20;
const SAMPLE = 5;
/** Of a record; and newest rows among which one is looked for that has several. */
const VERSIONS = 10;
const NEWEST = 500;
/** A text may be of megabytes. */
const CHARACTERS = 200;

/**
 * All declared tables, facts first.
 * @throws ConnectionError, SecretError
 */
export const tables = (places: Warehouse): Promise<TableSummary[]> =>
  reading(places, async (db, place) => {
    const declared = places.tables.toSorted((a, b) => Number(isFact(b)) - Number(isFact(a)));
    return summaries(db, place, declared);
  });

/**
 * One table in full; undefined where no module declares it.
 * @throws ConnectionError, SecretError
 */
export async function table(places: Warehouse, wanted: string): Promise<Table | undefined> {
  const declared = places.tables.find((one) => one.name === wanted);
  if (declared === undefined) return undefined;
  return reading(places, async (db, place) => {
    const [summary] = await summaries(db, place, [declared]);
    const columns = columnsInWords(declared);
    if (summary!.rows === 0) return { ...summary!, columns, sample: [] };
    const versions = await versionsOf(db, place, declared);
    return {
      ...summary!,
      columns,
      sample: await sampleOf(db, place, declared),
      ...(versions === undefined ? {} : { versions }),
    };
  });
}

/** Reads the warehouse in one snapshot, and changes nothing. */
async function reading<T>(
  { warehouse }: Warehouse,
  read: (db: Db, place: Connection) => Promise<T>,
): Promise<T> {
  const connection = await warehouse();
  try {
    return await connection.db.tx(async (db) => {
      await db.none("set transaction isolation level repeatable read, read only");
      return read(db, connection);
    });
  } finally {
    await connection.close();
  }
}

async function summaries(
  db: Db,
  place: Connection,
  declared: readonly Declaration[],
): Promise<TableSummary[]> {
  const { schema, ledger } = place;
  const counts = await countRows(db, schema, declared);
  const isLoaded = await hasLedger(place);
  const days = isLoaded ? await readDays(db, ledger) : [];
  const minutes = isLoaded ? await readMinutes(db, ledger) : [];
  const now = Date.now();
  return declared.map((one): TableSummary => {
    const { rows, isEstimate } = counts.get(one.name) ?? { rows: 0, isEstimate: false };
    const loads = days.filter(({ table: of }) => of === one.name);
    const newest = loads.reduce<Load | undefined>(
      (last, load) => (last === undefined || load.batch > last.batch ? load : last),
      undefined,
    );
    return {
      name: one.name,
      kind: isFact(one) ? "fact" : "dimension",
      description: one.description,
      rows,
      isEstimate,
      fresh_at: newest?.at ?? null,
      fresh_batch: newest?.batch ?? null,
      history: isEstimate ? [] : historyOf(loads, rows, now),
      minutes: minutesOf(
        minutes.filter(({ table: of }) => of === one.name),
        now,
      ),
      references: [...new Set(referencesOf(one).map((reference) => reference.table))],
      sources: [
        ...new Set([
          ...one.sources.map((source) => source.name),
          ...Object.values(one.lookups).map(({ source }) => source.name),
        ]),
      ],
    };
  });
}

interface Counted {
  readonly rows: number;
  readonly isEstimate: boolean;
}

/** Rows of the tables that exist. */
async function countRows(
  db: Db,
  schema: string,
  declared: readonly Declaration[],
): Promise<ReadonlyMap<string, Counted>> {
  const found = await db.any<{ name: string; estimate: number; bytes: string }>(
    `select c.relname as name, c.reltuples::float8 as estimate, pg_table_size(c.oid) as bytes
       from unnest($2::text[]) as wanted(name)
       join pg_namespace n on n.nspname = $1
       join pg_class c on c.relnamespace = n.oid and c.relname = wanted.name and c.relkind in ('r', 'p')`,
    [schema, declared.map((one) => one.name)],
  );
  const counts = new Map<string, Counted>();
  for (const { name: of, estimate, bytes } of found) {
    const isEstimate = Number(bytes) > COUNTED_BYTES && estimate >= 0;
    const rows = isEstimate
      ? Math.round(estimate)
      : await db.one<number>(
          `select count(*) as rows from ${qualified(schema, of)}`,
          [],
          ({ rows: count }: { rows: string }) => Number(count),
        );
    counts.set(of, { rows, isEstimate });
  }
  return counts;
}

/** What batches changed of a table in a day, and the last of them. */
interface Load {
  readonly table: string;
  readonly day: string;
  readonly changed: number;
  readonly batch: number;
  readonly at: string;
}

const ISO = `'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'`;

/** One row a batch and table: what it added or changed. `{}` of a batch that was skipped. */
const changesOf = (ledger: string): string =>
  `(select l.batch, l.loaded_at, t.key as name, (t.value ->> 'changed')::bigint as changed
      from ${loadsOf(ledger)} l, jsonb_each(l.receipt -> 'tables') t
     union all
    select l.batch, l.loaded_at, t.key, (t.value #>> '{}')::bigint
      from ${loadsOf(ledger)} l, jsonb_each(l.receipt -> 'inferred') t)`;

async function readDays(db: Db, ledger: string): Promise<Load[]> {
  const rows = await db.any<Omit<Load, "changed" | "batch"> & { changed: string; batch: string }>(
    `select name as "table", to_char(loaded_at, 'YYYY-MM-DD') as day, sum(changed) as changed,
            max(batch) as batch, to_char(max(loaded_at), ${ISO}) as at
       from ${changesOf(ledger)} c where changed > 0 group by 1, 2`,
  );
  return rows.map((row) => ({ ...row, changed: Number(row.changed), batch: Number(row.batch) }));
}

interface Minute {
  readonly table: string;
  readonly minute: string;
  readonly changed: number;
}

async function readMinutes(db: Db, ledger: string): Promise<Minute[]> {
  const rows = await db.any<Omit<Minute, "changed"> & { changed: string }>(
    `select name as "table", to_char(loaded_at, 'YYYY-MM-DD"T"HH24:MI') as minute, sum(changed) as changed
       from ${changesOf(ledger)} c where loaded_at > now() - make_interval(mins => $1) group by 1, 2`,
    [MINUTES],
  );
  return rows.map((row) => ({ ...row, changed: Number(row.changed) }));
}

function minutesOf(changes: readonly Minute[], now: number): Point[] {
  const by = new Map(changes.map(({ minute, changed }) => [minute, changed]));
  return Array.from({ length: MINUTES }, (_, i) => {
    const at = new Date(now - (MINUTES - 1 - i) * MINUTE_MS).toISOString();
    return { at, value: by.get(at.slice(0, 16)) ?? 0 };
  });
}

/**
 * Counts back from the rows that there are now. What batches added is known of a table whose every change was a new row:
 * there its changes and its rows are as many. Where rows were changed in place or removed, the receipts do not tell.
 */
function historyOf(loads: readonly Load[], rows: number, now: number): Point[] {
  if (rows === 0 || loads.reduce((sum, { changed }) => sum + changed, 0) !== rows) return [];
  const first = loads.map(({ day }) => Date.parse(day)).toSorted((a, b) => a - b)[0]!;
  // From the day before the first rows: a line needs two points.
  const length = Math.min(DAYS, Math.floor((now - first) / DAY_MS) + 2);
  const days = Array.from({ length }, (_, i) =>
    new Date(now - (length - 1 - i) * DAY_MS).toISOString().slice(0, 10),
  );
  return days.map((day) => ({
    at: day,
    value: loads.reduce((sum, load) => (load.day > day ? sum : sum + load.changed), 0),
  }));
}

/** A row's values: numbers and truths as they are, all else as text, which a float would bend. */
const valuesOf = ({ columns }: Declaration, existing: ReadonlySet<string>, row: string): string =>
  Object.entries(columns)
    .filter(([column]) => existing.has(column))
    .map(([column, { type }]) => {
      const value = `${row}.${name(column)}`;
      const shown =
        type === "integer" || type === "boolean" ? value : `left(${value}::text, ${CHARACTERS})`;
      return `${literal(column)}, ${shown}`;
    })
    .join(", ");

type Shown = Readonly<Record<string, Value>>;

/** The columns that the warehouse has by now: the loader adds a new one with the next batch. */
async function existingOf(
  db: Db,
  schema: string,
  declared: Declaration,
): Promise<ReadonlySet<string>> {
  const catalogue = await readCatalogue(db, [{ schema, name: declared.name }]);
  return new Set(catalogue.get(declared.name)?.columns.map((column) => column.name));
}

/** The newest rows: those that came last where the warehouse counts them, else those with the highest keys. */
async function sampleOf(db: Db, { schema }: Connection, declared: Declaration): Promise<Shown[]> {
  const recordId = recordIdOf(declared);
  const order = recordId === undefined ? keyOf(declared) : [recordId];
  const existing = await existingOf(db, schema, declared);
  const rows = await db.any<{ row: Shown }>(
    `select json_build_object(${valuesOf(declared, existing, "t")}) as row from ${qualified(schema, declared.name)} t
      order by ${order.map((column) => `t.${name(column)} desc`).join(", ")} limit ${SAMPLE}`,
  );
  return rows.map(({ row }) => row);
}

/** The versions of the record that changed last; undefined where none of the newest rows has a version before. */
async function versionsOf(
  db: Db,
  { schema }: Connection,
  declared: Declaration,
): Promise<Table["versions"]> {
  const recordId = recordIdOf(declared);
  if (recordId === undefined) return undefined;
  const place = qualified(schema, declared.name);
  const key = keyOf(declared);
  const id = name(recordId);
  const same = (a: string, b: string): string =>
    key.map((column) => `${a}.${name(column)} = ${b}.${name(column)}`).join(" and ");
  const existing = await existingOf(db, schema, declared);
  const rows = await db.any<{ row: Shown }>(
    parameterised(
      `with newest as (select * from ${place} order by ${id} desc limit $1),
            changed as (select * from newest n
                         where exists (select from ${place} o where ${same("o", "n")} and o.${id} < n.${id})
                         order by ${id} desc limit 1)
       select json_build_object(${valuesOf(declared, existing, "t")}) as row
         from changed c join ${place} t on ${same("t", "c")} order by t.${id} desc limit $2`,
      [NEWEST, VERSIONS],
    ),
  );
  if (rows.length === 0) return undefined;
  const versions = rows.map(({ row }) => row).toReversed();
  const record = key.map((column) => `${column} ${String(versions[0]![column])}`).join(", ");
  return {
    record,
    rows: versions.map((row, at) => {
      const before = versions[at - 1];
      const changed = Object.keys(row).filter(
        (column) => before !== undefined && column !== recordId && row[column] !== before[column],
      );
      return { row, changed };
    }),
  };
}
