import { DAY, dayOf, settlement, stamp } from "./calendar.ts";
import { FOLDERS, NEW_DEPARTMENT_NAMES } from "./names.ts";
import { deliveryDays, enter, newBook, readReferences, write } from "./orders.ts";
import type { Draft } from "./orders.ts";
import { random } from "./random.ts";
import type { Random, Seed } from "./random.ts";
import { onConnection, takeIds } from "./source.ts";
import type { Connection, Database, Queryable } from "./source.ts";

/** What every act of trading needs. */
export interface Act {
  /** A seed, or a source of chance that goes on from act to act. */
  seed: Seed;
  /** The shop's clock: what is written into created_at and last_updated, in UTC. */
  now: Date;
}

/** What an act did, in words for a person. */
export interface Done {
  summary: string;
}

/** Rows written, or read, at a time. */
const CHUNK = 10_000;

/**
 * Takes `orders` orders (seven of ten are sales), each with its transaction and its unpaid payment, made in
 * the minute before `now`, in one transaction. Gives their numbers. Throws when the shop is not open.
 */
export async function newOrders(
  db: Database,
  { seed, now, orders }: Act & { orders: number },
): Promise<Done & { salesOrders: number; purchaseOrders: number }> {
  const chance = random(seed);
  const kinds = Array.from({ length: orders }, () => (chance.chance(0.7) ? "sale" : "purchase"));
  await onConnection(db, (connection) =>
    connection.tx(async () => {
      for (let start = 0; start < orders; start += CHUNK) {
        await takeOrders(connection, chance, now, kinds.slice(start, start + CHUNK));
      }
    }),
  );
  const salesOrders = kinds.filter((kind) => kind === "sale").length;
  const purchaseOrders = orders - salesOrders;
  return {
    salesOrders,
    purchaseOrders,
    summary: `${counted(salesOrders, "sales order")} and ${counted(purchaseOrders, "purchase order")} came in, each with a transaction and a payment.`,
  };
}

/**
 * Writes new orders of these kinds on a connection, in its transaction, and gives their ids. They were made
 * in the minute before `now`, some in one millisecond. `deliveryDate` stands in for a drawn one, as it is.
 */
export async function takeOrders(
  connection: Connection,
  chance: Random,
  now: Date,
  kinds: readonly Draft["kind"][],
  deliveryDate?: string,
): Promise<number[]> {
  const references = await readReferences(connection);
  const sales = kinds.filter((kind) => kind === "sale").length;
  const ids = {
    sale: await takeIds(connection, "sales_order", sales),
    purchase: await takeIds(connection, "purchase_order", kinds.length - sales),
    transaction: chance.shuffle(await takeIds(connection, "transaction", kinds.length)),
    payment: chance.shuffle(await takeIds(connection, "payment", kinds.length)),
  };
  const written = { sale: ids.sale.values(), purchase: ids.purchase.values() };
  const book = newBook();
  let createdAt = now.getTime();

  kinds.forEach((kind, i) => {
    if (i > 0 && !chance.chance(0.3)) createdAt = now.getTime() - chance.int(0, 59_999);
    enter(book, chance, references, {
      kind,
      orderId: written[kind].next().value ?? 0,
      transactionId: ids.transaction[i] ?? 0,
      paymentId: ids.payment[i] ?? 0,
      createdAt,
      designs: references.designs.length,
      ...(deliveryDate === undefined ? {} : { deliveryDate }),
    });
  });
  await write(connection, book);
  return [...ids.sale, ...ids.purchase];
}

/**
 * Enters the payments that have come: those whose 07:55 is past (never at a weekend, never on the day of the
 * order), with that time as their last_updated, and the `overdue` payments (default none) that have waited
 * longest, with `now`. Gives how many turned paid.
 */
export async function settlePayments(
  db: Database,
  { seed, now, overdue = 0 }: Act & { overdue?: number },
): Promise<Done & { onTime: number; late: number }> {
  const chance = random(seed);
  const [onTime, late] = await db.tx(async (tx) => [
    await settleDue(tx, chance, now),
    await settleOverdue(tx, now, overdue),
  ]);
  return {
    onTime,
    late,
    summary: `${counted(onTime, "payment")} turned paid on the day, ${counted(late, "overdue payment")} later; last_updated moved.`,
  };
}

interface Due {
  id: number;
  created: number;
  payment_date: string;
}

