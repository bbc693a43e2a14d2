import { openShop, random, type Database } from "../../localstack/totesys/shop.ts";
import { expect } from "../support/chai.ts";
import { closeDatabases, newDatabases, newShop, open } from "./databases.ts";
import { brokenReferences, brokenRules, fingerprints } from "./rules.ts";

after(closeDatabases);

const count = async (shop: Database, sql: string): Promise<number> =>
  (await shop.one<{ count: number }>(`select count(*)::int as count from ${sql}`)).count;

describe("random", () => {
  it("gives the same draws for the same seed, and others for another", () => {
    const draws = (seed: number): number[] => {
      const chance = random(seed);
      return Array.from({ length: 50 }, () => chance.int(1, 1_000_000));
    };
    expect(draws(7)).to.deep.equal(draws(7));
    expect(draws(7)).not.to.deep.equal(draws(8));
  });

  it("stays between its bounds and reaches both", () => {
    const chance = random(1);
    const draws = new Set(Array.from({ length: 1000 }, () => chance.int(-2, 2)));
    expect([...draws].toSorted((a, b) => a - b)).to.deep.equal([-2, -1, 0, 1, 2]);
  });

  it("goes on where a shared source stopped", () => {
    const shared = random(3);
    expect(random(shared)).to.equal(shared);
  });

  it("refuses to pick from nothing", () => {
    expect(() => random(1).pick([])).to.throw(RangeError, "nothing to pick from");
  });
});

