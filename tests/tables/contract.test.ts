// What every table module must do, whatever it is: runs over each file in tables/.
import fc from "fast-check";
import { readFileSync } from "node:fs";
import { getTables } from "../../src/registry.ts";
import {
  getColumnNames,
  keyOf,
  recordIdOf,
  type Column,
  type Source,
  type SourceRow,
} from "../../src/table.ts";
import { StarRows, type Found } from "../../src/transformation/star-rows.ts";
import { expect } from "../support/chai.ts";

const pad = (n: number, width: number): string => String(n).padStart(width, "0");
const day = fc
  .date({ min: new Date("0001-01-01"), max: new Date("9999-12-31"), noInvalidDate: true })
  .map((date) => date.toISOString().slice(-24, -14));
const time = fc
  .tuple(fc.nat(23), fc.nat(59), fc.nat(59), fc.nat(999))
  .map(([h, m, s, ms]) => `${pad(h, 2)}:${pad(m, 2)}:${pad(s, 2)}.${pad(ms, 3)}`);
const digits = (length: number) => fc.nat(Math.min(10 ** length - 1, 2 ** 31 - 1)).map(String);

/** What a source may hold in a column of that type and name. */
function valueOf(name: string, column: Column): fc.Arbitrary<unknown> {
  const value = ((): fc.Arbitrary<unknown> => {
    switch (column.type) {
      case "integer":
        return fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
      case "boolean":
        return fc.boolean();
      case "date":
        return day;
      case "time":
        return time;
      case "timestamp":
        return fc.tuple(day, time).map(([d, t]) => `${d}T${t}`);
      case "decimal":
        return fc
          .tuple(digits(column.precision! - column.scale!), digits(column.scale!))
          .map(([whole, part]) => `${whole}.${part.padEnd(column.scale!, "0")}`);
      case "text":
        if (name.endsWith("_date")) return day;
        if (name === "currency_code") return fc.constantFrom("GBP", "USD", "EUR", "JPY", "CHF");
        return fc.string({ unit: "grapheme" }).map((text) => text.replaceAll("\0", ""));
      default:
        throw new Error(`no specimen for ${column.type}`);
    }
  })();
  return column.nullable ? fc.option(value, { nil: null }) : value;
}

const rowOf = (source: Source): fc.Arbitrary<SourceRow> =>
  fc.record(
    Object.fromEntries(
      Object.entries(source.columns).map(([name, column]) => [name, valueOf(name, column)]),
    ),
  );

const tables = await getTables();

describe("every table module", () => {
  for (const table of tables) {
    describe(table.name, () => {
      const starRows = () => new StarRows(table, ({ reason }) => expect.fail(reason));
      for (const source of table.sources) {
        const lookups = Object.values(table.lookups);
        const specimen = fc.tuple(rowOf(source), ...lookups.map((lookup) => rowOf(lookup.source)));
        const foundFor = (row: SourceRow, found: readonly SourceRow[]): Found =>
          new Map(
            lookups.map(({ source, by }, i) => [
              source.name,
              new Map([[String(row[by]), found[i]!]]),
            ]),
          );

        it(`makes rows that fit its columns of whatever ${source.name} may hold`, () => {
          fc.assert(
            fc.property(specimen, ([row, ...found]) => {
              const rejected: unknown[] = [];
              const rows = new StarRows(table, (one) => rejected.push(one));
              rows.add(source, [row], foundFor(row, found));
              expect(rejected).to.deep.equal([]);
              expect(rows.vectors).to.have.length(getColumnNames(table).length);
            }),
          );
        });

        it(`makes the same of the same row of ${source.name}, and leaves it as it is`, () => {
          fc.assert(
            fc.property(specimen, ([row, ...found]) => {
              const frozen = Object.freeze({ ...row });
              const looked = foundFor(
                row,
                found.map((one) => Object.freeze({ ...one })),
              );
              const [first, second] = [starRows(), starRows()];
              first.add(source, [frozen], looked);
              second.add(source, [frozen], looked);
              expect(second.vectors).to.deep.equal(first.vectors);
            }),
          );
        });
      }

      it("says its grain, and keeps versions exactly when it is a fact", () => {
        expect(table.description).to.match(/^One row per .*\.$/);
        expect(recordIdOf(table) !== undefined).to.equal(table.name.startsWith("fact_"));
        expect(keyOf(table)).to.have.length(1);
      });

      it("fits on a page: 40 lines or fewer", () => {
        const text = readFileSync(
          new URL(`../../tables/${table.name}.ts`, import.meta.url),
          "utf8",
        );
        expect(text.trimEnd().split("\n").length).to.be.at.most(40);
      });
    });
  }
});
