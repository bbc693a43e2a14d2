import { takeOrders } from "./acts.ts";
import type { Act, Done } from "./acts.ts";
import { random } from "./random.ts";
import { onConnection } from "./source.ts";
import type { Connection, Database } from "./source.ts";

/** A transaction that has written and stays open. */
export interface LateCommit extends Done {
  /** The sales orders it wrote; nobody else sees them yet. */
  salesOrderIds: number[];
  /** Commits and gives the connection back. Throws when the transaction has ended already. */
  commit(): Promise<Done>;
  /** Undoes it all and gives the connection back. Throws when the transaction has ended already. */
  rollback(): Promise<Done>;
}

/**
 * Opens a transaction of its own on the connection that `connect` gives (`() => db.connect()`), writes two sales
 * orders, the second inside a savepoint, and leaves it open: call `commit` or `rollback`, however late.
 * Throws what connecting and writing throw; the connection is given back then.
 */
export async function lateCommit(
  connect: () => Promise<Connection>,
  { seed, now }: Act,
): Promise<LateCommit> {
  const chance = random(seed);
  const connection = await connect();
  let open = true;
  const end = async (statement: "commit" | "rollback"): Promise<void> => {
    if (!open) throw new Error("the late transaction has ended already");
    open = false;
    try {
      await connection.none(statement);
    } finally {
      await connection.done();
    }
  };

  try {
    await connection.none("begin");
    const salesOrderIds = await takeOrders(connection, chance, now, ["sale"]);
    // A row written in a savepoint carries a transaction id of its own, which snapshots do not list.
    await connection.none("savepoint late");
    salesOrderIds.push(...(await takeOrders(connection, chance, now, ["sale"])));
    await connection.none("release savepoint late");

    const names = `Sales orders ${salesOrderIds.join(" and ")}`;
    return {
      salesOrderIds,
      summary: `${names} are written but not committed.`,
      async commit() {
        await end("commit");
        return { summary: `${names} are committed.` };
      },
      async rollback() {
        await end("rollback");
        return { summary: `${names} are undone.` };
      },
    };
  } catch (error) {
    await end("rollback").catch((alsoFailed: unknown) => {
      throw new AggregateError(
        [error, alsoFailed],
        "the late transaction failed, and its rollback",
      );
    });
    throw error;
  }
}

/**
 * Takes a sales order whose agreed_delivery_date is 2024-02-30, a day that never was, with its transaction and
 * payment; gives its id.
 */
export async function poisonOrder(
  db: Database,
  { seed, now }: Act,
): Promise<Done & { salesOrderId: number }> {
  const [salesOrderId = 0] = await onConnection(db, (connection) =>
    connection.tx(() => takeOrders(connection, random(seed), now, ["sale"], "2024-02-30")),
  );
  return {
    salesOrderId,
    summary: `Sales order ${salesOrderId} is to be delivered on 2024-02-30, which is no day.`,
  };
}

/**
 * Sets a sales order's agreed_delivery_date to 2024-02-29, in silence: last_updated does not move.
 * Throws when there is no such order.
 */
export async function healOrder(db: Database, salesOrderId: number): Promise<Done> {
  const { rowCount } = await db.result(
    "update public.sales_order set agreed_delivery_date = '2024-02-29' where sales_order_id = $1",
    [salesOrderId],
  );
  if (rowCount === 0) throw new Error(`there is no sales order ${salesOrderId}`);
  return {
    summary: `Sales order ${salesOrderId} is to be delivered on 2024-02-29, which was a day.`,
  };
}
