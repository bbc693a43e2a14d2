// The star's tables as views over the lake's files alone, for DuckDB: docs/analytics/lake.sql.
import type { CatalogColumn, CatalogTable } from "../../src/operations/catalog.ts";
import { BATCH_COLUMN } from "../../src/parquet/schema.ts";
import { literal, name, names } from "../../src/postgres/sql.ts";

/** Statements that make a view of each of `tables`, with the columns that the warehouse has. */
export const lakeSql = (
  tables: readonly CatalogTable[],
): string => `-- The star's tables, by DuckDB, straight over the Parquet files that the lake's manifests name. \`npm run docs\` writes this file.
--
--   set variable lake = 's3://BUCKET';    the processed bucket, or a folder with a copy of it
--   set variable until = 41;              as of batch 41; leave it out for how it is now
--
-- then this, then any question beside it: the tables are called as in the warehouse, and have the same columns. Facts have
-- their versions. Rows that a repair removed are here still, and inferred members are not.
create or replace temp table committed as
select batch, object."table", object."key"
  from (select batch, unnest(objects) as object
          from read_json(getvariable('lake') || '/_batches/*.json', columns = {
                 batch: 'bigint', objects: 'struct("table" varchar, "key" varchar)[]'
               }))
 where batch <= coalesce(getvariable('until'), batch);

${tables.map(viewOf).join("\n\n")}
`;

function viewOf(table: CatalogTable): string {
  const files = `files_of_${table.name}`;
  const view = table.keepsVersions ? versions(table, files) : latest(table, files);
  return `set variable ${name(files)} = (
  select list(getvariable('lake') || '/' || "key") from committed where "table" = ${literal(table.name)}
);
create or replace temp view ${name(table.name)} as
${view};`;
}

const filesIn = (files: string): string =>
  `read_parquet(getvariable(${literal(files)}), union_by_name = true)`;

/** A dimension: of each key the row of the newest batch. */
const latest = ({ columns, key }: CatalogTable, files: string): string =>
  `select ${columns.map(selected).join(", ")}
  from ${filesIn(files)}
qualify row_number() over (partition by ${names(key)} order by ${BATCH_COLUMN} desc) = 1`;

/** A fact: a row that is as the batch before had it is no new version. */
function versions({ columns, key }: CatalogTable, files: string): string {
  const rows = columns.filter(({ type }) => type !== "serial");
  const [id] = columns.filter(({ type }) => type === "serial");
  const state = names(rows.map((column) => column.name));
  return `with seen as (
  select *, row(${state}) as state from ${filesIn(files)}
), compared as (
  select *, lag(state) over (partition by ${names(key)} order by ${BATCH_COLUMN}) as before from seen
)
select row_number() over (order by ${BATCH_COLUMN}, ${names(key)}) as ${name(id!.name)}, ${rows.map(selected).join(", ")}
  from compared
 where state is distinct from before`;
}

/** A time of day is text in the lake. */
const selected = ({ name: column, type }: CatalogColumn): string =>
  type === "time" ? `cast(${name(column)} as time) as ${name(column)}` : name(column);
