import {
  healOrder,
  lateCommit,
  newOrders,
  openShop,
  poisonOrder,
  random,
  renameDepartment,
  settlePayments,
  silentUpdates,
  trade,
  type Database,
} from "../../localstack/totesys/shop.ts";
import { expect } from "../support/chai.ts";
import { closeDatabases, newShop } from "./databases.ts";
import { brokenRules, fingerprints } from "./rules.ts";

after(closeDatabases);

/** A Wednesday, some days after the shops below have last traded. */
const now = new Date("2024-01-10T10:30:00.000Z");

async function openedShop(): Promise<Database> {
  const shop = await newShop();
  await openShop(shop, { seed: 1, salesOrders: 400 });
  return shop;
}

/** Every row of a table as text, by id. */
async function rowsOf(shop: Database, table: string): Promise<Map<number, string>> {
  const rows = await shop.any<{ id: number; row: string }>(
    "select $(key:name) as id, row::text from $(table:name) as row order by 1",
    { table, key: `${table}_id` },
  );
  return new Map(rows.map(({ id, row }) => [id, row]));
}

/** Runs `act` and gives how many rows of `table` it changed and added. */
async function changes(
  shop: Database,
  table: string,
  act: () => Promise<unknown>,
): Promise<{ changed: number; added: number }> {
  const before = await rowsOf(shop, table);
  await act();
  const after = await rowsOf(shop, table);
  const changed = [...before].filter(([id, row]) => after.get(id) !== row).length;
  return { changed, added: after.size - before.size };
}

async function lastUpdates(shop: Database): Promise<string> {
  const { hash } = await shop.one<{ hash: string }>(
    `select md5(string_agg(name || id || last_updated, ',' order by name, id)) as hash from (
       select 's' as name, sales_order_id as id, last_updated from sales_order
       union all select 'p', purchase_order_id, last_updated from purchase_order
       union all select 'd', design_id, last_updated from design) as rows`,
  );
  return hash;
}

describe("trade", () => {
  it("does the same for the same shop, seed and moment", async () => {
    const shops = [await openedShop(), await openedShop()];
    const done = [];
    for (const shop of shops) {
      const seed = random(9);
      done.push(await trade(shop, { seed, now, orders: 30 }));
      done.push(await trade(shop, { seed, now: new Date(now.getTime() + 600_000), orders: 30 }));
    }
    const [first, second, sameFirst, sameSecond] = done;
    expect(sameFirst).to.deep.equal(first);
    expect(sameSecond).to.deep.equal(second);
    expect(second).not.to.deep.equal(first);
    expect(await fingerprints(shops[1]!)).to.deep.equal(await fingerprints(shops[0]!));
  });

  it("says what it did, in numbers and in words", async () => {
    const shop = await openedShop();
    const sales = await rowsOf(shop, "sales_order");
    const done = await trade(shop, { seed: 1, now, orders: 40 });

    expect((await rowsOf(shop, "sales_order")).size - sales.size).to.equal(done.salesOrders);
    expect(done.salesOrders + done.purchaseOrders).to.equal(40);
    expect(done).to.include({ silentSales: 12, silentPurchases: 6, silentDesigns: 2 });
    expect(done.paid).to.be.above(4);
    expect(done.summary).to.equal(
      `${done.salesOrders} sales orders and ${done.purchaseOrders} purchase orders came in, ` +
        `${done.paid} payments turned paid; 12 sales orders, 6 purchase orders and 2 designs changed in silence.`,
    );
  });

  it("does nothing but enter payments when no orders come", async () => {
    const shop = await openedShop();
    const done = await trade(shop, { seed: 1, now, orders: 0 });
    expect(done).to.include({ salesOrders: 0, purchaseOrders: 0, silentSales: 0 });
  });

  it("refuses a shop that is not open", async () => {
    await expect(trade(await newShop(), { seed: 1, now, orders: 1 })).to.be.rejectedWith(
      "the shop has no staff to trade with",
    );
  });
});

describe("newOrders", () => {
  it("keeps the shop's rules, more orders than fit in one chunk too", async () => {
    const shop = await openedShop();
    const { added } = await changes(shop, "payment", () =>
      newOrders(shop, { seed: 1, now, orders: 10_500 }),
    );
    expect(added).to.equal(10_500);
    expect(await brokenRules(shop)).to.deep.equal([]);
  });

  it("makes them in the minute before now, some in one millisecond", async () => {
    const shop = await openedShop();
    await newOrders(shop, { seed: 1, now, orders: 50 });
    const made = await shop.one<{ first: string; last: string; orders: number; moments: number }>(
      `select min(created_at)::text as first, max(created_at)::text as last,
              count(*)::int as orders, count(distinct created_at)::int as moments
         from transaction where transaction_id > 576`,
    );
    expect(made.first >= "2024-01-10 10:29:00").to.equal(true, made.first);
    expect(made.last).to.equal("2024-01-10 10:30:00");
    expect(made.orders).to.equal(50);
    expect(made.moments).to.be.within(25, 45);
  });
});

