// A compaction stands for its batches: their rows, whoever reads them, once their own objects are gone.
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { Compacted } from "../../src/compaction/compacted.ts";
import type { Compaction } from "../../src/lake/compactions.ts";
import { sha256 } from "../../src/lake/manifest.ts";
import { manifestKey } from "../../src/lake/keys.ts";
import { codecNamed } from "../../src/parquet/codec.ts";
import { compareWarehouses, type RowDifference } from "../../src/rebuild/compare-warehouses.ts";
import { compareProcessed } from "../../src/rebuild/compare-processed.ts";
import { claim } from "../../src/rebuild/place.ts";
import { rebuildProcessed } from "../../src/rebuild/processed.ts";
import { readReceipts } from "../../src/rebuild/receipts.ts";
import { verify } from "../../src/rebuild/verify.ts";
import { loadAgain, type ProcessedLake } from "../../src/rebuild/warehouse.ts";
import { History as PastOf, type Seen } from "../../src/reconciliation/history.ts";
import { idOf } from "../../src/reconciliation/source-rows.ts";
import { expect } from "../support/chai.ts";
import { closeAll, type TestPipeline } from "../support/pipeline.ts";
import { contentOf, openLive, openRebuilt } from "../rebuild/history.ts";
import {
  makeCompactedHistory,
  ownObjects,
  readCompactionOf,
  rowsByDuckDb,
  type CompactedHistory,
} from "./support.ts";

