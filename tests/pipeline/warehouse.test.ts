// What the loader makes of the warehouse: tables, inferred members, new columns, skipped batches.
import { getTables } from "../../src/registry.ts";
import {
  boolean,
  date,
  decimal,
  defineSource,
  defineTable,
  integer,
  isFact,
  key,
  nullable,
  references,
  serial,
  text,
  time,
} from "../../src/table.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, queued, type TestPipeline } from "../support/pipeline.ts";
import { loadWith, runWith, tablesOf } from "../support/stages.ts";

describe("the warehouse", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 15 });
    await p.run();
  });
  after(closeAll);

  it("gets the tables of the declarations: types, keys, references, grain", async () => {
    const columns = await p.star.any<{ line: string }>(
      `select column_name || ' ' || data_type || coalesce('(' || numeric_precision || ',' || nullif(numeric_scale, 0) || ')', '')
              || case is_nullable when 'YES' then ' null' else '' end as line
         from information_schema.columns where table_name = 'fact_sales_order' order by ordinal_position`,
    );
    expect(columns.map(({ line }) => line)).to.deep.equal([
      "sales_record_id integer",
      "sales_order_id integer",
      "created_date date",
      "created_time time without time zone",
      "last_updated_date date",
      "last_updated_time time without time zone",
      "sales_staff_id integer",
      "counterparty_id integer",
      "units_sold integer",
      "unit_price numeric(10,2)",
      "currency_id integer",
      "design_id integer",
      "agreed_payment_date date",
      "agreed_delivery_date date",
      "agreed_delivery_location_id integer",
    ]);
    const keys = await p.star.any<{ key: string }>(
      `select conrelid::regclass || ' ' || pg_get_constraintdef(oid) as key from pg_constraint
        where conrelid::regclass::text in ('fact_payment', 'dim_date') and contype in ('p', 'f') order by 1`,
    );
    expect(keys.map((row) => row.key)).to.deep.equal([
      "dim_date PRIMARY KEY (date_id)",
      "fact_payment FOREIGN KEY (counterparty_id) REFERENCES dim_counterparty(counterparty_id)",
      "fact_payment FOREIGN KEY (created_date) REFERENCES dim_date(date_id)",
      "fact_payment FOREIGN KEY (currency_id) REFERENCES dim_currency(currency_id)",
      "fact_payment FOREIGN KEY (last_updated_date) REFERENCES dim_date(date_id)",
      "fact_payment FOREIGN KEY (payment_date) REFERENCES dim_date(date_id)",
      "fact_payment FOREIGN KEY (payment_type_id) REFERENCES dim_payment_type(payment_type_id)",
      "fact_payment FOREIGN KEY (transaction_id) REFERENCES dim_transaction(transaction_id)",
      "fact_payment PRIMARY KEY (payment_record_id)",
    ]);
  });

  it("does not rewrite a dimension's row that stayed the same", async () => {
    const before = await p.star.any("select xmin, ctid from dim_staff order by staff_id");
    await p.ingest({ resync: true });
    await p.run();
    expect(await p.star.any("select xmin, ctid from dim_staff order by staff_id")).to.deep.equal(
      before,
    );
  });

  it("gets an inferred member for a quarantined dimension row, and the real row in its place once that fits", async () => {
    await p.shop.none(
      `insert into currency (currency_id, currency_code, last_updated) values (9, 'XQZ', now());
       update sales_order set currency_id = 9 where sales_order_id = 1`,
    );
    await p.run();
    expect(await p.star.one("select * from dim_currency where currency_id = 9")).to.deep.equal({
      currency_id: 9,
      currency_code: "unknown",
      currency_name: "unknown",
    });
    const receipts = await p.keys("processed", "_loads/");
    const receipt = JSON.parse((await p.get("processed", receipts.at(-1)!)).toString());
    expect(receipt).to.deep.include({ inferred: { dim_currency: 1 }, rejected: 1 });
    await p.shop.none("update currency set currency_code = 'CHF' where currency_id = 9");
    await p.run();
    expect(await p.star.one("select * from dim_currency where currency_id = 9")).to.deep.equal({
      currency_id: 9,
      currency_code: "CHF",
      currency_name: "Swiss Franc",
    });
    await p.expectTrue({ allowExtraDates: true });
  });

  it("stops at a batch that cannot be loaded, and goes on once an operator skips it", async () => {
    const newest = (await p.load()).newest!;
    await p.shop.none("update staff set first_name = 'Skipped' where staff_id = 1");
    await p.ingest();
    await p.transform();
    const [object] = (await p.processed(newest + 1)).objects;
    await p.remove("processed", object!.key);
    await p.shop.none("update staff set first_name = 'Kept' where staff_id = 2");
    await p.ingest();
    await p.transform();
    const stuck = await p.load(queued(p.env.PROCESSED_BUCKET, newest + 2));
    expect(stuck.batchItemFailures).to.deep.equal([{ itemIdentifier: `m${newest + 2}` }]);

    await expect(p.load({ skip: newest + 2, why: "wrong one" })).to.be.rejectedWith(
      `batch ${newest + 2} cannot be skipped: the next batch to load is ${newest + 1}`,
    );
    await expect(p.load({ skip: newest + 1 })).to.be.rejectedWith(/say which and why/);
    const skipped = await p.load({ skip: newest + 1, why: "its object is gone for good" });
    expect(skipped.loaded!.map(({ batch }) => batch)).to.deep.equal([newest + 2]);
    expect(
      await p.star.one("select skipped_why from etl.batch_load where batch = $1", [newest + 1]),
    ).to.deep.equal({ skipped_why: "its object is gone for good" });
    const receipt = JSON.parse(
      (await p.get("processed", `_loads/${String(newest + 1).padStart(10, "0")}.json`)).toString(),
    );
    expect(receipt).to.include({ batch: newest + 1, skipped_why: "its object is gone for good" });
    // What it held comes with the next resync: nothing is lost in the source.
    await p.ingest({ resync: true });
    await p.run();
    await p.expectTrue({ allowExtraDates: true });
  });
});

