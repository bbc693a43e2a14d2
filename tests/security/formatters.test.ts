// Formatters that return, throw or hide what they should not: each such row is quarantined with a reason, and no other is.
import { nullable } from "../../src/columns.ts";
import { defineSource, integer, key, text, type SourceRow, type Table } from "../../src/table.ts";
import { StarRows, type Rejected } from "../../src/transformation/star-rows.ts";
import { expect } from "../support/chai.ts";

const source = defineSource("thing", { id: key(integer) });

/** What becomes of three rows, of which the formatter makes `bad` of the second. */
function made(bad: () => unknown): { ids: unknown; words: unknown; rejected: Rejected[] } {
  const table: Table = {
    name: "dim_thing",
    description: "One row per thing.",
    sources: [source],
    lookups: {},
    columns: { id: key(integer), word: nullable(text) },
    version: 1,
    deleted: "keep",
    distributed: false,
    format: (row) => (row["id"] === 2 ? bad() : { id: row["id"], word: "good" }),
  };
  const rejected: Rejected[] = [];
  const stars = new StarRows(table, (row) => rejected.push(row));
  stars.add(source, [{ id: 1 }, { id: 2 }, { id: 3 }] satisfies SourceRow[], new Map());
  const [ids, words] = stars.vectors;
  return { ids: [...ids!.values], words: [...words!.values], rejected };
}

const THEN = ["th", "en"].join("");
const cyclic: Record<string, unknown> = { id: 2 };
cyclic["word"] = cyclic;
const throwing = (thrown: unknown) => (): never => {
  throw thrown;
};
class Row {
  id = 2;
  get word(): string {
    return "of the class";
  }
}

const CASES: readonly [what: string, bad: () => unknown, reason: RegExp][] = [
  ["nothing", () => undefined, /returned undefined; expected a row/],
  ["null", () => null, /returned null/],
  ["a symbol", () => Symbol("row"), /returned Symbol\(row\)/],
  ["a function", () => () => ({ id: 2 }), /returned .*=>.*; expected a row/],
  ["a bigint", () => 2n, /returned 2/],
  ["a promise of a row", () => Promise.resolve({ id: 2, word: "later" }), /^id: is missing$/],
  ["a thenable", () => ({ [THEN]: () => undefined }), /^id: is missing$/],
  ["a row that inherits its values", () => Object.create({ id: 2, word: "x" }), /^id: is missing$/],
  [
    "a row with its values under __proto__",
    () => ({ __proto__: { id: 2, word: "x" } }),
    /^id: is missing$/,
  ],
  ["an instance whose value is its class's", () => new Row(), /^word: is missing$/],
  ["a value that is missing", () => ({ id: 2 }), /^word: is missing$/],
  [
    "a value that is a symbol",
    () => ({ id: 2, word: Symbol("x") }),
    /^word: a symbol is not text$/,
  ],
  [
    "a value that is a function",
    () => ({ id: 2, word: () => "x" }),
    /^word: a function is not text$/,
  ],
  [
    "a value that is a String",
    () => ({ id: 2, word: Object("x") as unknown }),
    /^word: an object is not text$/,
  ],
  [
    "a value that makes text of itself",
    () => ({ id: 2, word: { toString: () => "x" } }),
    /^word: an object/,
  ],
  ["a value that goes round in a circle", () => cyclic, /^word: an object is not text$/],
  [
    "a getter that throws",
    () => ({
      id: 2,
      get word() {
        throw new Error("no word");
      },
    }),
    /no word$/,
  ],
  [
    "a proxy that throws",
    () =>
      new Proxy(
        { id: 2 },
        {
          get: throwing(new Error("no trap")),
          getOwnPropertyDescriptor: throwing(new Error("no trap")),
        },
      ),
    /no trap/,
  ],
  [
    "a revoked proxy",
    () => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return proxy;
    },
    /revoked/,
  ],
  ["a list with one row that is none", () => [{ id: 2, word: "x" }, 7], /returned 7/],
  ["a list of lists", () => [[{ id: 2, word: "x" }]], /^id: is missing$/],
  [
    "a list with a hole",
    () => {
      const list = [{ id: 2, word: "x" }];
      list.length = 2;
      return list;
    },
    /returned undefined/,
  ],
  ["a text with U+0000", () => ({ id: 2, word: "a\0b" }), /^word: .*U\+0000/],
  ["a text that is half a character", () => ({ id: 2, word: "\ud83d" }), /^word: .*surrogate/],
  [
    "a text of a hundred megabytes",
    () => ({ id: 2, word: "x".repeat(100 << 20) }),
    /^word: "x{60}"… \(104857600 characters\) is longer than 67108864$/,
  ],
  ["a number beyond 32 bits", () => ({ id: 2 ** 31, word: "x" }), /^id: 2147483648 is not/],
  ["a number that is none", () => ({ id: NaN, word: "x" }), /^id: NaN is not/],
  ["an error", throwing(new Error("on purpose")), /^on purpose$/],
  ["a text that is thrown", throwing("on purpose"), /^on purpose$/],
  ["a thrown nothing", throwing(undefined), /^undefined$/],
  ["a thrown symbol", throwing(Symbol("x")), /^Symbol\(x\)$/],
  ["a thrown object without a prototype", throwing(Object.create(null)), /has no text$/],
  [
    "a thrown object whose text throws",
    throwing({ toString: throwing(new Error("x")) }),
    /has no text$/,
  ],
  [
    "an error whose message throws",
    throwing(Object.defineProperty(new Error("x"), "message", { get: throwing(1) })),
    /has no text$/,
  ],
  [
    "an error whose message is an object",
    throwing(Object.assign(new Error("x"), { message: { a: 1 } })),
    /^\[object Object\]$/,
  ],
  ["an error of a megabyte", throwing(new Error("x".repeat(1 << 20))), /^x{2000}$/],
  [
    "a call without an end",
    () => {
      const again = (): number => 1 + again();
      return again();
    },
    /call stack/,
  ],
];

describe("a formatter that gives", () => {
  for (const [what, bad, reason] of CASES)
    it(`${what} has that row quarantined, and no other`, () => {
      const { ids, words, rejected } = made(bad);
      expect(ids).to.deep.equal([1, 3]);
      expect(words).to.deep.equal(["good", "good"]);
      expect(rejected).to.have.length(1);
      const [{ table, key: of, reason: why, row }] = rejected as [Rejected];
      expect({ table, of, row }).to.deep.equal({ table: "dim_thing", of: 2, row: { id: 2 } });
      expect(why).to.be.a("string").that.matches(reason);
    });

  it("a row without a prototype, or of an own getter, is taken at its values", () => {
    const bare = Object.assign(Object.create(null) as object, { id: 2, word: "bare" });
    expect(made(() => bare).words).to.deep.equal(["good", "bare", "good"]);
    const own = {
      id: 2,
      get word() {
        return "own";
      },
    };
    expect(made(() => own).words).to.deep.equal(["good", "own", "good"]);
  });

  it("another value at each look has one that was checked stored", () => {
    let looks = 0;
    const { words, rejected } = made(() => ({
      id: 2,
      get word() {
        return looks++ % 2 === 0 ? "checked" : Symbol("swapped");
      },
    }));
    for (const word of words as unknown[]) expect(word).to.be.a("string");
    expect((words as unknown[]).length + rejected.length).to.equal(3);
  });

  it("keys that are Object's own does not touch them", () => {
    const evil = JSON.parse(
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"id":2,"word":"x"}',
    ) as object;
    expect(made(() => evil).rejected).to.deep.equal([]);
    expect(({} as { polluted?: number }).polluted).to.equal(undefined);
  });
});
