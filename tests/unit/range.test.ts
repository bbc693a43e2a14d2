import {
  bigint,
  boolean,
  date,
  decimal,
  integer,
  text,
  time,
  timestamp,
  timestamptz,
  type Column,
} from "../../src/columns.ts";
import { rangeOf } from "../../src/loading/range.ts";
import type { Stored } from "../../src/values.ts";
import { expect } from "../support/chai.ts";

describe("rangeOf", () => {
  const ranges: [string, Column, Stored[], object][] = [
    [
      "integers",
      integer,
      [3, -1, 2],
      { lowest: "'-1'::integer", highest: "'3'::integer", size: 5 },
    ],
    [
      "bigints",
      bigint,
      [2n ** 63n - 1n, 0n, -(2n ** 63n)],
      {
        lowest: "'-9223372036854775808'::bigint",
        highest: "'9223372036854775807'::bigint",
        size: 2 ** 64,
      },
    ],
    ["one value", bigint, [7n], { lowest: "'7'::bigint", highest: "'7'::bigint", size: 1 }],
    [
      "days",
      date,
      [19_738, 19_737],
      { lowest: "'2024-01-15'::date", highest: "'2024-01-16'::date", size: undefined },
    ],
    [
      "times",
      time,
      [0, 1],
      { lowest: "'00:00:00.000000'::time", highest: "'00:00:00.000001'::time", size: undefined },
    ],
    [
      "moments",
      timestamp,
      [1n, 0n],
      {
        lowest: "'1970-01-01 00:00:00.000000'::timestamp",
        highest: "'1970-01-01 00:00:00.000001'::timestamp",
        size: undefined,
      },
    ],
    [
      "moments with a zone",
      timestamptz,
      [0n],
      {
        lowest: "'1970-01-01 00:00:00.000000+00'::timestamptz",
        highest: "'1970-01-01 00:00:00.000000+00'::timestamptz",
        size: undefined,
      },
    ],
    [
      "decimals",
      decimal(10, 2),
      [150, -5],
      { lowest: "'-0.05'::numeric(10, 2)", highest: "'1.50'::numeric(10, 2)", size: undefined },
    ],
  ];
  for (const [what, column, values, range] of ranges)
    it(`is from the lowest to the highest of ${what}`, () => {
      expect(rangeOf(column, values)).to.deep.equal(range);
    });

  it("is none of no values, nor of types that SQL may order otherwise", () => {
    expect(rangeOf(integer, [])).to.equal(undefined);
    expect(rangeOf(text, ["a"])).to.equal(undefined);
    expect(rangeOf(boolean, [true])).to.equal(undefined);
  });
});
