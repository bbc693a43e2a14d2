import { Digester, NOTHING, textOf, type Texts } from "../../src/reconciliation/texts.ts";
import { neighbours } from "../../src/reconciliation/key-ranges.ts";
import {
  decimal,
  defineSource,
  defineTable,
  integer,
  key,
  nullable,
  text,
  time,
  timestamp,
  timestamptz,
} from "../../src/table.ts";
import { store } from "../../src/values.ts";
import { expect } from "../support/chai.ts";
import { tablesOf } from "../support/stages.ts";

const columns = { id: key(integer), a: nullable(text), b: nullable(text), n: nullable(integer) };
const [table] = tablesOf(
  defineTable({
    name: "dim_pairs",
    description: "One row per pair.",
    source: defineSource("pairs", columns),
    columns,
    format: (row) => row,
  }),
);

const digestOf = (...rows: Texts[]): string => {
  const digester = new Digester(table!);
  for (const row of rows) digester.add(row);
  return digester.digest;
};

describe("a digest of rows", () => {
  it("is another one wherever a value is, a null is none, and texts are cut otherwise", () => {
    const rows: Texts[] = [
      ["1", "", "", "2"],
      ["1", null, "", "2"],
      ["1", "", null, "2"],
      ["1", null, null, "2"],
      ["1", null, null, null],
      ["12", null, null, null],
      ["1", "a|", "b", "2"],
      ["1", "a", "|b", "2"],
      ["1", "a|1:b", "", "2"],
      ["1", "a", "b", "2"],
      ["1", "ab", "", "2"],
      ["1", "", "ab", "2"],
      ["1", "ä", "", "2"],
      ["1", "a\u0308", "", "2"],
      ["1", "a ", "", "2"],
    ];
    expect(new Set(rows.map((row) => digestOf(row)))).to.have.length(rows.length);
  });

  it("is the same in any order, and counts each row", () => {
    const [one, two] = [
      ["1", "a", "b", null],
      ["2", "c", "d", "3"],
    ] as const;
    expect(digestOf(one, two)).to.equal(digestOf(two, one));
    expect(digestOf(one, two)).to.not.equal(digestOf(one));
    expect(digestOf(one, one)).to.not.equal(digestOf(one));
    expect(digestOf()).to.equal(NOTHING);
  });

  it("is exact for more rows than a number's digits carry", () => {
    const digester = new Digester(table!);
    const row: Texts = ["1", "a", "b", "2"];
    const [, high, low] = digestOf(row).split(":").map(BigInt) as [bigint, bigint, bigint];
    for (let n = 0; n < 250_000; n++) digester.add(row);
    expect(digester.digest).to.equal(`250000:${high * 250_000n}:${low * 250_000n}`);
  });
});

describe("a value's text", () => {
  const cases = [
    [time, "10:00:00", "10:00:00"],
    [time, "10:00:00.120", "10:00:00.12"],
    [time, "10:00:10.000001", "10:00:10.000001"],
    [timestamp, "2026-01-10T00:00:00.5", "2026-01-10 00:00:00.5"],
    [timestamp, "2026-01-10T10:00:00", "2026-01-10 10:00:00"],
    [timestamptz, "2026-01-10T10:00:00+02:00", "2026-01-10 08:00:00+00"],
    [timestamptz, "2026-01-10T10:00:00.10Z", "2026-01-10 10:00:00.1+00"],
    [decimal(10, 2), "-0", "0.00"],
    [decimal(10, 2), "1.5", "1.50"],
    [nullable(text), null, null],
  ] as const;
  for (const [column, given, shown] of cases)
    it(`is ${shown} of the ${column.type} ${given}`, () => {
      expect(textOf(column, store(column, given))).to.equal(shown);
    });
});

describe("ranges that lie side by side", () => {
  it("are taken together", () => {
    expect([...neighbours([0, 1, 2, 4, 5, 9])]).to.deep.equal([
      [0, 2],
      [4, 5],
      [9, 9],
    ]);
    expect([...neighbours([])]).to.deep.equal([]);
  });
});
