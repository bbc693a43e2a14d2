// docs/analytics: every question, asked of the warehouse and of the lake, answers what the shop itself says.
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { ask, openLake } from "../../cli/lake/duckdb.ts";
import { copyLake } from "../../src/lake-sql/copy.ts";
import { getTables } from "../../src/registry.ts";
import { closeAll, openPipeline, type Database, type TestPipeline } from "../support/pipeline.ts";
import { expect } from "../support/chai.ts";

type Rows = readonly (readonly (string | null)[])[];

const open = async (lake: string, asOf?: number): Promise<DuckDBConnection> =>
  openLake(await getTables(), { lake, asOf });

/** An answer as PostgreSQL writes it. */
async function asked(duckdb: DuckDBConnection, sql: string): Promise<Rows> {
  const { columns, rows } = await ask(duckdb, sql, 10_000);
  return rows.map((row) =>
    columns.map((column) => (row[column] === null ? null : String(row[column] as string))),
  );
}

const FOLDER = path.join(import.meta.dirname, "..", "..", "docs", "analytics");
const questionOf = (name: string): Promise<string> =>
  readFile(path.join(FOLDER, `${name}.sql`), "utf8");

/** Rows as PostgreSQL writes them. */
async function rowsOf(db: Database, text: string): Promise<Rows> {
  const client = await db.connect();
  try {
    const { rows } = await client.client.query<string[]>({
      text,
      rowMode: "array",
      types: { getTypeParser: () => (value: string) => value },
    });
    return rows;
  } finally {
    await client.done();
  }
}

/** What the shop's own tables answer, written without a look at the question's SQL. */
const ANSWERS: Readonly<Record<string, string>> = {
  "sales-by-month": `
    select currency_code, (to_char(o.created_at, 'YYYY-MM') || '-01'), count(*), sum(units_sold), sum(units_sold * unit_price)
      from sales_order o, currency c where c.currency_id = o.currency_id group by 1, 2 order by 1, 2`,
  "best-designs": `
    select d.design_id, d.design_name, d.file_name, t.orders, t.units from design d, (
      select design_id, count(*) as orders, sum(units_sold) as units from sales_order group by design_id) t
     where t.design_id = d.design_id order by t.units desc, 1 limit 10`,
  "sales-by-staff": `
    select s.staff_id, s.first_name, s.last_name,
           (select department_name from department d where d.department_id = s.department_id), t.orders, t.units
      from staff s, (select staff_id, count(*) as orders, sum(units_sold) as units from sales_order group by 1) t
     where t.staff_id = s.staff_id order by t.units desc, 1`,
  "sales-by-country": `
    select country, currency_code, n, value from (
      select a.country, c.currency_code, count(*) as n, sum(o.units_sold * o.unit_price) as value, min(a.address_id) as least
        from sales_order o, address a, currency c
       where a.address_id = o.agreed_delivery_location_id and c.currency_id = o.currency_id group by 1, 2) t
     order by n desc, least, currency_code`,
  "payments-on-time": `
    select t.payment_type_name,
           sum((p.paid and p.last_updated::date <= p.payment_date::date)::int),
           sum((p.paid and p.last_updated::date > p.payment_date::date)::int),
           sum((not p.paid and p.payment_date < today)::int), sum((not p.paid and p.payment_date >= today)::int)
      from payment p join payment_type t on t.payment_type_id = p.payment_type_id,
           (select to_char(max(last_updated), 'YYYY-MM-DD') as today from payment) n
     group by t.payment_type_id, t.payment_type_name order by t.payment_type_id`,
  "overdue-payments": `
    select o.counterparty_id, o.counterparty_legal_name, c.currency_code, min(p.payment_date), count(*), sum(p.payment_amount)
      from payment p, counterparty o, currency c
     where o.counterparty_id = p.counterparty_id and c.currency_id = p.currency_id and p.paid = false
       and p.payment_type_id in (select payment_type_id from payment_type where payment_type_name::text = 'SALES_RECEIPT')
       and p.payment_date < (select to_char(max(last_updated), 'YYYY-MM-DD') from payment)
     group by 1, 2, 3 order by 4, 1, 3`,
  "purchases-by-supplier": `
    select o.counterparty_id, o.counterparty_legal_name, c.currency_code, count(*), sum(p.item_quantity * p.item_unit_price)
      from purchase_order p, counterparty o, currency c
     where o.counterparty_id = p.counterparty_id and c.currency_id = p.currency_id group by 1, 2, 3 order by 1, 3`,
  // Of what the test did to orders 1 to 3: the shop has forgotten it.
  "changes-of-orders": `
    values ('1', '2', 'member of staff', '1', '2'), ('1', '3', 'member of staff', '2', '1'),
           ('2', '2', 'design', '1', '2'), ('2', '2', 'delivery day', '2023-05-05', '2023-06-06'),
           ('3', '2', 'units', '10', '20')`,
  "how-fresh": `
    select 'payments', max(last_updated)::text, count(*), count(*) + 3 from payment union all
    select 'purchase orders', max(last_updated)::text, count(*), count(*) from purchase_order union all
    select 'sales orders', max(last_updated)::text, count(*), count(*) + 4 from sales_order`,
};

after(closeAll);

