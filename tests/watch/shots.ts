// `npm run shots`: the pictures of docs/pictures/, of a pipeline that runs here, and of its line when it stands.
import "../support/hooks.ts";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { trade } from "../../localstack/totesys/shop.ts";
import { overview } from "../../src/operations/overview.ts";
import { PATIENCE } from "../../src/operations/look.ts";
import type { Places } from "../../src/operations/places.ts";
import { connectWith } from "../../src/postgres/connection.ts";
import { getTables } from "../../src/registry.ts";
import { answersOf } from "../../watch/pipeline.ts";
import { serve } from "../../watch/server.ts";
import { closeAll, openPipeline } from "../support/pipeline.ts";
import { stopStack } from "../support/stack.ts";
import { findChromium, open, openBrowser, openTab } from "./browser.ts";

/** Up to when the generated shop has traded. */
const CLOSED = Date.UTC(2023, 11, 29, 17);
const TICKS = 14;
const NOTHING = { waiting: 0, inFlight: 0, dead: 0 };

const folder = path.join(import.meta.dirname, "..", "..", "docs", "pictures");
const chromium = findChromium();
if (chromium === undefined) throw new Error("no Chromium here: install one, or set CHROMIUM");
await mkdir(folder, { recursive: true });
const p = await openPipeline({ orders: 4000 });
Object.assign(process.env, p.env);
const places: Places = {
  source: () => connectWith(p.env.SOURCE_SECRET),
  warehouse: () => connectWith(p.env.WAREHOUSE_SECRET),
  buckets: { ingestion: p.env.INGESTION_BUCKET, processed: p.env.PROCESSED_BUCKET },
  tables: await getTables(),
  stage: "local",
  // The functions are called here, one after the other: nothing waits.
  queues: async () => ({ ingestion: NOTHING, transformation: NOTHING, loading: NOTHING }),
};
const browser = await openBrowser(chromium);
// What stands is said at once, and not when it has stood a while.
const watch = await serve(
  { ...answersOf(places), overview: () => overview(places, { ...PATIENCE, waits: 0 }) },
  { port: 0 },
);

async function shoot(name: string, view: string, colorScheme: "light" | "dark"): Promise<void> {
  const tab = await openTab(browser, {
    colorScheme,
    reducedMotion: "reduce",
    viewport: { width: 1280, height: 1000 },
  });
  await open(tab, watch.url + view);
  await tab.page.waitForSelector("#health:not(:empty)");
  await tab.page.screenshot({ path: path.join(folder, `${name}.png`) });
  await tab.page.context().close();
  if (tab.problems.length > 0) throw new Error(`${name}: ${tab.problems.join("; ")}`);
}

async function tick(minute: number): Promise<void> {
  const orders = 5 + ((minute * 7) % 20);
  await trade(p.shop, { seed: minute, now: new Date(CLOSED + minute * 60_000), orders });
  await p.run();
}

try {
  await p.run();
  for (let minute = 1; minute <= TICKS; minute++) await tick(minute);
  await shoot("overview", "", "light");
  await shoot("batch", `#/batches/${TICKS}`, "light");
  await shoot("tables", "#/tables", "light");
  await shoot("business", "#/business", "light");
  await p.star.none("alter table fact_sales_order alter column unit_price type real");
  for (let minute = TICKS + 1; minute <= TICKS + 3; minute++)
    await tick(minute).catch(() => undefined);
  await shoot("stopped", "", "dark");
} finally {
  await browser.close();
  await watch.close();
  await closeAll();
  await stopStack();
}
