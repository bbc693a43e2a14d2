import {
  barChart,
  bestSellingDesigns,
  paymentsOnTime,
  salesByMonth,
} from "../../localstack/totesys/questions.ts";
import { openShop, type Database } from "../../localstack/totesys/shop.ts";
import { starOf } from "../../localstack/totesys/star.ts";
import { expect } from "../support/chai.ts";
import { closeDatabases, fillWarehouse, newDatabases } from "./databases.ts";

after(closeDatabases);

describe("the business questions", () => {
  let warehouse: Database;
  let shop: Database;
  before(async () => {
    ({ shop, warehouse } = await newDatabases());
    await openShop(shop, { seed: 2, salesOrders: 800 });
    await fillWarehouse(warehouse, await starOf(shop));
    // Older versions, which no answer may count.
    await warehouse.none(
      `insert into fact_sales_order
       select sales_record_id - 100000, sales_order_id, date '1999-01-01', created_time,
              last_updated_date, last_updated_time, sales_staff_id, counterparty_id, 1, 1,
              currency_id, design_id, agreed_payment_date, agreed_delivery_date,
              agreed_delivery_location_id from fact_sales_order;
       insert into fact_payment
       select payment_record_id - 100000, payment_id, created_date, created_time, created_date,
              created_time, transaction_id, counterparty_id, payment_amount, currency_id,
              payment_type_id, false, payment_date from fact_payment`,
    );
  });

  it("say what was sold each month, each currency for itself, to the penny", async () => {
    const answer = await salesByMonth(warehouse);
    const source = await shop.any(
      `select currency_code as currency, to_char(o.created_at, 'YYYY-MM') as month,
              count(*)::int as orders, sum(units_sold * unit_price)::text as value
         from sales_order o join currency using (currency_id) group by 1, 2 order by 1, 2`,
    );
    expect(answer).to.deep.equal(source);
    expect(answer.length).to.be.above(30);
  });

  it("say which designs sell best", async () => {
    const answer = await bestSellingDesigns(warehouse, { limit: 5 });
    const source = await shop.any(
      `select design_id as "designId", design_name as design, file_name as "fileName",
              count(*)::int as orders, sum(units_sold)::int as units
         from sales_order join design using (design_id)
        group by 1, 2, 3 order by 5 desc, 1 limit 5`,
    );
    expect(answer).to.deep.equal(source);
  });

  it("say which payments are paid on time, late, overdue or not due yet", async () => {
    await warehouse.none(
      `update fact_payment set last_updated_date = payment_date + 3 where payment_record_id in
        (select payment_record_id from fact_payment where paid order by 1 limit 4)`,
    );
    const answer = await paymentsOnTime(warehouse, { on: "2023-12-28" });
    const payments = (state: string): number =>
      answer.filter((row) => row.state === state).reduce((sum, row) => sum + row.payments, 0);
    const source = await shop.one<Record<"paid" | "overdue" | "open", number>>(
      `select count(*) filter (where paid)::int as paid,
              count(*) filter (where not paid and payment_date < '2023-12-28')::int as overdue,
              count(*) filter (where not paid and payment_date >= '2023-12-28')::int as open
         from payment`,
    );
    expect(payments("paid late")).to.equal(4);
    expect(payments("paid on time")).to.equal(source.paid - 4);
    expect(payments("overdue")).to.equal(source.overdue);
    expect(payments("not due yet")).to.equal(source.open);
    expect(answer[0]).to.include({ direction: "in", state: "paid on time" });
    expect(await paymentsOnTime(warehouse)).to.have.length.above(4);
  });

  it("can be asked of another schema", async () => {
    await warehouse.none("create schema empty");
    await warehouse.none(
      `create table empty.fact_sales_order (like fact_sales_order);
       create table empty.dim_currency (like dim_currency)`,
    );
    expect(await salesByMonth(warehouse, { schema: "empty" })).to.deep.equal([]);
  });
});

describe("barChart", () => {
  const rows = [
    { label: "Cotton", value: 2000 },
    { label: "Hessian", value: 1000.25 },
    { label: "Tweed", value: 1 },
    { label: "Velvet", value: 0 },
  ];

  it("draws a line a row, the greatest value the longest, and a little of little", () => {
    expect(barChart(rows, { width: 31 }).split("\n")).to.deep.equal([
      "Cotton  ██████████████    2,000",
      "Hessian ███████        1,000.25",
      "Tweed   █                     1",
      "Velvet                        0",
    ]);
  });

  it("keeps within its width", () => {
    for (const width of [40, 72, 100]) {
      for (const line of barChart(rows, { width }).split("\n")) expect(line).to.have.length(width);
    }
  });

  it("draws something where there is no room, and nothing of nothing", () => {
    expect(barChart(rows, { width: 3 }).split("\n")[0]).to.equal("Cotton  █    2,000");
    expect(barChart([])).to.equal("");
    expect(barChart([{ label: "a", value: 0 }], { width: 5 })).to.equal("a   0");
  });

  it("refuses values that no bar can show", () => {
    for (const value of [-1, NaN, Infinity]) {
      expect(() => barChart([{ label: "a", value }])).to.throw(RangeError, `${value} of a`);
    }
  });
});
