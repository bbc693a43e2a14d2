// What may happen in a history: to the shop, and to the pipeline. Plain data, so that it can be drawn, shrunk and told.
import fc from "fast-check";
import { SHOP, SHOP_TABLES, type Kind, type ShopRow, type ShopTable } from "./model/shop.ts";

/** What a transaction does. One that another open transaction stands in the way of is left out. */
export type Statement =
  /** Inserts the row, or updates these columns of the one that is there: none of them is an update that changes nothing. */
  | { do: "put"; table: ShopTable; id: number; row: ShopRow; columns: readonly string[] }
  /** Has a row as it was before its last change. */
  | { do: "put back"; table: ShopTable; id: number }
  | { do: "delete"; table: ShopTable; id: number }
  /** Changes a primary key. */
  | { do: "move"; table: ShopTable; id: number; to: number }
  | { do: "savepoint"; keep: boolean; statements: readonly Statement[] };

export interface Ingestion {
  readonly rows: number | null;
  readonly bytes: number | null;
  /** After so many batches time is up; null: never. */
  readonly batches: number | null;
  /** After so many looks at the clock a batch must end; null: never. */
  readonly looks: number | null;
  readonly resync: boolean;
}

export type Step =
  /** A transaction of its own. */
  | { do: "transaction"; statements: readonly Statement[]; commit: boolean }
  /** Goes on with one that is open, or opens it: it stays so. */
  | { do: "write"; slot: number; statements: readonly Statement[] }
  | { do: "end"; slot: number; commit: boolean }
  | { do: "truncate"; table: ShopTable; rows: readonly ShopRow[] }
  | { do: "vacuum freeze"; table: ShopTable }
  | { do: "ingest"; how: Ingestion }
  /** Two ingestions, and perhaps the other functions' ticks, at once, while the shop writes. */
  | {
      do: "at once";
      how: Ingestion;
      other: Ingestion;
      all: boolean;
      meanwhile: readonly Statement[][];
    }
  /** Woken by a batch's event, counted back from the newest; null: by the schedule. */
  | { do: "transform"; back: number | null; twice: boolean }
  /** How many batches there is time for; null: for all. */
  | { do: "load"; batches: number | null; twice: boolean }
  | { do: "tick" }
  /** The next version of the table modules. */
  | { do: "deploy" };

export interface History {
  /** What the shop begins with. */
  readonly filling: readonly Statement[];
  readonly steps: readonly Step[];
  /** Which open transactions commit in the end; the others are rolled back. */
  readonly commits: readonly boolean[];
  /** The version of the table modules that it begins with. */
  readonly version: number;
}

/** Keys: few, so that steps meet each other. */
const id = fc.integer({ min: 1, max: 5 });

const odd = [
  "O'Keefe",
  "",
  " ",
  "\\N",
  "\\.",
  'a"b',
  "a\tb\nc\r",
  "null",
  "unknown",
  "Unknown",
  "é",
  "👜",
  "\u2028",
  "{}",
  "%s $1 '; --",
];
const anyText = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("A", "B", "C") },
  { weight: 2, arbitrary: fc.constantFrom(...odd) },
  {
    weight: 1,
    arbitrary: fc.string({ unit: "binary", maxLength: 8 }).map((some) => some.replaceAll("\0", "")),
  },
);

const VALUES: Readonly<Record<Kind, fc.Arbitrary<string | null>>> = {
  text: anyText,
  "text?": fc.option(anyText, { freq: 3 }),
  id: id.map(String),
  "id?": fc.option(id.map(String)),
  number: fc.constantFrom("0", "1", "2", "-1", "2147483647", "-2147483648"),
  money: fc.oneof(
    {
      weight: 12,
      arbitrary: fc.constantFrom("0.00", "0.01", "12.30", "-5.00", "99999999.99", "-99999999.99"),
    },
    { weight: 1, arbitrary: fc.constant("NaN") },
  ),
  day: fc.oneof(
    {
      weight: 12,
      arbitrary: fc.constantFrom(
        "2024-02-29",
        "2023-12-31",
        "2000-01-01",
        "0001-01-01",
        "9999-12-31",
      ),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        "2023-02-29",
        "",
        "30/06/2024",
        "infinity",
        "0000-01-01",
        "2024-6-1",
      ),
    },
  ),
  code: fc.constantFrom("GBP", "USD", "EUR", "JPY", "CHF", "XXQ", "gbp"),
  "yes or no": fc.constantFrom("true", "false"),
  "payment type": fc.constantFrom(
    "SALES_RECEIPT",
    "SALES_REFUND",
    "PURCHASE_PAYMENT",
    "PURCHASE_REFUND",
  ),
  "transaction type": fc.constantFrom("SALE", "PURCHASE"),
  stamp: fc.oneof(
    {
      weight: 15,
      arbitrary: fc.constantFrom(
        "2024-02-28 09:05:07.12",
        "2024-02-29 23:59:59.999",
        "2024-03-01 00:00:00",
        "0001-01-01 00:00:00.001",
        "9999-12-31 23:59:59.999",
      ),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        "infinity",
        "-infinity",
        "0044-03-15 12:00:00 BC",
        "10000-01-01 00:00:00",
      ),
    },
  ),
};

