// P1: every committed insert or update in the source reaches the warehouse. Attacked, change by change.
import { lateCommit, renameDepartment } from "../../localstack/totesys/shop.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";

/** Every column that a star table shows, by hand from the two schemas: source table, key, column, SQL of a new value. */
const SHOWN: [table: string, column: string, value: string][] = [
  ["address", "address_line_1", "'1 New Road'"],
  ["address", "address_line_2", "'c/o'"],
  ["address", "district", "'Avon'"],
  ["address", "city", "'Newtown'"],
  ["address", "postal_code", "'NE1'"],
  ["address", "country", "'Wales'"],
  ["address", "phone", "'0'"],
  ["counterparty", "counterparty_legal_name", "'New, Ltd'"],
  ["counterparty", "legal_address_id", "1 + legal_address_id % 2"],
  ["currency", "currency_code", "'CHF'"],
  ["department", "department_name", "'New'"],
  ["department", "location", "null"],
  ["design", "design_name", "'New'"],
  ["design", "file_location", "'/new'"],
  ["design", "file_name", "'new.json'"],
  ["staff", "first_name", "'New'"],
  ["staff", "last_name", "'O''Keefe'"],
  ["staff", "department_id", "1 + department_id % 2"],
  ["staff", "email_address", "'new@terrifictotes.com'"],
  ["payment_type", "payment_type_name", "'PURCHASE_REFUND'"],
  ["transaction", "transaction_type", "'PURCHASE'"],
  ["transaction", "purchase_order_id", "null"],
  ["transaction", "sales_order_id", "null"],
  ["sales_order", "design_id", "1 + design_id % 2"],
  ["sales_order", "staff_id", "1 + staff_id % 2"],
  ["sales_order", "counterparty_id", "1 + counterparty_id % 2"],
  ["sales_order", "units_sold", "7"],
  ["sales_order", "unit_price", "0.01"],
  ["sales_order", "currency_id", "1 + currency_id % 2"],
  ["sales_order", "agreed_delivery_date", "'2031-01-01'"],
  ["sales_order", "agreed_payment_date", "'2031-01-02'"],
  ["sales_order", "agreed_delivery_location_id", "1 + agreed_delivery_location_id % 2"],
  ["sales_order", "created_at", "'2001-02-03 04:05:06.007'"],
  ["sales_order", "last_updated", "'1970-01-01 00:00:00'"],
  ["purchase_order", "staff_id", "1 + staff_id % 2"],
  ["purchase_order", "counterparty_id", "1 + counterparty_id % 2"],
  ["purchase_order", "item_code", "'NEW'"],
  ["purchase_order", "item_quantity", "7"],
  ["purchase_order", "item_unit_price", "0.01"],
  ["purchase_order", "currency_id", "1 + currency_id % 2"],
  ["purchase_order", "agreed_delivery_date", "'2031-01-03'"],
  ["purchase_order", "agreed_payment_date", "'2031-01-04'"],
  ["purchase_order", "agreed_delivery_location_id", "1 + agreed_delivery_location_id % 2"],
  ["payment", "transaction_id", "(select max(transaction_id) + 1 from transaction)"],
  ["payment", "counterparty_id", "1 + counterparty_id % 2"],
  ["payment", "payment_amount", "0.01"],
  ["payment", "currency_id", "1 + currency_id % 2"],
  ["payment", "payment_type_id", "1 + payment_type_id % 2"],
  ["payment", "paid", "not paid"],
  ["payment", "payment_date", "'2031-01-05'"],
];

const dated = { allowExtraDates: true };

