// Athena's SQL, as text: there is no Athena here. What it says is what the other engines say, in Trino's words and Hive's.
import { athena, tableOf } from "../../src/lake-sql/athena.ts";
import { lakeStatements } from "../../src/lake-sql/lake-sql.ts";
import { filesOf, lakeViewsOf, viewsOf } from "../../src/lake-sql/views.ts";
import {
  decimal,
  defineSource,
  defineTable,
  integer,
  key,
  nullable,
  serial,
  text,
  time,
  timestamptz,
} from "../../src/table.ts";
import { expect } from "../support/chai.ts";
import { tablesOf } from "../support/stages.ts";

const tables = tablesOf(
  defineTable({
    name: "fact_move",
    description: "One row per version of a move.",
    source: defineSource("move", { move_id: key(integer) }),
    columns: {
      record_id: serial,
      move_id: key(integer),
      cost: decimal(6, 2),
      order: nullable(text),
      at: nullable(time),
      seen: nullable(timestamptz),
    },
    format: ({ move_id }) => ({ move_id, cost: "1.00", order: null, at: null, seen: null }),
  }),
);
const scope = { lake: "s3://lake", asOf: 41 };

/** On one line, blanks as one. */
const flat = (sql: string): string => sql.replaceAll(/\s+/g, " ");

describe("Athena's SQL", () => {
  it("makes an external table of a folder, a partition for each day", () => {
    const [files] = filesOf(tables);
    const [drop, create] = athena.files(files!, scope);
    expect(drop).to.equal("drop table if exists `etl_files_rows_fact_move`");
    expect(flat(create!)).to.equal(
      "create external table `etl_files_rows_fact_move` (`move_id` int, `cost` decimal(6,2), `order` string, `at` string, " +
        "`seen` timestamp, `_batch` bigint) partitioned by (`etl_day` string) stored as parquet location 's3://lake/fact_move/' " +
        "tblproperties ( 'projection.enabled' = 'true', 'projection.etl_day.type' = 'date', 'projection.etl_day.format' = 'yyyy/MM/dd', " +
        "'projection.etl_day.range' = '2026/01/01,NOW+1DAYS', 'projection.etl_day.interval' = '1', " +
        "'projection.etl_day.interval.unit' = 'DAYS', 'storage.location.template' = 's3://lake/fact_move/${etl_day}/' )",
    );
  });

  it("reads manifests a line each, and a compaction's range by other names: Hive has from and to for itself", () => {
    const statements = athena.manifests(scope).map(flat);
    expect(statements[3]).to.equal(
      "create external table `etl_compaction` (`first_batch` bigint, `last_batch` bigint, `kind` string, `committed_at` string, " +
        "`objects` array<struct<`table`:string,`key`:string,`rows`:bigint,`bytes`:bigint,`sha256`:string>>, " +
        "`deleted` array<struct<`table`:string,`key`:string,`rows`:bigint,`bytes`:bigint,`sha256`:string>>) " +
        "row format serde 'org.openx.data.jsonserde.JsonSerDe' " +
        "with serdeproperties ('mapping.first_batch' = 'from', 'mapping.last_batch' = 'to') location 's3://lake/_compactions/'",
    );
  });

  it("sees the batches before the first that is missing, up to the one that is asked for, without those that were skipped", () => {
    const [batches, objects] = lakeViewsOf(athena, scope);
    const compacted =
      "select c.batch from etl_compaction cross join unnest(sequence(first_batch, last_batch)) as c (batch)";
    expect(flat(batches!.query)).to.equal(
      `select batch, kind, committed_at from (select batch, kind, committed_at, skipped ` +
        `from (select batch, kind, committed_at, skipped, row_number() over (order by batch) as _nth ` +
        `from (select batch, max(kind) as kind, max(committed_at) as committed_at, max(skipped) as skipped ` +
        `from (select batch, kind, committed_at, 0 as skipped from etl_manifest where batch > 0 union all ` +
        `select batch, null, null, 1 from etl_receipt where batch > 0 and skipped_why is not null) as named group by batch) as known) as numbered ` +
        `where batch = _nth) as in_line where skipped = 0 and batch <= coalesce(41, batch)`,
    );
    expect(flat(objects!.query)).to.include(
      `as o left join etl_receipt as r on r.batch = o.first_batch where o.first_batch in (select batch from etl_batch) ` +
        `and o.first_batch not in (${compacted}) and (r.left_out is null or not contains(r.left_out, o.table_name)) union all`,
    );
  });

  it("takes rows from the files that count, of batches that are to be seen, without what the loader left", () => {
    const rows = viewsOf(tables, athena, scope).find(({ name }) => name === "etl_rows_fact_move");
    expect(flat(rows!.query)).to.equal(
      `select "move_id" as "move_id", coalesce("cost", cast('0.00' as decimal(6,2))) as "cost", "order" as "order", "at" as "at", ` +
        `"seen" as "seen", _batch from "etl_files_rows_fact_move" where element_at(split("$path", '/'), -1) in ` +
        `(select element_at(split(object_key, '/'), -1) from etl_object where table_name = 'fact_move' and content = 'rows') ` +
        `and _batch in (select batch from etl_batch) and _batch not in (select batch from etl_receipt where batch > 0 and contains(left_out, 'fact_move'))`,
    );
    expect(rows!.columns).to.deep.equal([
      ["move_id", "integer"],
      ["cost", "decimal(6,2)"],
      ["order", "varchar"],
      ["at", "varchar"],
      ["seen", "timestamp(3)"],
      ["_batch", "bigint"],
    ]);
  });

  it("has a version where a row is not as the one before it, of rows that no repair removed", () => {
    const fact = viewsOf(tables, athena, scope).find(({ name }) => name === "fact_move");
    expect(flat(fact!.query)).to.equal(
      `with live as ( select r."move_id" as "move_id", r."cost" as "cost", r."order" as "order", r."at" as "at", r."seen" as "seen", ` +
        `r."_batch" as "_batch" from "etl_rows_fact_move" as r left join (select "move_id", max(_batch) as _last from "etl_gone_fact_move" ` +
        `group by "move_id") as g on r."move_id" = g."move_id" where g._last is null or r._batch > g._last ) ` +
        `select row_number() over (order by _batch, "move_id") as "record_id", "move_id", "cost", "order", "at", "seen" ` +
        `from (select *, row_number() over (partition by "move_id" order by _batch) as _nth, ` +
        `row("cost", "order", "at", "seen") is distinct from lag(row("cost", "order", "at", "seen")) ` +
        `over (partition by "move_id" order by _batch) as _changed from live) as seen where _nth = 1 or _changed`,
    );
  });

  it("is one statement at a time, each table and view once", () => {
    const statements = lakeStatements("athena", tables, scope);
    for (const statement of statements) expect(statement).to.not.include(";");
    const made = statements.flatMap(
      (one) => /^create (?:external table|or replace view) [`"](\w+)/.exec(one)?.[1] ?? [],
    );
    expect(made).to.deep.equal([
      "etl_manifest",
      "etl_compaction",
      "etl_receipt",
      "etl_batch",
      "etl_object",
      "etl_files_rows_fact_move",
      "etl_files_deleted_fact_move",
      "etl_rows_fact_move",
      "etl_gone_fact_move",
      "fact_move",
      "fact_move_latest",
      "etl_problem",
    ]);
    expect(tableOf(filesOf(tables)[1]!).columns).to.deep.equal([
      ["move_id", "int"],
      ["deleted_at", "timestamp"],
      ["_batch", "bigint"],
    ]);
  });
});