async function settleDue(tx: Queryable, chance: Random, now: Date): Promise<number> {
  let settled = 0;
  for (let after = 0, full = true; full;) {
    // Compared as text, because the column holds text, not always a date; ISO dates sort as they should. The
    // weekday counts on from the month's first, so that no 30th of February makes the query fail.
    const due = await tx.any<Due>(
      `select payment_id as id, payment_date,
              (extract(epoch from created_at) * 1000)::float8 as created
         from public.payment
        where not paid and payment_id > $(after) and payment_date <= $(today)
          and payment_date > to_char(created_at, 'YYYY-MM-DD')
          and case when payment_date ~ '^[12][0-9]{3}-(0[1-9]|1[0-2])-[0-9]{2}$'
                   then extract(isodow from (left(payment_date, 8) || '01')::date
                                            + right(payment_date, 2)::int - 1) < 6
                   else false end
        order by payment_id limit $(limit)`,
      { after, today: dayOf(now.getTime()), limit: CHUNK },
    );
    full = due.length === CHUNK;
    after = due.at(-1)?.id ?? after;

    const paid = due.flatMap(({ id, created, payment_date }) => {
      const day = Date.parse(payment_date);
      if (Number.isNaN(day)) return [];
      const at = settlement(created, day, chance.int(8000, 12_999));
      return at !== null && at <= now.getTime() ? [{ id, at: stamp(at) }] : [];
    });
    await tx.none(
      `update public.payment set paid = true, last_updated = settled.at
         from unnest($(ids)::int[], $(moments)::timestamp[]) as settled (id, at)
        where payment_id = settled.id`,
      { ids: paid.map(({ id }) => id), moments: paid.map(({ at }) => at) },
    );
    settled += paid.length;
  }
  return settled;
}

async function settleOverdue(tx: Queryable, now: Date, count: number): Promise<number> {
  const { rowCount } = await tx.result(
    `update public.payment set paid = true, last_updated = $(now)::timestamp
      where payment_id in (select payment_id from public.payment
                            where not paid and payment_date < $(today) and created_at < $(now)::timestamp
                            order by payment_date, payment_id limit $(count))`,
    { now: stamp(now.getTime()), today: dayOf(now.getTime()), count },
  );
  return rowCount;
}

/**
 * Changes staff, design, delivery date or place of `sales` sales orders, the same of `purchases` purchase
 * orders (which have no design), and file_location of `designs` designs, WITHOUT touching last_updated, as the
 * real shop does. Gives how many changed: fewer where there are fewer.
 */
export async function silentUpdates(
  db: Database,
  options: Pick<Act, "seed"> & { sales?: number; purchases?: number; designs?: number },
): Promise<Done & { sales: number; purchases: number; designs: number }> {
  const chance = random(options.seed);
  const done = await db.tx(async (tx) => ({
    sales: await changeOrders(tx, chance, "sales_order", options.sales ?? 5),
    purchases: await changeOrders(tx, chance, "purchase_order", options.purchases ?? 3),
    designs: await moveDesigns(tx, chance, options.designs ?? 2),
  }));
  return {
    ...done,
    summary: `${counted(done.sales, "sales order")}, ${counted(done.purchases, "purchase order")} and ${counted(done.designs, "design")} changed in silence: last_updated did not move.`,
  };
}

interface Changing {
  id: number;
  staff: number;
  address: number;
  delivery: string;
  created: number;
  /** Null in a purchase order, which has none. */
  design: number | null;
}

async function changeOrders(
  tx: Queryable,
  chance: Random,
  table: "sales_order" | "purchase_order",
  count: number,
): Promise<number> {
  const ids = await drawIds(tx, chance, table, count);
  if (ids.length === 0) return 0;
  const references = await readReferences(tx);
  const names = { table, key: `${table}_id` };
  const rows = await tx.any<Changing>(
    `select $(key:name) as id, staff_id as staff, agreed_delivery_location_id as address,
            agreed_delivery_date as delivery, (to_jsonb(target) ->> 'design_id')::int as design,
            (extract(epoch from created_at) * 1000)::float8 as created
       from public.$(table:name) as target where $(key:name) = any($(ids)::int[]) order by 1`,
    { ...names, ids },
  );

  const redesigned: Changing[] = [];
  for (const row of rows) {
    const what = chance.pick(["staff", "delivery", "address", "design"] as const);
    if (what === "address") row.address = another(chance, references.addresses, row.address);
    else if (what === "delivery") {
      const before = row.delivery;
      while (row.delivery === before) {
        row.delivery = dayOf(row.created + deliveryDays(chance) * DAY);
      }
    } else if (what === "design" && row.design !== null) {
      row.design = another(chance, references.designs, row.design);
      redesigned.push(row);
    } else row.staff = another(chance, references.staff, row.staff);
  }

  const { rowCount } = await tx.result(
    `update public.$(table:name) as target
        set staff_id = changed.staff, agreed_delivery_location_id = changed.address,
            agreed_delivery_date = changed.delivery
       from unnest($(ids)::int[], $(staff)::int[], $(addresses)::int[], $(deliveries)::text[])
         as changed (id, staff, address, delivery)
      where target.$(key:name) = changed.id`,
    {
      ...names,
      ids: rows.map((row) => row.id),
      staff: rows.map((row) => row.staff),
      addresses: rows.map((row) => row.address),
      deliveries: rows.map((row) => row.delivery),
    },
  );
  await tx.none(
    `update public.sales_order set design_id = changed.design
       from unnest($(ids)::int[], $(designs)::int[]) as changed (id, design)
      where sales_order_id = changed.id`,
    { ids: redesigned.map((row) => row.id), designs: redesigned.map((row) => row.design) },
  );
  return rowCount;
}

