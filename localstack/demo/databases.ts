import pgPromise from "pg-promise";
import type { Stack } from "../stack.ts";
import { loadDump } from "../totesys/dump.ts";
import { openShop, type Database, type Done, type RowCounts } from "../totesys/shop.ts";
import type { ShopChoice } from "./options.ts";
import { sum } from "./scene.ts";
import { counted, seconds, type Terminal } from "../../cli/terminal.ts";

const pgp = pgPromise({ noWarnings: true });

/** Opens a database of the stack; it is left before PostgreSQL stops. */
export function openDatabase(stack: Pick<Stack, "postgres" | "defer">, database: string): Database {
  const { host, port, user, password } = stack.postgres;
  const db = pgp({ host, port, user, password, database });
  db.$pool.on("error", () => undefined);
  // Not waited for: a connection that an act holds open would never end.
  stack.defer(`connections to ${database}`, () => void db.$pool.end());
  return db;
}

/** Purchase orders that come with so many sales orders. */
const purchasesFor = (orders: number): number => Math.round(orders * 0.44);

/** Sales and purchase orders of a generated shop. */
export const allOrders = ({ orders }: Pick<ShopChoice, "orders">): number =>
  orders + purchasesFor(orders);

/**
 * Loads the dump, or has the generator make a shop, into an empty totesys; says how it goes.
 * @throws DumpError, and what PostgreSQL throws
 */
export function fillShop(choice: ShopChoice, terminal: Terminal, shop: Database): Promise<Done> {
  return choice.dump === undefined
    ? terminal.progress(allOrders(choice), "orders", (done) => fill(choice, shop, done))
    : terminal.working(`${choice.dump} is loaded`, () => fill(choice, shop));
}

/**
 * Loads the dump, or has the generator make a shop, into an empty totesys.
 * @param progress is told how many of `allOrders` are made
 * @throws DumpError, and what PostgreSQL throws
 */
export async function fill(
  { dump, orders, seed }: ShopChoice,
  shop: Database,
  progress: (orders: number) => void = () => undefined,
): Promise<Done> {
  const startedAt = performance.now();
  const rows: RowCounts =
    dump === undefined
      ? await openShop(shop, {
          seed,
          salesOrders: orders,
          purchaseOrders: purchasesFor(orders),
          progress,
        })
      : await loadDump(shop, dump);
  const took = seconds(performance.now() - startedAt);
  return {
    summary:
      `${counted(rows.sales_order, "sales order")}, ${counted(rows.purchase_order, "purchase order")} ` +
      `and ${counted(rows.payment, "payment")}, in ${counted(sum(Object.values(rows)), "row")} of ` +
      `${Object.keys(rows).length} tables, ${dump === undefined ? "made" : "loaded"} in ${took}.`,
  };
}
