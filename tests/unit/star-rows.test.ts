// Rows a stretch at a time, held against rows one at a time.
import fc from "fast-check";
import {
  bigint,
  boolean,
  date,
  decimal,
  integer,
  key,
  nullable,
  text,
  time,
  timestamp,
  timestamptz,
  type Columns,
} from "../../src/columns.ts";
import {
  defineSource,
  deletedAt,
  keyOf,
  lookup,
  type SourceRow,
  type Table,
} from "../../src/table.ts";
import { StarRows, type Found, type Rejected } from "../../src/transformation/star-rows.ts";
import { store, type Stored } from "../../src/values.ts";
import { storedOf } from "../../src/vectors.ts";
import { expect } from "../support/chai.ts";

const color = defineSource("color", { color_id: key(integer), name: text });
const source = defineSource("thing", { id: key(integer), color_id: nullable(integer) });

/** What a formatter may give in a column of each type: mostly what fits. */
const others = {
  an_integer: integer,
  a_bigint: nullable(bigint),
  a_boolean: nullable(boolean),
  a_text: nullable(text),
  a_date: nullable(date),
  a_time: nullable(time),
  a_timestamp: timestamp,
  a_timestamptz: nullable(timestamptz),
  a_decimal: decimal(10, 2),
  a_big_decimal: nullable(decimal(20, 4)),
} satisfies Columns;
const specimens: Record<keyof typeof others, { good: unknown[]; bad: unknown[] }> = {
  an_integer: { good: [0, -1, 2 ** 31 - 1], bad: [1.5, "1", null] },
  a_bigint: { good: ["0", "-9223372036854775808", null], bad: [1, "x"] },
  a_boolean: { good: [true, false, null], bad: ["t"] },
  a_text: { good: ["", "é😀", "x".repeat(300), null], bad: ["a\0b", "\ud83d", 1] },
  a_date: { good: ["2024-02-29", "0001-01-01", null], bad: ["2024-02-30"] },
  a_time: { good: ["14:20:52.1", "23:59:59.999999", null], bad: ["24:00:00"] },
  a_timestamp: { good: ["2024-02-29T14:20:52.186"], bad: ["infinity", null] },
  a_timestamptz: { good: ["2024-02-29T14:20:52+01", null], bad: ["2024-02-29"] },
  a_decimal: { good: ["12.30", "-0.00", "99999999.99"], bad: [1.5, "100000000.00", null] },
  a_big_decimal: { good: ["1.2345", null], bad: ["x"] },
};

/** What is tried of a formatter: it gives what the driving row says. */
interface Driving extends SourceRow {
  readonly id: number;
  readonly color_id: number | null;
  readonly gives: unknown;
}

const tableOf = (keys: Columns): Table => ({
  name: "dim_thing",
  deleted: "keep",
  distributed: false,
  description: "One row per thing.",
  sources: [source],
  lookups: { color: lookup(color, "color_id") },
  columns: { ...keys, ...others, color: nullable(text) },
  version: 1,
  format: (row, { color: found }) => {
    const { gives } = row as Driving;
    if (gives instanceof Error) throw gives;
    const paint = (star: unknown): unknown =>
      typeof star === "object" && star !== null && !Object.isFrozen(star)
        ? Object.assign(Object.create(Object.getPrototypeOf(star) as object) as object, star, {
            color: found?.["name"] ?? null,
          })
        : star;
    return Array.isArray(gives) ? gives.map(paint) : paint(gives);
  },
});

const colors: Found = new Map([
  ["color", new Map([1, 2].map((id) => [String(id), { color_id: id, name: `color ${id}` }]))],
]);

interface Outcome {
  readonly rows: readonly Stored[][];
  readonly rejected: readonly Rejected[];
}

