import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { DumpError, loadDump } from "../../localstack/totesys/dump.ts";
import { openShop, trade, type Database } from "../../localstack/totesys/shop.ts";
import { compare, latestOf, problems, starOf } from "../../localstack/totesys/star.ts";
import { expect } from "../support/chai.ts";
import { closeDatabases, fillWarehouse, newDatabases, newShop } from "./databases.ts";
import { brokenRules, fingerprints } from "./rules.ts";

after(closeDatabases);

const TABLES = [
  "address",
  "counterparty",
  "currency",
  "department",
  "design",
  "payment",
  "payment_type",
  "purchase_order",
  "sales_order",
  "staff",
  "transaction",
];

let folder: string;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "dump-"));
});
after(() => rm(folder, { recursive: true, force: true }));

/** Writes a shop's rows as a dump, in the order in which they lie in their tables. */
async function writeDump(shop: Database, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const table of TABLES) {
    const lines = await shop.map<string>(
      "select row_to_json(row)::text as line from (select * from $1:name order by ctid) as row",
      [table],
      (row: { line: string }) => row.line,
    );
    await writeFile(path.join(to, `${table}.jsonl.gz`), gzipSync(`${lines.join("\n")}\n`));
  }
}

describe("loadDump", () => {
  let whole: string;
  let original: Database;
  before(async () => {
    original = await newShop();
    await openShop(original, { seed: 4, salesOrders: 700 });
    whole = path.join(folder, "whole");
    await writeDump(original, whole);
    await writeFile(path.join(whole, "README"), "not a table's");
  });

  /** A copy of the dump, spoilt. */
  async function spoilt(name: string, content: string | Buffer): Promise<string> {
    const copy = await mkdtemp(path.join(folder, "spoilt-"));
    await cp(whole, copy, { recursive: true });
    await writeFile(path.join(copy, name), content);
    return copy;
  }

  it("loads every row as it was, and says how many", async () => {
    const shop = await newShop();
    const counts = await loadDump(shop, whole);
    expect(counts).to.include({ staff: 20, sales_order: 700, payment: 1008 });
    expect(await fingerprints(shop)).to.deep.equal(await fingerprints(original));
  });

  it("lets the shop trade on with fresh ids", async () => {
    const shop = await newShop();
    await loadDump(shop, whole);
    await trade(shop, { seed: 1, now: new Date("2024-01-08T10:00:00Z"), orders: 20 });
    expect(await brokenRules(shop)).to.deep.equal([]);
  });

  it("loads numbers exactly, which a float could not hold", async () => {
    const row = { design_id: 1, design_name: "Λινό\t\"\\ '", file_location: "/", file_name: "" };
    const stamps = {
      created_at: "2024-02-29T23:59:59.999",
      last_updated: "2024-02-29T23:59:59.999",
    };
    const shop = await newShop();
    const copy = await spoilt(
      "design.jsonl.gz",
      gzipSync(`${JSON.stringify({ ...row, ...stamps })}\r\n`),
    );
    for (const table of ["sales_order", "purchase_order", "transaction", "payment"]) {
      await writeFile(path.join(copy, `${table}.jsonl.gz`), gzipSync(""));
    }
    const order = `{"purchase_order_id":7,"created_at":"2024-01-01T00:00:00","last_updated":"2024-01-01T00:00:00","staff_id":1,"counterparty_id":1,"item_code":"A","item_quantity":1,"item_unit_price":99999999.99,"currency_id":1,"agreed_delivery_date":"2024-01-01","agreed_payment_date":"2024-01-01","agreed_delivery_location_id":1}`;
    await writeFile(path.join(copy, "purchase_order.jsonl.gz"), gzipSync(order));
    await loadDump(shop, copy);
    expect(
      await shop.one("select item_unit_price::text as price from purchase_order"),
    ).to.deep.equal({ price: "99999999.99" });
    expect(
      await shop.one("select design_name as name, created_at::text as at from design"),
    ).to.deep.equal({ name: row.design_name, at: "2024-02-29 23:59:59.999" });
  });

  const line = (text: string): Buffer => gzipSync(`{"currency_id":1}\n\n${text}\n`);
  const cut = gzipSync("{}".repeat(500)).subarray(0, 25);
  const spoilings: [string, string, string | Buffer, string][] = [
    [
      "a file that is not gzip",
      "staff.jsonl.gz",
      "hello",
      "staff.jsonl.gz cannot be read: not gzip",
    ],
    [
      "a file that was cut",
      "staff.jsonl.gz",
      cut,
      "staff.jsonl.gz cannot be read: the gzip data end",
    ],
    ["a file of an unknown table", "staffs.jsonl.gz", cut, 'totesys has no table "staffs"'],
    [
      "a line that is not JSON",
      "currency.jsonl.gz",
      line("{oops"),
      "currency.jsonl.gz, line 3: not JSON",
    ],
    ["a line that is no object", "currency.jsonl.gz", line("[1]"), "line 3: not a JSON object"],
    [
      "an unknown column",
      "currency.jsonl.gz",
      line('{"shoe":1}'),
      'line 3: the table has no column "shoe"',
    ],
    [
      "bytes that are not UTF-8",
      "staff.jsonl.gz",
      gzipSync(Buffer.from([0xff])),
      "staff.jsonl.gz cannot be read",
    ],
    [
      "a row that does not fit",
      "currency.jsonl.gz",
      gzipSync('{"currency_id":1}'),
      "currency.jsonl.gz: null value",
    ],
  ];
  for (const [what, name, content, message] of spoilings) {
    it(`refuses ${what}, and loads nothing`, async () => {
      const shop = await newShop();
      const copy = await spoilt(name, content);
      await expect(loadDump(shop, copy)).to.be.rejectedWith(DumpError, message);
      await loadDump(shop, whole);
    });
  }

  it("names the folder that is absent", async () => {
    const nowhere = path.join(folder, "nowhere");
    await expect(loadDump(await newShop(), nowhere)).to.be.rejectedWith(
      DumpError,
      `no dump at ${nowhere}`,
    );
  });

  it("names the files that are absent", async () => {
    const copy = await spoilt("README", "");
    await rm(path.join(copy, "payment.jsonl.gz"));
    await rm(path.join(copy, "address.jsonl.gz"));
    await expect(loadDump(await newShop(), copy)).to.be.rejectedWith(
      DumpError,
      "lacks address.jsonl.gz, payment.jsonl.gz",
    );
  });

  it("refuses a database that holds rows, or no totesys", async () => {
    await expect(loadDump(original, whole)).to.be.rejectedWith("already holds rows");
    const { warehouse } = await newDatabases();
    await expect(loadDump(warehouse, whole)).to.be.rejectedWith("no table public.address");
  });
});

