// The page on a pipeline that is at work: nothing here is a fixture.
import type { Browser } from "playwright-core";
import type { Places } from "../../src/operations/places.ts";
import { manifestKey } from "../../src/lake/keys.ts";
import { connectWith } from "../../src/postgres/connection.ts";
import { getTables } from "../../src/registry.ts";
import { answersOf } from "../../watch/pipeline.ts";
import { serve, type Watch } from "../../watch/server.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { browserOrSkip, open, openTab, type Tab } from "./browser.ts";

describe("totes watch on a pipeline at work", () => {
  let p: TestPipeline;
  let browser: Browser;
  let watch: Watch;
  let tab: Tab;
  /** Whether the warehouse is to be reached. */
  let isThere = true;

  before(async function () {
    browser = await browserOrSkip(this);
    p = await openPipeline({ orders: 30 });
    Object.assign(process.env, p.env);
    const places: Places = {
      source: () => connectWith(p.env.SOURCE_SECRET),
      warehouse: () =>
        isThere ? connectWith(p.env.WAREHOUSE_SECRET) : Promise.reject(new Error("no way there")),
      buckets: { ingestion: p.env.INGESTION_BUCKET, processed: p.env.PROCESSED_BUCKET },
      tables: await getTables(),
      stage: "local",
    };
    watch = await serve(answersOf(places), { port: 0, every: 100 });
    tab = await openTab(browser);
  });
  after(async () => {
    await browser?.close();
    await watch?.close();
    await closeAll();
  });
  afterEach(() => {
    expect(tab.problems.splice(0)).to.deep.equal([]);
  });
  const text = (selector: string): Promise<string> => tab.page.innerText(selector);
  const at = (hash: string): Promise<void> => open(tab, watch.url + hash);

  it("shows an empty warehouse, and batch 1 as it comes through all stations", async () => {
    await at("");
    expect(await text("#recent")).to.include("None yet.");
    expect(await tab.page.locator(".station.idle").count()).to.be.greaterThan(0);
    await p.ingest();
    await tab.page.waitForSelector("#at-ingestion_bucket.here");
    expect(await text("#recent tbody")).to.include("waits");
    await p.transform();
    await p.load();
    await tab.page.waitForSelector("#at-warehouse.here");
    await tab.page.waitForSelector("#recent .state.ok");
    expect(await text("#at-warehouse .lines")).to.include("batch 1");
  });

  it("shows a batch in full: what it held, that its bytes are what they were, what it did", async () => {
    await at("#/batches/1");
    expect(await text("h1")).to.equal("Batch 1 is in the warehouse");
    expect(await tab.page.locator(".objects .state.bad").count()).to.equal(0);
    expect(await tab.page.locator(".objects .state.ok").count()).to.be.greaterThan(10);
    expect(await text("[aria-label='Effects by table']")).to.include("fact_sales_order");
  });

  it("shows a quarantined row, and that it is gone once it is put right", async () => {
    await p.shop.none(
      "update sales_order set agreed_payment_date = 'soon' where sales_order_id = 3",
    );
    await p.run();
    await at("");
    await tab.page.waitForSelector("#nav .badge:text-is('1')");
    await tab.page.click("#nav a[href='#/quarantine']");
    await tab.page.waitForSelector("td.offending");
    expect(await text("td.offending")).to.equal("soon");
    await p.shop.none(
      "update sales_order set agreed_payment_date = '2023-02-01' where sales_order_id = 3",
    );
    await p.run();
    await tab.page.waitForSelector("#nav .badge", { state: "hidden" });
  });

  it("shows the tables and the business as the warehouse has them", async () => {
    await at("#/tables");
    expect(await text("#node-fact_sales_order")).to.include("31\u00A0rows");
    expect(await tab.page.locator(".edges path").count()).to.equal(16);
    await at("#/business");
    expect(await tab.page.locator(".thirds h3").count()).to.be.within(1, 3);
  });

  it("goes on telling the rest where the warehouse cannot be reached", async () => {
    isThere = false;
    await at("");
    await tab.page.waitForSelector("#health.bad");
    expect(await text("h1")).to.match(/warehouse/);
    expect(await tab.page.locator("#recent tbody tr").count()).to.equal(3);
    isThere = true;
    await tab.page.waitForSelector("#health.ok");
  });

  it("pages through a thousand batches", async () => {
    const { batch, ...last } = await p.ingested(3);
    const numbers = Array.from({ length: 1000 - batch }, (_, i) => batch + 1 + i);
    for (let i = 0; i < numbers.length; i += 50)
      await Promise.all(
        numbers
          .slice(i, i + 50)
          .map((next) =>
            p.put("ingestion", manifestKey(next), JSON.stringify({ ...last, batch: next })),
          ),
      );
    await at("#/batches");
    expect(await text(".page-head")).to.include("1,000\u00A0batches");
    expect(await tab.page.locator("tbody tr").count()).to.equal(50);
    await tab.page.click("[rel=next]");
    await tab.page.waitForSelector("a[href='#/batches/950']");
  });

  it("says that nobody answers when it was ended, and from when what is shown is", async () => {
    await at("");
    await tab.page.waitForSelector("#health:not(:empty)");
    await watch.close();
    await tab.page.waitForSelector("#lost:not([hidden])");
    expect(await text("#lost")).to.match(
      /^totes watch does not answer\. What you see is from \d\d:\d\d:\d\d UTC\./,
    );
    tab.problems.length = 0; // the browser's own lines about it
  });
});