describe("a table's declaration that grows", () => {
  let p: TestPipeline;
  const thing = defineSource("thing", { id: key(integer), kind_id: integer, word: text });
  const kind = defineSource("kind", { id: key(integer), word: text });
  const dim_kind = defineTable({
    name: "dim_kind",
    description: "One row per kind.",
    source: kind,
    columns: { id: key(integer), word: text },
    format: (row) => row,
  });
  const small = defineTable({
    name: "fact_thing",
    description: "One row per version of a thing.",
    source: thing,
    columns: { record_id: serial, id: key(integer) },
    format: ({ id }) => ({ id }),
  });
  const large = defineTable({
    ...small,
    columns: {
      record_id: serial,
      id: key(integer),
      kind_id: references("dim_kind", integer),
      word: text,
      maybe: nullable(date),
      price: decimal(5, 2),
      flag: boolean,
      at: time,
    },
    format: ({ id, kind_id, word }) => ({
      id,
      kind_id,
      word,
      maybe: null,
      price: "1.5",
      flag: true,
      at: "01:02:03.4",
    }),
  });
  before(async () => {
    p = await openPipeline({ orders: 0 });
    await p.shop
      .none(`create table kind (id int primary key, word text not null); insert into kind values (7, 'k');
      create table thing (id int primary key, kind_id int not null, word text not null); insert into thing values (1, 7, 'a'), (2, 7, 'b')`);
    await runWith(p, tablesOf(dim_kind, small));
  });
  after(closeAll);

  it("gets its new columns, with placeholders in the rows from before and the truth in new versions", async () => {
    await runWith(p, tablesOf(dim_kind, large));
    const rows = await p.star.any("select * from fact_thing order by record_id");
    const old = {
      kind_id: 0,
      word: "unknown",
      maybe: null,
      price: "0.00",
      flag: false,
      at: "00:00:00",
    };
    const now = { kind_id: 7, maybe: null, price: "1.50", flag: true, at: "01:02:03.4" };
    expect(rows).to.deep.equal([
      { record_id: 1, id: 1, ...old },
      { record_id: 2, id: 2, ...old },
      { record_id: 3, id: 1, word: "a", ...now },
      { record_id: 4, id: 2, word: "b", ...now },
    ]);
    expect(await p.star.any("select * from dim_kind order by id")).to.deep.equal([
      { id: 0, word: "unknown" },
      { id: 7, word: "k" },
    ]);
  });

  it("makes the same rows of the old files in an emptied warehouse", async () => {
    const read = () => p.star.any("select * from fact_thing order by record_id");
    const before = await read();
    await p.star.none("drop schema public cascade; drop schema etl cascade; create schema public");
    await loadWith(p, tablesOf(dim_kind, large));
    expect(await read()).to.deep.equal(before);
  });

  it("keeps what it has when the declaration shrinks to columns that may be left out", async () => {
    const loaded = loadWith(p, tablesOf(dim_kind, small));
    await expect(loaded).to.be.rejectedWith(
      /fact_thing\.kind_id: is not declared, not null and without a default/,
    );
  });

  it("is the shop's star where the primary keys of facts begin with the natural key", async () => {
    const fresh = await openPipeline({ orders: 15 });
    const distributed = (await getTables()).map((table) =>
      isFact(table) ? { ...table, distributed: true } : table,
    );
    await runWith(fresh, distributed);
    await fresh.shop.none(
      "update sales_order set units_sold = units_sold + 1 where sales_order_id < 4",
    );
    await runWith(fresh, distributed);
    const keys = await fresh.star.any<{ key: string; indexes: number }>(
      `select c.relname || ' ' || pg_get_constraintdef(o.oid) as key,
              (select count(*)::int from pg_index i where i.indrelid = c.oid) as indexes
         from pg_constraint o join pg_class c on c.oid = o.conrelid
        where o.contype = 'p' and c.relname ~ '^fact_' order by 1`,
    );
    expect(keys).to.deep.equal([
      { key: "fact_payment PRIMARY KEY (payment_id, payment_record_id)", indexes: 1 },
      {
        key: "fact_purchase_order PRIMARY KEY (purchase_order_id, purchase_record_id)",
        indexes: 1,
      },
      { key: "fact_sales_order PRIMARY KEY (sales_order_id, sales_record_id)", indexes: 1 },
    ]);
    await fresh.expectTrue();
  });
});
