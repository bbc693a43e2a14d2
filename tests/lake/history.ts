// A lake with a past: rows of every policy that change, go and come back, and what a lost race left.
import { DuckDBInstance } from "@duckdb/node-api";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { skipBatch } from "../../src/loading/skip.ts";
import { getConnection } from "../../src/postgres/connection.ts";
import {
  bigint,
  boolean,
  date,
  decimal,
  defineSource,
  defineTable,
  integer,
  key,
  nullable,
  references,
  serial,
  text,
  time,
  timestamp,
  timestamptz,
  type Deleted,
  type SourceRow,
  type Table,
} from "../../src/table.ts";
import { openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { ingestWith, loadWith, tablesOf, transformWith, type Module } from "../support/stages.ts";

const place = defineSource("place", { place_id: key(integer), word: text });
const thing = defineSource("thing", {
  thing_id: key(bigint),
  place_id: nullable(integer),
  word: nullable(text),
  price: decimal(10, 2),
  day: date,
  at: time,
  made: timestamp,
  seen: nullable(timestamptz),
  ok: boolean,
});

const POLICIES: readonly Deleted[] = ["keep", "mark", "remove"];

/** Of each policy a dimension and a fact. */
const modules = (): Module[] =>
  POLICIES.flatMap((policy) => [
    defineTable({
      name: `dim_place_${policy}`,
      description: "One row per place.",
      source: place,
      deleted: policy,
      columns: { place_id: key(integer), 'the "word"': text },
      format: ({ place_id, word }) => ({ place_id, 'the "word"': word }),
    }),
    defineTable({
      name: `fact_thing_${policy}`,
      description: "One row per version of a thing.",
      source: thing,
      deleted: policy,
      columns: {
        record_id: serial,
        thing_id: key(bigint),
        place_id: nullable(references(`dim_place_${policy}`, integer)),
        order: nullable(text),
        price: decimal(10, 2),
        day: date,
        at: time,
        made: timestamp,
        seen: nullable(timestamptz),
        ok: boolean,
      },
      format: ({ word, ...row }) => ({ ...row, order: word }),
    }),
  ]);

/** The same, whose facts have two columns more. */
const later = (): Module[] =>
  modules().map((module) => {
    const { name, columns, format } = module as Pick<Table, "name" | "columns" | "format">;
    if (name.startsWith("dim_")) return module;
    return {
      ...module,
      columns: { ...columns, note: nullable(text), length: integer },
      format: (row: SourceRow) => ({
        ...(format(row, {}) as object),
        note: `${String(row["word"])}!`,
        length: String(row["word"]).length,
      }),
    };
  });

const SHOP = `
  create table place (place_id int primary key, word text not null);
  create table thing (thing_id bigint primary key, place_id int, word text, price numeric(10, 2) not null, day date not null,
    at time not null, made timestamp not null, seen timestamptz, ok boolean not null);
  insert into place select n, 'place ' || n from generate_series(1, 5) n;
  insert into thing select n, nullif(n % 4, 0), case when n % 3 > 0 then 'it''s "' || n || '" \\ é' end, n + 0.5, date '2024-02-28' + n::int,
    time '23:59:59.000001' - n * interval '1 hour', timestamp '2024-02-28 12:00:00.123456' + n * interval '1 day',
    case when n % 2 > 0 then timestamptz '2024-03-31 01:30:00.5+00' + n * interval '1 hour' end, n % 2 > 0
    from generate_series(1, 9) n`;

export interface LakeHistory {
  readonly p: TestPipeline;
  /** Today's modules. */
  readonly tables: readonly Table[];
  readonly newest: number;
  readonly skipped: number;
  /** The batch that was loaded before its code knew this table. */
  readonly left: { readonly batch: number; readonly table: string };
}

/** Lives through it all. */
export async function makeLakeHistory(): Promise<LakeHistory> {
  process.env["BUILD"] = "1700000000000";
  try {
    return await live();
  } finally {
    delete process.env["BUILD"];
  }
}

async function live(): Promise<LakeHistory> {
  const p = await openPipeline({ orders: 0 });
  await p.shop.none(SHOP);
  const tables = tablesOf(...later());
  let by = tablesOf(...modules());
  const tick = async (change: string, options?: Parameters<typeof ingestWith>[2]) => {
    if (change) await p.shop.none(change);
    const { batch } = await ingestWith(p, by, options);
    await transformWith(p, by);
    await loadWith(p, by);
    return batch;
  };
  const gone = (change: string, rows: Record<string, number[]>, repair: boolean) =>
    tick(change, {
      named: new Map(
        Object.entries(rows).map(([table, keys]) => [
          table,
          keys.map((one) => ({ [`${table}_id`]: String(one) })),
        ]),
      ),
      repair,
    });

  await tick("");
  // Silent updates, A → B → A; a re-read that changes nothing.
  await tick("update thing set price = 99, word = null where thing_id <= 2");
  await leaveOrphans(p, 2);
  await tick("update thing set price = thing_id + 0.5, seen = null where thing_id <= 2");
  await tick("update thing set word = word where thing_id < 6");
  // Rows that go, that come back as they were, and that go again; one is said to be gone twice.
  await p.shop.none("create table kept as select * from thing where thing_id = 7");
  await gone(
    "delete from thing where thing_id in (6, 7, 9); delete from place where place_id in (3, 5)",
    { thing: [6, 7, 9], place: [3, 5] },
    false,
  );
  await tick(`insert into thing select 6, null, 'it''s "6"', 1, day, at, made, seen, ok from thing where thing_id = 5;
              insert into thing select * from kept;
              insert into place values (5, 'place 5')`);
  await tick("update thing set price = price + 1 where thing_id = 6");
  await gone("delete from thing where thing_id = 6", { thing: [6, 7], place: [4] }, false);
  await gone("", { thing: [6] }, false);
  // A repair: what keeps its rows loses them, too.
  await gone(
    "delete from thing where thing_id = 8; delete from place where place_id = 1",
    { thing: [2, 6, 8], place: [1, 4, 5] },
    true,
  );
  await tick(`insert into thing select 8, 2, 'back', 1, day, at, made, seen, ok from thing where thing_id = 5;
              update place set word = 'moved' where place_id = 4`);
  // A batch that cannot be loaded is left out, and what it held comes again.
  await p.shop.none(
    "update thing set price = 7 where thing_id = 3; update place set word = 'skipped' where place_id = 2",
  );
  const { batch: skipped } = await ingestWith(p, by);
  await transformWith(p, by);
  const manifest = await p.processed(skipped);
  await p.remove("processed", manifest.objects[0]!.key);
  Object.assign(process.env, p.env);
  const connection = await getConnection({ ...p.users.loader, schema: "public" });
  await skipBatch(connection, p.env.PROCESSED_BUCKET, { batch: skipped, why: "an object is gone" });
  await connection.close();
  await tick("update thing set price = 8 where thing_id = 3", { resync: true });
  // Columns that are new.
  by = tables;
  await tick("");
  await tick("update thing set word = 'longer' where thing_id = 4");
  // A batch that is loaded by code which does not know a table of it.
  await p.shop.none("update thing set price = 5 where thing_id = 5");
  const { batch } = await ingestWith(p, tables);
  await transformWith(p, tables);
  const [unknown, ...known] = tables.toReversed();
  await loadWith(p, known.toReversed());
  await tick("update thing set price = 6 where thing_id = 5");
  const newest = await tick("delete from thing where thing_id = 1", {
    named: new Map([["thing", [{ thing_id: "1" }]]]),
    repair: false,
  });
  return { p, tables, newest, skipped, left: { batch, table: unknown!.name } };
}

/** What a run left that lost the race for a batch: rows that nobody committed, beside those that somebody did. */
async function leaveOrphans(p: TestPipeline, batch: number): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), "orphans-"));
  const duckdb = await (await DuckDBInstance.create(":memory:")).connect();
  try {
    for (const { key } of (await p.processed(batch)).objects) {
      const [from, to] = [path.join(folder, "from.parquet"), path.join(folder, "to.parquet")];
      await writeFile(from, await p.get("processed", key));
      const lost = key.includes("dim_")
        ? '\'LOST\' as "the ""word"""'
        : "6.66::decimal(10, 2) as price";
      await duckdb.run(
        `copy (select * replace (${lost}) from read_parquet('${from}')) to '${to}' (format parquet)`,
      );
      await p.put(
        "processed",
        key.replace(/-\w+\.parquet$/, "-0123456789ab.parquet"),
        await readFile(to),
      );
    }
  } finally {
    duckdb.closeSync();
    await rm(folder, { recursive: true });
  }
}
