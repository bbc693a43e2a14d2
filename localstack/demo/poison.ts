import { healOrder, newOrders, poisonOrder } from "../totesys/shop.ts";
import { readQuarantine } from "./lake.ts";
import { changes, perform, type Scene } from "./scene.ts";
import { counted } from "../../cli/terminal.ts";
import { lostOf, readWatermarks, rowsWritten, takeTransactionId } from "./watermark.ts";

/** A row that fits nowhere, among others; then it is healed. */
export async function poison(scene: Scene): Promise<void> {
  const { terminal, shop, warehouse, chance: seed, clock } = scene;
  terminal.heading("6  A poisoned row");
  const { done, tick } = await perform(scene, async () => {
    const poisoned = await poisonOrder(shop, { seed, now: clock.later() });
    const others = await newOrders(shop, { seed, now: clock.later(), orders: 5 });
    return { ...poisoned, summary: `${poisoned.summary} ${others.summary}` };
  });
  await showQuarantine(scene, tick.ingested.batch);
  terminal.field("Warehouse", `The rest goes on. ${changes(tick.loaded)}`);

  const marks = await readWatermarks(shop);
  const since = await takeTransactionId(shop);
  const healed = await perform(scene, () => healOrder(shop, done.salesOrderId));
  await showQuarantine(scene, healed.tick.ingested.batch);
  const arrived = await warehouse.any<{ day: string }>(
    `select to_char(agreed_delivery_date, 'YYYY-MM-DD') as day from public.fact_sales_order
      where sales_order_id = $1 order by sales_record_id`,
    [done.salesOrderId],
  );
  terminal.field(
    "Warehouse",
    `Sales order ${done.salesOrderId} is there in ${counted(arrived.length, "version")}, to be ` +
      `delivered on ${arrived.at(-1)?.day ?? "no day"}.`,
  );
  const lost = lostOf(await rowsWritten(shop, marks, since));
  terminal.field(
    "Of note",
    "One bad row holds nobody up, and nothing is dropped in silence. Its repair did not touch " +
      `last_updated: a watermark would have lost ${lost}.`,
  );
}

async function showQuarantine(
  { terminal, s3, processedBucket }: Scene,
  batch: number,
): Promise<void> {
  for (const { table, key, reason } of await readQuarantine(s3, processedBucket, batch))
    terminal.field("Quarantine", `${table}, source key ${String(key)}: ${reason}`);
}
