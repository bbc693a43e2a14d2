import {
  lateCommit,
  newOrders,
  renameDepartment,
  settlePayments,
  silentUpdates,
} from "../totesys/shop.ts";
import type { Database, Done } from "../totesys/shop.ts";
import { changedRows, changes, perform, story, sum, type Scene } from "./scene.ts";
import { counted, listed } from "../../cli/terminal.ts";
import { lostOf, readWatermarks, rowsWritten, takeTransactionId } from "./watermark.ts";

/** The whole shop, from nothing. `fill` fills it. */
export async function firstLoad(
  stage: Pick<Scene, "terminal" | "service">,
  fill: () => Promise<Done>,
): Promise<void> {
  const { terminal } = stage;
  terminal.heading("1  The first load");
  const { tick } = await perform(stage, fill);
  const rows = changedRows(tick.loaded);
  const of = (kind: string): number =>
    sum(rows.filter(([table]) => table.startsWith(kind)).map(([, count]) => count));
  terminal.field(
    "Warehouse",
    `${counted(of("fact_"), "fact")} and ${counted(of("dim_"), "row")} of dimensions, in ` +
      `${counted(rows.length, "table")} that the loader created.`,
  );
  const transactions = tick.loaded.length;
  terminal.field(
    "Of note",
    transactions === 1
      ? "One snapshot of the shop, one transaction in the warehouse: whoever looks sees nothing or " +
          "all of it, never an order without its customer."
      : `One snapshot of the shop, ${counted(transactions, "transaction")} in the warehouse: no ` +
          "order is ever there without its customer.",
  );
}

/** New orders, and payments that turn paid. */
export async function tradingDay(scene: Scene): Promise<void> {
  const { terminal, shop, warehouse, chance: seed, clock } = scene;
  terminal.heading("2  A trading day");
  const now = clock.later();
  const { tick } = await perform(scene, async () => {
    const came = await newOrders(shop, { seed, now, orders: 40 });
    const paid = await settlePayments(shop, { seed, now, overdue: 10 });
    return { summary: `${came.summary} ${paid.summary}` };
  });
  terminal.field("Warehouse", changes(tick.loaded));
  const { both } = await warehouse.one<{ both: number }>(
    `select count(*)::int as both from (select from public.fact_payment group by payment_id
                                        having bool_or(paid) and not bool_and(paid)) as payment`,
  );
  terminal.field(
    "Of note",
    `Facts keep history: ${counted(both, "payment")} can be seen in both states, unpaid and paid.`,
  );
}

/** Changes that do not touch last_updated. */
export async function silence(scene: Scene): Promise<void> {
  const { terminal, shop, chance: seed } = scene;
  terminal.heading("3  Silent updates");
  const marks = await readWatermarks(shop);
  const since = await takeTransactionId(shop);
  const { tick } = await perform(scene, () =>
    silentUpdates(shop, { seed, sales: 12, purchases: 6, designs: 3 }),
  );
  terminal.field("Warehouse", changes(tick.loaded));
  const lost = lostOf(await rowsWritten(shop, marks, since));
  terminal.field(
    "Of note",
    `A last_updated watermark would have lost ${lost}. Changes are found by ` +
      "the transaction that wrote them.",
  );
}

/** A department's new name, which its staff show. */
export async function renaming(scene: Scene): Promise<void> {
  const { terminal, shop, warehouse, chance: seed, clock } = scene;
  terminal.heading("4  A department is renamed");
  const { departmentId } = await shop.one<{ departmentId: number }>(
    `select department_id as "departmentId" from public.staff
      group by 1 order by count(*) desc, 1 limit 1`,
  );
  const since = await takeTransactionId(shop);
  const { done, tick } = await perform(scene, () =>
    renameDepartment(shop, { seed, now: clock.later(), departmentId }),
  );
  const { shown } = await warehouse.one<{ shown: number }>(
    "select count(*)::int as shown from public.dim_staff where department_name = $1",
    [done.name],
  );
  terminal.field(
    "Warehouse",
    `${changes(tick.loaded)} Of ${done.staff} members of staff ${shown} show "${done.name}".`,
  );
  const written = await rowsWritten(shop, new Map(), since);
  const rows = written.map(({ table, rows }) => `${counted(rows, "row")} of ${table}`);
  if (written.every(({ table }) => table !== "staff")) rows.push("none of staff");
  terminal.field(
    "Of note",
    `The shop wrote ${listed(rows)}: a changed lookup reaches every row that ` + "shows it.",
  );
}

/** A transaction that writes early and commits late. */
export async function lateness(scene: Scene): Promise<void> {
  const { terminal, service, shop, warehouse, chance: seed, clock } = scene;
  terminal.heading("5  A transaction that commits late");
  const since = await takeTransactionId(shop);
  const late = await lateCommit(() => shop.connect(), { seed, now: clock.later() });
  let isOpen = true;
  try {
    const until = await takeTransactionId(shop);
    terminal.field("Shop", late.summary);
    await perform(scene, () => newOrders(shop, { seed, now: clock.later(), orders: 4 }));
    const marks = await readWatermarks(shop);
    const before = await ordersThere(warehouse, late.salesOrderIds);

    isOpen = false;
    const committed = await late.commit();
    const committedAt = performance.now();
    terminal.field("Shop", committed.summary);
    const tick = await terminal.working("the schedule ticks", (now) => service.tick(now));
    terminal.field("Pipeline", story(tick, tick.arrivedAt - committedAt));
    const after = await ordersThere(warehouse, late.salesOrderIds);
    terminal.field(
      "Warehouse",
      `Of the two orders ${before} had arrived before the commit, ${after} after it.`,
    );
    const lost = lostOf(await rowsWritten(shop, marks, since, until));
    terminal.field(
      "Of note",
      `When they became visible, newer rows were loaded already: a last_updated watermark would ` +
        `have lost ${lost}. One order was written in a savepoint, whose ` +
        "transaction id no snapshot lists.",
    );
  } finally {
    if (isOpen) await late.rollback();
  }
}

/** How many of these sales orders the warehouse has. */
async function ordersThere(warehouse: Database, ids: readonly number[]): Promise<number> {
  const { there } = await warehouse.one<{ there: number }>(
    `select count(distinct sales_order_id)::int as there from public.fact_sales_order
      where sales_order_id = any($1::int[])`,
    [ids],
  );
  return there;
}
