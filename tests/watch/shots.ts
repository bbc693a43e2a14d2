// `npm run shots`: the pictures of docs/pictures/. The tables are those of a pipeline that runs here; what seldom happens is fixtures.
import "../support/hooks.ts";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { trade } from "../../localstack/totesys/shop.ts";
import { table, tables } from "../../src/operations/tables.ts";
import { connectWith } from "../../src/postgres/connection.ts";
import { getTables } from "../../src/registry.ts";
import { business } from "../../watch/business.ts";
import { serve } from "../../watch/server.ts";
import { closeAll, openPipeline } from "../support/pipeline.ts";
import { stopStack } from "../support/stack.ts";
import { findChromium, open, openBrowser, openTab } from "./browser.ts";
import { answersOf, type State } from "./fixtures.ts";

/** By the picture's name: the pipeline's state, the view, the theme. */
const PICTURES = {
  overview: ["healthy", "", "light"],
  stopped: ["stopped", "", "dark"],
  batch: ["healthy", "#/batches/4124", "light"],
  tables: ["healthy", "#/tables", "light"],
  business: ["healthy", "#/business", "light"],
} as const satisfies Record<string, readonly [State, string, "light" | "dark"]>;

/** Up to when the generated shop has traded. */
const CLOSED = Date.UTC(2023, 11, 29, 17);

const folder = path.join(import.meta.dirname, "..", "..", "docs", "pictures");
const chromium = findChromium();
if (chromium === undefined) throw new Error("no Chromium here: install one, or set CHROMIUM");
await mkdir(folder, { recursive: true });
const p = await openPipeline({ orders: 4000 });
const browser = await openBrowser(chromium);
try {
  await p.run();
  for (let minute = 1; minute <= 3; minute++) {
    await trade(p.shop, { seed: minute, now: new Date(CLOSED + minute * 60_000), orders: 20 });
    await p.run();
  }
  const places = {
    warehouse: () => connectWith(p.env.WAREHOUSE_SECRET),
    tables: await getTables(),
  };
  const real = {
    tables: () => tables(places),
    table: (name: string) => table(places, name),
    business: () => business(places),
  };
  for (const [name, [state, view, colorScheme]] of Object.entries(PICTURES)) {
    const watch = await serve(answersOf(state, real), { port: 0 });
    const tab = await openTab(browser, {
      colorScheme,
      reducedMotion: "reduce",
      viewport: { width: 1280, height: 1000 },
    });
    await open(tab, watch.url + view);
    await tab.page.waitForSelector("#health:not(:empty)");
    await tab.page.screenshot({ path: path.join(folder, `${name}.png`) });
    await tab.page.context().close();
    await watch.close();
    if (tab.problems.length > 0) throw new Error(`${name}: ${tab.problems.join("; ")}`);
  }
} finally {
  await browser.close();
  await closeAll();
  await stopStack();
}