describe("settlePayments", () => {
  it("enters each due payment once, with 07:55 of its date", async () => {
    const shop = await openedShop();
    await newOrders(shop, { seed: 1, now: new Date("2024-01-04T12:00:00Z"), orders: 60 });
    const done = await settlePayments(shop, { seed: 1, now });
    expect(done.onTime).to.be.above(20);
    expect(done.late).to.equal(0);
    const entered = await shop.any<{ day: string; at: string }>(
      `select distinct payment_date as day, to_char(last_updated, 'YYYY-MM-DD HH24:MI') as at
         from payment where paid and payment_id > 576`,
    );
    expect(entered).not.to.deep.equal([]);
    for (const { day, at } of entered) expect(at).to.equal(`${day} 07:55`);
    expect(await brokenRules(shop)).to.deep.equal([]);
    expect(await settlePayments(shop, { seed: 1, now })).to.include({ onTime: 0, late: 0 });
  });

  it("waits for 07:55", async () => {
    const shop = await openedShop();
    await settlePayments(shop, { seed: 1, now });
    await newOrders(shop, { seed: 1, now, orders: 60 });
    const early = new Date("2024-01-12T07:55:00.000Z");
    const late = new Date("2024-01-12T07:56:00.000Z");
    const thursday = await settlePayments(shop, { seed: 1, now: early });
    const friday = await settlePayments(shop, { seed: 1, now: late });
    expect(thursday.onTime).to.be.above(0);
    expect(friday.onTime).to.be.above(0);
    const paid = await shop.one<{ days: string[] }>(
      `select array_agg(distinct payment_date order by payment_date) as days
         from payment where paid and payment_id > 576`,
    );
    expect(paid.days).to.deep.equal(["2024-01-11", "2024-01-12"]);
  });

  it("enters the longest overdue ones now, when asked", async () => {
    const shop = await openedShop();
    await settlePayments(shop, { seed: 1, now });
    const done = await settlePayments(shop, { seed: 1, now, overdue: 7 });
    expect(done).to.include({ onTime: 0, late: 7 });
    expect(done.summary).to.match(/^0 payments turned paid on the day, 7 overdue payments later/);
    const { paid } = await shop.one<{ paid: number }>(
      "select count(*)::int as paid from payment where paid and last_updated = '2024-01-10 10:30'",
    );
    expect(paid).to.equal(7);
    expect(await brokenRules(shop)).to.deep.equal([]);
  });

  it("leaves payments alone whose date is none", async () => {
    const shop = await openedShop();
    await shop.none(
      "update payment set paid = false, payment_date = '2023-02-30' where payment_id = 1",
    );
    await shop.none("update payment set paid = false, payment_date = '' where payment_id = 2");
    await shop.none(
      "update payment set paid = false, payment_date = '2023-13-45' where payment_id = 3",
    );
    await settlePayments(shop, { seed: 1, now });
    const row = await shop.one<{ paid: boolean }>("select paid from payment where payment_id = 2");
    expect(row.paid).to.equal(false);
  });
});

describe("silentUpdates", () => {
  it("changes as many rows as it says, and no last_updated", async () => {
    const shop = await openedShop();
    const before = await lastUpdates(shop);
    const act = { seed: 5, sales: 40, purchases: 20, designs: 6 };
    const acted: Record<string, number> = {};
    for (const [table, only] of [
      ["sales_order", { ...act, purchases: 0, designs: 0 }],
      ["purchase_order", { ...act, sales: 0, designs: 0 }],
      ["design", { ...act, sales: 0, purchases: 0 }],
    ] as const) {
      const { changed, added } = await changes(shop, table, () => silentUpdates(shop, only));
      expect(added).to.equal(0);
      acted[table] = changed;
    }
    expect(acted).to.deep.equal({ sales_order: 40, purchase_order: 20, design: 6 });
    expect(await lastUpdates(shop)).to.equal(before);
    expect(await brokenRules(shop)).to.deep.equal([]);
  });

  it("changes staff, design, delivery date and place of orders, and nothing else", async () => {
    const shop = await openedShop();
    await shop.none("create table old as select * from sales_order");
    await silentUpdates(shop, { seed: 5, sales: 100, purchases: 0, designs: 0 });
    const changed = await shop.map<string>(
      `select distinct field from old join sales_order using (sales_order_id)
        cross join lateral jsonb_each_text(to_jsonb(old)) as before (field, value)
        where value is distinct from to_jsonb(sales_order) ->> field order by 1`,
      [],
      (row: { field: string }) => row.field,
    );
    expect(changed).to.deep.equal([
      "agreed_delivery_date",
      "agreed_delivery_location_id",
      "design_id",
      "staff_id",
    ]);
  });

  it("changes what there is when asked for more", async () => {
    const shop = await newShop();
    await openShop(shop, { seed: 1, salesOrders: 3, purchaseOrders: 0 });
    const done = await silentUpdates(shop, { seed: 1, sales: 10, purchases: 10, designs: 0 });
    expect(done).to.include({ sales: 3, purchases: 0, designs: 0 });
  });
});

