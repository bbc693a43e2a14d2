import { counted, newOrders, settlePayments, silentUpdates } from "./acts.ts";
import type { Act, Done } from "./acts.ts";
import { random } from "./random.ts";
import type { Database } from "./source.ts";

/** How much happened while the shop went on trading. */
export interface Traded extends Done {
  salesOrders: number;
  purchaseOrders: number;
  /** Payments that turned paid. */
  paid: number;
  /** Sales orders changed without touching last_updated; the next two the same. */
  silentSales: number;
  silentPurchases: number;
  silentDesigns: number;
}

/**
 * Trades on: `orders` new orders, the payments that have come (some of them overdue ones), and silent changes to
 * `silent` rows, about half as many unless said; each act in a transaction of its own. The same shop, seed, `now` and `orders`
 * give the same rows. Throws when the shop is not open.
 */
export async function trade(
  db: Database,
  options: Act & { orders: number; silent?: number | undefined },
): Promise<Traded> {
  const { now, orders, silent: rows } = options;
  const seed = random(options.seed);
  const came = await newOrders(db, { seed, now, orders });
  const settled = await settlePayments(db, { seed, now, overdue: Math.ceil(orders / 10) });
  const silent = await silentUpdates(db, {
    seed,
    ...(rows === undefined
      ? {
          sales: Math.ceil(orders * 0.3),
          purchases: Math.ceil(orders * 0.15),
          designs: Math.ceil(orders * 0.05),
        }
      : shares(rows)),
  });
  const { salesOrders, purchaseOrders } = came;
  const paid = settled.onTime + settled.late;
  return {
    salesOrders,
    purchaseOrders,
    paid,
    silentSales: silent.sales,
    silentPurchases: silent.purchases,
    silentDesigns: silent.designs,
    summary:
      `${counted(salesOrders, "sales order")} and ${counted(purchaseOrders, "purchase order")} came in, ` +
      `${counted(paid, "payment")} turned paid; ${counted(silent.sales, "sales order")}, ` +
      `${counted(silent.purchases, "purchase order")} and ${counted(silent.designs, "design")} ` +
      "changed in silence.",
  };
}

/** Of so many rows six in ten are sales orders, one is a design. */
function shares(rows: number): { sales: number; purchases: number; designs: number } {
  const sales = Math.ceil(rows * 0.6);
  const designs = Math.floor(rows * 0.1);
  return { sales, designs, purchases: rows - sales - designs };
}
