// A shop with a past, compacted in the middle of it: what the lake's compactions are held against.
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { compact, type CompactOptions } from "../../src/compaction/compact.ts";
import type { CompactedObject, Compaction } from "../../src/lake/compactions.ts";
import { compactionKey } from "../../src/lake/keys.ts";
import type { LakeObject } from "../../src/lake/manifest.ts";
import { codecNamed } from "../../src/parquet/codec.ts";
import {
  defineSource,
  defineTable,
  integer,
  key,
  nullable,
  references,
  serial,
  text,
  type Deleted,
  type Table,
} from "../../src/table.ts";
import { makeHistory, type History } from "../rebuild/history.ts";
import type { TestPipeline } from "../support/pipeline.ts";
import { ingestWith, loadWith, runWith, tablesOf, transformWith } from "../support/stages.ts";

const place = defineSource("place", { place_id: key(integer), word: text });
const thing = defineSource("thing", {
  thing_id: key(integer),
  place_id: nullable(integer),
  word: text,
});

/** Tables with rows that go: one that marks them, and one that removes them. */
const goingTables = (places: Deleted, things: Deleted): readonly Table[] =>
  tablesOf(
    defineTable({
      name: "dim_place",
      description: "One row per place.",
      source: place,
      deleted: places,
      columns: { id: key(integer), word: text },
      format: ({ place_id, word }) => ({ id: place_id, word }),
    }),
    defineTable({
      name: "fact_thing",
      description: "One row per version of a thing.",
      source: thing,
      deleted: things,
      columns: {
        record_id: serial,
        thing_id: key(integer),
        place_id: nullable(references("dim_place", integer)),
        word: text,
      },
      format: ({ thing_id, place_id, word }) => ({ thing_id, place_id, word }),
    }),
  );

/** Compacts in the pipeline's environment, whatever there is. */
export async function compactWith(p: TestPipeline, options: CompactOptions) {
  Object.assign(process.env, p.env);
  return compact(p.env.PROCESSED_BUCKET, await codecNamed(), { keep: 0, least: 1, ...options });
}

export const readCompactionOf = async (p: TestPipeline, to: number): Promise<Compaction> =>
  JSON.parse((await p.get("processed", compactionKey(to))).toString()) as Compaction;

/** Has the lake told that rows are gone. */
export async function tellGone(
  p: TestPipeline,
  tables: readonly Table[],
  gone: Readonly<Record<string, readonly number[]>>,
  { repair }: { readonly repair: boolean },
): Promise<void> {
  const named = new Map(
    Object.entries(gone).map(([table, keys]) => [
      table,
      keys.map((one) => ({ [`${table}_id`]: String(one) })),
    ]),
  );
  await ingestWith(p, tables, { named, repair });
  await transformWith(p, tables);
  await loadWith(p, tables);
}

export interface CompactedHistory extends History {
  /** The last batch of each compaction. */
  readonly ends: readonly [number, number];
}

/** The history of tests/rebuild, a compaction in its middle, then rows that go, orphans, and a second compaction. */
export async function makeCompactedHistory(): Promise<CompactedHistory> {
  const history = await makeHistory();
  const { p } = history;
  const first = Math.floor(history.newest / 2);
  await compactWith(p, { to: first, limits: { bytes: 1 << 20, rows: 60 } });
  const tables = [...history.tables, ...goingTables("remove", "mark")];
  await p.shop.none(
    `create table place (place_id int primary key, word text not null);
     create table thing (thing_id int primary key, place_id int, word text not null);
     grant select on place, thing to public;
     insert into place values (1, 'here'), (2, 'there');
     insert into thing values (1, 1, 'one'), (2, null, 'two'), (3, 2, 'three')`,
  );
  await runWith(p, tables);
  await p.shop.none("delete from thing where thing_id = 2; delete from place where place_id = 2");
  await tellGone(p, tables, { thing: [2], place: [2] }, { repair: false });
  await p.shop.none("insert into thing values (2, 1, 'two again')");
  await runWith(p, tables);
  // A repair takes rows away, whatever their table declares; a silent update, and back.
  await p.shop.none(
    "delete from payment where payment_id = 5; delete from thing where thing_id = 3",
  );
  await tellGone(p, tables, { payment: [5], thing: [3] }, { repair: true });
  for (const units of [7, 8, 7]) {
    await p.shop.none("update sales_order set units_sold = $1 where sales_order_id = 4", [units]);
    // Two transformations of one batch: the objects of one of them are in no manifest.
    await ingestWith(p, tables);
    await Promise.all([transformWith(p, tables), transformWith(p, tables)]);
    await loadWith(p, tables);
  }
  const newest = (await p.keys("processed", "_loads/")).length;
  await compactWith(p, { to: newest - 1 });
  return { ...history, tables, newest, ends: [first, newest - 1] };
}

/** Of the batches up to `to`, each object's, of one list. */
export async function ownObjects(
  p: TestPipeline,
  to: number,
  list: "objects" | "deleted" = "objects",
): Promise<(LakeObject & { readonly batch: number })[]> {
  const found: (LakeObject & { readonly batch: number })[] = [];
  for (let batch = 1; batch <= to; batch++)
    for (const object of (await p.processed(batch))[list]) found.push({ ...object, batch });
  return found;
}

/** Rows of Parquet objects, by DuckDB, which shares nothing with the codec: in the order of the objects, and of their rows. */
export async function rowsByDuckDb(
  p: TestPipeline,
  objects: readonly (LakeObject | CompactedObject)[],
): Promise<unknown[][]> {
  const folder = await mkdtemp(path.join(tmpdir(), "totes-rows-"));
  const duckdb = await (await DuckDBInstance.create()).connect();
  const rows: unknown[][] = [];
  try {
    await mkdir(folder, { recursive: true });
    for (const [i, { key: of }] of objects.entries()) {
      const file = path.join(folder, `${i}.parquet`);
      await writeFile(file, await p.get("processed", of));
      const reader = await duckdb.runAndReadAll(
        `select * from read_parquet('${file}', file_row_number = true) order by file_row_number`,
      );
      const names = reader.columnNames();
      for (const row of reader.getRowsJson())
        rows.push(
          names.flatMap((name, at) => (name === "file_row_number" ? [] : [[name, row[at]]])),
        );
    }
    return rows;
  } finally {
    duckdb.closeSync();
  }
}
