import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { IngestionSummary } from "../../src/ingestion/ingest.ts";
import { fillShop, openDatabase } from "../demo/databases.ts";
import { showDoors } from "../demo/keep.ts";
import { openLog } from "../demo/log.ts";
import { Clock, sum } from "../demo/scene.ts";
import { counted, listed, type Terminal } from "../../cli/terminal.ts";
import { scheduleEvent } from "../events.ts";
import { freePort } from "../postgres.ts";
import type { Stack } from "../stack.ts";
import { random, trade, type Database } from "../totesys/shop.ts";
import { Functions } from "./functions.ts";
import type { OfflineOptions } from "./options.ts";
import { Report } from "./report.ts";
import { functionsOn, SERVICE, SlsError } from "./sls.ts";
import { watchFolders } from "./watch.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** What the functions are made of. */
const folders = ["tables", "src"];

/**
 * Fills the shop, runs `sls offline` on a stack and has the stack's queues deliver to it; starts it anew whenever a file
 * changed. Does not return.
 * @throws SlsError where it does not start at first, or ends by itself; DumpError, and what PostgreSQL throws, for the shop
 */
export async function serve(
  options: OfflineOptions,
  terminal: Terminal,
  stack: Stack,
  logFile: string,
): Promise<never> {
  const log = openLog(stack, logFile);
  terminal.field("S3, secrets", stack.aws.endpoint);
  terminal.field("PostgreSQL", `${stack.postgres.host}:${stack.postgres.port}: totesys, warehouse`);
  const shop = openDatabase(stack, "totesys");
  const { summary } = await fillShop(options, terminal, shop);
  terminal.field("Shop", summary);

  const port = await freePort(options.invokePort);
  const report = new Report(terminal);
  const functions = new Functions(
    stack,
    port,
    (line) => {
      log(line);
      report.line(line);
    },
    (failure) => report.complain(failure),
  );
  const changes = watchFolders(root, folders);
  stack.defer("the watch", () => changes.close());
  /** The schedule's own tick would be up to a minute away. */
  const tick = async (isAnew: boolean): Promise<void> => {
    try {
      const summary = await functions.invoke("ingestion", scheduleEvent("ingestion"));
      tell(terminal, summary as IngestionSummary, isAnew);
    } catch {
      // It was said already, or cut off by the next start.
    }
  };

  await terminal.working("sls offline packages the functions and starts", () => functions.start());
  showDoors(terminal, stack, [
    `export FUNCTIONS=${functionsOn(port)}`,
    `curl -d '{}' $FUNCTIONS/${SERVICE}-ingestion/invocations`,
  ]);
  terminal.line();
  const trading = options.trade > 0 ? `, the shop trades every ${options.trade} s` : "";
  terminal.paragraph(
    `The schedule ticks every minute${trading}. Save a file of ${folders.join("/ or ")}/, and the functions start anew ` +
      "with it. Ctrl-C stops and removes everything.",
  );
  terminal.line();
  void tick(false);
  if (options.trade > 0) {
    const over = new AbortController();
    stack.defer("the shop's trade", () => over.abort());
    void tradeOn(terminal, report, shop, await Clock.after(shop), options, over.signal);
  }

  for (;;) {
    const next = await Promise.race([changes.next(), functions.ended]);
    if (next instanceof SlsError) throw next;
    terminal.field("Changed", `${listed(next)}. The functions start anew.`);
    await functions.stop();
    report.forget();
    try {
      await functions.start();
      void tick(true);
    } catch (error) {
      if (!(error instanceof SlsError)) throw error;
      terminal.alarm(error.message);
      terminal.paragraph("With the next change they are started again.");
    }
  }
}

/** What ingestion found after a start. */
function tell(
  terminal: Terminal,
  { outcome, reasons, rows }: IngestionSummary,
  isAnew: boolean,
): void {
  if (reasons.length > 0)
    terminal.field(
      "Ingestion",
      `${reasons.join(", ")}: ${counted(sum(Object.values(rows)), "row")} read.`,
    );
  else if (isAnew && outcome === "unchanged")
    terminal.field(
      "Ingestion",
      "Nothing to read. What a formatter makes of rows shows when they change, or when its table's `version` is raised.",
    );
}

/** Has the shop trade until `signal`. Whoever looks around may break it, and repair it. */
async function tradeOn(
  terminal: Terminal,
  report: Report,
  shop: Database,
  clock: Clock,
  options: OfflineOptions,
  signal: AbortSignal,
): Promise<void> {
  const seed = random(options.seed);
  while (!signal.aborted) {
    try {
      await delay(options.trade * 1000, undefined, { signal });
      const { summary } = await trade(shop, { seed, now: clock.later(30), orders: 3 });
      terminal.field("Shop", summary);
    } catch (error) {
      if (signal.aborted) return;
      report.complain(
        `The shop cannot trade: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
}
