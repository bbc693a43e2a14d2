/**
 * Star rows as texts, the same ones from both sides: what Node makes of formatted rows, and what PostgreSQL makes of the
 * warehouse's, so that either can be hashed where it is.
 */
import { hash } from "node:crypto";
import type { Column } from "../columns.ts";
import { valueSql } from "../loading/warehouse.ts";
import type { CatalogueColumn } from "../postgres/catalogue.ts";
import { DELETED_AT, getColumnNames, type Table } from "../table.ts";
import { placeholder, toText, type Stored } from "../values.ts";
import { storedAt, type Vector } from "../vectors.ts";

/** A row: one text a declared column, in order; null for null. */
export type Texts = readonly (string | null)[];

const ZERO = 48;
const POINT = 46;

/** PostgreSQL prints no zeros at the end of a fraction of a second; `zone` characters follow it. */
function withoutZeros(text: string, zone = 0): string {
  const end = text.length - zone;
  let to = end;
  while (text.charCodeAt(to - 1) === ZERO) to--;
  if (text.charCodeAt(to - 1) === POINT) to--;
  return text.slice(0, to) + text.slice(end);
}

/** A stored value as PostgreSQL prints it; a decimal with the digits that its column declares. */
export function textOf(column: Column, stored: Stored): string | null {
  if (stored === null) return null;
  const text = toText(column, stored);
  switch (column.type) {
    case "time":
    case "timestamp":
      return withoutZeros(text);
    case "timestamptz":
      return withoutZeros(text, "+00".length);
    default:
      return text;
  }
}

/** What an inferred member has in a column. */
export const placeholderText = (column: Column): string | null =>
  textOf(column, placeholder(column));

/** Whether a row of the warehouse says of itself that its source row is gone. */
export function isMarked(table: Table, texts: Texts): boolean {
  return table.deleted === "mark" && texts[getColumnNames(table).indexOf(DELETED_AT)] !== null;
}

/** Texts that are made once and found again: days, of which there are few. */
const REMEMBERED = 10_000;

/** Each row's text of one column. */
function columnTexts(column: Column, vector: Vector, rows: number): (string | null)[] {
  const texts = Array<string | null>(rows);
  if (column.type === "text" && vector.nulls === undefined) return vector.values as string[];
  const known = column.type === "date" ? new Map<Stored, string | null>() : undefined;
  for (let row = 0; row < rows; row++) {
    const stored = storedAt(vector, row);
    let text = known?.get(stored);
    if (text === undefined) {
      text = textOf(column, stored);
      if (known !== undefined && known.size < REMEMBERED) known.set(stored, text);
    }
    texts[row] = text;
  }
  return texts;
}

/** Rows as texts, from columns. */
export function rowTexts(table: Table, vectors: readonly Vector[], rows: number): Texts[] {
  const columns = getColumnNames(table).map((column, at) =>
    columnTexts(table.columns[column]!, vectors[at]!, rows),
  );
  return Array.from({ length: rows }, (_, row) => columns.map((texts) => texts[row]!));
}

/**
 * A row as one text, which no other row has: the values one after the other, and before each text its length in bytes. A
 * value of another type has no `|`, and is not empty unless it is null.
 */
function joined(isText: readonly boolean[], texts: Texts): string {
  let row = "";
  for (let at = 0; at < texts.length; at++) {
    const text = texts[at]!;
    if (text === null) row += "|";
    else row += isText[at] === true ? `${Buffer.byteLength(text)}:${text}|` : `${text}|`;
  }
  return row;
}

/** A character a byte: buffers would take twice as long. */
const hashOf = (text: string): string => hash("sha256", text, "binary");

const wordAt = (bytes: string, at: number): number =>
  (bytes.charCodeAt(at) << 24) |
  (bytes.charCodeAt(at + 1) << 16) |
  (bytes.charCodeAt(at + 2) << 8) |
  bytes.charCodeAt(at + 3);

