import type { Column } from "../table.ts";
import { literal, name } from "../postgres/sql.ts";
import { BATCH_COLUMN } from "../parquet/schema.ts";
import { filesNamed, type Dialect, type Files } from "./dialect.ts";

const OBJECTS = `struct("table" varchar, "key" varchar, "rows" bigint, bytes bigint, sha256 varchar)[]`;

/** A table of the lines in a folder's files, none where it has none. */
const linesOf = (
  relation: string,
  folder: string,
  fields: Readonly<Record<string, string>>,
  called: Readonly<Record<string, string>> = {},
): string[] => {
  const none = Object.entries(fields).map(([field, of]) => `null::${of} as ${name(field)}`);
  const read = Object.entries(fields).map(([field, of]) => `${name(field)}: ${literal(of)}`);
  const columns = Object.keys(fields).map((field) =>
    called[field] === undefined ? name(field) : `${name(field)} as ${called[field]}`,
  );
  return [
    `set variable ${relation}_files = (select list(file) from glob(getvariable('lake') || ${literal(`/${folder}/*.json`)}))`,
    `create or replace temp table ${relation} as
select ${columns.join(", ")}
  from query(case when getvariable('${relation}_files') is null then ${literal(`select ${none.join(", ")} where false`)}
                  else ${literal(`select * from read_json(getvariable('${relation}_files'), format = 'newline_delimited', maximum_object_size = 67108864, columns = {${read.join(", ")}})`)} end)`,
  ];
};

const OF_MANIFEST = {
  kind: "varchar",
  committed_at: "varchar",
  objects: OBJECTS,
  deleted: OBJECTS,
} as const;

const type = ({ type: of, precision, scale }: Column): string =>
  of === "decimal" ? `decimal(${precision}, ${scale})` : of === "text" ? "varchar" : of;

/** As files have it: a time of day is text there. */
const inFile = (column: Column): string => (column.type === "time" ? "varchar" : type(column));

/**
 * DuckDB, the lake and the last batch of which are its variables `lake` and `as_of`: the script can be read wherever the lake
 * is. Files are read by their names, so one that is gone is an error.
 */
export const duckdb: Dialect = {
  name,
  text: literal,
  type,
  value: (column, value) => (column.type === "time" ? `cast(${value} as time)` : value),
  utc: "+00",
  own: { whole: "bigint", text: "varchar" },
  isChanged: (columns, window) =>
    `row(${columns.join(", ")}) is distinct from lag(row(${columns.join(", ")})) over ${window}`,
  asOf: () => "getvariable('as_of')",
  manifests: ({ lake, asOf }) => [
    ...(lake === "" ? [] : [`set variable lake = ${literal(lake)}`]),
    ...(asOf === undefined
      ? lake === ""
        ? []
        : ["reset variable as_of"]
      : [`set variable as_of = ${asOf}`]),
    `set variable etl_manifest_count = (
  select case when getvariable('lake') is null then error('set variable lake first: to the processed bucket, or a folder with a copy of it')
              when count(*) = 0 then error('no manifests in ' || getvariable('lake') || '/_batches/: it is the processed bucket that has them, once the pipeline has run') else count(*) end
    from glob(coalesce(getvariable('lake'), '') || '/_batches/*.json')
)`,
    ...linesOf("etl_manifest", "_batches", { batch: "bigint", ...OF_MANIFEST }),
    ...linesOf(
      "etl_compaction",
      "_compactions",
      { from: "bigint", to: "bigint", ...OF_MANIFEST },
      { from: "first_batch", to: "last_batch" },
    ),
    ...linesOf(
      "etl_receipt",
      "_loads",
      { batch: "bigint", skipped_why: "varchar", left: "varchar[]" },
      { left: "left_out" },
    ),
  ],
  contains: (list, value) => `list_contains(${list}, ${value})`,
  compacted: "select unnest(range(first_batch, last_batch + 1)) as batch from etl_compaction",
  objectsIn: (relation, list, columns) =>
    `select ${columns.map((column) => column.replace(/^.* as /, "")).join(", ")}, object."table" as table_name, object."key" as object_key,
       object."rows" as row_count, object.bytes as byte_count, object.sha256 as sha256
  from (select ${columns.join(", ")}, unnest(${list}) as object from ${relation})`,
  files: (files) => [
    `set variable ${name(filesNamed(files))} = (
  select list(getvariable('lake') || '/' || object_key) from etl_object where table_name = ${literal(files.table)} and content = ${literal(files.content)}
)`,
  ],
  rowsIn: (files) => ({ from: rowsIn(files) }),
  fileName: (key) => `split_part(${key}, '/', -1)`,
  keep: (view) => [`create or replace temp table ${name(view.name)} as\n${view.query}`],
  create: (view) => `create or replace temp view ${name(view.name)} as\n${view.query}`,
};

/** The empty row has the columns that no file has yet, and is all where there is no file. */
function rowsIn(files: Files): string {
  const none = [
    ...Object.entries(files.columns).map(
      ([column, declared]) => `null::${inFile(declared)} as ${name(column)}`,
    ),
    `null::bigint as ${BATCH_COLUMN}`,
  ];
  const variable = `getvariable(${literal(filesNamed(files))})`;
  return `(select ${none.join(", ")} where false
        union all by name
        select * from query(case when ${variable} is null then 'select null::bigint as ${BATCH_COLUMN} where false'
                                 else ${literal(`select * from read_parquet(${variable}, union_by_name = true)`)} end)) as files`;
}
