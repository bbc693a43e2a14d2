import { fingerprintsOf } from "../fingerprint.ts";
import { loadsOf } from "../loading/ledger.ts";
import type { Connection, Db } from "../postgres/connection.ts";
import { name, parameterised, qualified } from "../postgres/sql.ts";
import type { Table } from "../table.ts";
import { RebuildError } from "./error.ts";

/** What a rebuild is made of: it goes on only with the same. */
interface Making {
  readonly bucket: string;
  readonly tables: readonly Table[];
}

/** Says that a schema was filled by a rebuild, and from what. */
const markOf = (ledger: string): string => qualified(ledger, "rebuild");

/**
 * Makes the connection's schema and ledger a rebuild's: both empty, or those of a rebuild from the same bucket by the same
 * table modules, which goes on.
 * @param replace drops what an earlier rebuild left there
 * @throws RebuildError where something else is there
 */
export async function claim(
  { db, schema, ledger }: Connection,
  { bucket, tables }: Making,
  replace: boolean,
): Promise<void> {
  await db.tx(async (t) => {
    const before = await readMark(t, ledger);
    if (before?.isLive)
      throw new RebuildError(
        `schema "${schema}" is the warehouse of a pipeline, which loads into it: rebuild into another schema or database`,
      );
    if (before && !replace) return checkSame(before, { bucket, tables }, schema);
    if (before) await drop(t, schema, ledger);
    for (const place of [schema, ledger]) await makeEmpty(t, place);
    await t.none(
      `create table ${markOf(ledger)} (bucket text not null, tables jsonb not null, begun_at timestamptz not null default now())`,
    );
    await t.none(
      parameterised(`insert into ${markOf(ledger)} (bucket, tables) values ($1, $2)`, [
        bucket,
        JSON.stringify(fingerprintsOf(tables)),
      ]),
    );
  });
}

interface Mark {
  readonly bucket: string;
  readonly tables: Readonly<Record<string, string>>;
  /** Whether a pipeline's loader took the schema over: it alone puts receipts. */
  readonly isLive: boolean;
}

async function readMark(db: Db, ledger: string): Promise<Mark | undefined> {
  const { marked, counted } = await db.one<{ marked: boolean; counted: boolean }>(
    "select to_regclass($1) is not null as marked, to_regclass($2) is not null as counted",
    [markOf(ledger), loadsOf(ledger)],
  );
  if (!marked) return undefined;
  const put = counted ? `exists (select from ${loadsOf(ledger)} where receipt_put)` : "false";
  return db.one<Mark>(`select bucket, tables, ${put} as "isLive" from ${markOf(ledger)}`);
}

function checkSame(before: Mark, { bucket, tables }: Making, schema: string): void {
  const other = (what: string): RebuildError =>
    new RebuildError(
      `schema "${schema}" holds a rebuild ${what}: --replace drops it and begins anew`,
    );
  if (before.bucket !== bucket) throw other(`from ${before.bucket}, not from ${bucket}`);
  const now = fingerprintsOf(tables);
  const changed = [...new Set([...Object.keys(before.tables), ...Object.keys(now)])].filter(
    (table) => before.tables[table] !== now[table],
  );
  if (changed.length > 0) throw other(`by other modules for ${changed.join(", ")}`);
}

/** Tables that somebody's views read stay, and the error names the views. */
async function drop(db: Db, schema: string, ledger: string): Promise<void> {
  const tables = await db.any<{ name: string }>(
    "select tablename as name from pg_tables where schemaname = $1",
    [schema],
  );
  if (tables.length > 0)
    await db.none(`drop table ${tables.map((table) => qualified(schema, table.name)).join(", ")}`);
  await db.none(`drop schema ${name(ledger)} cascade`);
}

async function makeEmpty(db: Db, schema: string): Promise<void> {
  const { there, first } = await db.one<{ there: boolean; first: string | null }>(
    `select to_regnamespace($2) is not null as there,
            (select min(c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
              where n.nspname = $1 and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')) as first`,
    [schema, name(schema)],
  );
  if (first !== null)
    throw new RebuildError(
      `schema "${schema}" is not empty, and no rebuild filled it (it has "${first}"): name another schema, or an empty database`,
    );
  if (there) return;
  try {
    await db.none(`create schema ${name(schema)}`);
  } catch (cause) {
    throw new RebuildError(
      `cannot create schema "${schema}": ${(cause as Error).message}; GRANT CREATE ON DATABASE to this user`,
      { cause },
    );
  }
}
