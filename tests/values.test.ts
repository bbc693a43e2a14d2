import { expect } from "chai";
import fc from "fast-check";
import {
  bigint,
  boolean,
  type Column,
  date,
  decimal,
  integer,
  nullable,
  text,
  time,
  timestamp,
  timestamptz,
} from "../src/columns.ts";
import { BadValue, store, type Stored, toText } from "../src/values.ts";

const DAY = 86_400_000;
const escaped = (message: string): string => message.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** What is accepted (as given → as stored) and what is refused, for each type. */
const cases: {
  name: string;
  column: Column;
  accepts: [unknown, Stored][];
  refuses: unknown[];
}[] = [
  {
    name: "integer",
    column: integer,
    accepts: [
      [0, 0],
      [-0, 0],
      [2_147_483_647, 2_147_483_647],
      [-2_147_483_648, -2_147_483_648],
    ],
    refuses: [
      2_147_483_648,
      -2_147_483_649,
      1.5,
      NaN,
      Infinity,
      "1",
      1n,
      true,
      [1],
      {},
      new Date(0),
    ],
  },
  {
    name: "bigint",
    column: bigint,
    accepts: [
      ["0", 0n],
      ["-0", 0n],
      ["9007199254740993", 9_007_199_254_740_993n],
      ["9223372036854775807", 2n ** 63n - 1n],
      ["-9223372036854775808", -(2n ** 63n)],
    ],
    refuses: [
      "9223372036854775808",
      "-9223372036854775809",
      "",
      "-",
      "+1",
      "1.0",
      "1e3",
      " 1",
      "1\n",
      "0x10",
      "1".repeat(1_000_000),
      1,
      1n,
    ],
  },
  {
    name: "boolean",
    column: boolean,
    accepts: [
      [true, true],
      [false, false],
    ],
    refuses: ["true", "t", 0, 1, ""],
  },
  {
    name: "text",
    column: text,
    accepts: ["", "O'Keefe", "\\N", "\t\n\r", "\ufeffa", "😀", "\u2028", "x".repeat(1 << 20)].map(
      (value) => [value, value],
    ),
    refuses: ["a\0b", "\ud83d", "\ude00\ud83d", 1, true, ["a"], Symbol("a"), () => "a"],
  },
  {
    name: "date",
    column: date,
    accepts: [
      ["1970-01-01", 0],
      ["1969-12-31", -1],
      ["0001-01-01", Date.parse("0001-01-01") / DAY],
      ["9999-12-31", Date.parse("9999-12-31") / DAY],
      ["2024-02-29", Date.parse("2024-02-29") / DAY],
      ["2000-02-29", Date.parse("2000-02-29") / DAY],
    ],
    refuses: [
      "2024-02-30",
      "2023-02-29",
      "1900-02-29",
      "2024-04-31",
      "2024-00-10",
      "2024-13-01",
      "2024-01-00",
      "2024-01-32",
      "0000-01-01",
      "10000-01-01",
      "-001-01-01",
      "30/06/2024",
      "2024-6-30",
      "20240630",
      "2024-06-30 ",
      "2024-06-30T00:00:00",
      "infinity",
      "",
      "२०२४-०१-०१",
      "2024-06-30".split(""),
      new Date(),
      20_240_630,
    ],
  },
  {
    name: "time",
    column: time,
    accepts: [
      ["00:00:00", 0],
      ["14:20:52.1", 51_652_100_000],
      ["14:20:52.186", 51_652_186_000],
      ["23:59:59.999999", 86_399_999_999],
    ],
    refuses: [
      "24:00:00",
      "23:60:00",
      "23:59:60",
      "14:20",
      "14:20:52.",
      "14:20:52.1234567",
      "14:20:52,1",
      "14:20:52Z",
      "1:20:52",
      "-1:00:00",
      "",
      0,
    ],
  },
  {
    name: "timestamp",
    column: timestamp,
    accepts: [
      ["1970-01-01T00:00:00", 0n],
      ["1970-01-01 00:00:00.000001", 1n],
      ["1969-12-31T23:59:59.999999", -1n],
      ["1970-01-12T13:46:40", 1_000_000_000_000n],
      ["2022-11-03T14:20:52.186", BigInt(Date.parse("2022-11-03T14:20:52.186Z")) * 1000n],
      ["0001-01-01T00:00:00", BigInt(Date.parse("0001-01-01T00:00:00Z")) * 1000n],
      ["9999-12-31T23:59:59.999999", BigInt(Date.parse("9999-12-31T23:59:59.999Z")) * 1000n + 999n],
    ],
    refuses: [
      "2022-11-03",
      "2022-11-03T14:20",
      "2022-11-03t14:20:52",
      "2022-11-03T14:20:52Z",
      "2022-11-03T14:20:52+00",
      "2022-02-30T00:00:00",
      "2022-11-03T24:00:00",
      "0000-12-31T00:00:00",
      "10000-01-01T00:00:00",
      "2022-11-03T14:20:52.",
      "infinity",
      "",
      new Date(),
      0,
    ],
  },
  {
    name: "timestamptz",
    column: timestamptz,
    accepts: [
      ["1970-01-01T00:00:00Z", 0n],
      ["1970-01-01 00:00:00+00", 0n],
      ["1970-01-01T01:00:00+01:00", 0n],
      ["1969-12-31T18:30:00.5-05:30", 500_000n],
      ["1970-01-01T15:59:00+15:59", 0n],
      ["0001-01-01T00:00:00Z", BigInt(Date.parse("0001-01-01T00:00:00Z")) * 1000n],
      [
        "9999-12-31T23:59:59.999999Z",
        BigInt(Date.parse("9999-12-31T23:59:59.999Z")) * 1000n + 999n,
      ],
    ],
    refuses: [
      "1970-01-01T00:00:00",
      "1970-01-01T00:00:00z",
      "1970-01-01T00:00:00 +00",
      "1970-01-01T00:00:00+1",
      "1970-01-01T00:00:00+0100",
      "1970-01-01T00:00:00+01:60",
      "1970-01-01T00:00:00+16:00",
      "1970-01-01T00:00:00Z+00",
      "1970-01-01T00:00:00.+00",
      "1970-01-01T00:00:00ZZ",
      "1970-01-01T00:00:00+01:3",
      "1970-01-01T00:00:00+01:300",
      // In UTC these are in the year before 0001 and the year after 9999.
      "0001-01-01T00:00:00+01:00",
      "9999-12-31T23:30:00-01:00",
      "",
      new Date(),
      0,
    ],
  },
  {
    name: "decimal(10,2)",
    column: decimal(10, 2),
    accepts: [
      ["12.30", 1230],
      ["12.3", 1230],
      ["12", 1200],
      ["-0.01", -1],
      ["-0.00", 0],
      ["0.000000", 0],
      ["1.150000", 115],
      ["007.5", 750],
      ["99999999.99", 9_999_999_999],
      ["-99999999.99", -9_999_999_999],
      [`${"0".repeat(50)}1.10${"0".repeat(50)}`, 110],
    ],
    refuses: [
      "1.151",
      "100000000",
      "100000000.00",
      "NaN",
      "Infinity",
      "1e2",
      "1,50",
      ".5",
      "5.",
      "-",
      "-.5",
      ".",
      "",
      "1.2.3",
      "+1",
      "--1",
      " 1",
      "9".repeat(1_000_000),
      1.15,
      1n,
    ],
  },
  {
    name: "decimal(15,2)",
    column: decimal(15, 2),
    accepts: [
      ["9999999999999.99", 999_999_999_999_999],
      ["-9999999999999.99", -999_999_999_999_999],
      ["9999999999999", 999_999_999_999_900],
    ],
    refuses: ["10000000000000"],
  },
  {
    name: "decimal(16,2)",
    column: decimal(16, 2),
    accepts: [
      ["0", 0n],
      ["-0.01", -1n],
      ["99999999999999.99", 9_999_999_999_999_999n],
    ],
    refuses: ["100000000000000"],
  },
  {
    name: "decimal(38,10)",
    column: decimal(38, 10),
    accepts: [
      [`${"9".repeat(28)}.${"9".repeat(10)}`, 10n ** 38n - 1n],
      [`-${"9".repeat(28)}.${"9".repeat(10)}`, 1n - 10n ** 38n],
      ["123456", 1_234_560_000_000_000n],
      ["1234567", 12_345_670_000_000_000n],
      ["123456789012345", 1_234_567_890_123_450_000_000_000n],
      ["-1234567.5", -12_345_675_000_000_000n],
    ],
    refuses: [`1${"0".repeat(28)}`, "0.12345678901"],
  },
  {
    name: "decimal(2,2)",
    column: decimal(2, 2),
    accepts: [
      ["0.99", 99],
      ["0", 0],
    ],
    refuses: ["1", "1.00"],
  },
];