/** What is to come out, by the rules alone. */
function expected(table: Table, driving: readonly Driving[]): Outcome {
  const names = Object.keys(table.columns);
  const rows = new Map<string, Stored[]>();
  const rejected: Rejected[] = [];
  for (const row of driving) {
    try {
      const found = row.color_id === null ? null : colors.get("color")!.get(String(row.color_id));
      if (found === undefined)
        throw new Error(
          `lookup color: color has no row with color_id = ${row.color_id} (thing.color_id)`,
        );
      const made = table.format(row, { color: found });
      const stars = (Array.isArray(made) ? made : [made]).map((star: unknown) => {
        if (typeof star !== "object" || star === null)
          throw new Error(
            `the formatter returned ${String(star)}; expected a row or a list of rows`,
          );
        return names.map((name) => {
          const value: unknown = Object.getOwnPropertyDescriptor(star, name)?.value;
          try {
            return store(table.columns[name]!, value);
          } catch (error) {
            throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
          }
        });
      });
      for (const star of stars) {
        const ofKey = keyOf(table).map((name) => star[names.indexOf(name)]);
        rows.set(ofKey.map(String).join(" "), star);
      }
    } catch (error) {
      rejected.push({
        table: table.name,
        source: source.name,
        key: row.id,
        reason: (error as Error).message,
        row,
      });
    }
  }
  return { rows: [...rows.values()], rejected };
}

function made(table: Table, driving: readonly Driving[], cuts: readonly number[]): Outcome {
  const rejected: Rejected[] = [];
  const stars = new StarRows(table, (row) => rejected.push(row));
  let from = 0;
  for (let i = 0; from < driving.length; i++) {
    const to = from + cuts[i % cuts.length]!;
    stars.add(source, driving.slice(from, to), colors);
    from = to;
  }
  const columns = stars.vectors.map(storedOf);
  const rows = Array.from({ length: stars.rows }, (_, r) => columns.map((column) => column[r]!));
  return { rows, rejected };
}

const keyed: [string, Columns, Record<string, fc.Arbitrary<unknown>>][] = [
  ["a number", { k: key(integer) }, { k: fc.integer({ min: 0, max: 8 }) }],
  ["a text", { k: key(text) }, { k: fc.constantFrom("a", "b", "é", "") }],
  ["a bigint", { k: key(bigint) }, { k: fc.constantFrom("1", "2", "-9223372036854775808") }],
  ["a day", { k: key(date) }, { k: fc.constantFrom("2024-01-01", "2024-01-02", "1969-12-31") }],
  [
    "two columns",
    { k: key(integer), l: key(boolean) },
    { k: fc.integer({ min: 0, max: 3 }), l: fc.boolean() },
  ],
];

/** Star rows; `badness` of a hundred values do not fit. */
const starOf = (keys: Record<string, fc.Arbitrary<unknown>>, badness: number) =>
  fc.record({
    ...keys,
    ...Object.fromEntries(
      Object.entries(specimens).map(([name, { good, bad }]) => [
        name,
        fc.oneof(
          { weight: 100 - badness, arbitrary: fc.constantFrom(...good) },
          { weight: badness, arbitrary: fc.constantFrom(...bad) },
        ),
      ]),
    ),
  });

