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
import { BadValue, copyRows, placeholder, store, toText } from "../src/values.ts";

const DAY = 86_400_000;

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
    expect(toText(decimal(10, 2), -5)).to.equal("-0.05");
    expect(toText(decimal(16, 2), -5n)).to.equal("-0.05");
    expect(toText(decimal(3, 0), -5)).to.equal("-5");
  });

  it("refuses what no column stores", () => {
    expect(() => toText(nullable(text), null)).to.throw(RangeError);
    expect(() => toText(date, 2_932_897)).to.throw(RangeError);
    expect(() => toText(date, -719_163)).to.throw(RangeError);
    expect(() => toText(timestamp, last + 1n)).to.throw(RangeError);
    for (const micros of [-1, 86_400_000_000, 0.5, NaN])
      expect(() => toText(time, micros)).to.throw(RangeError);
    expect(() => toText(timestamp, first - 1n)).to.throw(RangeError);
    for (const [column, stored] of [
      [integer, "1"],
      [bigint, 1],
      [boolean, 1],
      [text, 1],
      [date, "2024-01-01"],
      [time, "14:20:52.100000"],
      [timestamp, 1],
      [timestamptz, "x"],
      [decimal(10, 2), 1.5],
      [decimal(10, 2), 1n],
      [decimal(16, 2), 1],
    ] as const) {
      expect(() => toText(column, stored), column.type).to.throw(TypeError);
    }
  });
});

/** PostgreSQL's reading of COPY's text format, by its documentation: rows of fields, null for `\N`. */
function readCopy(lines: string): (string | null)[][] {
  const meanings: Record<string, string> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };
  const rows: (string | null)[][] = [];
  let row: (string | null)[] = [];
  let field = "";
  let raw = "";
  for (let i = 0; i < lines.length; i++) {
    const c = lines.charAt(i);
    if (c === "\t" || c === "\n") {
      row.push(raw === "\\N" ? null : field);
      field = raw = "";
      if (c === "\n") {
        rows.push(row);
        row = [];
      }
    } else if (c === "\\") {
      const next = lines.charAt(++i);
      if (next === "" || next === "\n" || next === "\t")
        throw new Error("a backslash before nothing");
      raw += c + next;
      if (raw === "\\.") throw new Error("the end of the data");
      field += meanings[next] ?? next;
    } else {
      if (c === "\r") throw new Error("a bare carriage return, which is an error to PostgreSQL");
      raw += c;
      field += c;
    }
  }
  if (row.length > 0 || raw !== "") throw new Error("the last line is not ended");
  return rows;
}

describe("copyRows", () => {
  const texts = [nullable(text), nullable(text)];

  it("writes any text so that it is read back, and tells null from it", () => {
    const field = fc.option(
      fc.oneof(
        fc.string({ unit: "binary" }).filter((s) => !s.includes("\0")),
        fc.string({
          unit: fc.constantFrom("\\", "N", ".", "\n", "\r", "\t", "\b", "\f", "\v", "x"),
        }),
      ),
      { nil: null },
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(field, field), { maxLength: 20 }), (rows) => {
        const data = [rows.map(([a]) => a), rows.map(([, b]) => b)];
        expect(readCopy(copyRows(texts, data, 0, rows.length))).to.deep.equal(rows);
      }),
      { numRuns: 1000 },
    );
  });

  for (const [name, value, written] of [
    ["\\N as text", "\\N", "\\\\N"],
    ["null", null, "\\N"],
    ["the end-of-data marker as text", "\\.", "\\\\."],
    ["an empty text", "", ""],
    ["quotes", `O'Keefe "x"`, `O'Keefe "x"`],
    ["a tab, a newline, a carriage return", "\t\n\r", "\\t\\n\\r"],
    ["a backslash at the end", "a\\", "a\\\\"],
    ["an emoji", "👩‍🚀", "👩‍🚀"],
    ["a line separator", "\u2028\u0085", "\u2028\u0085"],
    ["a byte order mark", "\ufeffa", "\ufeffa"],
  ] as const) {
    it(`writes ${name}`, () => {
      expect(copyRows([nullable(text)], [[value]], 0, 1)).to.equal(`${written}\n`);
      expect(readCopy(`${written}\n`)).to.deep.equal([[value]]);
    });
  }

  it("writes a text of a megabyte", () => {
    const long = "a\\\n😀".repeat(1 << 17);
    expect(readCopy(copyRows([text], [[long]], 0, 1))).to.deep.equal([[long]]);
  });

  it("writes the rows asked for, each type as its text", () => {
    const columns = [integer, nullable(date), decimal(10, 2), boolean, timestamptz, time];
    const data = [
      Int32Array.of(1, 2, 3),
      [0, null, 19_782],
      Float64Array.of(1, -5, 123),
      [true, false, true],
      [0n, -1n, 1n],
      [0, 51_652_100_000, 86_399_999_999],
    ];
    expect(copyRows(columns, data, 1, 3)).to.equal(
      "2\t\\N\t-0.05\tf\t1969-12-31 23:59:59.999999+00\t14:20:52.100000\n" +
        "3\t2024-02-29\t1.23\tt\t1970-01-01 00:00:00.000001+00\t23:59:59.999999\n",
    );
    expect(copyRows(columns, data, 1, 1)).to.equal("");
  });

  it("writes each of many repeated values as itself", () => {
    const days = Array.from({ length: 30_000 }, (_, i) => (i * 7919) % 20_011);
    const lines = copyRows([date], [days], 0, days.length).split("\n");
    expect(lines.pop()).to.equal("");
    expect(lines).to.deep.equal(days.map((day) => new Date(day * DAY).toISOString().slice(0, 10)));
  });

  it("refuses to write rows that are not there", () => {
    expect(() => copyRows([integer], [[1]], 0, 2)).to.throw(RangeError);
    expect(() => copyRows([integer, integer], [[1]], 0, 1)).to.throw(RangeError);
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
