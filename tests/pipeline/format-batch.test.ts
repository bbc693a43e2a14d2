// A batch is made in groups of tables that fit into memory; nobody can tell from what comes out.
import { gunzipSync } from "node:zlib";
import { getObjectPath, getTableName } from "../../src/lake/keys.ts";
import { readIngestionManifest, sha256, type IngestionManifest } from "../../src/lake/manifest.ts";
import { JsonLines, writeFileToS3 } from "../../src/lake/objects.ts";
import { getTables } from "../../src/registry.ts";
import {
  defineSource,
  defineTable,
  integer,
  key,
  lookup,
  nullable,
  text,
  type Source,
  type SourceRow,
} from "../../src/table.ts";
import { formatBatch, groupsOf } from "../../src/transformation/format-batch.ts";
import type { Stored } from "../../src/values.ts";
import { storedOf, type Vector } from "../../src/vectors.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { getStack } from "../support/stack.ts";
import { tablesOf, type Module } from "../support/stages.ts";

describe("a batch in groups of tables", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline();
    await p.shop.none(
      "update sales_order set agreed_delivery_date = 'soon' where sales_order_id % 7 = 0",
    );
    await p.ingest();
    Object.assign(process.env, p.env);
  });
  after(closeAll);

  /** What is made of batch 1, by table, and how many objects were read for that. */
  async function made(groupBytes?: number) {
    const { aws } = await getStack();
    const { manifest } = (await readIngestionManifest(p.env.INGESTION_BUCKET, 1))!;
    let reads = 0;
    const unhook = aws.onAnswer(({ operation }) => void (reads += +(operation === "GetObject")));
    const tables: [string, Vector[], string][] = [];
    const batch = formatBatch(p.env.INGESTION_BUCKET, manifest, await getTables(), groupBytes);
    for await (const { table, stars, rejected } of batch) {
      const lines = rejected.rows > 0 ? gunzipSync(rejected.body()).toString() : "";
      tables.push([table.name, stars.vectors, lines]);
    }
    unhook();
    return { tables, reads };
  }

  it("is the same in the same order, whether a table is made alone or with others", async () => {
    const [together, alone, some] = [await made(), await made(0), await made(200_000)];
    expect(together.tables).to.have.length(11);
    expect(together.tables.find(([name]) => name === "fact_sales_order")?.[2]).to.include('"soon"');
    expect(alone.tables).to.deep.equal(together.tables);
    expect(some.tables).to.deep.equal(together.tables);
    expect(alone.reads).to.be.greaterThan(some.reads);
    expect(some.reads).to.be.at.least(together.reads);
  });

  it("has each table in one group, as many as fit and at least one", () => {
    const cut = (most: number, ...bytes: number[]) => groupsOf(bytes, (own) => own, most);
    expect(cut(10)).to.deep.equal([]);
    expect(cut(10, 4, 6, 1, 99, 10, 5, 5)).to.deep.equal([[4, 6], [1], [99], [10], [5, 5]]);
    expect(cut(0, 1, 1, 0)).to.deep.equal([[1], [1], [0]]);
    expect(cut(10, 0, 3)).to.deep.equal([[0, 3]]);
  });
});

