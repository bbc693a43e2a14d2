import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { checkWarehouse, showCheck } from "../../localstack/demo/check.ts";
import { readOptions } from "../../localstack/demo/options.ts";
import { Service } from "../../localstack/demo/service.ts";
import { size, Terminal, wrap } from "../../cli/terminal.ts";
import { openShop } from "../../localstack/totesys/shop.ts";
import { starOf } from "../../localstack/totesys/star.ts";
import { expect } from "../support/chai.ts";
import { freshDatabases } from "../support/stack.ts";
import { closeDatabases, fillWarehouse, newDatabases, open } from "../totesys/databases.ts";
import {
  descendantsOf,
  eventually,
  isRunning,
  Paper,
  startCommand,
  Temporary,
  type Command,
} from "./support.ts";

describe("make run", () => {
  const temporary = new Temporary();
  before(() => temporary.make());
  after(() => temporary.remove());

  const start = (...args: string[]): Command =>
    startCommand("localstack/run.ts", args, { temporary });
  const end = async (...args: string[]): Promise<{ code: number; output: string }> => {
    const { child, output } = start(...args);
    const [code] = (await once(child, "close")) as [number];
    return { code, output: output() };
  };

  it("plays to the end in 80 columns, finds no difference, and leaves nothing", async () => {
    const { code, output } = await end("--orders", "60");
    expect(code, output).to.equal(0);
    for (const table of ["dim_date", "dim_staff", "fact_sales_order", "fact_payment"])
      expect(output).to.match(new RegExp(`  ${table} +[\\d,]+ +[\\d,]+ +0\\b`));
    expect(output).to.match(/No difference in [\d,]+ rows/);
    expect(output.replaceAll(/\s+/g, " "))
      .to.match(/Quarantine fact_sales_order, source key \d+: agreed_delivery_date: "2024-02-30"/)
      .and.to.match(/is there in 1 version, to be delivered on 2024-02-29/)
      .and.to.match(/Of the two orders 0 had arrived before the commit, 2 after it/)
      .and.to.match(/watermark would have lost these 6 rows/);
    expect(output).not.to.contain("\u001b");
    expect(output.split("\n").filter((line) => line.length > 80)).to.deep.equal([]);
    expect(temporary.leftovers()).to.deep.equal([]);
  });

  it("says what there is", async () => {
    const { code, output } = await end("--help");
    expect(code).to.equal(0);
    expect(output).to.contain("--dump FOLDER").and.to.contain("make run KEEP=1");
  });

  it("ends with 2 and says why where an option is wrong", async () => {
    const { code, output } = await end("--sail");
    expect({ code, output }).to.deep.equal({
      code: 2,
      output: "Unknown option '--sail'; --help says what there is\n",
    });
  });

  it("ends with 1 and says why where a dump is not there", async () => {
    const { code, output } = await end("--dump", "/nowhere");
    expect(code).to.equal(1);
    expect(output).to.contain("No dump at /nowhere");
    expect(temporary.leftovers()).to.deep.equal([]);
  });

  it("ends with 1 and says what to do where port 4566 is in use", async () => {
    const server = createServer().listen(4566, "127.0.0.1");
    // Where somebody else has it, it is in use as well.
    await Promise.race([once(server, "listening"), once(server, "error")]).catch(() => undefined);
    const { code, output } = await end("--keep", "--orders", "30");
    server.close();
    expect(code).to.equal(1);
    expect(output).to.match(/^ {2}Port 4566 is in use .*leave out KEEP=1\.$/m);
    expect(temporary.leftovers()).to.deep.equal([]);
  });

  for (const [moment, text] of [
    ["while PostgreSQL starts", "TotalTotes"],
    ["while the shop is loaded", "1  The first load"],
    ["while a transaction is open", "are written but not committed"],
  ] as const)
    it(`leaves neither a process nor a file after Ctrl-C ${moment}`, async () => {
      const { child, output } = start("--orders", "60");
      await eventually(() => expect(output()).to.contain(text));
      const processes = descendantsOf(child.pid!);
      child.kill("SIGINT");
      const [code] = (await once(child, "close")) as [number];
      expect(code).to.equal(130);
      expect(output()).to.match(/SIGINT: everything is stopped and removed\.\n$/);
      await eventually(() => {
        expect(processes.filter(isRunning)).to.deep.equal([]);
        expect(temporary.leftovers()).to.deep.equal([]);
      });
    });
});