describe("the questions of docs/analytics", () => {
  let p: TestPipeline;
  let lake: string;
  let duckdb: DuckDBConnection;

  before(async () => {
    p = await openPipeline({ orders: 300 });
    lake = await mkdtemp(path.join(tmpdir(), "lake-"));
    // Payment 1 is not paid yet, payments 2 and 3 are long overdue; of payment 4 below the last day is today.
    await p.shop.none(
      `update sales_order set staff_id = 1, design_id = 1, units_sold = 10, agreed_delivery_date = '2023-05-05'
        where sales_order_id in (1, 2, 3);
       update payment set paid = false where payment_id = 1;
       update payment set paid = false, payment_date = '2023-01-02',
              payment_type_id = (select payment_type_id from payment_type where payment_type_name = 'SALES_RECEIPT')
        where payment_id in (2, 3)`,
    );
    await p.run();
    await p.shop.none(
      `update sales_order set staff_id = 2 where sales_order_id = 1;
       update sales_order set design_id = 2, agreed_delivery_date = '2023-06-06' where sales_order_id = 2;
       update sales_order set units_sold = 20 where sales_order_id = 3;
       update payment set paid = true, last_updated = payment_date::date + interval '7 hours' where payment_id = 1;
       update sales_order set units_sold = units_sold where sales_order_id = 4`,
    );
    await p.run();
    await p.shop.none(
      `update sales_order set staff_id = 1 where sales_order_id = 1;
       update payment set paid = true, last_updated = payment_date::date + interval '30 hours' where payment_id = 2;
       update payment set paid = false, payment_date = (select to_char(max(last_updated), 'YYYY-MM-DD') from payment),
              payment_type_id = (select payment_type_id from payment_type where payment_type_name = 'SALES_RECEIPT')
        where payment_id = 4;
       update department set department_name = 'Totes and bags'`,
    );
    await p.run();
    Object.assign(process.env, p.env);
    await copyLake(p.env.PROCESSED_BUCKET, lake);
    duckdb = await open(lake);
  });
  after(async () => {
    duckdb.closeSync();
    await rm(lake, { recursive: true });
  });

  for (const name of Object.keys(ANSWERS)) {
    it(`${name}: the warehouse and the lake say what the shop says`, async () => {
      const truth = await rowsOf(p.shop, ANSWERS[name]!);
      const question = await questionOf(name);
      expect(truth.length).to.be.above(0);
      expect(await rowsOf(p.star, question)).to.deep.equal(truth);
      expect(await asked(duckdb, question)).to.deep.equal(truth);
    });
  }

  it("payments-on-time: one was paid on time, one late, and one is overdue, as was done to them", async () => {
    const rows = await rowsOf(p.star, await questionOf("payments-on-time"));
    const sum = (column: number): number => rows.reduce((all, row) => all + Number(row[column]), 0);
    expect([sum(2), sum(3) >= 1]).to.deep.equal([1, true]);
  });

  it("are all tried here, and each says what it asks", async () => {
    const files = (await readdir(FOLDER)).filter(
      (file) => file.endsWith(".sql") && file !== "lake.sql",
    );
    expect(files.sort()).to.deep.equal(
      Object.keys(ANSWERS)
        .map((name) => `${name}.sql`)
        .sort(),
    );
    for (const file of files)
      expect(await readFile(path.join(FOLDER, file), "utf8"), file).to.match(/^-- [^?]+\?/);
  });

  it("are answered as of any batch, by the lake", async () => {
    const staffOf = async (asOf?: number) => {
      const before = await open(lake, asOf);
      const sql = `select distinct on (sales_order_id) sales_staff_id from fact_sales_order where sales_order_id = 1
                    order by sales_order_id, sales_record_id desc`;
      const rows = await asked(before, sql);
      before.closeSync();
      return rows;
    };
    expect(await staffOf(1)).to.deep.equal([["1"]]);
    expect(await staffOf(2)).to.deep.equal([["2"]]);
    expect(await staffOf()).to.deep.equal([["1"]]);
  });

  it("are asked of what manifests name alone: what a run left that lost a race is not read", async () => {
    const [file] = (await readdir(path.join(lake, "dim_staff"), { recursive: true })).filter(
      (one) => one.endsWith(".parquet"),
    );
    const orphan = path.join(
      lake,
      "dim_staff",
      `${file!}`.replace(/[^/]+$/, "0000000009-aaaaaaaaaaaa.parquet"),
    );
    await writeFile(orphan, "not even Parquet");
    const rows = await asked(duckdb, "select count(*), count(distinct staff_id) from dim_staff");
    const [staff] = await rowsOf(p.shop, "select count(*), count(*) from staff");
    expect(rows).to.deep.equal([staff]);
  });

  it("are not asked of a lake without a batch: that is said", async () => {
    const empty = await openPipeline({ orders: 0 });
    Object.assign(process.env, empty.env);
    await expect(copyLake(empty.env.PROCESSED_BUCKET, lake)).to.be.rejectedWith("has no batch yet");
    Object.assign(process.env, p.env);
    await copyLake(p.env.PROCESSED_BUCKET, lake);
  });

  it("are asked of a copy that only gets what is new, and nothing that its manifest does not say", async () => {
    const stale = path.join(lake, "_batches", "0000000005.json");
    await writeFile(stale, "of another bucket of that name");
    expect((await copyLake(p.env.PROCESSED_BUCKET, lake)).copied).to.equal(0);
    expect((await readdir(path.dirname(stale))).sort().at(-1)).to.equal("0000000003.json");
    await p.shop.none("update design set file_location = '/moved' where design_id = 1");
    await p.run();
    expect((await copyLake(p.env.PROCESSED_BUCKET, lake)).copied).to.equal(1);
    const { objects } = await p.processed(4);
    await p.put("processed", objects[0]!.key, "PAR1PAR1");
    const elsewhere = await mkdtemp(path.join(tmpdir(), "lake-"));
    try {
      await expect(copyLake(p.env.PROCESSED_BUCKET, elsewhere)).to.be.rejectedWith(
        `${objects[0]!.key} is not what was committed: expected`,
      );
    } finally {
      await rm(elsewhere, { recursive: true });
    }
  });
});