describe("openShop", () => {
  let shop: Database;
  before(async () => {
    shop = await newShop();
    await openShop(shop, { seed: 1, salesOrders: 3000 });
  });

  it("gives the same rows for the same seed, in the same places", async () => {
    const other = await newShop();
    await openShop(other, { seed: 1, salesOrders: 3000 });
    expect(await fingerprints(other)).to.deep.equal(await fingerprints(shop));
  });

  it("gives other rows for another seed", async () => {
    const other = await newShop();
    await openShop(other, { seed: 2, salesOrders: 3000 });
    const [these, those] = [await fingerprints(other), await fingerprints(shop)];
    for (const table of ["address", "design", "staff", "sales_order", "payment"]) {
      expect(these[table], table).not.to.equal(those[table]);
    }
  });

  it("writes as many orders as asked, more than fit in one chunk too, and says so", async () => {
    const big = await newShop();
    const progress: number[] = [];
    const counts = await openShop(big, {
      seed: 3,
      salesOrders: 9000,
      purchaseOrders: 4000,
      progress: (orders) => progress.push(orders),
    });
    expect(counts).to.include({
      department: 8,
      sales_order: 9000,
      purchase_order: 4000,
      transaction: 13_000,
      payment: 13_000,
    });
    for (const [table, rows] of Object.entries(counts)) {
      expect(await count(big, table), table).to.equal(rows);
    }
    expect(progress).to.deep.equal([10_000, 13_000]);
    expect(await brokenRules(big)).to.deep.equal([]);
  });

  it("opens a shop without any orders, or with one", async () => {
    for (const salesOrders of [0, 1]) {
      const small = await newShop();
      const counts = await openShop(small, { seed: 1, salesOrders, purchaseOrders: 0 });
      expect(counts).to.include({ staff: 20, sales_order: salesOrders, payment: salesOrders });
    }
  });

  it("keeps the shop's rules", async () => {
    expect(await brokenRules(shop)).to.deep.equal([]);
  });

  it("breaks no foreign key, though it spares itself their checks", async () => {
    expect(await brokenReferences(shop)).to.deep.equal([]);
  });

  it("has payments turn paid at 07:55 on their date, and never at a weekend", async () => {
    expect(await count(shop, "payment where paid")).to.be.above(1500);
    const odd = `payment where paid and (last_updated::date::text <> payment_date
      or to_char(last_updated, 'HH24:MI') <> '07:55' or extract(isodow from last_updated) > 5)`;
    expect(await count(shop, odd)).to.equal(0);
    const forgotten = `payment where not paid and payment_date > created_at::date::text
      and payment_date < '2023-12-29' and extract(isodow from payment_date::date) < 6`;
    expect(await count(shop, forgotten)).to.equal(0);
  });

  it("makes orders in working hours of the period alone", async () => {
    const outside = `sales_order where created_at < '2023-01-03 09:00' or created_at > '2023-12-29 17:00'
      or extract(isodow from created_at) > 5 or extract(hour from created_at) not between 8 and 18`;
    expect(await count(shop, outside)).to.equal(0);
  });

  it("makes no order of a design that is not there yet", async () => {
    const early = `sales_order o join design d using (design_id) where o.created_at < d.created_at`;
    expect(await count(shop, early)).to.equal(0);
  });

  it("takes another period, however short, also one without working hours", async () => {
    const short = await newShop();
    const from = new Date("2024-02-24T23:00:00Z");
    const to = new Date("2024-02-24T23:00:01Z");
    await openShop(short, { seed: 1, salesOrders: 100, from, to });
    const outside =
      "sales_order where created_at not between '2024-02-24 23:00' and '2024-02-24 23:00:01'";
    expect(await count(short, outside)).to.equal(0);
    expect(await brokenRules(short)).to.deep.equal([]);
  });

  it("has rows that share a millisecond", async () => {
    const shared = "(select from sales_order group by created_at having count(*) >= 5) as moment";
    expect(await count(shop, shared)).to.be.above(0);
  });

  it("has rows in no order: neither of ids nor of time", async () => {
    for (const order of ["created_at, sales_order_id", "ctid"]) {
      const inverted = `(select sales_order_id < lag(sales_order_id) over (order by ${order}) as back
                           from sales_order) as rows where back`;
      expect(await count(shop, inverted), order).to.be.above(10);
    }
  });

  it("has the values that break careless pipelines", async () => {
    const present = [
      "staff where last_name = 'O''Keefe' and email_address = 'niamh.o''keefe@totaltotes.example'",
      "address where country = 'Democratic People''s Republic of Korea'",
      "address where address_line_2 is null",
      "address where address_line_2 is not null",
      "address where district is null",
      "address where district is not null",
      "department where department_id = 4 and location = 'Leds'",
      "department where location is null",
      "counterparty where counterparty_legal_name like '%\"%'",
      "design where file_location like '\\\\\\\\%'",
    ];
    for (const rows of present) expect(await count(shop, rows), rows).to.be.above(0);
    expect(
      await count(shop, "counterparty where counterparty_legal_name like '%,%'"),
    ).to.be.at.least(7);
    expect(
      await shop.map(
        "select currency_code as c from currency order by 1",
        [],
        (row: { c: string }) => row.c,
      ),
    ).to.deep.equal(["EUR", "GBP", "USD"]);
    expect(await count(shop, "payment_type")).to.equal(4);
  });

  it("leaves the sequences after the greatest ids", async () => {
    const fresh = await shop.tx("undone", async (tx) => {
      const row = await tx.one<{ id: number }>(
        `insert into department (department_name, last_updated) values ('New', now())
         returning department_id as id`,
      );
      await tx.none("delete from department where department_id = $(id)", row);
      return row.id;
    });
    expect(fresh).to.equal(9);
  });

  it("needs no superuser", async () => {
    const { shop: theirs, credentials } = await newDatabases();
    const user = `clerk_of_${credentials.database}`;
    await theirs.none(
      `create role $(user:name) login password $(password);
       grant select, insert on all tables in schema public to $(user:name);
       grant usage, update on all sequences in schema public to $(user:name)`,
      { user, password: "it's a secret" },
    );
    const clerk = open({ ...credentials, user, password: "it's a secret" });
    await openShop(clerk, { seed: 1, salesOrders: 3000 });
    expect(await fingerprints(theirs)).to.deep.equal(await fingerprints(shop));
  });

  it("refuses a database that holds a shop already", async () => {
    await expect(openShop(shop, { seed: 1, salesOrders: 1 })).to.be.rejectedWith(
      "public.address already holds rows",
    );
  });

  it("refuses a database without totesys", async () => {
    const { warehouse } = await newDatabases();
    await expect(openShop(warehouse, { seed: 1, salesOrders: 1 })).to.be.rejectedWith(
      "no table public.address",
    );
  });

  it("refuses numbers of orders and periods that make no sense", async () => {
    const empty = await newShop();
    const day = new Date("2024-01-01T00:00:00Z");
    await expect(openShop(empty, { seed: 1, salesOrders: -1 })).to.be.rejectedWith(RangeError);
    await expect(openShop(empty, { seed: 1, salesOrders: 1.5 })).to.be.rejectedWith(RangeError);
    await expect(
      openShop(empty, { seed: 1, salesOrders: 1, from: day, to: day }),
    ).to.be.rejectedWith(RangeError, "the period has to end after it begins");
  });
});
