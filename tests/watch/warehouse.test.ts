// What the page says of the warehouse's tables and of the business, against a pipeline that ran.
import { table, tables, type Warehouse } from "../../src/operations/tables.ts";
import { connectWith } from "../../src/postgres/connection.ts";
import { getTables } from "../../src/registry.ts";
import { business } from "../../watch/business.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";

describe("what the page says of the warehouse", () => {
  let p: TestPipeline;
  let places: Warehouse;
  before(async () => {
    p = await openPipeline({ orders: 60 });
    Object.assign(process.env, p.env);
    places = { warehouse: () => connectWith(p.env.WAREHOUSE_SECRET), tables: await getTables() };
  });
  after(closeAll);
  const tableOf = async (name: string) => (await tables(places)).find((one) => one.name === name)!;

  it("is nothing of an empty one", async () => {
    const { rows, fresh_at, fresh_batch, history, minutes } = await tableOf("dim_staff");
    expect({ rows, fresh_at, fresh_batch, history }).to.deep.equal({
      rows: 0,
      fresh_at: null,
      fresh_batch: null,
      history: [],
    });
    expect(minutes.map(({ value }) => value)).to.deep.equal(Array.from({ length: 60 }, () => 0));
    const one = await table(places, "fact_payment");
    expect(one!.sample).to.deep.equal([]);
    expect(one!.columns[0]).to.deep.equal({
      name: "payment_record_id",
      type: "serial",
      nullable: false,
      key: false,
      meaning: "Number of the version, in the order of loading.",
      from: "the loader",
      isCarried: false,
    });
    expect((await business(places)).as_of_batch).to.equal(0);
  });

  describe("after two batches", () => {
    before(async () => {
      await p.run();
      await p.shop.none(
        `update sales_order set units_sold = 1234, unit_price = 2.50 where sales_order_id = 3;
         update staff set first_name = 'Ada' where staff_id = 1`,
      );
      await p.run();
    });

    it("has rows, freshness and the rows of each day, as far as receipts tell them", async () => {
      const orders = await tableOf("fact_sales_order");
      expect(orders.rows).to.equal(61);
      expect(orders.isEstimate).to.equal(false);
      expect(orders.fresh_batch).to.equal(2);
      expect(Date.now() - Date.parse(orders.fresh_at!)).to.be.within(0, 600_000);
      expect(orders.history.map(({ value }) => value)).to.deep.equal([0, 61]);
      expect(orders.minutes.reduce((sum, { value }) => sum + value, 0)).to.equal(61);
      expect(orders.sources).to.deep.equal(["sales_order"]);
      // A row of staff was changed in place: how many there were before is not told.
      const staff = await tableOf("dim_staff");
      expect(staff.rows).to.equal(20);
      expect(staff.fresh_batch).to.equal(2);
      expect(staff.history).to.deep.equal([]);
      expect(staff.sources).to.deep.equal(["staff", "department"]);
      expect((await tableOf("dim_currency")).fresh_batch).to.equal(1);
    });

    it("names facts first", async () => {
      const kinds = (await tables(places)).map(({ kind }) => kind);
      expect(kinds.slice(0, 4)).to.deep.equal(["fact", "fact", "fact", "dimension"]);
    });

    it("has the newest rows, money as it was written", async () => {
      const { sample } = (await table(places, "fact_sales_order"))!;
      expect(sample).to.have.length(5);
      const [{ sales_record_id, sales_order_id, units_sold, unit_price }] = sample as [
        (typeof sample)[number],
      ];
      expect({ sales_record_id, sales_order_id, units_sold, unit_price }).to.deep.equal({
        sales_record_id: 61,
        sales_order_id: 3,
        units_sold: 1234,
        unit_price: "2.50",
      });
    });

    it("has the versions of the record that changed last, with what changed", async () => {
      const { versions } = (await table(places, "fact_sales_order"))!;
      expect(versions!.record).to.equal("sales_order_id 3");
      expect(versions!.rows.map(({ row }) => row["sales_record_id"])).to.have.length(2);
      expect(versions!.rows[0]!.changed).to.deep.equal([]);
      expect(versions!.rows[1]!.changed).to.deep.equal(["units_sold", "unit_price"]);
      expect((await table(places, "fact_payment"))!.versions).to.equal(undefined);
      expect((await table(places, "dim_staff"))!.versions).to.equal(undefined);
    });

    it("says where columns come from, and what they mean", async () => {
      const { columns } = (await table(places, "dim_staff"))!;
      const one = (name: string) => columns.find((column) => column.name === name)!;
      expect(one("first_name").from).to.equal("staff.first_name");
      expect(one("location").from).to.equal("department.location");
      expect(one("location").meaning).to.equal(
        'Town in which the department is. "Unknown" where the source has none.',
      );
    });

    it("knows no table that no module declares", async () => {
      expect(await table(places, "pg_class")).to.equal(undefined);
    });

    it("answers the business questions as the shop's own rows do", async () => {
      const answer = await business(places);
      expect(answer.as_of_batch).to.equal(2);
      const sales = await p.shop.any<{ currency: string; amount: string }>(
        `select currency_code as currency, sum(units_sold * unit_price)::text as amount
           from sales_order o join currency using (currency_id)
          where o.created_at >= date_trunc('month', (select max(created_at) from sales_order)) - interval '11 months'
          group by 1 order by 1`,
      );
      const sum = (amounts: readonly string[]): string =>
        (amounts.reduce((all, amount) => all + Math.round(Number(amount) * 100), 0) / 100).toFixed(
          2,
        );
      expect(
        answer.sales.map(({ currency, months }) => ({
          currency,
          amount: sum(months.map(({ amount }) => amount)),
        })),
      ).to.deep.equal(sales);
      const latest = await p.shop.any<{ design: string; units: number; orders: number }>(
        `select design_name || ' ' || design_id as design, sum(units_sold)::int as units, count(*)::int as orders
           from sales_order o join design using (design_id)
          where o.created_at::date > (select max(created_at)::date from sales_order) - 30
          group by design_id, design_name order by units desc, design limit 8`,
      );
      expect(answer.designs).to.deep.equal(latest);
      const { open } = await p.shop.one<{ open: number }>(
        `select count(*)::int as open from payment
          where not paid and payment_date::date < (select max(last_updated)::date from payment)`,
      );
      expect(answer.payments.overdue.reduce((all, { payments }) => all + payments, 0)).to.equal(
        open,
      );
      expect(answer.staff.flatMap(({ people }) => people).length).to.be.greaterThan(0);
    });

    it("has every question's SQL run as it is", async () => {
      const { sql } = await business(places);
      for (const query of Object.values(sql)) await p.star.any(query);
    });
  });
});
