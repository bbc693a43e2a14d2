import { BATCH_COLUMN } from "../parquet/schema.ts";
import type { Column } from "../table.ts";
import { filesNamed, folderOf, type Dialect, type Scope } from "./dialect.ts";

const escaped = (value: string): string => value.replaceAll("\\", "\\\\");
const name = (identifier: string): string => `\`${escaped(identifier).replaceAll("`", "\\`")}\``;
const text = (value: string): string => `'${escaped(value).replaceAll("'", "\\'")}'`;

const TYPES: Readonly<Record<Exclude<Column["type"], "decimal">, string>> = {
  integer: "Int32",
  bigint: "Int64",
  boolean: "Bool",
  text: "String",
  date: "Date32",
  time: "String",
  timestamp: "DateTime64(6, 'UTC')",
  timestamptz: "DateTime64(6, 'UTC')",
};
/** What no file has yet is null, whatever is declared. */
const type = ({ type: of, precision, scale }: Column): string =>
  `Nullable(${of === "decimal" ? `Decimal(${precision}, ${scale})` : TYPES[of]})`;

const OBJECTS =
  "Array(Tuple(`table` String, `key` String, `rows` Int64, `bytes` Int64, `sha256` String))";

/** What lies under a path with wildcards; nothing where that is nothing. */
const found = ({ lake }: Scope, path: string, format: string, columns: readonly string[]): string =>
  `${/^[a-z][a-z0-9+]*:\/\//i.test(lake) ? "s3" : "file"}(${text(`${lake}/${path}`)}, ${text(format)}, ${text(columns.join(", "))})`;

/** ClickHouse 26, its local and embedded forms among it: views over the files, in the database that is used. */
export const clickhouse: Dialect = {
  name,
  text,
  type,
  value: (_column, value) => value,
  utc: "",
  own: { whole: "Int64", text: "String" },
  isChanged: (columns, window) =>
    `tuple(${columns.join(", ")}) is distinct from lag(tuple(${columns.join(", ")})) over ${window}`,
  asOf: ({ asOf }) => asOf?.toString(),
  manifests: (scope) => [
    `create or replace view etl_manifest as
select batch, kind, committed_at, objects, deleted
  from ${found(scope, "_batches/*.json", "JSONEachRow", [
    "batch Int64",
    "kind String",
    "committed_at String",
    `objects ${OBJECTS}`,
    `deleted ${OBJECTS}`,
  ])}`,
    `create or replace view etl_compaction as
select \`from\` as first_batch, \`to\` as last_batch, kind, committed_at, objects, deleted
  from ${found(scope, "_compactions/*.json", "JSONEachRow", [
    "`from` Int64",
    "`to` Int64",
    "kind String",
    "committed_at String",
    `objects ${OBJECTS}`,
    `deleted ${OBJECTS}`,
  ])}`,
    `create or replace view etl_receipt as
select batch, skipped_why, \`left\` as left_out
  from ${found(scope, "_loads/*.json", "JSONEachRow", [
    "batch Int64",
    "skipped_why Nullable(String)",
    "`left` Array(String)",
  ])}`,
  ],
  contains: (list, value) => `has(${list}, ${value})`,
  compacted: "select arrayJoin(range(first_batch, last_batch + 1)) as batch from etl_compaction",
  objectsIn: (relation, list, columns) =>
    `select ${columns.map((column) => column.replace(/^.* as /, "")).join(", ")}, object.\`table\` as table_name, object.\`key\` as object_key,
       object.\`rows\` as row_count, object.\`bytes\` as byte_count, object.\`sha256\` as sha256
  from (select ${columns.join(", ")}, arrayJoin(${list}) as object from ${relation})`,
  files: (files, scope) => {
    const columns = [
      ...Object.entries(files.columns).map(
        ([column, declared]) => [name(column), type(declared)] as const,
      ),
      [BATCH_COLUMN, "Int64"] as const,
    ];
    const described = columns.map((column) => column.join(" "));
    return [
      `create or replace view ${name(filesNamed(files))} as
select ${columns.map(([column]) => column).join(", ")}, _file as etl_file
  from ${found(scope, `${folderOf(files)}/*/*/*/*.parquet`, "Parquet", described)}`,
    ];
  },
  rowsIn: (files) => ({
    from: name(filesNamed(files)),
    where: `etl_file in (select splitByChar('/', object_key)[-1] from etl_object
                    where table_name = ${text(files.table)} and content = ${text(files.content)})`,
  }),
  counted: (files) =>
    `select ${text(files.table)} as table_name, ${text(files.content)} as content, etl_file as file_name, toInt64(count()) as found
  from ${name(filesNamed(files))} group by etl_file`,
  fileName: (key) => `splitByChar('/', ${key})[-1]`,
  create: (view) => `create or replace view ${name(view.name)} as\n${view.query}`,
};
