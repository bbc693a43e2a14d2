import { BATCH_COLUMN } from "../parquet/schema.ts";
import type { Column } from "../table.ts";
import { filesNamed, folderOf, lines, type Dialect, type Files } from "./dialect.ts";

const name = (identifier: string): string => `"${identifier.replaceAll('"', '""')}"`;
const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;
/** In statements that make tables, which Hive's parser reads. */
const hiveName = (identifier: string): string => `\`${identifier.replaceAll("`", "``")}\``;

/** In views, and in tables: Trino's words, and Hive's. */
const TYPES: Readonly<Record<Exclude<Column["type"], "decimal">, readonly [string, string]>> = {
  integer: ["integer", "int"],
  bigint: ["bigint", "bigint"],
  boolean: ["boolean", "boolean"],
  text: ["varchar", "string"],
  date: ["date", "date"],
  time: ["varchar", "string"],
  timestamp: ["timestamp(3)", "timestamp"],
  timestamptz: ["timestamp(3)", "timestamp"],
};
const decimal = ({ precision, scale }: Column): string => `decimal(${precision},${scale})`;
const type = (column: Column): string =>
  column.type === "decimal" ? decimal(column) : TYPES[column.type][0];
const hiveType = (column: Column): string =>
  column.type === "decimal" ? decimal(column) : TYPES[column.type][1];

/** What Hive calls a view's type. */
export const hiveOf = (trino: string): string =>
  Object.values(TYPES).find(([one]) => one === trino)?.[1] ?? trino;

const OBJECTS = "array<struct<table:string,key:string,rows:bigint,bytes:bigint,sha256:string>>";
/** In a statement its words would be Hive's own. */
const quotedStruct = (of: string): string => of.replaceAll(/(\w+):/g, "`$1`:");

/** A table of the Glue catalogue over what lies in a folder of the bucket. */
export interface GlueTable {
  readonly name: string;
  /** Each with Hive's type. */
  readonly columns: readonly (readonly [name: string, type: string])[];
  readonly format: "json" | "parquet";
  /** What a column is called in the files, where that is something else. */
  readonly called?: Readonly<Record<string, string>>;
  /** In the bucket. */
  readonly folder: string;
}

/** The first day that a batch may be of: each from then to today is looked into. */
const FIRST_DAY = "2026/01/01";
/** The partition column, which no declared column may be called. */
const DAY = "etl_day";

const described = (batches: readonly (readonly [string, string])[]): GlueTable["columns"] => [
  ...batches,
  ["kind", "string"],
  ["committed_at", "string"],
  ["objects", OBJECTS],
  ["deleted", OBJECTS],
];

/** Manifests, and receipts. */
export const manifestTables: readonly GlueTable[] = [
  {
    name: "etl_manifest",
    columns: described([["batch", "bigint"]]),
    format: "json",
    folder: "_batches",
  },
  {
    name: "etl_compaction",
    columns: described([
      ["first_batch", "bigint"],
      ["last_batch", "bigint"],
    ]),
    format: "json",
    called: { first_batch: "from", last_batch: "to" },
    folder: "_compactions",
  },
  {
    name: "etl_receipt",
    columns: [
      ["batch", "bigint"],
      ["skipped_why", "string"],
      ["left_out", "array<string>"],
    ],
    format: "json",
    called: { left_out: "left" },
    folder: "_loads",
  },
];

export const tableOf = (files: Files): GlueTable => ({
  name: filesNamed(files),
  columns: [
    ...Object.entries(files.columns).map(([column, declared]): [string, string] => [
      column,
      hiveType(declared),
    ]),
    [BATCH_COLUMN, "bigint"],
  ],
  format: "parquet",
  folder: folderOf(files),
});

/** The properties by which Athena knows a table's partitions without a catalogue of them: a folder a day. */
export const projectionOf = (location: string): Readonly<Record<string, string>> => ({
  "projection.enabled": "true",
  [`projection.${DAY}.type`]: "date",
  [`projection.${DAY}.format`]: "yyyy/MM/dd",
  [`projection.${DAY}.range`]: `${FIRST_DAY},NOW+1DAYS`,
  [`projection.${DAY}.interval`]: "1",
  [`projection.${DAY}.interval.unit`]: "DAYS",
  "storage.location.template": `${location}/\${${DAY}}/`,
});
export const partitionColumn: readonly [name: string, type: string] = [DAY, "string"];

/** The properties by which the JSON reader finds columns that are called something else. */
export const serdeOf = ({ called = {} }: GlueTable): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(called).map(([column, inFile]) => [`mapping.${column}`, inFile]),
  );

export const JSON_SERDE = "org.openx.data.jsonserde.JsonSerDe";

function create(table: GlueTable, lake: string): string[] {
  const location = `${lake}/${table.folder}`;
  const columns = table.columns.map(([column, of]) => `${hiveName(column)} ${quotedStruct(of)}`);
  const called = Object.entries(serdeOf(table)).map(
    ([key, value]) => `${text(key)} = ${text(value)}`,
  );
  const properties = Object.entries(projectionOf(location)).map(
    ([key, value]) => `${text(key)} = ${text(value)}`,
  );
  const [day, dayType] = partitionColumn;
  const stored =
    table.format === "json"
      ? `row format serde ${text(JSON_SERDE)}${called.length > 0 ? ` with serdeproperties (${called.join(", ")})` : ""}\nlocation ${text(`${location}/`)}`
      : `partitioned by (${hiveName(day)} ${dayType})\nstored as parquet\nlocation ${text(`${location}/`)}\ntblproperties (\n  ${properties.join(",\n  ")}\n)`;
  return [
    `drop table if exists ${hiveName(table.name)}`,
    `create external table ${hiveName(table.name)} (${lines(columns, "  ")})\n${stored}`,
  ];
}

/** Athena, its version 3 (Trino): external tables with a partition a day, and views. */
export const athena: Dialect = {
  name,
  text,
  type,
  value: (_column, value) => value,
  utc: "",
  own: { whole: "bigint", text: "varchar" },
  isChanged: (columns, window) =>
    `row(${columns.join(", ")}) is distinct from lag(row(${columns.join(", ")})) over ${window}`,
  asOf: ({ asOf }) => asOf?.toString(),
  manifests: ({ lake }) => manifestTables.flatMap((table) => create(table, lake)),
  objectsIn: (relation, list, columns) =>
    `select ${columns.join(", ")}, table_name, object_key, row_count, byte_count, sha256
  from ${relation} cross join unnest(${list}) as object (table_name, object_key, row_count, byte_count, sha256)`,
  contains: (list, value) => `contains(${list}, ${value})`,
  compacted:
    "select c.batch from etl_compaction cross join unnest(sequence(first_batch, last_batch)) as c (batch)",
  files: (files, { lake }) => create(tableOf(files), lake),
  rowsIn: (files) => ({
    from: name(filesNamed(files)),
    where: `element_at(split("$path", '/'), -1) in (select element_at(split(object_key, '/'), -1) from etl_object
                                                where table_name = ${text(files.table)} and content = ${text(files.content)})`,
  }),
  counted: (files) =>
    `select ${text(files.table)} as table_name, ${text(files.content)} as content, element_at(split("$path", '/'), -1) as file_name, count(*) as found
  from ${name(filesNamed(files))} group by 3`,
  fileName: (key) => `element_at(split(${key}, '/'), -1)`,
  create: (view) => `create or replace view ${name(view.name)} as\n${view.query}`,
};
