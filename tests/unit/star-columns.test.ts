import {
  bigint,
  boolean,
  decimal,
  integer,
  nullable,
  text,
  type Column,
} from "../../src/columns.ts";
import { StarColumn } from "../../src/transformation/star-columns.ts";
import { store } from "../../src/values.ts";
import { vectorOf } from "../../src/vectors.ts";
import { expect } from "../support/chai.ts";

describe("a column of a star table while its rows are made", () => {
  const columns: [string, Column, (row: number) => unknown][] = [
    ["integers", integer, (row) => row],
    ["floats", decimal(5, 2), (row) => `${row}.25`],
    ["texts", text, (row) => `text ${row}`],
    ["bigints", bigint, (row) => `${row}00000000000`],
    ["booleans", boolean, (row) => row % 3 === 0],
  ];
  for (const [what, column, of] of columns) {
    const held = (maybe: Column, value: (row: number) => unknown): void => {
      const made = new StarColumn("c", maybe, 0);
      const all = Array.from({ length: 300 }, (_, row) => value(row));
      // One stretch within the room that there is at first, one that needs much more, one of a row.
      for (const [from, to] of [
        [0, 50],
        [50, 299],
        [299, 300],
      ] as const)
        made.fill(
          all.slice(from, to).map((c) => ({ c })),
          from,
        );
      expect(made.vector(300)).to.deep.equal(
        vectorOf(
          maybe,
          all.map((one) => store(maybe, one)),
        ),
      );
    };

    it(`holds ${what}, however many come at once`, () => held(column, of));

    it(`holds ${what} and nulls, the first of which comes late`, () =>
      held(nullable(column), (row) => (row >= 60 && row % 7 === 0 ? null : of(row))));
  }

  it("tells whether some of its values ascend, from the one before them on", () => {
    const ascends = (values: readonly number[], from: number, to: number): boolean => {
      const column = new StarColumn("c", integer, 0);
      column.fill(
        values.map((c) => ({ c })),
        0,
      );
      return column.ascends(from, to);
    };
    expect(ascends([1, 2, 9], 0, 3)).to.equal(true);
    expect(ascends([1, 2, 2], 0, 3)).to.equal(false);
    expect(ascends([2, 1, 3], 0, 3)).to.equal(false);
    // What was there before is not looked at again, but for the last.
    expect(ascends([5, 1, 2, 3], 2, 4)).to.equal(true);
    expect(ascends([5, 4, 6], 1, 3)).to.equal(false);
    // Nor is what comes after.
    expect(ascends([1, 2, 3, 0], 0, 3)).to.equal(true);
    expect(ascends([7], 0, 1)).to.equal(true);
    expect(ascends([], 0, 0)).to.equal(true);
  });
});
