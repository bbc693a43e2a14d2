// A batch is made in groups of tables that fit into memory; nobody can tell from what comes out.
import { gunzipSync } from "node:zlib";
import { readIngestionManifest } from "../../src/lake/manifest.ts";
import { JsonLines } from "../../src/lake/objects.ts";
import { getTables } from "../../src/registry.ts";
import { formatBatch, groupsOf } from "../../src/transformation/format-batch.ts";
import type { Vector } from "../../src/vectors.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { getStack } from "../support/stack.ts";

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