async function moveDesigns(tx: Queryable, chance: Random, count: number): Promise<number> {
  const ids = await drawIds(tx, chance, "design", count);
  const rows = await tx.any<{ id: number; folder: string }>(
    `select design_id as id, file_location as folder from public.design
      where design_id = any($(ids)::int[]) order by 1`,
    { ids },
  );
  const { rowCount } = await tx.result(
    `update public.design set file_location = moved.folder
       from unnest($(ids)::int[], $(folders)::text[]) as moved (id, folder)
      where design_id = moved.id`,
    {
      ids: rows.map((row) => row.id),
      folders: rows.map((row) => another(chance, FOLDERS, row.folder)),
    },
  );
  return rowCount;
}

/** Ids of `count` different rows of `table`; fewer when there are fewer, or when its ids have gaps. */
async function drawIds(
  tx: Queryable,
  chance: Random,
  table: "sales_order" | "purchase_order" | "design",
  count: number,
): Promise<number[]> {
  const names = { table, key: `${table}_id` };
  const { low, high } = await tx.one<{ low: number | null; high: number | null }>(
    "select min($(key:name)) as low, max($(key:name)) as high from public.$(table:name)",
    names,
  );
  if (low === null || high === null) return [];
  const points = new Set<number>();
  while (points.size < Math.min(count, high - low + 1)) points.add(chance.int(low, high));
  const rows = await tx.any<{ id: number }>(
    `select distinct found.id from unnest($(points)::int[]) as point
      cross join lateral (select $(key:name) as id from public.$(table:name)
                           where $(key:name) >= point order by 1 limit 1) as found order by 1`,
    { ...names, points: [...points] },
  );
  return rows.map((row) => row.id);
}

/** One of `items` that is not `present`; `present` when there is no other. */
function another<T>(chance: Random, items: readonly T[], present: T): T {
  const others = items.filter((item) => item !== present);
  return others.length > 0 ? chance.pick(others) : present;
}

/**
 * Gives a department another name and moves its last_updated. Default: any department, and a name that none
 * has. The members of its staff show it in dim_staff, though no row of theirs changes.
 * Throws when there is no such department.
 */
export async function renameDepartment(
  db: Database,
  options: Act & { departmentId?: number; name?: string },
): Promise<Done & { departmentId: number; name: string; staff: number }> {
  const chance = random(options.seed);
  return db.tx(async (tx) => {
    const departments = await tx.any<{ id: number; name: string }>(
      "select department_id as id, department_name as name from public.department order by 1",
    );
    const departmentId = options.departmentId ?? chance.pick(departments).id;
    const old = departments.find(({ id }) => id === departmentId);
    if (!old) throw new Error(`there is no department ${departmentId}`);
    const free = NEW_DEPARTMENT_NAMES.filter((name) => departments.every((d) => d.name !== name));
    const name = options.name ?? chance.pick(free);
    await tx.none(
      `update public.department set department_name = $(name), last_updated = $(now)::timestamp
        where department_id = $(departmentId)`,
      { name, now: stamp(options.now.getTime()), departmentId },
    );
    const { staff } = await tx.one<{ staff: number }>(
      "select count(*)::int as staff from public.staff where department_id = $1",
      [departmentId],
    );
    const summary = `Department ${departmentId} was "${old.name}" and is "${name}": ${counted(staff, "member")} of staff.`;
    return { departmentId, name, staff, summary };
  });
}

/** `1 order`, `2 orders`. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en-GB")} ${noun}${count === 1 ? "" : "s"}`;
}
