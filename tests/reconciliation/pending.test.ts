// What is no difference: what came after the batch, and what the pipeline does not promise. What is one all the same.
import { lateCommit, poisonOrder } from "../../localstack/totesys/mishaps.ts";
import { trade } from "../../localstack/totesys/trade.ts";
import { ReconciliationError } from "../../src/reconciliation/error.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, startAnew, type TestPipeline } from "../support/pipeline.ts";
import { ingestWith } from "../support/stages.ts";
import { getTables } from "../../src/registry.ts";
import { reconciled, shortly } from "./support.ts";

const now = new Date("2026-11-25T10:00:00Z");

describe("a reconciliation", () => {
  let p: TestPipeline;
  beforeEach(async () => {
    p = await openPipeline({ orders: 60 });
    await p.run();
  });
  after(closeAll);
  const tableOf = async (name: string) => {
    const { tables } = await reconciled(p);
    return tables.find(({ table }) => table === name)!;
  };

  it("names nothing while the shop trades, whatever stage was last at work", async () => {
    for (let round = 1; round <= 6; round++) {
      await trade(p.shop, { seed: round, now, orders: 8 });
      expect((await reconciled(p)).found, `round ${round}, after trading`).to.deep.equal([]);
      const late = await lateCommit(() => p.shop.connect(), { seed: 100 + round, now });
      await p.ingest();
      expect((await reconciled(p)).found, `round ${round}, after ingestion`).to.deep.equal([]);
      await p.transform();
      await trade(p.shop, { seed: 50 + round, now, orders: 3 });
      await late[round % 2 === 0 ? "commit" : "rollback"]();
      await p.load();
      expect((await reconciled(p)).found, `round ${round}, after loading`).to.deep.equal([]);
    }
  });

  it("goes on while the shop trades at the same time", async () => {
    let isOver = false;
    const trading = (async () => {
      for (let seed = 1; !isOver; seed++) await trade(p.shop, { seed, now, orders: 3 });
    })();
    try {
      for (let round = 1; round <= 4; round++) {
        expect((await reconciled(p)).found, `round ${round}`).to.deep.equal([]);
        await p.run();
      }
    } finally {
      isOver = true;
      await trading;
    }
  });

  it("counts a row that changed after the batch as pending, and does not name it", async () => {
    await p.shop.none("update staff set last_name = 'Later' where staff_id = 2");
    await p.shop.none("update department set location = 'Later' where department_id = 3");
    const [moved] = await p.shop.any<{ count: number }>(
      "select count(*)::int from staff where department_id = 3 or staff_id = 2",
    );
    expect(await tableOf("dim_staff")).to.deep.include({
      pending: moved!.count,
      differences: { missing: 0, extra: 0, different: 0, stale: 0 },
    });
    await p.run();
    expect(await tableOf("dim_staff")).to.include({ pending: 0 });
  });

  it("names a row whose change before the batch got lost, though others of its range are pending", async () => {
    await p.shop.none("update staff set last_name = 'Later' where staff_id = 2");
    await p.star.none("update dim_staff set last_name = 'Forged' where staff_id in (2, 3)");
    expect(shortly(await reconciled(p))).to.deep.equal(["dim_staff 3 different"]);
  });

  it("names a version that repeats the one before it where nothing else differs", async () => {
    await p.star.none(`
      create temporary table copied as table fact_payment with no data;
      insert into copied select * from fact_payment where payment_id = 5;
      update copied set payment_record_id = 9000;
      insert into fact_payment table copied`);
    const { found } = await reconciled(p);
    expect(found).to.deep.equal([
      {
        table: "fact_payment",
        kind: "extra",
        key: { payment_id: "5" },
        columns: [],
        recordId: "9000",
        note: "version 9000 repeats the one before it",
      },
    ]);
  });

  it("names a change of a looked-up row that got lost", async () => {
    await p.star.none("create table kept as table dim_staff");
    await p.shop.none("update department set location = 'Elsewhere' where department_id = 3");
    await p.run();
    const before = await p.star.many<{ id: number }>(
      "update dim_staff s set location = k.location from kept k where k.staff_id = s.staff_id and k.location <> s.location returning s.staff_id as id",
    );
    const { found } = await reconciled(p);
    expect(found.map(({ key, kind, batch }) => ({ ...key, kind, batch }))).to.have.deep.members(
      before.map(({ id }) => ({ staff_id: String(id), kind: "stale", batch: 1 })),
    );
  });

  it("names what a batch that was skipped would have brought", async () => {
    await p.shop.none("update design set file_name = 'new.json' where design_id = 3");
    await p.ingest();
    await p.transform();
    await p.load({ skip: 2, why: "to see what is missing" });
    const { found, batch } = await reconciled(p);
    expect(batch).to.equal(2);
    expect(found).to.have.length(1);
    expect(found[0]).to.deep.include({
      table: "dim_design",
      kind: "stale",
      key: { design_id: "3" },
      batch: 1,
      source: { table: "design", key: { design_id: "3" } },
    });
  });

  it("counts rows in quarantine, and names neither them nor the inferred members that stand for them", async () => {
    await poisonOrder(p.shop, { seed: 5, now });
    await p.shop.none("update currency set currency_code = 'XXQ' where currency_id = 3");
    await p.shop.none("insert into currency values (77, 'XXR', now(), now())");
    await p.shop.none(
      "update sales_order set currency_id = 77, agreed_delivery_date = '2024-01-05' where sales_order_id = 7",
    );
    await p.run();
    const { found } = await reconciled(p);
    expect(found).to.deep.equal([]);
    expect(await tableOf("dim_currency")).to.include({ quarantined: 2, inferred: 1 });
    expect(await tableOf("fact_sales_order")).to.include({ quarantined: 1 });
  });

  it("names a row in quarantine whose last good state is not what the warehouse has", async () => {
    await p.shop.none("update currency set currency_code = 'XXQ' where currency_id = 3");
    await p.run();
    await p.star.none("update dim_currency set currency_name = 'Forged' where currency_id = 3");
    const { found } = await reconciled(p);
    expect(found).to.have.length(1);
    expect(found[0]).to.deep.include({
      kind: "different",
      key: { currency_id: "3" },
      columns: [{ column: "currency_name", expected: "Euro", found: "Forged" }],
      note: "its source row is in quarantine: expected is its last good state",
    });
  });

  it("names a row that an inferred member stands for though the source has it", async () => {
    await p.star.none(
      "update dim_design set design_name = 'unknown', file_location = 'unknown', file_name = 'unknown' where design_id = 4",
    );
    const { found } = await reconciled(p);
    expect(found.map(({ kind, note }) => ({ kind, note }))).to.deep.equal([
      { kind: "different", note: "an inferred member stands for it" },
    ]);
  });

  it("names a row that the source deleted, with why it is there still", async () => {
    await p.shop.none(
      "insert into design (design_id, design_name, file_location, file_name, created_at, last_updated) values (999, 'a', 'b', 'c', now(), now())",
    );
    await p.run();
    await p.shop.none("delete from design where design_id = 999");
    const { found } = await reconciled(p);
    expect(found).to.have.length(1);
    expect(found[0]).to.deep.include({
      kind: "extra",
      key: { design_id: "999" },
      note: "the source no longer has it, and its deletes are ignored",
    });
  });

  it("leaves days alone that versions of long ago refer to, and names one that the lake never made", async () => {
    await p.shop.none(
      "update sales_order set agreed_delivery_date = '2031-05-05' where sales_order_id = 7",
    );
    await p.run();
    await p.shop.none(
      "update sales_order set agreed_delivery_date = '2031-05-06' where sales_order_id = 7",
    );
    await p.run();
    expect((await reconciled(p)).found).to.deep.equal([]);
    await p.star.none(
      "insert into dim_date values ('1999-12-31', 1999, 12, 31, 5, 'Friday', 'December', 4)",
    );
    await p.star.none("update dim_date set quarter = 3 where date_id = '2031-05-06'");
    const { found } = await reconciled(p);
    expect(found.map(({ kind, key, source }) => [kind, key["date_id"], source])).to.deep.equal([
      ["different", "2031-05-06", { table: "sales_order", key: { sales_order_id: "7" } }],
      ["extra", "1999-12-31", undefined],
    ]);
  });

  it("since a batch compares what changed after it alone, and finds it with as little", async () => {
    await p.shop.none("update design set file_name = 'new.json' where design_id in (3, 4)");
    await p.run();
    await p.star.none("update dim_design set file_name = 'forged' where design_id in (4, 5)");
    const since = await reconciled(p, { since: 1 });
    expect(shortly(since)).to.deep.equal(["dim_design 4 different"]);
    expect(since.tables.find(({ table }) => table === "dim_design")).to.include({ rows: 2 });
    const committed = new Date((await p.ingested(1)).committed_at);
    expect(shortly(await reconciled(p, { since: committed }))).to.deep.equal(shortly(since));
    expect(shortly(await reconciled(p, { since: 2 }))).to.deep.equal([]);
    await expect(reconciled(p, { since: 3 })).to.be.rejectedWith(
      ReconciliationError,
      "there is no batch 3 to begin at: the warehouse has 1 to 2",
    );
    await expect(reconciled(p, { since: new Date(0) })).to.be.rejectedWith(
      "no batch was committed by 1970",
    );
  });

  it("compares the tables alone that it is asked for", async () => {
    await p.star.none(
      "update dim_design set file_name = 'forged'; update dim_staff set last_name = 'x' where staff_id = 1",
    );
    const report = await reconciled(p, { only: ["dim_staff"] });
    expect(shortly(report)).to.deep.equal(["dim_staff 1 different"]);
    expect(report.tables).to.have.length(1);
    await expect(reconciled(p, { only: ["dim_stuff"] })).to.be.rejectedWith(
      "there is no table dim_stuff; there are dim_",
    );
  });

  it("says so where it cannot be told", async () => {
    await startAnew(p);
    await expect(reconciled(p)).to.be.rejectedWith(
      ReconciliationError,
      "the warehouse has no batch yet",
    );
    const tables = await getTables();
    await ingestWith(p, tables, { limits: { rows: 100, bytes: 1 << 20 }, goOn: () => false });
    await p.transform();
    await p.load();
    await expect(reconciled(p)).to.be.rejectedWith(
      ReconciliationError,
      "batch 1 is of a run that reads everything and is not done",
    );
    await p.run();
    // Also since a batch of a run that was not done then.
    expect((await reconciled(p)).found).to.deep.equal([]);
    expect((await reconciled(p, { since: 1 })).found).to.deep.equal([]);
    await p.star.none("drop table fact_payment");
    await expect(reconciled(p)).to.be.rejectedWith(
      "the warehouse has no fact_payment: run loading",
    );
    await p.star.none("update etl.batch_load set ingestion_sha256 = repeat('0', 64)");
    await expect(reconciled(p)).to.be.rejectedWith(`the warehouse has another batch`);
  });

  it("takes what an unfinished run has yet to read as pending", async () => {
    const tables = await getTables();
    await p.shop.none(
      "update sales_order set units_sold = units_sold + 1; update staff set last_name = last_name || 'x'",
    );
    const summary = await ingestWith(p, tables, {
      limits: { rows: 10, bytes: 1 << 20 },
      goOn: () => false,
    });
    expect(summary.unfinished).to.equal(true);
    await p.transform();
    await p.load();
    const report = await reconciled(p);
    expect(report.found).to.deep.equal([]);
    expect(report.isWhole).to.equal(false);
    expect(report.tables.find(({ table }) => table === "fact_sales_order")!.pending).to.equal(60);
  });
});
