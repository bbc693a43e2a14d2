import type { Column, Columns } from "../table.ts";

/** What the views are to show. */
export interface Scope {
  /**
   * Where the processed bucket is, or a copy of it: `s3://…` or a folder, without a slash at its end. For DuckDB it may be
   * empty: whoever runs the script says it.
   */
  readonly lake: string;
  /** The last batch; undefined where they are to show all. */
  readonly asOf?: number | undefined;
}

/** A table's files of one kind: its rows, or the keys of rows that are gone. */
export interface Files {
  readonly table: string;
  readonly content: "rows" | "deleted";
  /** Those of the files, but for the batch's number. */
  readonly columns: Columns;
}

export interface View {
  readonly name: string;
  /** Each with its type in the engine's words. */
  readonly columns: readonly (readonly [name: string, type: string])[];
  readonly query: string;
}

/** How one engine says what all of them need. All texts are SQL. */
export interface Dialect {
  /** An identifier, quoted. */
  readonly name: (identifier: string) => string;
  readonly text: (value: string) => string;
  /** A column's type as views have it. */
  readonly type: (column: Column) => string;
  /** What a file has, as its view is to have it. */
  readonly value: (column: Column, inFile: string) => string;
  /** The part of a moment's text that says that it is UTC's. */
  readonly utc: string;
  /** Types of the views' own columns. */
  readonly own: { readonly whole: string; readonly text: string };
  /** Whether a row is another than the one before it, by what is in these columns: of the first row, whatever. */
  readonly isChanged: (columns: readonly string[], window: string) => string;
  /** The last batch that is to be seen, where somebody may have said it; null then where nobody did. */
  readonly asOf: (scope: Scope) => string | undefined;
  /** Manifests and receipts, as relations `etl_manifest`, `etl_compaction` and `etl_receipt` whose lists are arrays. */
  readonly manifests: (scope: Scope) => string[];
  /** Whether an array has a value; not true of one that is null. */
  readonly contains: (list: string, value: string) => string;
  /** A query of the batches that compactions stand for, a row each. */
  readonly compacted: string;
  /**
   * The objects in a list of manifests: a query of `columns`, and of table_name, object_key, row_count, byte_count and sha256.
   */
  readonly objectsIn: (
    relation: string,
    list: "objects" | "deleted",
    columns: readonly string[],
  ) => string;
  /** What makes {@link Dialect.rowsIn} work. */
  readonly files: (files: Files, scope: Scope) => string[];
  /** A relation of the rows in the committed objects, and what is true of them alone where it has more. */
  readonly rowsIn: (
    files: Files,
    scope: Scope,
  ) => { readonly from: string; readonly where?: string };
  /**
   * Rows by object, of an engine that reads what it finds and misses nothing: a query of table_name, content, file_name and
   * found. Undefined of one that fails at a file which is gone.
   */
  readonly counted?: (files: Files, scope: Scope) => string;
  /** The last part of an object's key. */
  readonly fileName: (key: string) => string;
  readonly create: (view: View) => string;
  /** The same of one whose rows the session keeps, of an engine that would reckon them anew for each table. */
  readonly keep?: (view: View) => string[];
}

/** The name under which an engine has all files of a folder. */
export const filesNamed = ({ table, content }: Pick<Files, "table" | "content">): string =>
  `etl_files_${content}_${table}`;

/** The folder of a table's files, in the lake. */
export const folderOf = ({ table, content }: Pick<Files, "table" | "content">): string =>
  content === "rows" ? table : `_deleted/${table}`;

/** Lists between commas, each on a line of its own where there are many. */
export const lines = (items: readonly string[], indent: string): string =>
  items.join(items.length > 3 ? `,\n${indent}` : ", ");