const rowOf = (table: ShopTable): fc.Arbitrary<ShopRow> =>
  fc.record(
    Object.fromEntries(
      Object.entries<Kind>(SHOP[table]).map(([column, kind]) => [column, VALUES[kind]]),
    ),
  );

/** Facts and what is looked up come oftener than the others. */
const WEIGHTS: Partial<Record<ShopTable, number>> = {
  sales_order: 5,
  purchase_order: 3,
  payment: 4,
  staff: 4,
  department: 3,
  address: 2,
  currency: 2,
  counterparty: 2,
};
const anyTable = fc.oneof(
  ...SHOP_TABLES.map((table) => ({ weight: WEIGHTS[table] ?? 1, arbitrary: fc.constant(table) })),
);

const put: fc.Arbitrary<Statement> = fc.oneof(
  ...SHOP_TABLES.map((table) => ({
    weight: WEIGHTS[table] ?? 1,
    arbitrary: fc.record({
      do: fc.constant("put" as const),
      table: fc.constant(table),
      id,
      row: rowOf(table),
      columns: fc.subarray(Object.keys(SHOP[table])),
    }),
  })),
);
const flat: fc.Arbitrary<Statement> = fc.oneof(
  { weight: 12, arbitrary: put },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("put back" as const), table: anyTable, id }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("delete" as const), table: anyTable, id }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("move" as const), table: anyTable, id, to: id }),
  },
);
const savepoint = (inner: fc.Arbitrary<Statement>): fc.Arbitrary<Statement> =>
  fc.record({
    do: fc.constant("savepoint" as const),
    keep: fc.boolean(),
    statements: fc.array(inner, { maxLength: 3 }),
  });
const statement: fc.Arbitrary<Statement> = fc.oneof(
  { weight: 8, arbitrary: flat },
  {
    weight: 1,
    arbitrary: savepoint(
      fc.oneof({ weight: 4, arbitrary: flat }, { weight: 1, arbitrary: savepoint(flat) }),
    ),
  },
);
const statements = fc.array(statement, { minLength: 1, maxLength: 6, size: "max" });

/** A value or, as often, null. */
const perhaps = (some: fc.Arbitrary<number>): fc.Arbitrary<number | null> =>
  fc.oneof(fc.constant(null), some);

/** So little that most runs are many batches, and many are left off in the middle. */
const ingestion: fc.Arbitrary<Ingestion> = fc.record({
  rows: perhaps(fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 50 }))),
  bytes: perhaps(fc.integer({ min: 1, max: 2000 })),
  batches: perhaps(fc.integer({ min: 1, max: 3 })),
  looks: perhaps(fc.nat(6)),
  resync: fc.boolean(),
});
const seldomResync: fc.Arbitrary<Ingestion> = fc
  .tuple(ingestion, fc.nat(9))
  .map(([how, die]) => ({ ...how, resync: how.resync && die === 9 }));

