// A model of the shop's database: what is committed, what each open transaction sees, and what a snapshot shows.
// By hand from what PostgreSQL promises; it shares nothing with src/.

/** What a column holds, which says what values a history gives it. */
export type Kind =
  | "text"
  | "text?"
  | "id"
  | "id?"
  | "number"
  | "money"
  | "day"
  | "code"
  | "yes or no"
  | "payment type"
  | "transaction type"
  | "stamp";

const stamps = { created_at: "stamp", last_updated: "stamp" } as const;

/** The shop's tables and their columns but the key, which is `<table>_id`. */
export const SHOP = {
  department: { department_name: "text", location: "text?", manager: "text?", ...stamps },
  address: {
    address_line_1: "text",
    address_line_2: "text?",
    district: "text?",
    city: "text",
    postal_code: "text",
    country: "text",
    phone: "text",
    ...stamps,
  },
  counterparty: {
    counterparty_legal_name: "text",
    legal_address_id: "id",
    commercial_contact: "text?",
    delivery_contact: "text?",
    ...stamps,
  },
  currency: { currency_code: "code", ...stamps },
  design: { design_name: "text", file_location: "text", file_name: "text", ...stamps },
  staff: {
    first_name: "text",
    last_name: "text",
    department_id: "id",
    email_address: "text",
    ...stamps,
  },
  payment_type: { payment_type_name: "payment type", ...stamps },
  sales_order: {
    design_id: "id",
    staff_id: "id",
    counterparty_id: "id",
    units_sold: "number",
    unit_price: "money",
    currency_id: "id",
    agreed_delivery_date: "day",
    agreed_payment_date: "day",
    agreed_delivery_location_id: "id",
    ...stamps,
  },
  purchase_order: {
    staff_id: "id",
    counterparty_id: "id",
    item_code: "text",
    item_quantity: "number",
    item_unit_price: "money",
    currency_id: "id",
    agreed_delivery_date: "day",
    agreed_payment_date: "day",
    agreed_delivery_location_id: "id",
    ...stamps,
  },
  transaction: {
    transaction_type: "transaction type",
    sales_order_id: "id?",
    purchase_order_id: "id?",
    ...stamps,
  },
  payment: {
    transaction_id: "id",
    counterparty_id: "id",
    payment_amount: "money",
    currency_id: "id",
    payment_type_id: "id",
    paid: "yes or no",
    payment_date: "day",
    company_ac_number: "number",
    counterparty_ac_number: "number",
    ...stamps,
  },
} as const satisfies Record<string, Readonly<Record<string, Kind>>>;

export type ShopTable = keyof typeof SHOP;
export const SHOP_TABLES = Object.keys(SHOP) as ShopTable[];

/** A row without its key: each value as PostgreSQL prints it. */
export type ShopRow = Readonly<Record<string, string | null>>;

/** Rows that are there, by table and key. */
export class ShopState {
  readonly #rows = new Map<string, ShopRow>();

  get(table: ShopTable, id: number): ShopRow | undefined {
    return this.#rows.get(`${table} ${id}`);
  }

  put(table: ShopTable, id: number, row: ShopRow | null): void {
    if (row) this.#rows.set(`${table} ${id}`, row);
    else this.#rows.delete(`${table} ${id}`);
  }

  /** The keys that `table` has. */
  ids(table: ShopTable): number[] {
    return [...this.#rows.keys()].flatMap((place) => {
      const [of, id] = place.split(" ");
      return of === table ? [Number(id)] : [];
    });
  }
}

/** What a transaction made of a row: null where it is gone. */
interface Effect {
  readonly table: ShopTable;
  readonly id: number;
  readonly row: ShopRow | null;
}

/** A transaction that is open: what it wrote, savepoint in savepoint. */
export class OpenTransaction {
  readonly xid: bigint;
  readonly #layers: Effect[][] = [[]];
  readonly #shop: ModelShop;

  constructor(shop: ModelShop, xid: bigint) {
    this.#shop = shop;
    this.xid = xid;
  }

  /** The row as this transaction sees it: its own writes, else what is committed by now. */
  get(table: ShopTable, id: number): ShopRow | undefined {
    const own = this.#layers.flat().findLast((one) => one.table === table && one.id === id);
    return own ? (own.row ?? undefined) : this.#shop.now.get(table, id);
  }

  /** False where another open transaction has written the row: PostgreSQL would wait for that one. */
  mayWrite(table: ShopTable, id: number): boolean {
    return this.#shop.lock(table, id, this);
  }

  write(table: ShopTable, id: number, row: ShopRow | null): void {
    this.#layers.at(-1)!.push({ table, id, row });
  }

  savepoint(): void {
    this.#layers.push([]);
  }

  /** @param keep false takes back what was written since the savepoint */
  leaveSavepoint(keep: boolean): void {
    const inner = this.#layers.pop()!;
    if (keep) this.#layers.at(-1)!.push(...inner);
  }

  commit(): void {
    this.#shop.committed(this.xid, this.#layers.flat());
    this.#shop.unlock(this);
  }

  rollback(): void {
    this.#shop.unlock(this);
  }
}

/** The shop's database, with all of its history. */
export class ModelShop {
  readonly now = new ShopState();
  /** In the order in which they were committed: a row's writers never overlap, so that this is the order of its states. */
  readonly #history: { readonly xid: bigint; readonly effects: readonly Effect[] }[] = [];
  readonly #locks = new Map<string, OpenTransaction>();

  get transactions(): readonly bigint[] {
    return this.#history.map(({ xid }) => xid);
  }

  /** The committed states of a row, oldest first; null where it was gone. */
  statesOf(table: ShopTable, id: number): (ShopRow | null)[] {
    return this.#history.flatMap(({ effects }) =>
      effects.filter((one) => one.table === table && one.id === id).map(({ row }) => row),
    );
  }

  /** What is committed now, to be kept. */
  copy(): ShopState {
    return this.#applied(() => true);
  }

  /** What a snapshot shows: `xmin:xmax:xip,…`, as PostgreSQL writes it. */
  at(snapshot: string): ShopState {
    return this.#applied((xid) => isVisible(snapshot, xid));
  }

  /** Whether an open transaction has written to the table. */
  isInUse(table: ShopTable): boolean {
    return [...this.#locks.keys()].some((place) => place.startsWith(`${table} `));
  }

  lock(table: ShopTable, id: number, by: OpenTransaction): boolean {
    const place = `${table} ${id}`;
    const holder = this.#locks.get(place);
    if (holder && holder !== by) return false;
    this.#locks.set(place, by);
    return true;
  }

  unlock(by: OpenTransaction): void {
    for (const [place, holder] of this.#locks) if (holder === by) this.#locks.delete(place);
  }

  committed(xid: bigint, effects: readonly Effect[]): void {
    this.#history.push({ xid, effects });
    for (const { table, id, row } of effects) this.now.put(table, id, row);
  }

  #applied(isSeen: (xid: bigint) => boolean): ShopState {
    const state = new ShopState();
    for (const { xid, effects } of this.#history)
      if (isSeen(xid)) for (const { table, id, row } of effects) state.put(table, id, row);
    return state;
  }
}

/** Whether what a committed transaction wrote is seen in a snapshot. */
export function isVisible(snapshot: string, xid: bigint): boolean {
  const [, xmax, running] = snapshot.split(":") as [string, string, string];
  return xid < BigInt(xmax) && !running.split(",").includes(String(xid));
}
