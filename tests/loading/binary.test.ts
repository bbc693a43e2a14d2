// What goes by binary COPY arrives as the text of the same value would: PostgreSQL itself is asked.
import fc from "fast-check";
import {
  bigint,
  boolean,
  date,
  decimal,
  integer,
  nullable,
  text,
  time,
  timestamp,
  timestamptz,
  type Column,
} from "../../src/columns.ts";
import { copyBlocks, fieldOf, HEADER, TRAILER } from "../../src/loading/binary.ts";
import { sqlType } from "../../src/loading/warehouse.ts";
import { getConnection, type Connection } from "../../src/postgres/connection.ts";
import { copyIn } from "../../src/postgres/copy.ts";
import { store, toText } from "../../src/values.ts";
import { vectorOf } from "../../src/vectors.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline } from "../support/pipeline.ts";

/** A column as declared, and the warehouse's type where it is another. */
interface Target {
  readonly column: Column;
  readonly base?: string;
  readonly type?: string;
}

const digits = (most: number): fc.Arbitrary<string> =>
  fc.oneof(
    fc.string({
      unit: fc.constantFrom(..."0123456789".split("")),
      minLength: most,
      maxLength: most,
    }),
    fc.nat({ max: most }).map((n) => "9".repeat(n).padStart(most, "0")),
    fc.nat({ max: most }).map((n) => `${"1".padEnd(n, "0")}`.slice(0, most).padStart(most, "0")),
    fc.constant("0".repeat(most)),
  );
const two = (most: number): fc.Arbitrary<string> =>
  fc.integer({ min: 0, max: most }).map((n) => String(n).padStart(2, "0"));
const days = fc
  .oneof(
    fc.integer({ min: -719_162, max: 2_932_896 }),
    fc.constantFrom(-719_162, 2_932_896, 10_956, 10_957, 10_958, 0, -1),
  )
  .map((day) => new Date(day * 86_400_000).toISOString().slice(0, 10));
const times = fc
  .oneof(
    fc.tuple(two(23), two(59), two(59), fc.integer({ min: 0, max: 999_999 })),
    fc.constantFrom(["00", "00", "00", 0] as const, ["23", "59", "59", 999_999] as const),
  )
  .map(([h, m, s, f]) => `${h}:${m}:${s}.${String(f).padStart(6, "0")}`);

/** What a formatter may give for `column`. */
function given(column: Column): fc.Arbitrary<unknown> {
  switch (column.type) {
    case "integer":
      return fc.oneof(
        fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        fc.constantFrom(-(2 ** 31), 2 ** 31 - 1, 0, -1),
      );
    case "bigint":
      return fc
        .oneof(
          fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
          fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n, -1n),
        )
        .map(String);
    case "boolean":
      return fc.boolean();
    case "text":
      return fc
        .oneof(
          fc.string({ unit: "binary", maxLength: 60 }),
          fc.string({ unit: "grapheme-ascii", maxLength: 60 }),
          fc.constantFrom("", "\\N", "é", "x".repeat(24), "x".repeat(25), `${"x".repeat(23)}é`),
        )
        .map((value) => value.replaceAll("\0", "0"));
    case "date":
      return days;
    case "time":
      return times;
    case "timestamp":
      return fc.tuple(days, times).map(([day, at]) => `${day}T${at}`);
    case "timestamptz":
      return fc.tuple(days, times).map(([day, at]) => `${day}T${at}Z`);
    case "decimal": {
      const { precision = 0, scale = 0 } = column;
      return fc.tuple(digits(precision), fc.boolean()).map(([all, negative]) => {
        const whole = all.slice(0, precision - scale) || "0";
        return `${negative ? "-" : ""}${whole}${scale > 0 ? `.${all.slice(precision - scale)}` : ""}`;
      });
    }
  }
}