describe("a compacted history", () => {
  let history: CompactedHistory;
  let p: TestPipeline;
  let lake: ProcessedLake;
  const compactions: Compaction[] = [];
  before(async () => {
    history = await makeCompactedHistory();
    p = history.p;
    lake = {
      bucket: p.env.PROCESSED_BUCKET,
      tables: history.tables,
      codec: await codecNamed(),
      receipts: await readReceipts(p.env.PROCESSED_BUCKET),
    };
    for (const to of history.ends) compactions.push(await readCompactionOf(p, to));
  });
  after(closeAll);

  /** What reconciliation sees of some records, going back through the batches. */
  async function statesOf(): Promise<unknown[]> {
    const seen: unknown[] = [];
    for (const [name, ids] of [
      ["fact_sales_order", ["1", "2", "4"]],
      ["dim_design", ["1", "2"]],
      ["fact_thing", ["2", "3"]],
      ["fact_payment", ["5"]],
    ] as const) {
      const table = lake.tables.find((one) => one.name === name)!;
      const wanted = ids.map((id): [string, Seen] => [
        idOf([id]),
        (state, batch) => {
          seen.push([name, id, batch, state]);
          return false;
        },
      ]);
      const past = new PastOf(lake.bucket, lake.codec, {
        newest: history.newest,
        skipped: new Set(),
      });
      await past.walk(table, new Map(wanted));
    }
    return seen;
  }

  const verified = () => {
    Object.assign(process.env, p.env);
    const { INGESTION_BUCKET: ingestion, PROCESSED_BUCKET: processed } = p.env;
    return verify({ ingestion, processed }, lake.codec);
  };

  it("says in its manifests what it stands for: every batch once, and of each the manifest", async () => {
    const [first, second] = compactions;
    const [to, end] = history.ends;
    expect(first).to.include({
      compaction: 1,
      from: 1,
      to,
      kind: "compaction",
      previous_sha256: null,
    });
    expect(second).to.include({ compaction: 2, from: to + 1, to: end, kind: "compaction" });
    const [key] = await p.keys("processed", "_compactions/");
    expect(second!.previous_sha256).to.equal(sha256(await p.get("processed", key!)));
    const hashes: string[] = [];
    for (let batch = 1; batch <= end; batch++)
      hashes.push(sha256(await p.get("processed", manifestKey(batch))));
    expect([...first!.manifests, ...second!.manifests]).to.deep.equal(hashes);
  });

  it("has fewer objects, and cuts them where a table's columns changed or there is much", async () => {
    const own = await ownObjects(p, history.ends[1]);
    const all = compactions.flatMap(({ objects }) => objects);
    expect(all.length).to.be.lessThan(own.length / 2);
    expect(compactions[1]!.deleted.map(({ table }) => table).toSorted()).to.deep.equal([
      "dim_place",
      "fact_payment",
      "fact_thing",
    ]);
    // `note` was added while the second compaction's batches were made.
    const uses = compactions[1]!.objects.filter(({ table }) => table === "fact_design_use");
    const columns = await Promise.all(
      uses.map(async (one) =>
        (await rowsByDuckDb(p, [one]))[0]!.map((cell) => (cell as string[])[0]),
      ),
    );
    expect(columns.map((names) => names.includes("note"))).to.deep.equal([false, true]);
    for (const { rows, batches } of compactions[0]!.objects)
      expect(rows <= 60 || batches.length === 1).to.equal(true);
  });

  it("has each table's rows in the order of the batches, and of the rows in them, each with its batch", async () => {
    for (const list of ["objects", "deleted"] as const) {
      const own = (await ownObjects(p, history.ends[1], list)).filter(
        ({ batch }) => batch !== history.skipped,
      );
      const all = compactions.flatMap((one) => one[list]);
      expect(new Set(all.map(({ table }) => table))).to.deep.equal(
        new Set(own.map(({ table }) => table)),
      );
      for (const table of new Set(own.map((one) => one.table))) {
        const compacted = all.filter((one) => one.table === table);
        const batches = own.filter((one) => one.table === table);
        expect(await rowsByDuckDb(p, compacted), table).to.deep.equal(
          await rowsByDuckDb(p, batches),
        );
        expect(compacted.flatMap((one) => one.batches)).to.deep.equal(
          batches.map(({ batch, rows }) => ({ batch, rows })),
        );
      }
    }
  });

  it("is whole, with all objects there", async () => {
    const found = await verified();
    expect(found.problems.filter(({ skipped }) => skipped === undefined)).to.deep.equal([]);
    expect(found).to.deep.include({ compactions: 2, compacted: 0 });
  });

  describe("whose batches' own objects are gone", () => {
    let gone = 0;
    let states: unknown[];
    before(async () => {
      Object.assign(process.env, p.env);
      states = await statesOf();
      for (const list of ["objects", "deleted"] as const)
        for (const { key, batch } of await ownObjects(p, history.ends[1], list)) {
          if (batch !== history.skipped) gone++;
          await p.remove("processed", key);
        }
      expect(gone).to.be.greaterThan(50);
    });

    it("makes the warehouse again, row for row and version for version, and at any batch", async () => {
      const rebuilt = await openRebuilt(p, "again");
      const live = await openLive(p);
      const compacted = new Compacted(lake.bucket, lake.codec);
      const found: RowDifference[] = [];
      try {
        await claim(rebuilt, lake, false);
        for (const to of [2, history.ends[0], history.ends[0] + 3, history.skipped + 1]) {
          await loadAgain(rebuilt, { ...lake, compacted }, to);
          const tables = lake.tables.filter(({ name }) => !/place|thing/.test(name));
          const content = await contentOf(p.star, "again", tables);
          // Tables that came later are there, and empty.
          const then = history.after.get(to)!;
          expect(content, `batch ${to}`).to.deep.equal(then);
        }
        await loadAgain(rebuilt, { ...lake, compacted }, history.newest);
        await compareWarehouses(rebuilt, live, lake.tables, (one) => found.push(one));
      } finally {
        await rebuilt.close();
        await live.close();
      }
      expect(found).to.deep.equal([]);
      expect(compacted.read.size).to.be.greaterThan(15);
      expect(compacted.read.has(history.newest)).to.equal(false);
    });

    it("tells reconciliation what each record was, batch by batch, as before", async () => {
      Object.assign(process.env, p.env);
      const after = await statesOf();
      expect(after.length).to.be.greaterThan(20);
      expect(after).to.deep.equal(states);
    });

    it("is what the processed bucket is that is made again from the ingestion bucket", async () => {
      Object.assign(process.env, p.env);
      const { INGESTION_BUCKET: ingestion, PROCESSED_BUCKET: live } = p.env;
      const rebuilt = `${live}-again`;
      await p.s3.send(new CreateBucketCommand({ Bucket: rebuilt }));
      const { tables, codec, receipts } = lake;
      await rebuildProcessed({
        buckets: { ingestion, processed: rebuilt },
        tables,
        codec,
        receipts,
      });
      const found: unknown[] = [];
      const { rows } = await compareProcessed({ rebuilt, live }, tables, codec, (one) =>
        found.push(one),
      );
      expect(found).to.deep.equal([]);
      expect(rows["fact_sales_order"]).to.be.greaterThan(30);
    });

    it("is whole all the same, and says how many objects it read there", async () => {
      const found = await verified();
      expect(found.problems.filter(({ skipped }) => skipped === undefined)).to.deep.equal([]);
      expect(found.compacted).to.equal(gone);
    });
  });
});
