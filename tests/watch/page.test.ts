// The page as people see it, in a real browser.
import { setTimeout as delay } from "node:timers/promises";
import type { Browser } from "playwright-core";
import { serve, type Watch } from "../../watch/server.ts";
import type { Answers } from "../../watch/answers.ts";
import { eventually } from "../localstack/support.ts";
import { expect } from "../support/chai.ts";
import { browserOrSkip, expectUsable, open, openTab, type Tab } from "./browser.ts";
import { answersOf, overview, STAR } from "./fixtures.ts";

describe("the page of totes watch", () => {
  let browser: Browser;
  let watch: Watch;
  let tab: Tab;
  /** What the server answers; each test says which. */
  let answers: Answers;

  before(async function () {
    browser = await browserOrSkip(this);
    const asked =
      <K extends keyof Answers>(name: K) =>
      (...args: unknown[]) =>
        (answers[name] as (...of: unknown[]) => unknown)(...args);
    const names = Object.keys(answersOf("empty")) as (keyof Answers)[];
    const passing = Object.fromEntries(names.map((name) => [name, asked(name)]));
    watch = await serve(passing as unknown as Answers, { port: 0, every: 50 });
    tab = await openTab(browser);
  });
  after(async () => {
    await browser?.close();
    await watch?.close();
  });
  beforeEach(() => {
    answers = answersOf("healthy", STAR);
  });
  afterEach(() => {
    expect(tab.problems.splice(0)).to.deep.equal([]);
  });

  const text = (selector: string): Promise<string> => tab.page.innerText(selector);
  const at = (hash: string): Promise<void> => open(tab, watch.url + hash);

  it("says first whether all is well, then shows the way of a batch, and nothing moves while it loads", async () => {
    await at("");
    expect(await text("h1")).to.equal("Healthy. The warehouse is 42 s behind the shop.");
    expect(await tab.page.locator(".station strong").allInnerTexts()).to.deep.equal([
      "Shop",
      "Ingestion",
      "Ingestion bucket",
      "Transformation",
      "Processed bucket",
      "Loading",
      "Warehouse",
    ]);
    expect(await tab.page.locator("#recent tbody tr").count()).to.equal(8);
    await tab.page.waitForTimeout(1200); // past the ages' next second
    const shifted = await tab.page.evaluate(
      `new Promise((done) => new PerformanceObserver((list) => done(list.getEntries().reduce((sum, { value }) => sum + value, 0)))
         .observe({ type: "layout-shift", buffered: true }) ?? setTimeout(() => done(0), 200))`,
    );
    expect(shifted).to.be.lessThan(0.01);
  });

  for (const [theme, width] of [
    ["light", 1280],
    ["dark", 390],
  ] as const)
    it(`has no barrier and no sideways scroll in any view: ${theme}, ${width} px`, async () => {
      const own = await openTab(browser, {
        colorScheme: theme,
        viewport: { width, height: 844 },
        reducedMotion: "reduce",
      });
      const look = async (hash: string): Promise<void> => {
        await open(own, watch.url + hash);
        await expectUsable(own, hash || "overview");
      };
      for (const hash of ["", "#/batches/4124", "#/tables", "#/tables/fact_visit"])
        await look(hash);
      for (const hash of ["#/quarantine", "#/business"]) await look(hash);
      answers = answersOf("stopped");
      for (const hash of ["", "#/batches/43"]) await look(hash);
      for (const state of ["held", "unreachable"] as const) {
        answers = answersOf(state);
        await look("");
      }
      answers = answersOf("empty");
      for (const hash of ["", "#/batches"]) await look(hash);
      await own.page.context().close();
    });

  it("goes everywhere by keys", async () => {
    await at("");
    const { keyboard } = tab.page;
    const shows = (title: string): Promise<void> =>
      eventually(
        async () => void expect(await tab.page.title()).to.equal(`${title} · totes watch`),
        20,
      );
    for (const [key, title] of [
      ["2", "Batches"],
      ["3", "Tables"],
      ["4", "Quarantine"],
      ["5", "Business"],
      ["2", "Batches"],
    ] as const) {
      await keyboard.press(key);
      await shows(title);
    }
    await keyboard.press("j");
    await keyboard.press("j");
    await keyboard.press("Enter");
    await shows("Batch 4,126");
    await keyboard.press("[");
    await shows("Batch 4,125");
    await keyboard.press("]");
    await shows("Batch 4,126");
    await keyboard.press("]");
    await shows("Batch 4,127");
    expect(await tab.page.locator("[data-next]").count()).to.equal(0);
    // Whoever types faster than the tables are read means what was typed, not what was listed before.
    const { tables } = answers;
    answers = { ...answers, tables: () => delay(300).then(tables) };
    await keyboard.press("/");
    await keyboard.type("mood");
    await keyboard.press("Enter");
    await shows("fact_visit");
    expect(await text("tr.found td")).to.include("mood");
    await keyboard.press("t");
    expect(await tab.page.getAttribute("html", "data-theme")).to.equal("light");
    await keyboard.press("t");
    await tab.page.reload();
    expect(await tab.page.getAttribute("html", "data-theme")).to.equal("dark");
    await keyboard.press("t");
  });

  it("reads out a chart's points by arrow keys", async () => {
    await at("");
    await tab.page.focus("[aria-label='Lag, the last hour']");
    await tab.page.keyboard.press("Home");
    expect(await text(".reading .readout")).to.match(/^\d\d:\d\d: \d+\u00A0s$/);
  });

  it("shows a batch that comes, station by station, and its row at the end", async () => {
    await at("");
    await tab.page.waitForSelector("#health.ok");
    answers = { ...answers, overview: async () => overview("healthy", 4128) };
    await tab.page.waitForSelector("#at-ingestion.here");
    await tab.page.waitForSelector(".token.busy");
    expect(await text(".token.busy")).to.equal("4,128");
    await tab.page.waitForSelector("#at-warehouse.here");
    expect(await text("#recent tbody tr:first-child a")).to.equal("4,128");
    expect(await text("#at-warehouse .lines")).to.include("at batch 4,128");
  });

  it("says a turn for the worse to those who hear it, and leads to what to do", async () => {
    await at("");
    await tab.page.waitForSelector("#health.ok");
    answers = answersOf("stopped");
    await tab.page.waitForSelector("#said:has-text('Stopped at batch 43.')", { state: "attached" });
    expect(await text("#todo")).to.include("npx totes redrive --queue loading");
    expect(await text(".token.warn")).to.equal("44–49 wait");
    expect(await text("#health")).to.equal("Stopped at 43");
    await tab.page.click(".checks a[href='#/batches/43']");
    await tab.page.waitForSelector(".gantt");
    expect(await text("h1")).to.equal("Batch 43 failed 5 times");
    expect(await text(".todo")).to.include("ALTER TABLE fact_payment");
  });

  it("shows quarantined rows by reason, the offending value first, as text whatever it is", async () => {
    await at("#/quarantine");
    expect(await text("#nav .badge")).to.equal("3");
    expect(await text("h1")).to.equal("3\u00A0rows in quarantine");
    expect(await tab.page.locator("td.offending").allInnerTexts()).to.deep.equal([
      "2024-02-30",
      "30/11/2026",
      "<script>STG</script>",
    ]);
  });

  it("pages through a thousand batches", async () => {
    answers = answersOf("thousand");
    await at("#/batches");
    expect(await text(".page-head")).to.include("1,000\u00A0batches, numbered without gaps");
    await tab.page.click("[rel=next]");
    await tab.page.waitForSelector("a[href='#/batches/950']");
    expect(await tab.page.locator("tbody tr").count()).to.equal(50);
    await tab.page.click("text=Not finished");
    await tab.page.waitForSelector("text=Every batch is in the warehouse.");
  });

  it("tells why a view cannot be had, and of a batch and a table that are not there", async () => {
    answers = {
      ...answers,
      tables: () => Promise.reject(new Error("cannot connect to PostgreSQL warehouse on here:1")),
    };
    await at("#/tables");
    expect(await text(".empty p")).to.equal("cannot connect to PostgreSQL warehouse on here:1");
    tab.problems.length = 0; // the browser's own line about 503
    answers = answersOf("healthy", STAR);
    for (const [hash, title] of [
      ["#/batches/9999", "No such batch"],
      ["#/batches/x", "No such batch"],
      ["#/tables/dim_nothing", "No such table"],
    ] as const) {
      await at(hash);
      expect(await text(".empty h1")).to.equal(title);
      tab.problems.length = 0; // and about 404
    }
  });

  it("shows which columns changed from version to version", async () => {
    await at("#/tables/fact_visit");
    expect(await tab.page.locator("mark").allInnerTexts()).to.deep.equal(["fine"]);
  });
});
