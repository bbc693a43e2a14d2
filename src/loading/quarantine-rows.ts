/** What a batch says of quarantined rows, as the lines of a COPY. */
import type { Column } from "../columns.ts";
import type { LakeObject } from "../lake/manifest.ts";
import { readS3Json } from "../lake/objects.ts";
import { keyOf, type Source, type SourceRow, type Table } from "../table.ts";
import { store, toText } from "../values.ts";
import { storedAt } from "../vectors.ts";
import { keyOfText } from "./ledger.ts";
import type { Rows } from "./merge.ts";

/** Characters of a reason that are kept: a formatter may throw a book. */
const REASON = 2000;
/** Bytes that go to the server at a time, about. */
const BLOCK = 64 << 10;

const joined = (texts: readonly string[]): string =>
  keyOfText(texts.length === 1 ? texts[0]! : JSON.stringify(texts));

/** The source's name and the key, of each row. */
export function* recordsOf(source: Source, table: Table, rows: Rows): Generator<string[]> {
  const columns = keyOf(table).map((name) => [table.columns[name]!, rows.get(name)!] as const);
  const { length } = columns[0]![1].values;
  for (let row = 0; row < length; row++)
    yield [
      source.name,
      joined(columns.map(([column, vector]) => toText(column, storedAt(vector, row)))),
    ];
}

/** The source's name and the key, of each row that keys were written down of. */
export async function* keysIn(
  bucket: string,
  objects: readonly LakeObject[],
  tables: ReadonlyMap<string, Table>,
): AsyncGenerator<string[]> {
  const sources = [...tables.values()].flatMap((table) => table.sources);
  for (const object of objects) {
    const source = sources.find(({ name }) => name === object.table)!;
    for await (const keys of readS3Json(bucket, object))
      for (const key of keys) yield [source.name, keyIn(source, key)];
  }
}

/** The columns of the temporary table, of each row that did not fit. */
export async function* rejectedRows(
  bucket: string,
  objects: readonly LakeObject[],
  tables: ReadonlyMap<string, Table>,
): AsyncGenerator<string[]> {
  let line = 0;
  for (const object of objects) {
    const table = tables.get(object.table)!;
    for await (const lines of readS3Json(bucket, object))
      for (const { source: name, reason, row } of lines) {
        const source = sourceOf(table, name, row as SourceRow);
        if (!source) continue;
        yield [
          String(++line),
          table.name,
          source.name,
          keyIn(source, row as SourceRow),
          String(reason).slice(0, REASON),
          JSON.stringify(row),
        ];
      }
  }
}

/** The source that a row came from; of a line from before lines said so, the one that has its columns. */
function sourceOf({ sources }: Table, name: unknown, row: SourceRow): Source | undefined {
  if (name !== undefined) return sources.find((source) => source.name === name);
  return sources.find(({ columns }) =>
    Object.keys(columns).every((column) => Object.hasOwn(row, column)),
  );
}

/** A row's key, as the quarantine has it. */
export const keyIn = (source: Source, row: SourceRow): string =>
  joined(keyOf(source).map((column) => textOf(source.columns[column]!, row[column])));

/** As the text of a star key that is the same value. */
function textOf(column: Column, value: unknown): string {
  try {
    return toText(column, store(column, value));
  } catch {
    return typeof value === "string" ? value : String(JSON.stringify(value));
  }
}

/** What stands for a character that a line of COPY cannot have as it is; no text of PostgreSQL has a U+0000. */
const ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "\t": "\\t",
  "\n": "\\n",
  "\r": "\\r",
  "\0": "\ufffd",
};

/** Rows in COPY's text format. */
export async function* blocks(
  rows: Iterable<readonly string[]> | AsyncIterable<readonly string[]>,
): AsyncGenerator<Buffer> {
  let block = "";
  for await (const row of rows) {
    block += `${row.map((text) => text.replace(/[\\\t\n\r\0]/g, (character) => ESCAPES[character]!)).join("\t")}\n`;
    if (block.length < BLOCK) continue;
    yield Buffer.from(block);
    block = "";
  }
  if (block !== "") yield Buffer.from(block);
}