describe("the real dump", () => {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const dump = path.resolve(root, process.env.TOTESYS_DUMP ?? "../shared/data/totesys-2023-11-06");
  const databases = {
    shop: undefined as Database | undefined,
    warehouse: undefined as Database | undefined,
  };

  before(async function () {
    if (!existsSync(dump)) {
      console.log(`    skipped: no real dump at ${dump} (TOTESYS_DUMP)`);
      this.skip();
    }
    Object.assign(databases, await newDatabases());
  });

  it("loads, and keeps the rules that the generator keeps", async () => {
    const shop = databases.shop!;
    const counts = await loadDump(shop, dump);
    expect(counts).to.include({
      sales_order: 5099,
      purchase_order: 2247,
      payment: 7346,
      design: 249,
    });
    expect(await brokenRules(shop)).to.deep.equal([]);
  });

  it("fits the star whole", async () => {
    const star = await starOf(databases.shop!);
    const sizes = Object.fromEntries([...star].map(([name, { rows }]) => [name, rows.length]));
    expect(sizes).to.include({
      dim_staff: 20,
      dim_location: 30,
      dim_currency: 3,
      dim_design: 249,
      dim_counterparty: 20,
      dim_payment_type: 4,
      dim_transaction: 7346,
      fact_sales_order: 5099,
      fact_purchase_order: 2247,
      fact_payment: 7346,
    });
    expect([...star.values()].flatMap(({ quarantined }) => quarantined)).to.deep.equal([]);
    await fillWarehouse(databases.warehouse!, star);
    expect(problems(compare(star, await latestOf(databases.warehouse!)))).to.deep.equal([]);
  });

  it("trades on", async () => {
    const shop = databases.shop!;
    const done = await trade(shop, { seed: 1, now: new Date("2023-11-08T09:00:00Z"), orders: 50 });
    expect(done.paid).to.be.above(10);
    expect(await brokenRules(shop)).to.deep.equal([]);
  });
});
