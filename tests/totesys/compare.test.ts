import { openShop, silentUpdates, type Database } from "../../localstack/totesys/shop.ts";
import { compare, latestOf, problems, starOf, type Star } from "../../localstack/totesys/star.ts";
import { expect } from "../support/chai.ts";
import { closeDatabases, fillWarehouse, newDatabases } from "./databases.ts";
import { delivered, tinyShop } from "./tiny-shop.ts";

after(closeDatabases);

describe("latestOf", () => {
  it("reads back what a faultless pipeline would have written", async () => {
    const { shop, warehouse } = await newDatabases();
    await openShop(shop, { seed: 8, salesOrders: 600 });
    const star = await starOf(shop);
    await fillWarehouse(warehouse, star);
    const comparisons = compare(star, await latestOf(warehouse));
    expect(problems(comparisons)).to.deep.equal([]);
    expect(comparisons.map(({ table, expected }) => [table, expected])).to.deep.include.members([
      ["dim_staff", 20],
      ["fact_payment", 864],
    ]);
    for (const { expected, found } of comparisons) expect(found).to.equal(expected);
  });

  it("takes the version of the highest record id, whatever its dates say", async () => {
    const { shop, warehouse } = await tinyShop();
    await fillWarehouse(warehouse, await starOf(shop));
    await warehouse.none(
      `insert into fact_payment (payment_id, last_updated_date, payment_amount, payment_date)
       values (2, '1999-01-01', 5.5, '2031-01-01'), (2, '1998-01-01', 6.5, '2030-01-01')`,
    );
    const latest = await latestOf(warehouse);
    const { columns = [], rows = [] } = latest.get("fact_payment") ?? {};
    const second = rows.find(([id]) => id === "2") ?? [];
    expect(rows).to.have.length(2);
    expect(second[columns.indexOf("payment_amount")]).to.equal("6.50");
    expect(second[columns.indexOf("payment_date")]).to.equal("2030-01-01");
    const days = latest.get("dim_date")?.allowed.map(([day]) => day);
    expect(days).to.include.members(["2031-01-01", "2030-01-01", "1999-01-01", "2024-12-31"]);
  });

  it("reads a schema of another name, and hides no third decimal", async () => {
    const { shop, warehouse } = await tinyShop();
    await fillWarehouse(warehouse, await starOf(shop));
    await warehouse.none(
      `alter table fact_payment alter column payment_amount type numeric;
       update fact_payment set payment_amount = 2500.001 where payment_id = 1;
       alter schema public rename to "the star"`,
    );
    const lines = problems(compare(await starOf(shop), await latestOf(warehouse, "the star")));
    expect(lines[1]).to.equal(
      '  fact_payment payment_id=1: payment_amount is "2500.001", not "2500.00"',
    );
  });
});