for (const [name, columns, keys] of keyed) {
  describe(`the star rows of a batch, by ${name}`, () => {
    const table = tableOf(columns);

    for (const [what, badness] of [
      ["some of which do not fit", 1],
      ["all of which fit", 0],
    ] as const) {
      it(`are the same in any stretches: rows ${what}`, () => {
        const star = starOf(keys, badness);
        // Rows that are the same object, as a formatter gives that remembers them; they have their own color.
        const shared = fc.array(
          star.map((one) => Object.freeze({ ...one, color: "shared" })),
          { minLength: 1, maxLength: 5 },
        );
        const odd: unknown[] = [
          [],
          ...(badness === 0
            ? []
            : [
                undefined,
                null,
                "row",
                1,
                {},
                [[]],

                [null],
                new Error("the formatter threw"),
              ]),
        ];
        let rejected = 0;
        fc.assert(
          fc.property(
            shared.chain((pool) =>
              fc.array(
                fc.record({
                  id: fc.nat(99),
                  color_id: fc.constantFrom(1, 2, null, ...(badness === 0 ? [] : [3])),
                  gives: fc.oneof(
                    { weight: 10, arbitrary: star },
                    { weight: 5, arbitrary: fc.array(star, { maxLength: 3 }) },
                    { weight: 5, arbitrary: fc.array(fc.constantFrom(...pool), { maxLength: 4 }) },
                    { weight: 1, arbitrary: fc.constantFrom(...odd) },
                  ),
                }),
                { maxLength: 30 },
              ),
            ),
            fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 5 }),
            (driving, cuts) => {
              const wanted = expected(table, driving);
              rejected += wanted.rejected.length;
              expect(made(table, driving, cuts)).to.deep.equal(wanted);
            },
          ),
          { numRuns: 500 },
        );
        expect(rejected > 0).to.equal(badness > 0);
      });
    }
  });
}