describe("renameDepartment", () => {
  it("gives a department a name that none has, and moves last_updated", async () => {
    const shop = await openedShop();
    const done = await renameDepartment(shop, { seed: 1, now, departmentId: 4 });
    expect(done.departmentId).to.equal(4);
    expect(done.staff).to.be.above(0);
    expect(done.summary).to.match(
      /^Department 4 was "Dispatch" and is ".+": \d+ members? of staff\.$/,
    );
    const row = await shop.one<{ name: string; moved: boolean }>(
      `select department_name as name, last_updated = '2024-01-10 10:30' as moved
         from department where department_id = 4`,
    );
    expect(row).to.deep.equal({ name: done.name, moved: true });
  });

  it("takes the name that it is told", async () => {
    const shop = await openedShop();
    const name = `Robert'); drop table staff; --`;
    const done = await renameDepartment(shop, { seed: 1, now, departmentId: 1, name });
    expect(done.name).to.equal(name);
  });

  it("refuses a department that is not there", async () => {
    const shop = await openedShop();
    await expect(renameDepartment(shop, { seed: 1, now, departmentId: 99 })).to.be.rejectedWith(
      "there is no department 99",
    );
  });
});

describe("lateCommit", () => {
  it("shows nobody its rows until it commits; then they are older than they look", async () => {
    const shop = await openedShop();
    const late = await lateCommit(() => shop.connect(), { seed: 1, now });
    const seen = (): Promise<unknown[]> =>
      shop.any("select from sales_order where sales_order_id = any($1::int[])", [
        late.salesOrderIds,
      ]);
    expect(late.salesOrderIds).to.have.length(2);
    expect(await seen()).to.have.length(0);

    await newOrders(shop, { seed: 2, now: new Date(now.getTime() + 3_600_000), orders: 5 });
    expect((await late.commit()).summary).to.match(/are committed\.$/);
    expect(await seen()).to.have.length(2);
    expect(await brokenRules(shop)).to.deep.equal([]);
  });

  it("writes one of its orders in a savepoint, under a transaction id of its own", async () => {
    const shop = await openedShop();
    const late = await lateCommit(() => shop.connect(), { seed: 1, now });
    await late.commit();
    const ids = await shop.any(
      "select distinct xmin::text from sales_order where sales_order_id = any($1::int[])",
      [late.salesOrderIds],
    );
    expect(ids).to.have.length(2);
  });

  it("leaves nothing when it is undone", async () => {
    const shop = await openedShop();
    const { changed, added } = await changes(shop, "payment", async () => {
      const late = await lateCommit(() => shop.connect(), { seed: 1, now });
      expect((await late.rollback()).summary).to.match(/are undone\.$/);
    });
    expect({ changed, added }).to.deep.equal({ changed: 0, added: 0 });
  });

  it("ends once", async () => {
    const shop = await openedShop();
    const late = await lateCommit(() => shop.connect(), { seed: 1, now });
    await late.rollback();
    await expect(late.commit()).to.be.rejectedWith("the late transaction has ended already");
  });

  it("gives its connection back when writing fails", async () => {
    const shop = await newShop();
    await expect(lateCommit(() => shop.connect(), { seed: 1, now })).to.be.rejectedWith(
      "the shop has no staff to trade with",
    );
    expect(shop.$pool.totalCount - shop.$pool.idleCount).to.equal(0);
  });
});

describe("poisonOrder and healOrder", () => {
  it("put a day that never was into an order, and take it out in silence", async () => {
    const shop = await openedShop();
    const { salesOrderId, summary } = await poisonOrder(shop, { seed: 1, now });
    expect(summary).to.equal(
      `Sales order ${salesOrderId} is to be delivered on 2024-02-30, which is no day.`,
    );
    const read = (): Promise<{ day: string; updated: string }> =>
      shop.one(
        `select agreed_delivery_date as day, sales_order.last_updated::text as updated
           from sales_order join transaction using (sales_order_id)
           join payment using (transaction_id) where sales_order_id = $1`,
        [salesOrderId],
      );
    const poisoned = await read();
    expect(poisoned.day).to.equal("2024-02-30");

    await healOrder(shop, salesOrderId);
    expect(await read()).to.deep.equal({ ...poisoned, day: "2024-02-29" });
  });

  it("heal no order that is not there", async () => {
    const shop = await openedShop();
    await expect(healOrder(shop, 123_456)).to.be.rejectedWith("there is no sales order 123456");
  });
});