describe("the check of a run", () => {
  after(closeDatabases);

  it("deserves 0 where the warehouse equals the shop, and 1 for each planted difference", async () => {
    const { shop, warehouse } = await newDatabases();
    await openShop(shop, { seed: 3, salesOrders: 25 });
    await fillWarehouse(warehouse, await starOf(shop));
    const check = async (): Promise<{ code: number; text: string }> => {
      const paper = new Paper();
      const code = showCheck(new Terminal(paper), await checkWarehouse(shop, warehouse));
      return { code, text: paper.text };
    };
    const before = await check();
    expect(before.code, before.text).to.equal(0);

    for (const [damage, told, repair] of [
      [
        "update dim_staff set last_name = last_name || '!' where staff_id = 2",
        "dim_staff staff_id=2: last_name is",
        "update dim_staff set last_name = trim(last_name, '!')",
      ],
      [
        "update fact_sales_order set created_time = created_time + interval '1 ms' where sales_order_id = 4",
        "fact_sales_order sales_order_id=4: created_time is",
        "update fact_sales_order set created_time = created_time - interval '1 ms' where sales_order_id = 4",
      ],
      [
        "insert into dim_currency values (99, 'XXX', 'none')",
        "dim_currency currency_id=99 is extra",
        "delete from dim_currency where currency_id = 99",
      ],
      [
        "create table kept as select * from dim_design; delete from dim_design where design_id = 1",
        "dim_design design_id=1 is missing",
        "insert into dim_design select * from kept where design_id = 1",
      ],
    ] as const) {
      await warehouse.none(damage);
      const { code, text } = await check();
      expect(code, damage).to.equal(1);
      expect(text.replaceAll(/\s+/g, " ")).to.contain(told);
      await warehouse.none(repair);
    }
    expect((await check()).code).to.equal(0);
  });

  it("finds a version that was loaded twice", async () => {
    const { shop, warehouse } = await newDatabases();
    await openShop(shop, { seed: 3, salesOrders: 5 });
    await fillWarehouse(warehouse, await starOf(shop));
    const columns = "payment_id, created_date, created_time, last_updated_date, last_updated_time";
    const more =
      "transaction_id, counterparty_id, payment_amount, currency_id, payment_type_id, paid, payment_date";
    await warehouse.none(
      `insert into fact_payment (${columns}, ${more})
       select ${columns}, ${more} from fact_payment where payment_id = 2`,
    );
    const { tables, problems } = await checkWarehouse(shop, warehouse);
    expect(problems).to.deep.equal(["fact_payment: 1 version the same as the one before"]);
    expect(tables.find(({ table }) => table === "fact_payment")).to.include({ differences: 1 });
  });
});

describe("the service of a run", () => {
  const stops: (() => unknown)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0).toReversed()) await stop();
    await closeDatabases();
  });

  const startService = async () => {
    const fresh = await freshDatabases();
    const shop = open(fresh.source);
    await openShop(shop, { seed: 3, salesOrders: 5 });
    const folder = mkdtempSync(path.join(tmpdir(), "run-test-"));
    stops.push(() => rmSync(folder, { recursive: true }));
    const defer = (_name: string, stop: () => unknown): void => void stops.push(stop);
    const service = new Service({ ...fresh, defer }, path.join(folder, "log"));
    return { service, shop, queues: fresh.queues };
  };

  it("brings what changed into the warehouse, and nothing where nothing did", async () => {
    const { service } = await startService();
    const first = await service.tick();
    expect(first.loaded.map(({ batch }) => batch)).to.deep.equal([1]);
    const second = await service.tick();
    expect(second.ingested.outcome).to.equal("unchanged");
    expect(second.loaded).to.deep.equal([]);
  });

  it("says which function failed, and why", async () => {
    const { service, shop } = await startService();
    await shop.none("alter table staff rename column first_name to forename");
    await expect(service.tick()).to.be.rejectedWith(
      /^The ingestion function failed: .*staff\.first_name/,
    );
  });

  it("says why a message was given up, once", async () => {
    const { service, queues } = await startService();
    queues.transformation.send("no JSON");
    await expect(service.tick()).to.be.rejectedWith(
      /^The transformation function failed: refused: message .* is not JSON.* \(1 message given up/,
    );
    const { loaded, ingested } = await service.tick();
    expect(ingested.outcome).to.equal("unchanged");
    expect(loaded.map(({ batch }) => batch)).to.deep.equal([1]);
  });
});

describe("a run's command line", () => {
  it("is a generated shop of 5,000 sales orders unless said otherwise", () => {
    expect(readOptions([])).to.deep.equal({
      dump: undefined,
      keep: false,
      trade: false,
      orders: 5000,
      seed: 1,
    });
  });

  it("is refused where it makes no sense", () => {
    for (const [args, why] of [
      [["--orders", "many"], "--orders takes a whole number"],
      [["--orders", "0"], "--orders takes a whole number"],
      [["--orders", "1000000"], "--orders takes a whole number"],
      [["--seed=-1"], "--seed takes a whole number"],
      [["--trade"], "--trade goes with --keep"],
      [["--dump", ""], "--dump takes a folder"],
      [["--dump", "d", "--orders", "3"], "--orders is for a generated shop"],
      [["more"], "Unexpected argument 'more'"],
    ] as const)
      expect(() => readOptions(args), args.join(" ")).to.throw(why);
  });
});

describe("text for a person", () => {
  it("is broken at blanks", () => {
    expect(wrap("one two three", 7)).to.deep.equal(["one two", "three"]);
    expect(wrap("unbreakable", 3)).to.deep.equal(["unbreakable"]);
  });

  it("gives sizes as people do", () => {
    expect([0, 999, 1000, 1_234_567].map(size)).to.deep.equal(["0 B", "999 B", "1.0 kB", "1.2 MB"]);
  });

  it("falls silent", () => {
    const paper = new Paper();
    const terminal = new Terminal(paper);
    terminal.line("a");
    terminal.silence();
    terminal.line("b");
    expect(paper.text).to.equal("a\n");
  });
});
