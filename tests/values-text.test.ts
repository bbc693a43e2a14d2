import { expect } from "chai";
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
} from "../src/columns.ts";
import { BadValue, placeholder, store, toText } from "../src/values.ts";

describe("toText", () => {
  const anyDecimal = fc.tuple(fc.integer({ min: 1, max: 38 }), fc.nat()).chain(([precision, any]) =>
    fc.record({
      column: fc.constant(decimal(precision, any % (precision + 1))),
      unscaled: fc.bigInt({
        min: 1n - 10n ** BigInt(precision),
        max: 10n ** BigInt(precision) - 1n,
      }),
    }),
  );

  it("writes decimals with all of their digits, and store reads them back", () => {
    fc.assert(
      fc.property(anyDecimal, ({ column, unscaled }) => {
        const stored = (column.precision ?? 0) <= 15 ? Number(unscaled) : unscaled;
        const written = toText(column, stored);
        const scale = column.scale ?? 0;
        expect(written).to.match(scale === 0 ? /^-?\d+$/ : new RegExp(`^-?\\d+\\.\\d{${scale}}$`));
        expect(BigInt(written.replace(".", ""))).to.equal(unscaled);
        expect(store(column, written)).to.equal(stored);
      }),
      { numRuns: 1000 },
    );
  });

  it("refuses a decimal that the column is one digit too narrow for", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 38 }), fc.bigInt(), (precision, any) => {
        const least = 10n ** BigInt(precision);
        const unscaled = least + (((any % least) + least) % least);
        expect(() => store(decimal(precision, 0), String(unscaled))).to.throw(BadValue);
      }),
    );
  });

  const first = BigInt(Date.parse("0001-01-01T00:00:00Z")) * 1000n;
  const last = BigInt(Date.parse("9999-12-31T23:59:59.999Z")) * 1000n + 999n;
  const micros = fc.bigInt({ min: first, max: last });

  it("writes times of day to the microsecond, and store reads them back", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 86_399_999_999 }), (stored) => {
        const whole = new Date(Math.floor(stored / 1000)).toISOString().slice(11, 23);
        const written = whole + String(stored % 1000).padStart(3, "0");
        expect(toText(time, stored)).to.equal(written);
        expect(store(time, written)).to.equal(stored);
      }),
      { numRuns: 2000 },
    );
  });

  it("writes timestamps to the microsecond, and store reads them back", () => {
    fc.assert(
      fc.property(micros, (stored) => {
        const whole = new Date(Number((stored - first) / 1000n + first / 1000n));
        const written = `${whole.toISOString().replace("T", " ").slice(0, 23)}${String((stored - first) % 1000n).padStart(3, "0")}`;
        expect(toText(timestamp, stored)).to.equal(written);
        expect(toText(timestamptz, stored)).to.equal(`${written}+00`);
        expect(store(timestamp, written)).to.equal(stored);
        expect(store(timestamptz, `${written}+00`)).to.equal(stored);
      }),
      { numRuns: 2000 },
    );
  });

  it("moves a timestamp with a zone by its offset", () => {
    const offset = fc.record({
      sign: fc.constantFrom("+", "-"),
      hours: fc.integer({ min: 0, max: 15 }),
      minutes: fc.integer({ min: 0, max: 59 }),
    });
    fc.assert(
      fc.property(
        fc.date({ min: new Date("0002-01-01"), max: new Date("9998-12-31"), noInvalidDate: true }),
        offset,
        (moment, { sign, hours, minutes }) => {
          const zone = `${sign}${String(hours).padStart(2, "0")}:${String(minutes).padStart(2, "0")}`;
          const written = moment.toISOString().slice(0, 23) + zone;
          expect(store(timestamptz, written)).to.equal(BigInt(Date.parse(written)) * 1000n);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("writes the other types as PostgreSQL reads them", () => {
    expect(toText(integer, -2_147_483_648)).to.equal("-2147483648");
    expect(toText(bigint, -(2n ** 63n))).to.equal("-9223372036854775808");
    expect(toText(boolean, true)).to.equal("t");
    expect(toText(boolean, false)).to.equal("f");
    expect(toText(text, "a\tb")).to.equal("a\tb");
    expect(toText(time, 51_652_100_000)).to.equal("14:20:52.100000");
    expect(toText(time, 0)).to.equal("00:00:00.000000");
    expect(toText(time, 86_399_999_999)).to.equal("23:59:59.999999");
    expect(toText(date, -719_162)).to.equal("0001-01-01");
    expect(toText(date, 11_016)).to.equal("2000-02-29"); // the last day of 400 years
    expect(toText(decimal(10, 2), -5)).to.equal("-0.05");
    expect(toText(decimal(16, 2), -5n)).to.equal("-0.05");
    expect(toText(decimal(3, 0), -5)).to.equal("-5");
  });

  it("refuses what no column stores", () => {
    expect(() => toText(nullable(text), null)).to.throw(RangeError, "null has no text");
    expect(() => toText(date, 2_932_897)).to.throw(
      RangeError,
      "day 2932897 is outside the years 0001 to 9999",
    );
    expect(() => toText(date, -719_163)).to.throw(RangeError);
    expect(() => toText(timestamp, last + 1n)).to.throw(RangeError);
    for (const micros of [-1, 86_400_000_000, 0.5, NaN])
      expect(() => toText(time, micros)).to.throw(
        RangeError,
        `${micros} µs after midnight are no time of day`,
      );
    expect(() => toText(timestamp, first - 1n)).to.throw(RangeError);
    for (const [column, stored] of [
      [integer, "1"],
      [bigint, 1],
      [boolean, 1],
      [text, 1],
      [date, "2024-01-01"],
      [time, "14:20:52.100000"],
      [timestamp, 1],
      [timestamptz, 1],
      [decimal(10, 2), 1.5],
      [decimal(10, 2), 1n],
      [decimal(16, 2), 1],
    ] as const) {
      expect(() => toText(column, stored), column.type).to.throw(
        TypeError,
        `is not how a ${column.type} is stored`,
      );
    }
  });
});

describe("placeholder", () => {
  it("is unknown, null, zero, false, midnight or the first day", () => {
    expect(placeholder(text)).to.equal("unknown");
    expect(placeholder(nullable(text))).to.equal("unknown");
    expect(placeholder(nullable(integer))).to.equal(null);
    expect(placeholder(nullable(date))).to.equal(null);
    expect(placeholder(integer)).to.equal(0);
    expect(placeholder(bigint)).to.equal(0n);
    expect(placeholder(boolean)).to.equal(false);
    expect(toText(date, placeholder(date))).to.equal("0001-01-01");
    expect(toText(time, placeholder(time))).to.equal("00:00:00.000000");
    expect(toText(timestamp, placeholder(timestamp))).to.equal("0001-01-01 00:00:00.000000");
    expect(toText(timestamptz, placeholder(timestamptz))).to.equal("0001-01-01 00:00:00.000000+00");
    expect(toText(decimal(10, 2), placeholder(decimal(10, 2)))).to.equal("0.00");
    expect(toText(decimal(16, 2), placeholder(decimal(16, 2)))).to.equal("0.00");
  });
});
