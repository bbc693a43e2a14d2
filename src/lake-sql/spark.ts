import { BATCH_COLUMN } from "../parquet/schema.ts";
import type { Column } from "../table.ts";
import { filesNamed, folderOf, lines, type Dialect, type View } from "./dialect.ts";

const name = (identifier: string): string => `\`${identifier.replaceAll("`", "``")}\``;
const text = (value: string): string =>
  `'${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

const TYPES: Readonly<Record<Exclude<Column["type"], "decimal">, string>> = {
  integer: "int",
  bigint: "bigint",
  boolean: "boolean",
  text: "string",
  date: "date",
  time: "string",
  timestamp: "timestamp_ntz",
  timestamptz: "timestamp",
};
const type = ({ type: of, precision, scale }: Column): string =>
  of === "decimal" ? `decimal(${precision}, ${scale})` : TYPES[of];

const OBJECTS =
  "array<struct<`table`: string, `key`: string, `rows`: bigint, `bytes`: bigint, `sha256`: string>>";

/** A table over what lies in a folder, whether there is one yet or not. */
const external = (
  table: string,
  columns: readonly string[],
  format: "json" | "parquet",
  location: string,
): string[] => [
  `drop table if exists ${name(table)}`,
  `create table ${name(table)} (${lines(columns, "  ")})
 using ${format} options (recursiveFileLookup 'true'${format === "json" ? ", mode 'FAILFAST'" : ""}) location ${text(location)}`,
];

const create = (view: View): string =>
  `create or replace view ${name(view.name)} as\n${view.query}`;

/** Spark 3.4 and later: tables over the folders, in the database that is used, and views. */
export const spark: Dialect = {
  name,
  text,
  type,
  value: (_column, value) => value,
  utc: "+00:00",
  own: { whole: "bigint", text: "string" },
  isChanged: (columns, window) =>
    `not (struct(${columns.join(", ")}) <=> lag(struct(${columns.join(", ")})) over ${window})`,
  asOf: ({ asOf }) => asOf?.toString(),
  manifests: ({ lake }) => [
    ...external(
      "etl_manifest",
      [
        "batch bigint",
        "kind string",
        "committed_at string",
        `objects ${OBJECTS}`,
        `deleted ${OBJECTS}`,
      ],
      "json",
      `${lake}/_batches`,
    ),
    ...external(
      "etl_compaction_manifest",
      [
        "`from` bigint",
        "`to` bigint",
        "kind string",
        "committed_at string",
        `objects ${OBJECTS}`,
        `deleted ${OBJECTS}`,
      ],
      "json",
      `${lake}/_compactions`,
    ),
    `create or replace view etl_compaction as
select \`from\` as first_batch, \`to\` as last_batch, kind, committed_at, objects, deleted from etl_compaction_manifest`,
    ...external(
      "etl_load_receipt",
      ["batch bigint", "skipped_why string", "`left` array<string>"],
      "json",
      `${lake}/_loads`,
    ),
    `create or replace view etl_receipt as
select batch, skipped_why, \`left\` as left_out from etl_load_receipt`,
  ],
  contains: (list, value) => `array_contains(${list}, ${value})`,
  compacted: "select explode(sequence(first_batch, last_batch)) as batch from etl_compaction",
  objectsIn: (relation, list, columns) =>
    `select ${columns.map((column) => column.replace(/^.* as /, "")).join(", ")}, object.\`table\` as table_name, object.\`key\` as object_key,
       object.\`rows\` as row_count, object.\`bytes\` as byte_count, object.\`sha256\` as sha256
  from (select ${columns.join(", ")}, explode(${list}) as object from ${relation})`,
  files: (files, { lake }) =>
    external(
      filesNamed(files),
      [
        ...Object.entries(files.columns).map(
          ([column, declared]) => `${name(column)} ${type(declared)}`,
        ),
        `${BATCH_COLUMN} bigint`,
      ],
      "parquet",
      `${lake}/${folderOf(files)}`,
    ),
  rowsIn: (files) => ({
    from: name(filesNamed(files)),
    where: `_metadata.file_name in (select element_at(split(object_key, '/'), -1) from etl_object
                                  where table_name = ${text(files.table)} and content = ${text(files.content)})`,
  }),
  counted: (files) =>
    `select ${text(files.table)} as table_name, ${text(files.content)} as content, _metadata.file_name as file_name, count(*) as found
  from ${name(filesNamed(files))} group by _metadata.file_name`,
  fileName: (key) => `element_at(split(${key}, '/'), -1)`,
  create,
  keep: (view) => [create(view), `cache table ${name(view.name)}`],
};
