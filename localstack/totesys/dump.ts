import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { SOURCE_TABLES, assertEmpty, copyText, onConnection, resetSequences } from "./source.ts";
import type { Connection, Database, Queryable, RowCounts, SourceTable } from "./source.ts";

const ENDING = ".jsonl.gz";
const KNOWN: ReadonlySet<string> = new Set(SOURCE_TABLES);

/** A dump that cannot be loaded; its message names the folder or the file, and the line where one is at fault. */
export class DumpError extends Error {
  override name = "DumpError";
}

/**
 * Loads the dump in `folder` into an empty totesys: one `<table>.jsonl.gz` for each of the eleven tables, a
 * JSON object a line. All in one transaction, streaming, numbers exact; ids given afterwards follow the dump's.
 * Gives how many rows went into each table. Throws a DumpError when the folder or a file is absent, a file's
 * table is unknown, a file is no gzip, a line is no JSON object or names an unknown column, or PostgreSQL
 * refuses a row; an Error when the database's tables are missing or hold rows.
 */
export async function loadDump(db: Database, folder: string): Promise<RowCounts> {
  await checkFiles(folder);
  return onConnection(db, (connection) =>
    connection.tx(async (tx) => {
      await assertEmpty(tx);
      // One for all tables: it holds the lines of one file at a time.
      await tx.none("create temporary table dump_line (line text not null) on commit drop");
      const counts: Partial<RowCounts> = {};
      for (const table of SOURCE_TABLES) {
        counts[table] = await loadTable(connection, tx, folder, table);
      }
      await resetSequences(tx);
      return counts as RowCounts;
    }),
  );
}

async function checkFiles(folder: string): Promise<void> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    throw new DumpError(`no dump at ${folder}: ${messageOf(error)}`, { cause: error });
  }
  for (const name of names.filter((file) => file.endsWith(ENDING))) {
    const table = name.slice(0, -ENDING.length);
    if (!KNOWN.has(table)) throw new DumpError(`${name}: totesys has no table "${table}"`);
  }
  const absent = SOURCE_TABLES.filter((table) => !names.includes(table + ENDING));
  if (absent.length > 0) {
    const files = absent.map((table) => table + ENDING).join(", ");
    throw new DumpError(`the dump at ${folder} lacks ${files}`);
  }
}

async function loadTable(
  connection: Connection,
  tx: Queryable,
  folder: string,
  table: SourceTable,
): Promise<number> {
  const file = table + ENDING;
  const columns = await tx.map<string>(
    `select attname from pg_attribute
      where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum`,
    [`public.${table}`],
    (row: { attname: string }) => row.attname,
  );

  await tx.none("truncate dump_line");
  // CSV with a quote and a delimiter that JSON cannot hold: each line arrives as it is.
  await copyText(
    connection,
    `copy dump_line from stdin (format csv, quote e'\\x01', delimiter e'\\x02')`,
    Readable.from(checkedLines(path.join(folder, file), file, new Set(columns))),
  );

  try {
    const { rowCount } = await tx.result(
      `insert into public.$(table:name) ($(columns:name)) overriding system value
       select $(columns:name) from dump_line,
              json_populate_record(null::public.$(table:name), dump_line.line::json)`,
      { table, columns },
    );
    return rowCount;
  } catch (error) {
    throw new DumpError(`${file}: ${messageOf(error)}`, { cause: error });
  }
}

/** The lines of a file, each checked to be a JSON object of known columns, in pieces as they were read. */
async function* checkedLines(
  location: string,
  file: string,
  columns: ReadonlySet<string>,
): AsyncGenerator<string> {
  let number = 0;
  for await (const lines of readLines(location, file)) {
    let piece = "";
    for (const line of lines) {
      number++;
      if (line.trim() === "") continue;
      const problem = problemOf(line, columns);
      if (problem !== undefined) throw new DumpError(`${file}, line ${number}: ${problem}`);
      piece += `${line}\n`;
    }
    if (piece !== "") yield piece;
  }
}

function problemOf(line: string, columns: ReadonlySet<string>): string | undefined {
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch (error) {
    return `not JSON (${messageOf(error)})`;
  }
  if (typeof row !== "object" || row === null || Array.isArray(row)) return "not a JSON object";
  const unknown = Object.keys(row).find((name) => !columns.has(name));
  return unknown === undefined ? undefined : `the table has no column "${unknown}"`;
}

/** The unzipped lines of a file, without their ends, in groups. */
async function* readLines(location: string, file: string): AsyncGenerator<string[]> {
  const source = createReadStream(location);
  const unzipped = createGunzip();
  source.on("error", (error) => unzipped.destroy(error)).pipe(unzipped);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let rest = "";
  try {
    for await (const bytes of unzipped) {
      const lines = (rest + decoder.decode(bytes as Buffer, { stream: true })).split(/\r?\n/);
      rest = lines.pop() ?? "";
      yield lines;
    }
    yield [rest + decoder.decode()];
  } catch (error) {
    throw new DumpError(`${file} cannot be read: ${reasonOf(error)}`, { cause: error });
  } finally {
    source.destroy();
  }
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "Z_DATA_ERROR") return `not gzip, or damaged (${messageOf(error)})`;
  if (code === "Z_BUF_ERROR") return "the gzip data end too early";
  return messageOf(error);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