describe("changes", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline();
    await p.run();
  });
  after(closeAll);

  it("loads the whole shop at the first run", async () => {
    await p.expectTrue();
    expect((await p.ingested(1)).kind).to.equal("backfill");
  });

  it("writes nothing while nothing changes, and says so", async () => {
    const before = [await p.keys("ingestion"), await p.keys("processed")];
    expect(await p.ingest()).to.include({ outcome: "unchanged", batch: 1 });
    expect((await p.transform()).batches).to.deep.equal([]);
    expect((await p.load()).loaded).to.deep.equal([]);
    expect([await p.keys("ingestion"), await p.keys("processed")]).to.deep.equal(before);
  });

  describe("reach the warehouse without last_updated being touched", () => {
    for (const [table, column, value] of SHOWN)
      it(`${table}.${column}`, async () => {
        const lookupless = table === "payment" && column === "transaction_id";
        if (lookupless)
          await p.shop.none(
            "insert into transaction (transaction_id, transaction_type, last_updated) select max(transaction_id) + 1, 'SALE', now() from transaction",
          );
        const expression = lookupless ? "(select max(transaction_id) from transaction)" : value;
        const { rowCount } = await p.shop.result(
          `update $1:name set $2:name = ${expression} where $3:name =
             (select max($3:name) from $1:name where $2:name is distinct from ${expression})`,
          [table, column, `${table}_id`],
        );
        expect(rowCount).to.equal(1);
        await p.run();
        await p.expectTrue(dated);
      });
  });

  it("takes a lookup's change to every row that shows it", async () => {
    await renameDepartment(p.shop, { seed: 3, now: new Date("2026-01-01") });
    await p.shop.none("update address set city = city || '!'");
    await p.run();
    await p.expectTrue(dated);
    const shown = await p.star.one<{ n: string }>(
      "select count(*) n from dim_counterparty where counterparty_legal_city like '%!'",
    );
    expect(Number(shown.n)).to.be.greaterThan(1);
  });

  it("takes the looked-up row along with one that looks it up", async () => {
    await p.shop.none("update staff set first_name = 'Alone' where staff_id = 3");
    const { batch } = await p.ingest();
    const { objects } = await p.ingested(batch);
    expect(
      objects.map(({ table, rows, driving_rows }) => [table, rows, driving_rows]),
    ).to.have.deep.members([
      ["staff", 1, 1],
      ["department", 1, 0],
    ]);
    await p.run();
    await p.expectTrue(dated);
  });

  it("finds a row whose transaction commits after a later one was loaded", async () => {
    const late = await lateCommit(() => p.shop.connect(), { seed: 5, now: new Date("2026-01-02") });
    await p.shop.none("update design set file_name = 'later.json' where design_id = 1");
    await p.run();
    await p.expectTrue(dated);
    await late.commit();
    await p.run();
    await p.expectTrue(dated);
    const found = await p.star.any(
      "select from fact_sales_order where sales_order_id in ($1:csv)",
      [late.salesOrderIds],
    );
    expect(found).to.have.length(2);
  });

  it("never shows what was rolled back", async () => {
    const late = await lateCommit(() => p.shop.connect(), { seed: 6, now: new Date("2026-01-03") });
    await p.run();
    await late.rollback();
    await p.run();
    await p.expectTrue(dated);
  });

  it("finds a row written in a savepoint while an older transaction is open", async () => {
    const holder = await p.shop.connect();
    await holder.none("begin; update design set file_name = 'held.json' where design_id = 2");
    const writer = await p.shop.connect();
    await writer.none("begin");
    await writer.none("update sales_order set units_sold = 1 where sales_order_id = 1");
    await writer.none(
      "savepoint a; update sales_order set units_sold = 2 where sales_order_id = 2",
    );
    await p.run();
    await writer.none("release savepoint a; commit");
    await p.run();
    await p.expectTrue(dated);
    await holder.none("commit");
    await p.run();
    await p.expectTrue(dated);
    await Promise.all([holder.done(), writer.done()]);
  });

  it("finds a row written in an exception block", async () => {
    const writer = await p.shop.connect();
    await writer.none("begin; update design set file_name = 'outer.json' where design_id = 3");
    await writer.none(`do $$ begin
        begin update sales_order set units_sold = 3 where sales_order_id = 3; perform 1 / 0;
        exception when division_by_zero then update sales_order set units_sold = 33 where sales_order_id = 4; end;
      end $$`);
    await p.run();
    await writer.none("commit");
    await writer.done();
    await p.run();
    await p.expectTrue(dated);
  });

  it("does not mind clocks: a last_updated of long ago or far ahead", async () => {
    await p.shop.none(
      "update payment set last_updated = '2099-01-01', paid = not paid where payment_id = 1",
    );
    await p.run();
    await p.shop.none(
      "update payment set last_updated = '1999-01-01', paid = not paid where payment_id = 2",
    );
    await p.run();
    await p.expectTrue(dated);
  });

  it("writes nothing when an open transaction has it read the same rows again", async () => {
    // Without it ingestion is told that somebody holds the fence back, and not who.
    await p.shop.none("grant pg_read_all_stats to $1:name", [p.users.reader.user]);
    const holder = await p.shop.connect();
    await holder.none("begin; update design set file_name = 'long.json' where design_id = 4");
    await p.shop.none("update staff set first_name = 'Same' where staff_id = 5");
    expect(await p.ingest()).to.include({ outcome: "committed" });
    const before = await p.keys("ingestion");
    const again = await p.ingest();
    expect(again).to.include({ outcome: "unchanged" });
    expect(again.rows).to.deep.equal({ staff: 1, department: 1 });
    expect(again.fenceAge).to.be.greaterThan(0);
    expect(again.fenceHolder).to.include({ usename: "postgres", state: "idle in transaction" });
    expect(await p.keys("ingestion")).to.deep.equal(before);
    await holder.none("rollback");
    await holder.done();
    await p.run();
    await p.expectTrue(dated);
  });
});

describe("fact versions", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline();
    await p.run();
  });
  after(closeAll);
  const versions = async (order: number): Promise<number[]> =>
    (
      await p.star.any<{ units_sold: number }>(
        "select units_sold from fact_sales_order where sales_order_id = $1 order by sales_record_id",
        [order],
      )
    ).map((row) => row.units_sold);
  const sell = (units: number, order: number) =>
    p.shop.none("update sales_order set units_sold = $1 where sales_order_id = $2", [units, order]);

  it("are three for A → B → A", async () => {
    const [a] = await versions(1);
    await sell(a! + 1, 1);
    await p.run();
    await sell(a!, 1);
    await p.run();
    expect(await versions(1)).to.deep.equal([a, a! + 1, a]);
  });

  it("stay one for a rewrite that changes no column", async () => {
    await p.shop.none("update sales_order set units_sold = units_sold where sales_order_id = 2");
    const { rows } = await p.ingest();
    expect(rows).to.deep.equal({ sales_order: 1 });
    await p.run();
    expect(await versions(2)).to.have.length(1);
  });

  it("stay as they are when everything is read again", async () => {
    const before = await p.star.any("select * from fact_sales_order order by 1");
    const again = await p.ingest({ resync: true });
    expect(again).to.include({ outcome: "committed", kind: "resync" });
    await p.transform();
    const { loaded } = await p.load();
    expect(Object.values(loaded![0]!.tables).map(({ changed }) => changed)).to.satisfy(
      (all: number[]) => all.every((changed) => changed === 0),
    );
    expect(await p.star.any("select * from fact_sales_order order by 1")).to.deep.equal(before);
  });

  it("keep their record ids in the order of the states", async () => {
    const ids = await p.star.any<{ sales_record_id: number }>(
      "select sales_record_id from fact_sales_order where sales_order_id = 1 order by sales_record_id",
    );
    expect(ids.map((row) => row.sales_record_id)).to.deep.equal(
      ids.map((row) => row.sales_record_id).sort((a, b) => a - b),
    );
  });
});