/** What a range of rows comes to, whatever their order: how many they are, and the sums of their hashes' two halves. */
export type Digest = string;

/** The digest of no rows. */
export const NOTHING: Digest = "0:0:0";

/** Sums up rows. A row's hash is the first half of the SHA-256 of its text, as two signed 64-bit numbers. */
export class Digester {
  readonly #isText: readonly boolean[];
  #rows = 0;
  // Numbers are exact up to 2⁵³, and many times as fast as bigints: the halves' halves are summed, and carried later.
  readonly #sums = [0, 0, 0, 0];
  readonly #carried: [bigint, bigint] = [0n, 0n];

  constructor(table: Table) {
    this.#isText = getColumnNames(table).map((column) => table.columns[column]!.type === "text");
  }

  add(texts: Texts): void {
    const bytes = hashOf(joined(this.#isText, texts));
    const sums = this.#sums;
    sums[0]! += wordAt(bytes, 0) | 0;
    sums[1]! += wordAt(bytes, 4) >>> 0;
    sums[2]! += wordAt(bytes, 8) | 0;
    sums[3]! += wordAt(bytes, 12) >>> 0;
    if (++this.#rows % 100_000 === 0) this.#carry();
  }

  /** The hash of one row alone. */
  of(texts: Texts): string {
    return hashOf(joined(this.#isText, texts)).slice(0, 16);
  }

  get digest(): Digest {
    this.#carry();
    return `${this.#rows}:${this.#carried[0]}:${this.#carried[1]}`;
  }

  #carry(): void {
    const [a, b, c, d] = this.#sums as [number, number, number, number];
    this.#carried[0] += BigInt(a) * 0x1_0000_0000n + BigInt(b);
    this.#carried[1] += BigInt(c) * 0x1_0000_0000n + BigInt(d);
    this.#sums.fill(0);
  }
}

// ---- the same in SQL

/** The texts of a row `row` of the warehouse, in SQL: one expression a declared column. */
export function textsSql(
  table: Table,
  found: ReadonlyMap<string, CatalogueColumn>,
  row: string,
): string[] {
  return getColumnNames(table).map((column) => {
    const declared = table.columns[column]!;
    const value = valueSql(row, column, declared, found.get(column)!);
    if (declared.type !== "boolean") return `(${value})::text`;
    return `case ${value} when true then 't' when false then 'f' end`;
  });
}

/** A function takes 100 arguments at most. */
const ARGUMENTS = 90;

/** The whole text of a row `row` of the warehouse, in SQL. */
export function rowTextSql(
  table: Table,
  found: ReadonlyMap<string, CatalogueColumn>,
  row: string,
): string {
  const parts = getColumnNames(table).flatMap((column) => {
    const declared = table.columns[column]!;
    const value = valueSql(row, column, declared, found.get(column)!);
    // Of a null, each part is an empty text.
    return declared.type === "text"
      ? [`octet_length(${value})`, `':' || ${value}`, "'|'"]
      : [value, "'|'"];
  });
  const calls: string[] = [];
  for (let at = 0; at < parts.length; at += ARGUMENTS)
    calls.push(`concat(${parts.slice(at, at + ARGUMENTS).join(", ")})`);
  return calls.length === 1 ? calls[0]! : `concat(${calls.join(", ")})`;
}

/** The two numbers of a row's hash, in SQL, as `high` and `low`, of its text. */
export const HASH_SQL = {
  hash: (text: string): string => `sha256(convert_to(${text}, 'UTF8'))`,
  high: (hash: string): string => halfSql(hash, 1),
  low: (hash: string): string => halfSql(hash, 9),
} as const;

// A bytea becomes a number itself from PostgreSQL 18 on only.
const halfSql = (hash: string, from: number): string =>
  `('x' || encode(substr(${hash}, ${from}, 8), 'hex'))::bit(64)::bigint`;