describe("the star rows of a batch", () => {
  const table = tableOf({ k: key(integer) });
  const whole = {
    ...Object.fromEntries(Object.entries(specimens).map(([name, { good }]) => [name, good[0]])),
    color: null,
  };
  const row = (k: number, a_text: string): SourceRow => Object.freeze({ ...whole, k, a_text });
  const drive = (...gives: unknown[]): Driving[] =>
    gives.map((one, id) => ({ id, color_id: null, gives: [one] }));

  it("are the same where keys ascend for a while", () => {
    fc.assert(
      fc.property(
        fc.array(starOf({}, 0), { minLength: 1, maxLength: 60 }),
        fc.nat(60),
        fc.integer({ min: 1, max: 20 }),
        (stars, until, cut) => {
          const driving = stars.map((one, id) => ({
            id,
            color_id: null,
            gives: { ...one, k: id < until ? id : (id * 7) % 20 },
          }));
          expect(made(table, driving, [cut])).to.deep.equal(expected(table, driving));
        },
      ),
    );
  });

  it("take no value that is a prototype's", () => {
    const rest = Object.fromEntries(
      Object.entries({ ...whole, k: 1 }).filter(([name]) => name !== "a_text"),
    );
    const odd = Object.assign(Object.create({ a_text: "of the prototype" }) as object, rest);
    const { rows, rejected } = made(table, [{ id: 7, color_id: null, gives: odd }], [1]);
    expect(rows).to.deep.equal([]);
    expect(rejected.map(({ key: id, reason }) => [id, reason])).to.deep.equal([
      [7, "a_text: is missing"],
    ]);
  });

  it("find nothing for a null where the source says that there is none", () => {
    const strict = defineSource("thing", { id: key(integer), color_id: integer });
    const reasons: string[] = [];
    const stars = new StarRows(table, ({ reason }) => reasons.push(reason));
    stars.add(strict, [{ id: 1, color_id: null, gives: [] }], colors);
    expect(reasons).to.deep.equal([
      "lookup color: color has no row with color_id = null (thing.color_id)",
    ]);
  });

  it("find nothing where the batch has no row of what is looked up", () => {
    const reasons: string[] = [];
    const stars = new StarRows(table, ({ reason }) => reasons.push(reason));
    stars.add(source, [{ id: 1, color_id: 2, gives: [] }], new Map());
    expect(reasons).to.deep.equal([
      "lookup color: color has no row with color_id = 2 (thing.color_id)",
    ]);
  });

  it("are apart where their keys would be the same text if written on end", () => {
    const two = tableOf({ k: key(integer), l: key(integer) });
    const driving = [
      [1, 11],
      [11, 1],
      [1, 11],
    ].map(([k, l], id) => ({ id, color_id: null, gives: { ...whole, k, l } }));
    const { rows } = made(two, driving, [3]);
    expect(rows.map(([k, l]) => [k, l])).to.deep.equal([
      [1, 11],
      [11, 1],
    ]);
  });

  it("are not gone: what says when is null in each", () => {
    const columns = { ...table.columns, deleted_at: deletedAt };
    const marked: Table = { ...table, deleted: "mark", columns };
    const stars = new StarRows(marked, ({ reason }) => expect.fail(reason));
    stars.add(source, drive(row(1, "one"), row(2, "two")), colors);
    expect(storedOf(stars.vectors.at(-1)!)).to.deep.equal([null, null]);
  });

  it("are none of a driving row that makes none, which is told, whether its neighbours fit or not", () => {
    const of = (id: number, gives: unknown): Driving => ({ id, color_id: null, gives });
    const none = of(2, []);
    const fit = [of(1, row(1, "one")), none, of(3, [row(3, "three")])];
    for (const driving of [fit, [...fit, of(4, "no row")]]) {
      const told: unknown[] = [];
      const stars = new StarRows(
        table,
        () => undefined,
        0,
        (one) => told.push(one),
      );
      stars.add(source, driving, colors);
      expect(stars.rows).to.equal(2);
      expect(told).to.deep.equal([none]);
    }
  });

  it("name a rejected row by its key, by all its columns where there are several", () => {
    const line = defineSource("line", {
      a: key(integer),
      color_id: nullable(integer),
      b: key(text),
    });
    const keys: unknown[] = [];
    const stars = new StarRows(table, (rejected) => keys.push(rejected.key));
    stars.add(line, [{ a: 1, color_id: null, b: "x", gives: null }], colors);
    expect(keys).to.deep.equal([{ a: 1, b: "x" }]);
  });

  it("have a reason that a person can read: not too long, and some text in any case", () => {
    const reasonFor = (thrown: unknown): string => {
      const thrower: Table = {
        ...table,
        format: () => {
          throw thrown;
        },
      };
      const [{ reason }] = made(thrower, drive(1), [1]).rejected as [Rejected];
      return reason;
    };
    expect(reasonFor(new Error("é".repeat(2001)))).to.equal("é".repeat(2000));
    expect(reasonFor("a text")).to.equal("a text");
    expect(reasonFor(Object.create(null))).to.equal(
      "the formatter threw something that has no text",
    );
  });

  it("count an object that comes back after another took its key's place as the last", () => {
    const [first, second] = [row(1, "first"), row(1, "second")];
    const driving = drive(first, row(2, "other"), second, first, second, first);
    for (const cut of [1, 2, 3, 4, 5, 6])
      expect(made(table, driving, [cut])).to.deep.equal(expected(table, driving));
  });

  /** A row, and how often it was looked into to be stored. */
  function counted(k: number): { one: SourceRow; looks: () => number } {
    let looks = 0;
    const one = new Proxy(row(k, "one"), {
      get: (target, property) => {
        if (property === "a_text") looks++;
        return Reflect.get(target, property) as unknown;
      },
    });
    return { one, looks: () => looks };
  }

  it("store rows that are the same objects once, in whichever order their keys are", () => {
    const [first, second] = [counted(2), counted(1)];
    const stars = new StarRows(table, ({ reason }) => expect.fail(reason));
    for (let i = 0; i < 10; i++) stars.add(source, drive(first.one, second.one, first.one), colors);
    expect(stars.rows).to.equal(2);
    expect([first.looks(), second.looks()]).to.deep.equal([1, 1]);
  });

  it("are remembered ten thousand at a time", () => {
    const { one, looks } = counted(0);
    const others = Array.from({ length: 10_000 }, (_, k) => row(k + 1, "other"));
    const stars = new StarRows(table, ({ reason }) => expect.fail(reason));
    stars.add(source, drive(one, ...others.slice(1)), colors);
    stars.add(source, drive(one), colors);
    expect(looks()).to.equal(1);
    stars.add(source, drive(others[0]), colors);
    stars.add(source, drive(one), colors);
    expect(looks()).to.equal(2);
  });
});