describe("store", () => {
  for (const { name, column, accepts, refuses } of cases) {
    it(`takes ${name} exactly as it is`, () => {
      for (const [given, stored] of accepts) {
        // chai's equal takes -0 for 0.
        expect(Object.is(store(column, given), stored), String(given).slice(0, 40)).to.equal(true);
      }
      expect(Object.is(store(integer, -0), 0)).to.equal(true);
    });

    it(`refuses what is no ${name}`, () => {
      for (const given of refuses) {
        expect(() => store(column, given), String(given).slice(0, 40)).to.throw(BadValue);
      }
    });

    it(`takes null for ${name} only where it may be`, () => {
      expect(store(nullable(column), null)).to.equal(null);
      expect(() => store(column, null)).to.throw(BadValue, "is null");
      expect(() => store(column, undefined)).to.throw(BadValue, "is missing");
      expect(() => store(nullable(column), undefined)).to.throw(BadValue, "is missing");
    });
  }

  it("names the value and what was wanted", () => {
    const messages: [Column, unknown, string][] = [
      [integer, new Date(), "a Date is not an integer of 32 bits"],
      [bigint, 7, "7 is not an integer of 64 bits, as a string of digits"],
      [bigint, 7n, "7n is not an integer of 64 bits, as a string of digits"],
      [boolean, "t", '"t" is not a boolean'],
      [text, ["a"], "an array is not text"],
      [text, { a: 1 }, "an object is not text"],
      [text, () => "a", "a function is not text"],
      [text, Symbol("a"), "a symbol is not text"],
      [text, "a\0", '"a\\u0000" holds U+0000, which PostgreSQL cannot'],
      [text, "\ud83d", '"\\ud83d" holds half of a surrogate pair, which UTF-8 cannot'],
      [date, "2024-02-30", '"2024-02-30" is not a date (YYYY-MM-DD)'],
      [time, false, "false is not a time of day (HH:MM:SS[.ffffff])"],
      [
        timestamp,
        "noon",
        '"noon" is not a timestamp without a zone (YYYY-MM-DDTHH:MM:SS[.ffffff])',
      ],
      [
        timestamptz,
        "noon",
        '"noon" is not a timestamp with a zone (YYYY-MM-DDTHH:MM:SS[.ffffff]±HH:MM)',
      ],
      [decimal(10, 2), 1.15, "1.15 is not a decimal(10,2), as a string of digits"],
    ];
    for (const [column, value, message] of messages)
      expect(() => store(column, value), message).to.throw(
        BadValue,
        new RegExp(`^${escaped(message)}$`),
      );
  });

  it("names itself in what is logged", () => {
    expect(new BadValue("is null").toString()).to.equal("BadValue: is null");
  });

  it("refuses a decimal column that does not say how many digits it has", () => {
    for (const column of [
      { ...decimal(10, 2), precision: undefined },
      { ...decimal(10, 2), scale: undefined },
      { ...decimal(10, 2), precision: 39 },
    ])
      expect(() => store(column as Column, "1.5")).to.throw(
        TypeError,
        "a decimal column declares a precision of 1 to 38 and a scale",
      );
  });

  it("takes no other character where a digit, a separator or a sign is", () => {
    const texts: [Column, string][] = [
      [date, "2024-01-15"],
      [time, "14:20:52"],
      [time, "14:20:52.186000"],
      [timestamp, "2022-11-03T14:20:52.186"],
      [timestamptz, "2022-11-03 14:20:52.186+05:30"],
      [timestamptz, "2022-11-03T14:20:52-05"],
    ];
    // The neighbours of the digits in ASCII, and what a reader could take for one of the others.
    for (const [column, written] of texts)
      for (let at = 0; at < written.length; at++)
        for (const other of ["/", ":", "a", "\u0661"]) {
          if (other === written[at]) continue;
          const wrong = written.slice(0, at) + other + written.slice(at + 1);
          expect(() => store(column, wrong), wrong).to.throw(BadValue);
        }
  });

  it("shortens what is longer than 60 characters in its messages", () => {
    const [x60, x61] = ["x".repeat(60), "x".repeat(61)];
    expect(() => store(date, x60)).to.throw(`"${x60}" is not`);
    expect(() => store(date, x61)).to.throw(`"${x60}"… (61 characters) is not`);
    const [nines, more] = ["9".repeat(60), "9".repeat(61)];
    expect(() => store(integer, BigInt(nines))).to.throw(`${nines}n is not`);
    expect(() => store(integer, BigInt(more))).to.throw(`${nines}…n is not`);
    for (const [column, value] of [
      [date, "x".repeat(1 << 20)],
      [text, "\0".repeat(1 << 20)],
      [integer, 10n ** 500n],
    ] as const) {
      try {
        store(column, value);
        expect.fail("was accepted");
      } catch (error) {
        expect(error).to.be.instanceOf(BadValue);
        expect(String(error).length).to.be.lessThan(500);
      }
    }
  });

  it("agrees with Date on every week of 9999 years", () => {
    const first = Date.parse("0001-01-01") / DAY;
    const last = Date.parse("9999-12-31") / DAY;
    for (let day = first; day <= last; day += 7) {
      const written = new Date(day * DAY).toISOString().slice(0, 10);
      if (store(date, written) !== day) expect.fail(written);
      if (toText(date, day) !== written) expect.fail(String(day));
    }
  });

  it("takes no day that Date would roll over", () => {
    const two = fc.integer({ min: 0, max: 99 }).map((n) => String(n).padStart(2, "0"));
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9999 }), two, two, (year, month, day) => {
        const written = `${String(year).padStart(4, "0")}-${month}-${day}`;
        const parsed = new Date(`${written}T00:00:00Z`);
        const real =
          year > 0 &&
          !Number.isNaN(parsed.getTime()) &&
          parsed.toISOString().slice(0, 10) === written;
        if (real) expect(store(date, written)).to.equal(parsed.getTime() / DAY);
        else expect(() => store(date, written)).to.throw(BadValue);
      }),
      { numRuns: 2000 },
    );
  });
});