describe("binary COPY", () => {
  let connection: Connection;
  before(async () => {
    const p = await openPipeline({ orders: 0 });
    connection = await getConnection({ ...p.warehouse, schema: "public" });
  });
  after(async () => {
    await connection.close();
    await closeAll();
  });

  /** Brings the same values there in both ways and counts the rows; fails where two differ. */
  async function arrives(targets: readonly Target[], rows: readonly (readonly unknown[])[]) {
    const stored = targets.map(({ column }, at) => rows.map((row) => store(column, row[at])));
    const types = targets.map(({ column, type }) => type ?? sqlType(column));
    await connection.db.tx(async (t) => {
      for (const name of ["binary", "plain"])
        await t.none(
          `create temporary table "${name}" (n int, ${types.map((type, at) => `c${at} ${type}`).join(", ")}) on commit drop`,
        );
      const n = integer;
      const fields = targets.map(({ column, base }, at) =>
        fieldOf(column, base, vectorOf(column, stored[at]!)),
      );
      const numbers = Int32Array.from(rows, (_, row) => row);
      await copyIn(connection, `copy "binary" from stdin (format binary)`, [
        HEADER,
        ...copyBlocks(
          [
            fieldOf(n, undefined, { layout: "int32", values: numbers, nulls: undefined }),
            ...fields,
          ],
          rows.length,
        ),
        TRAILER,
      ]);
      await t.none(
        `insert into plain select x::int, ${types.map((type, at) => `y${at}::${type}`).join(", ")}
           from unnest(${[...targets, n].map((_, at) => `$${at + 1}::text[]`).join(", ")})
             as u(x, ${targets.map((_, at) => `y${at}`).join(", ")})`,
        [
          [...numbers].map(String),
          ...targets.map(({ column }, at) =>
            stored[at]!.map((value) => (value === null ? null : toText(column, value))),
          ),
        ],
      );
      // As texts, so that numerics are held against each other to the last zero.
      const differing = await t.any<object>(
        `select b::text as "binary", p::text as plain from "binary" b full join plain p using (n)
          where b::text is distinct from p::text limit 3`,
      );
      expect(differing).to.deep.equal([]);
      const { count } = await t.one<{ count: string }>(`select count(*) from "binary"`);
      expect(Number(count)).to.equal(rows.length);
    });
  }

  const decimals: readonly (readonly [number, number])[] = [
    [1, 0],
    [1, 1],
    [4, 4],
    [5, 5],
    [9, 5],
    [10, 2],
    [15, 0],
    [15, 1],
    [15, 7],
    [15, 15],
    [16, 0],
    [18, 2],
    [19, 4],
    [38, 0],
    [38, 3],
    [38, 38],
  ];
  const targets: Record<string, Target> = {
    integer: { column: integer },
    "integer, in a bigint": { column: integer, base: "int8", type: "bigint" },
    bigint: { column: bigint },
    boolean: { column: boolean },
    varchar: { column: text },
    text: { column: text, base: "text", type: "text" },
    date: { column: date },
    time: { column: time },
    timestamp: { column: timestamp },
    timestamptz: { column: timestamptz },
    "decimal(10,2), in a numeric of any size": {
      column: decimal(10, 2),
      base: "numeric",
      type: "numeric",
    },
    "decimal(10,2), in a wider one": { column: decimal(10, 2), type: "numeric(14,4)" },
    ...Object.fromEntries(
      decimals.map(([precision, scale]) => [
        `decimal(${precision},${scale})`,
        { column: decimal(precision, scale) },
      ]),
    ),
  };
  for (const [name, target] of Object.entries(targets))
    it(`brings any ${name}, and null`, async () => {
      const maybe = { ...target, column: nullable(target.column) };
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(given(target.column), fc.option(given(target.column), { nil: null })), {
            maxLength: 300,
          }),
          (rows) => arrives([target, maybe], rows),
        ),
        { numRuns: 12 },
      );
    });

  it("brings columns of every type side by side, more rows than a block has", async () => {
    const all = Object.values(targets).flatMap((target) => [
      target,
      { ...target, column: nullable(target.column) },
    ]);
    const row = fc.tuple(
      ...all.map(({ column }) =>
        column.nullable ? fc.option(given(column), { nil: null }) : given(column),
      ),
    );
    const some = fc.sample(row, { numRuns: 500, seed: 7 });
    await arrives(
      all,
      Array.from({ length: 9_000 }, (_, i) => some[(i * 7) % some.length]!),
    );
  });

  it("brings rows so small that a block has more than it can count", () =>
    arrives(
      [{ column: integer }],
      Array.from({ length: 9_000 }, (_, i) => [i]),
    ));

  it("brings texts of a megabyte between short ones", async () => {
    const texts = ["", "a", "é".repeat(1 << 19), "x".repeat(1 << 20), "y", "\u{10ffff}".repeat(3)];
    await arrives(
      [{ column: text }, { column: nullable(text) }],
      [
        ...texts.map((value, i) => [value, i % 2 === 0 ? null : value]),
        ...texts.map((value) => ["", value]),
      ],
    );
  });

  it("brings no rows", () => arrives([{ column: integer }], []));
});

describe("blocks for binary COPY", () => {
  const sizes = (texts: readonly string[]): number[] => {
    const field = fieldOf(text, undefined, {
      layout: "text",
      values: [...texts],
      nulls: undefined,
    });
    return [...copyBlocks([field], texts.length)].map(({ length }) => length);
  };

  it("have up to 128 KiB, or one row that is more", () => {
    // A row is its text, two bytes before it and four before the text: 64 of these are 128 KiB.
    expect(sizes(Array<string>(130).fill("x".repeat(2042)))).to.deep.equal([
      64 * 2048,
      64 * 2048,
      2 * 2048,
    ]);
    const large = "x".repeat(200_000);
    expect(sizes([large, "a", "b", large, "c"])).to.deep.equal([200_006, 14, 200_006, 7]);
  });

  it("have no more of a decimal than its digits need: a head, and two bytes for four of each side", () => {
    const widths = (
      [
        [4, 0],
        [5, 0],
        [4, 4],
        [5, 5],
        [10, 2],
        [38, 19],
      ] as const
    ).map(([precision, scale]) => {
      const column = decimal(precision, scale);
      return fieldOf(column, undefined, vectorOf(column, [])).width;
    });
    expect(widths).to.deep.equal([8 + 2, 8 + 4, 8 + 2, 8 + 4, 8 + 6, 8 + 20]);
  });
});