describe("compare", () => {
  let star: Star;
  let warehouse: Database;
  let shop: Database;
  beforeEach(async () => {
    ({ shop, warehouse } = await tinyShop());
    star = await starOf(shop);
    await fillWarehouse(warehouse, star);
  });
  const lines = async (options = {}): Promise<string[]> =>
    problems(compare(star, await latestOf(warehouse), options));

  it("finds a row that is missing", async () => {
    await warehouse.none("delete from fact_payment where payment_id = 2");
    expect(await lines()).to.deep.equal([
      "fact_payment: 2 rows expected, 1 found: 1 missing, 0 extra, 0 different",
      "  fact_payment payment_id=2 is missing",
    ]);
  });

  it("finds a row that should not be there", async () => {
    await warehouse.none("insert into dim_design values (7, 'Ghost', '/', 'g')");
    expect(await lines()).to.deep.equal([
      "dim_design: 1 rows expected, 2 found: 0 missing, 1 extra, 0 different",
      "  dim_design design_id=7 is extra",
    ]);
  });

  it("finds a row that is there twice", async () => {
    await warehouse.none(
      `alter table dim_design drop constraint dim_design_pkey;
       insert into dim_design select * from dim_design`,
    );
    expect(await lines()).to.include("  dim_design design_id=1 is extra");
  });

  it("finds each column that differs, null and the word null told apart", async () => {
    await warehouse.none(
      `update dim_location set district = 'null', city = 'Ile-Rousse' where location_id = 2;
       update fact_sales_order set created_time = '09:05:07', unit_price = 2.51`,
    );
    expect(await lines()).to.deep.equal([
      "dim_location: 2 rows expected, 2 found: 0 missing, 0 extra, 1 different",
      '  dim_location location_id=2: district is "null", not null',
      '  dim_location location_id=2: city is "Ile-Rousse", not "Île-Rousse"',
      "fact_sales_order: 1 rows expected, 1 found: 0 missing, 0 extra, 1 different",
      '  fact_sales_order sales_order_id=1: created_time is "09:05:07.000000", not "09:05:07.120000"',
      '  fact_sales_order sales_order_id=1: unit_price is "2.51", not "2.50"',
    ]);
  });

  it("counts all differences and names the first few", async () => {
    await warehouse.none(
      "insert into dim_design select n, 'x', 'x', 'x' from generate_series(10, 39) as n",
    );
    const [design] = compare(star, await latestOf(warehouse), { show: 3 }).filter(
      ({ table }) => table === "dim_design",
    );
    expect(design).to.include({ extra: 30, expected: 1, found: 31 });
    expect(design?.differences).to.have.length(3);
  });

  it("counts a table that is not there as empty", () => {
    const found = new Map([...star].filter(([table]) => table !== "dim_staff"));
    expect(problems(compare(star, found))[0]).to.equal(
      "dim_staff: 2 rows expected, 0 found: 2 missing, 0 extra, 0 different",
    );
  });

  it("allows days of older versions, when asked, if they are right, and no others", async () => {
    await warehouse.none(
      `update fact_sales_order set sales_record_id = 50;
       insert into fact_sales_order (sales_record_id, sales_order_id, agreed_delivery_date)
       values (49, 1, '2024-02-27'), (48, 1, '2024-02-26');
       insert into dim_date values (date '2024-02-27', 2024, 2, 27, 2, 'Tuesday', 'February', 1),
         (date '2024-02-26', 2024, 2, 26, 1, 'Monday', 'February', 1)`,
    );
    expect(await lines()).to.have.length(3);
    expect(await lines({ allowExtraDates: true })).to.deep.equal([]);

    await warehouse.none(
      `update dim_date set day_name = 'Montag' where date_id = '2024-02-26';
       insert into dim_date values (date '2024-07-07', 2024, 7, 7, 7, 'Sunday', 'July', 3)`,
    );
    expect(await lines({ allowExtraDates: true })).to.have.members([
      "dim_date: 4 rows expected, 7 found: 0 missing, 1 extra, 1 different",
      '  dim_date date_id=2024-02-26: day_name is "Montag", not "Monday"',
      "  dim_date date_id=2024-07-07 is extra",
    ]);
  });

  it("allows days of quarantined rows, when asked", async () => {
    await shop.none(`${delivered(2, "2024-02-30")}
      update sales_order set agreed_payment_date = '2024-08-08' where sales_order_id = 2`);
    star = await starOf(shop);
    await warehouse.none(
      "insert into dim_date values (date '2024-08-08', 2024, 8, 8, 4, 'Thursday', 'August', 3)",
    );
    expect(await lines()).to.have.length(2);
    expect(await lines({ allowExtraDates: true })).to.deep.equal([]);
  });

  it("allows rows whose key is quarantined, when asked", async () => {
    await shop.none("update currency set currency_code = 'XQZ' where currency_id = 6");
    star = await starOf(shop);
    expect(await lines()).to.include("  dim_currency currency_id=6 is extra");
    expect(await lines({ allowQuarantined: true })).to.deep.equal([]);
    const comparisons = compare(star, await latestOf(warehouse), { allowQuarantined: true });
    expect(comparisons.find(({ table }) => table === "dim_currency")).to.include({
      expected: 2,
      found: 3,
      allowed: 1,
    });
  });

  it("finds each row that the shop changed in silence", async () => {
    const other = await newDatabases();
    await openShop(other.shop, { seed: 1, salesOrders: 300 });
    await fillWarehouse(other.warehouse, await starOf(other.shop));
    const done = await silentUpdates(other.shop, { seed: 1, sales: 9, purchases: 6, designs: 3 });

    const comparisons = compare(await starOf(other.shop), await latestOf(other.warehouse));
    const different = Object.fromEntries(comparisons.map((row) => [row.table, row.different]));
    expect(different).to.include({
      fact_sales_order: done.sales,
      fact_purchase_order: done.purchases,
      dim_design: done.designs,
      fact_payment: 0,
      dim_staff: 0,
    });
    expect(done).to.include({ sales: 9, purchases: 6, designs: 3 });
  });
});