describe("of a batch", () => {
  const color = defineSource("color", { color_id: key(integer), name: text });
  const thing = defineSource("thing", { thing_id: key(integer), color_id: nullable(integer) });
  const sale = defineSource("sale", { order: key(integer), line: key(integer), name: text });

  /** Keyed by its source. A color without a name makes none. */
  const ofColor = (name: `dim_${string}`): Module =>
    defineTable({
      name,
      description: "One row per color.",
      source: color,
      columns: { id: key(integer), name: text },
      format: (row) => (row.name === "" ? [] : { id: row.color_id, name: row.name }),
    });
  const dim_color = ofColor("dim_color");
  /** Keyed by its source as well, and with a lookup. */
  const ofThing = (name: `dim_${string}`): Module =>
    defineTable({
      name,
      description: "One row per thing.",
      source: thing,
      lookups: { color: lookup(color, "color_id") },
      columns: { id: key(integer), color: nullable(text) },
      format: (row, found) => ({ id: row.thing_id, color: found.color?.name ?? null }),
    });
  /** Keyed by none of its sources. A name that is empty makes none. */
  const dim_any_name = defineTable({
    name: "dim_any_name",
    description: "One row per name that anything has.",
    source: [color, thing, sale],
    columns: { name: key(text), length: integer, twice: text },
    format: (row) => {
      if (!("name" in row) || row.name === "") return [];
      return { name: row.name, length: row.name.length, twice: row.name + row.name };
    },
  });

  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 0 });
    Object.assign(process.env, p.env);
  });
  after(closeAll);

  let runs = 0;
  /** Puts rows of a source where a batch has them; the first `driving_rows` drive. */
  async function objectOf(
    { name }: Source,
    rows: readonly SourceRow[],
    driving_rows = rows.length,
  ): Promise<IngestionManifest["objects"][number]> {
    const at = { at: new Date(0), batch: 1, run: `run${++runs}` };
    const object = getObjectPath(name, at, "json.gz");
    const lines = new JsonLines();
    for (const row of rows) lines.add(row);
    const body = lines.body();
    await writeFileToS3(p.env.INGESTION_BUCKET, object, body, "application/gzip");
    const { length: bytes } = body;
    return {
      table: name,
      key: object,
      rows: rows.length,
      bytes,
      sha256: sha256(body),
      driving_rows,
    };
  }

  /** What is made of these objects, by table, and of which sources an object was read for that, in turn. */
  async function made(
    objects: IngestionManifest["objects"],
    modules: readonly Module[],
    groupBytes?: number,
  ) {
    const { aws } = await getStack();
    const reads: string[] = [];
    const unhook = aws.onAnswer(({ operation, key: object }) => {
      if (operation === "GetObject") reads.push(getTableName(object!));
    });
    const rows: Record<string, Stored[][]> = {};
    const driven: Record<string, Record<string, string>> = {};
    const rejected: Record<string, number> = {};
    for await (const one of formatBatch(
      p.env.INGESTION_BUCKET,
      { objects },
      tablesOf(...modules),
      groupBytes,
    )) {
      const columns = one.stars.vectors.map(storedOf);
      rows[one.table.name] = columns[0]!.map((_, row) => columns.map((column) => column[row]!));
      driven[one.table.name] = Object.fromEntries(
        [...one.driven].map(([source, lines]) => [
          source,
          lines.rows === 0 ? "" : gunzipSync(lines.body()).toString(),
        ]),
      );
      rejected[one.table.name] = one.rejected.rows;
    }
    unhook();
    return { rows, driven, rejected, reads };
  }

  const red = { color_id: 1, name: "red" };
  const blue = { color_id: 2, name: "blue" };
  const nameless = { color_id: 3, name: "" };

  it("no table is made whose sources have no driving row, nor is anything read that has none", async () => {
    const objects = [
      await objectOf(color, [red, blue]),
      await objectOf(thing, [{ thing_id: 1, color_id: 1 }], 0),
    ];
    const { rows, reads } = await made(objects, [dim_color, ofThing("dim_thing"), dim_any_name]);
    expect(rows).to.deep.equal({
      dim_color: [
        [1, "red"],
        [2, "blue"],
      ],
      dim_any_name: [
        ["red", 3, "redred"],
        ["blue", 4, "blueblue"],
      ],
    });
    expect(reads).to.deep.equal(["color"]);
  });

  it("rows behind the driving ones make nothing, however far into the object those reach", async () => {
    const rows = Array.from({ length: 8000 }, (_, id) => ({ color_id: id, name: "x".repeat(50) }));
    const found = await made([await objectOf(color, rows, 5000)], [dim_color]);
    expect(found.rows["dim_color"]!.map(([id]) => id)).to.deep.equal(
      Array.from({ length: 5000 }, (_, id) => id),
    );
  });

  it("looked-up rows are read once, for all tables of a group and for the next group", async () => {
    const objects = [
      await objectOf(thing, [
        { thing_id: 7, color_id: 2 },
        { thing_id: 8, color_id: 1 },
        { thing_id: 9, color_id: null },
      ]),
      await objectOf(color, [red, blue], 0),
    ];
    const things = [ofThing("dim_thing"), ofThing("dim_other")];
    const expected = [
      [7, "blue"],
      [8, "red"],
      [9, null],
    ];
    const together = await made(objects, things);
    expect(together.rows).to.deep.equal({ dim_thing: expected, dim_other: expected });
    expect(together.reads).to.deep.equal(["color", "thing"]);
    const alone = await made(objects, things, 0);
    expect(alone.rows).to.deep.equal({ dim_thing: expected, dim_other: expected });
    expect(alone.reads).to.deep.equal(["color", "thing", "thing"]);
  });

  it("a null finds null where the batch has no rows to look up", async () => {
    const objects = [await objectOf(thing, [{ thing_id: 9, color_id: null }])];
    const { rows, rejected } = await made(objects, [ofThing("dim_thing")]);
    expect(rows).to.deep.equal({ dim_thing: [[9, null]] });
    expect(rejected).to.deep.equal({ dim_thing: 0 });
  });

  it("tables are made together up to so many bytes: eight a value, and as much again a row", async () => {
    const ten = Array.from({ length: 10 }, (_, id) => ({ color_id: id, name: `color ${id}` }));
    const objects = [await objectOf(color, ten)];
    // 10 rows of 2 columns, and 10 of 3: 240 bytes and 320.
    const fits = await made(objects, [dim_color, dim_any_name], 560);
    expect(fits.reads).to.deep.equal(["color"]);
    const tooMany = await made(objects, [dim_color, dim_any_name], 559);
    expect(tooMany.reads).to.deep.equal(["color", "color"]);
  });

  it("a group reads only the sources that its tables are made of", async () => {
    const objects = [
      await objectOf(color, [red]),
      await objectOf(thing, [{ thing_id: 1, color_id: null }]),
    ];
    const { rows, reads } = await made(objects, [dim_color, ofThing("dim_thing")], 0);
    expect(rows).to.deep.equal({ dim_color: [[1, "red"]], dim_thing: [[1, null]] });
    expect(reads.filter((table) => table === "thing")).to.have.length(1);
  });

  it("a table that is keyed by its source tells of its rows; those that made none are written down", async () => {
    const objects = [
      await objectOf(color, [red, nameless]),
      await objectOf(sale, [
        { order: 1, line: 2, name: "red" },
        { order: 3, line: 4, name: "" },
      ]),
    ];
    // The first by name is keyed by none; a second one that is keyed by color has nothing to add.
    const { driven } = await made(objects, [dim_any_name, dim_color, ofColor("dim_color_too")]);
    expect(driven).to.deep.equal({
      dim_color: { color: '{"color_id":3}\n' },
      dim_color_too: {},
      dim_any_name: { thing: "", sale: '{"order":1,"line":2}\n{"order":3,"line":4}\n' },
    });
  });

  it("a source that no table is keyed by has all its keys written down, by one table", async () => {
    const objects = [await objectOf(color, [red, nameless])];
    const again = { ...dim_any_name, name: "dim_any_name_too" } as const;
    const { driven } = await made(objects, [dim_any_name, again]);
    expect(driven).to.deep.equal({
      dim_any_name: { color: '{"color_id":1}\n{"color_id":3}\n', thing: "", sale: "" },
      dim_any_name_too: {},
    });
  });
});

describe("JsonLines", () => {
  it("gives every line back, of few and of many megabytes", () => {
    for (const [rows, length] of [
      [0, 1],
      [1, 10],
      [5, 3 << 20],
      [50_000, 100],
    ] as const) {
      const file = new JsonLines();
      const given = Array.from({ length: rows }, (_, i) => ({ i, text: "é".repeat(length) }));
      for (const row of given) file.add(row);
      expect(file.rows).to.equal(rows);
      const body = file.body();
      const text = rows === 0 ? "" : gunzipSync(body).toString();
      expect(text).to.equal(given.map((row) => `${JSON.stringify(row)}\n`).join(""));
    }
  });
});
