// A thousand differences, of every kind and in every table: each is named, and nothing else is.
import { random } from "../../localstack/totesys/random.ts";
import { KINDS } from "../../src/reconciliation/difference.ts";
import { getTables } from "../../src/registry.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { inOrder, inShort, Planter, type Planted } from "./planter.ts";
import { reconciled } from "./support.ts";

const SEED = Number(process.env["SEED"] ?? 2026);

/** Days that rows of the source as they are now refer to: those of older versions alone are nobody's to miss. */
const DAYS = `
  select distinct day::text from (
    select unnest(array[created_at::date, last_updated::date, agreed_delivery_date::date, agreed_payment_date::date]) as day from sales_order
    union select unnest(array[created_at::date, last_updated::date, agreed_delivery_date::date, agreed_payment_date::date]) from purchase_order
    union select unnest(array[created_at::date, last_updated::date, payment_date::date]) from payment) days`;

describe("a thousand differences", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 1200 });
    await p.run();
    await p.star.none("create schema before");
    for (const { name } of await getTables())
      await p.star.none(`create table before.${name} as table ${name}`);
    // Every table gets rows that have been otherwise.
    await p.shop.none(`
      update staff set first_name = first_name || '!' where staff_id % 2 = 0;
      update department set location = 'Elsewhere' where department_id = 3;
      update address set district = 'Moved', phone = phone || '0' where address_id % 2 = 0;
      update counterparty set counterparty_legal_name = counterparty_legal_name || ' Ltd' where counterparty_id % 2 = 0;
      update design set file_location = '/moved' where design_id % 2 = 0;
      update currency set currency_code = 'CHF' where currency_id = 2;
      update transaction set transaction_type = 'PURCHASE' where transaction_id % 20 = 0;
      update sales_order set staff_id = 1 + staff_id % 20, unit_price = unit_price + 0.5 where sales_order_id % 5 = 0;
      update purchase_order set item_code = item_code || 'x' where purchase_order_id % 5 = 0;
      update payment set payment_amount = payment_amount + 1, paid = not paid where payment_id % 10 = 0;
    `);
    await p.run();
  });
  after(closeAll);

  it("are none where none was planted", async () => {
    const report = await reconciled(p);
    expect(report.found).to.deep.equal([]);
    expect(report).to.include({ batch: 2, differences: 0, isWhole: true });
  });

  it("are each named with table, key, kind, columns, expected and found, and nothing else is", async () => {
    const draw = random(SEED);
    const days = new Set((await p.shop.any<{ day: string }>(DAYS)).map(({ day }) => day));
    const planted = await p.star.task(async (db): Promise<Planted[]> => {
      const planters: Planter[] = [];
      for (const table of await getTables())
        planters.push(
          await Planter.open(db, table, draw, table.name === "dim_date" ? days : undefined),
        );
      // Rows go that others refer to; and what a wider column has is not to be rounded away.
      await db.none(`
        set session_replication_role = replica;
        alter table fact_sales_order alter unit_price type numeric, alter sales_order_id type bigint;
        alter table fact_purchase_order alter item_unit_price type numeric(20, 6);
        alter table fact_payment alter payment_amount type numeric;
      `);
      const count = (): number => planters.reduce((sum, one) => sum + one.planted.length, 0);
      while (count() < 1000)
        for (const planter of draw.shuffle([...planters]))
          for (const way of planter.ways) if (count() < 1000) await way();
      await db.none("set session_replication_role = origin");
      return planters.flatMap((planter) => planter.planted);
    });
    expect(new Set(planted.map(({ table, kind }) => `${table} ${kind}`))).to.have.length.above(38);

    const report = await reconciled(p);

    expect(inOrder(report.found.map(inShort))).to.deep.equal(inOrder(planted));
    expect(report.differences).to.equal(1000);
    for (const { table, differences } of report.tables)
      for (const kind of KINDS)
        expect(differences[kind], `${table} ${kind}`).to.equal(
          planted.filter((one) => one.table === table && one.kind === kind).length,
        );
  });
});
