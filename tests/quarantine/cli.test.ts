// `totes quarantine`, as a person or a script runs it.
import { ingest } from "../../src/ingestion/ingest.ts";
import { getConnection } from "../../src/postgres/connection.ts";
import { getTables } from "../../src/registry.ts";
import { withEnvironment } from "../support/environment.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { callTotes, spawnTotes, type Ran } from "../support/totes.ts";

describe("totes quarantine", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 10 });
    await p.run();
    await p.shop.none(
      `insert into currency (currency_id, currency_code, last_updated) values (7, 'XQZ', now()), (8, E'\\u009bJ\\n', now());
       update sales_order set agreed_payment_date = 'soon' where sales_order_id = 3;
       update sales_order set agreed_payment_date = 'later' where sales_order_id = 4`,
    );
    await p.run();
  });
  after(closeAll);
  const ask = (...args: string[]): Promise<Ran> => callTotes(p.env, ["quarantine", ...args]);

  it("counts rows by table and reason, with a bar", async () => {
    const { code, out, err } = await spawnTotes(p.env, ["quarantine"]);
    expect(err).to.equal("");
    expect(out).to.match(/^dim_currency, since 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/m);
    expect(out).to.match(/^ +2 █{20} currency_code … is not in ISO 4217$/m);
    expect(out).to.match(/^ +2 █{20} agreed_payment_date: … is not a date \(YYYY-MM-DD\)$/m);
    expect(out).to.match(/^ {2}4 rows in quarantine$/m);
    expect(code).to.equal(0);
  });

  it("counts in JSON too", async () => {
    const { code, out } = await ask("counts", "--json", "--table", "dim_currency");
    const [count, ...more] = JSON.parse(out) as { since: string }[];
    expect(more).to.deep.equal([]);
    const { since, ...rest } = count!;
    expect(rest).to.deep.equal({
      table: "dim_currency",
      reason: "currency_code … is not in ISO 4217",
      rows: 2,
    });
    expect(Date.now() - Date.parse(since)).to.be.within(0, 600_000);
    expect(code).to.equal(0);
  });

  it("lists rows with what is to be known of them, those of a table and a reason alone", async () => {
    const { code, out } = await ask("list", "--table", "fact_sales_order", "--reason", "LATER");
    expect(code).to.equal(0);
    expect(out).to.include("fact_sales_order: 4 of sales_order\n");
    expect(out).to.match(/ since +20\S+Z, batch 2\n/);
    expect(out).to.match(/ reason +agreed_payment_date: "later" is not a date \(YYYY-MM-DD\)\n/);
    expect(out).to.include("1 row in quarantine");
    expect(out).to.not.include("soon");
    const json = await ask("list", "--json", "--limit", "1");
    expect(JSON.parse(json.out)).to.have.length(1);
  });

  it("shows a row column by column, as the source gave it, and nothing that a terminal would obey", async () => {
    const { code, out } = await ask("show", "8", "--table", "dim_currency");
    expect(code).to.equal(0);
    expect(out).to.match(/^ {2}currency_id +8$/m);
    expect(out).to.match(/^ {2}currency_code +"\ufffdJ\\n"$/m);
    expect(out).to.not.match(/[^\P{Cc}\n]/u);
    const json = JSON.parse((await ask("show", "8", "--table", "dim_currency", "--json")).out) as {
      row: { currency_code: string };
    }[];
    expect(json.map(({ row }) => row.currency_code)).to.deep.equal(["\u009bJ\n"]);
    const none = await ask("show", "1", "--table", "dim_currency");
    expect(none.code).to.equal(1);
    expect(none.out).to.include("dim_currency: no row with the key 1 is in quarantine");
  });

  it("has rows read again", async () => {
    const { code, out, err } = await ask("retry", "--table", "dim_currency");
    expect(err).to.equal("");
    expect(out).to.include("read again: 2 of currency; the newest batch is 4");
    expect(code).to.equal(0);
    const json = await ask("retry", "--json", "--reason", "nothing like it");
    expect(JSON.parse(json.out)).to.deep.equal({
      outcome: "nothing to read",
      batch: 0,
      read: {},
      gone: {},
      leftOut: 0,
    });
  });

  it("says of rows that no key names that they were not read again", async () => {
    await p.star.none(
      `insert into etl.quarantine select table_name, source_name, repeat('k', 200) || '… md5 ' || md5('k'), reason, batch,
              first_batch, since, "row" from etl.quarantine where source_name = 'currency' and key = '7'`,
    );
    const { code, out } = await ask("retry", "--table", "dim_currency");
    expect(code).to.equal(0);
    expect(out).to.match(/^ {2}left out: 1 row that no key names, as it is null or too long;/m);
    await p.star.none("delete from etl.quarantine where key like 'kkk%'");
  });

  it("has nothing read by a checkout of other modules than a deployed stage runs", async () => {
    const tables = (await getTables()).map((table) =>
      table.name === "dim_staff" ? { ...table, version: 99 } : table,
    );
    const connect = () => getConnection({ ...p.users.reader, schema: "public" });
    await withEnvironment(p.env, () => ingest(connect, p.env.INGESTION_BUCKET, tables));
    const before = await p.keys("ingestion", "_batches/");
    for (const line of [
      ["quarantine", "retry"],
      ["reconcile", "--repair", "--yes"],
    ]) {
      const { code, out, err } = await callTotes(p.env, [...line, "--stage", "dev"]);
      expect({ code, out }).to.deep.equal({ code: 2, out: "" });
      expect(err).to.match(
        /^nothing was read: this checkout has other modules for dim_staff than batch \d+ of stage dev was read for; check out/,
      );
    }
    expect(await p.keys("ingestion", "_batches/")).to.deep.equal(before);
    await p.run();
    expect((await ask("retry", "--stage", "dev")).code).to.equal(0);
    await p.run();
  });

  it("says what it lacks where a warehouse has no quarantine, or cannot be opened", async () => {
    const fresh = await openPipeline({ orders: 0 });
    const none = await callTotes(fresh.env, ["quarantine"]);
    expect(none.code).to.equal(2);
    expect(none.err).to.match(/^QuarantineError: the warehouse has no etl\.quarantine: the loader/);
    const lost = await callTotes({ ...fresh.env, WAREHOUSE_SECRET: "no/such" }, ["quarantine"]);
    expect(lost.code).to.equal(2);
    expect(lost.err).to.match(/no\/such/);
  });
});

describe("the options of totes quarantine", () => {
  for (const [args, message] of [
    [["lst"], 'action is one of counts, list, show and retry, not "lst"; did you mean list?'],
    [["show"], "say which row: show KEY --table TABLE;"],
    [["show", "7"], "say which row: show KEY --table TABLE;"],
    [["list", "--limit", "0"], '--limit takes a whole number from 1 to 1000000, not "0";'],
    [["list", "--tabel", "x"], "there is no option --tabel; did you mean --table?"],
    [["--table", "dim_stuff"], "there is no table dim_stuff; did you mean dim_staff?"],
  ] as [string[], string][])
    it(`are told of where they are ${args.join(" ")}`, async () =>
      expect(await callTotes({}, ["quarantine", ...args])).to.deep.equal({
        code: 2,
        out: "",
        err: `${message} \`totes quarantine --help\` says what there is\n`,
      }));
});