const slot = fc.nat(2);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant("transaction" as const),
      statements,
      commit: fc.nat(9).map((die) => die < 9),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("write" as const), slot, statements }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("end" as const),
      slot,
      commit: fc.nat(4).map((die) => die < 4),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.oneof(
      ...SHOP_TABLES.map((table) =>
        fc.record({
          do: fc.constant("truncate" as const),
          table: fc.constant(table),
          rows: fc.array(rowOf(table), { maxLength: 3 }),
        }),
      ),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("vacuum freeze" as const), table: anyTable }),
  },
  { weight: 12, arbitrary: fc.record({ do: fc.constant("ingest" as const), how: seldomResync }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("at once" as const),
      how: seldomResync,
      other: seldomResync,
      all: fc.boolean(),
      meanwhile: fc.array(statements, { maxLength: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("transform" as const),
      back: fc.option(fc.nat(5), { freq: 2 }),
      twice: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("load" as const),
      batches: fc.option(fc.integer({ min: 1, max: 3 }), { freq: 1 }),
      twice: fc.boolean(),
    }),
  },
  { weight: 5, arbitrary: fc.constant({ do: "tick" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "deploy" as const }) },
);

/** Any history; one that fails is told in words. */
export const anyHistory: fc.Arbitrary<History> = fc
  // The first runs of a property would be of short histories, for they are bound to be simple.
  .noBias(
    fc.record({
      filling: fc.array(put, { minLength: 10, maxLength: 30, size: "max" }),
      steps: fc.array(step, { minLength: 8, maxLength: 30, size: "max" }),
      commits: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
      version: fc.constantFrom(1, 1, 1, 0),
    }),
  )
  .map((history) => ({ ...history, [fc.toStringMethod]: () => inWords(history) }));

/** A history for people to read, a line a step. */
export const inWords = ({ filling, steps, commits, version }: History): string =>
  [
    `a shop: ${statementsInWords(filling)}`,
    `modules of version ${version}`,
    ...steps.map(stepInWords),
    `in the end the open transactions are ${commits.map((one) => (one ? "committed" : "rolled back")).join(", ")}`,
  ]
    .map((line) => `\n    - ${line}`)
    .join("");

function stepInWords(one: Step): string {
  switch (one.do) {
    case "transaction":
      return `a transaction: ${statementsInWords(one.statements)}; ${one.commit ? "commit" : "rollback"}`;
    case "write":
      return `transaction ${one.slot}, which stays open: ${statementsInWords(one.statements)}`;
    case "end":
      return `transaction ${one.slot}: ${one.commit ? "commit" : "rollback"}`;
    case "truncate":
      return `truncate ${one.table}; insert ${JSON.stringify(one.rows)}`;
    case "vacuum freeze":
      return `vacuum (freeze) ${one.table}`;
    case "ingest":
      return ingestionInWords(one.how);
    case "at once":
      return (
        `at once: ${ingestionInWords(one.how)}; ${ingestionInWords(one.other)}` +
        (one.all ? "; transform; load" : "") +
        one.meanwhile.map((some) => `; a transaction: ${statementsInWords(some)}`).join("")
      );
    case "transform":
      return `transform${one.back === null ? "" : ` for the event of the newest batch but ${one.back}`}${one.twice ? ", twice at once" : ""}`;
    case "load":
      return `load${one.batches === null ? "" : ` up to ${one.batches} batches`}${one.twice ? ", twice at once" : ""}`;
    case "tick":
      return "ingest, transform, load";
    case "deploy":
      return "deploy the next version of the table modules";
  }
}

const ingestionInWords = ({ rows, bytes, batches, looks, resync }: Ingestion): string =>
  [
    resync ? "ingest everything again" : "ingest",
    ...(rows === null ? [] : [`${rows} rows a batch`]),
    ...(bytes === null ? [] : [`${bytes} bytes a batch`]),
    ...(batches === null ? [] : [`time for ${batches} batches`]),
    ...(looks === null ? [] : [`late after ${looks} looks at the clock`]),
  ].join(", ");

const statementsInWords = (some: readonly Statement[]): string =>
  some.map(statementInWords).join("; ");

function statementInWords(one: Statement): string {
  switch (one.do) {
    case "put": {
      const changed = Object.fromEntries(one.columns.map((column) => [column, one.row[column]]));
      return `update ${one.table} ${one.id} ${JSON.stringify(changed)}, or insert ${JSON.stringify(one.row)}`;
    }
    case "put back":
      return `put ${one.table} ${one.id} back`;
    case "delete":
      return `delete ${one.table} ${one.id}`;
    case "move":
      return `make ${one.table} ${one.id} ${one.table} ${one.to}`;
    case "savepoint":
      return `savepoint (${statementsInWords(one.statements)}) ${one.keep ? "released" : "rolled back"}`;
  }
}
