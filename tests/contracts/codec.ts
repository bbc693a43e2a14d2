import { expect } from "chai";
import fc from "fast-check";
import { isDeepStrictEqual } from "node:util";
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
} from "../../src/columns.ts";
import { codecNamed, type ParquetCodec, ParquetError } from "../../src/parquet/codec.ts";
import { type FileColumn, fileColumns } from "../../src/parquet/schema.ts";
import { store, type Stored } from "../../src/values.ts";
import { storedOf, vectorOf, type Vector } from "../../src/vectors.ts";
import { anyStored, type CodecLimits, everyType, readStored, writeStored } from "./stored.ts";

/** What every codec must do. `name` is what `codecNamed` knows it by. */
export function codecContract(name: string, limits: CodecLimits): void {
  const columns = fileColumns(everyType);
  let codec: ParquetCodec;
  const roundTrip = async (
    of: readonly FileColumn[],
    data: readonly ArrayLike<Stored>[],
  ): Promise<Stored[][]> => read(await write(of, data), of);
  const write = (of: readonly FileColumn[], data: readonly ArrayLike<Stored>[]): Promise<Buffer> =>
    writeStored(codec, of, data);
  const read = (bytes: Buffer, of: readonly FileColumn[]): Promise<Stored[][]> =>
    readStored(codec, bytes, of);
  const fails = async (promise: Promise<unknown>): Promise<ParquetError> => {
    try {
      await promise;
    } catch (error) {
      if (error instanceof ParquetError) return error;
      throw error;
    }
    return expect.fail("nothing was refused");
  };
  const one = (column: Column): FileColumn[] => fileColumns({ it: column }).slice(0, 1);

  describe(`the codec ${name}`, () => {
    before(async () => {
      codec = await codecNamed(name);
    });

    it("says its name", () => {
      expect(codec.name).to.equal(name);
    });

    it("gives back what it was given, every type, with and without nulls", async () => {
      const row = columns.map((column) => anyStored(column, limits));
      await fc.assert(
        fc.asyncProperty(fc.array(fc.tuple(...row), { maxLength: 40 }), async (rows) => {
          const data = columns.map((_, c) => rows.map((values) => values[c] ?? null));
          expect(await roundTrip(columns, data)).to.deep.equal(data);
        }),
        { numRuns: 100 },
      );
    });

    it("reads stretches of rows, which are what lies there in the whole", async () => {
      const of = fileColumns({ note: nullable(text), word: text, id: integer }).slice(0, 3);
      const size = 300_000;
      const data: Stored[][] = [
        // More than a page holds, so that pages begin and end anywhere.
        Array.from({ length: 12 }, (_, i) => (i % 5 === 2 ? null : `${i}`.repeat(size))),
        Array.from({ length: 12 }, (_, i) => (i < 6 ? "same" : `é${i}`.repeat(size))),
        Array.from({ length: 12 }, (_, i) => i),
      ];
      const bytes = await write(of, data);
      for (const [from, to] of [
        [0, 12],
        [0, 1],
        [1, 4],
        [2, 3],
        [5, 9],
        [11, 12],
        [4, 4],
      ] as const) {
        const read = await codec.read(bytes, of, { from, to });
        const expected = data.map((values) => values.slice(from, to));
        expect(isDeepStrictEqual(read.map(storedOf), expected), `${from} to ${to}`).to.equal(true);
      }
      const added = fileColumns({ added: text }).slice(0, 1);
      const [absent] = await codec.read(bytes, added, { from: 3, to: 5 });
      expect(storedOf(absent!)).to.deep.equal(["unknown", "unknown"]);
    });

    it("writes a file some rows at a time, which is read as one that was written at once", async () => {
      const row = columns.map((column) => anyStored(column, limits));
      const some = fc.array(fc.tuple(...row), { minLength: 1, maxLength: 8 });
      await fc.assert(
        fc.asyncProperty(fc.array(some, { minLength: 1, maxLength: 4 }), async (parts) => {
          const dataOf = (rows: readonly (readonly Stored[])[]): Stored[][] =>
            columns.map((_, c) => rows.map((values) => values[c] ?? null));
          const file = await codec.writer(columns);
          for (const rows of parts)
            file.add(columns.map((column, c) => vectorOf(column, dataOf(rows)[c]!)));
          const bytes = file.end();
          expect(await read(bytes, columns)).to.deep.equal(dataOf(parts.flat()));
          // The last part alone: row groups before it are passed over.
          const from = parts.flat().length - parts.at(-1)!.length;
          const stretch = { from, to: parts.flat().length };
          const last = await codec.read(bytes, columns, stretch);
          expect(last.map(storedOf)).to.deep.equal(dataOf(parts.at(-1)!));
        }),
        { numRuns: 50 },
      );
    });

    it("says which columns a file has, so that they can be written again", async () => {
      const row = columns.map((column) => anyStored(column, limits));
      const [values] = fc.sample(fc.tuple(...row), { numRuns: 1, seed: 1 });
      const bytes = await write(
        columns,
        columns.map((_, c) => [values![c] ?? null]),
      );
      const found = await codec.columnsOf(bytes);
      // A time may be told as the text that it is in the file.
      const told = (of: readonly FileColumn[]): unknown[] =>
        of.map((column) => ({
          ...column,
          key: undefined,
          type: column.type === "time" ? "text" : column.type,
        }));
      expect(told(found)).to.deep.equal(told(columns));
      const again = await codec.write(found, await codec.read(bytes, found));
      expect(await read(again, columns)).to.deep.equal(await read(bytes, columns));
    });

    it("says how large texts are, or that it reads them whole", async () => {
      const of = fileColumns({ note: text, other: text }).slice(0, 2);
      const bytes = await write(of, [
        ["a".repeat(500_000), "b".repeat(500_000)],
        ["c", "d"],
      ]);
      const size = codec.sizeOf(bytes, of.slice(0, 1));
      if (size !== 0) expect(size).to.be.within(1_000_000, 1_000_200);
      expect(codec.sizeOf(bytes, of.slice(1))).to.be.below(200);
    });

    it("gives back columns of few distinct values and runs of nulls", async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...columns),
          fc.integer({ min: 1, max: 300 }),
          fc.array(fc.nat({ max: 400 }), { minLength: 1, maxLength: 20 }),
          fc.infiniteStream(fc.nat()),
          async (column, distinct, runs, choice) => {
            const pool = fc.sample(anyStored(column, limits), distinct);
            const data = runs.flatMap((length, r) =>
              Array.from({ length }, () =>
                r % 3 === 0 && column.nullable
                  ? null
                  : (pool[choice.next().value % distinct] ?? pool[0] ?? null),
              ),
            );
            expect(await roundTrip([column], [data])).to.deep.equal([data]);
          },
        ),
        { numRuns: 100 },
      );
    });

    it("writes a file without rows", async () => {
      const nothing = columns.map(() => []);
      expect(await roundTrip(columns, nothing)).to.deep.equal(nothing);
    });

    it("writes a column of nulls alone", async () => {
      const optional = columns.filter((column) => column.nullable);
      const data = optional.map(() => [null, null, null]);
      expect(await roundTrip(optional, data)).to.deep.equal(data);
    });

    it("holds the first and last of the 32-bit types, and of the years", async () => {
      for (const [column, given] of [
        [integer, [2_147_483_647, -2_147_483_648, 0]],
        [date, ["0001-01-01", "9999-12-31", "1970-01-01", "1969-12-31"]],
        [time, ["00:00:00", "23:59:59.999999"]],
        [timestamp, ["1684-07-28T00:12:26", "2255-06-05T23:47:33", "1969-12-31T23:59:59.999999"]],
        [decimal(10, 2), ["99999999.99", "-99999999.99", "0.00", "-0.01"]],
        [decimal(15, 0), ["999999999999999", "-999999999999999"]],
      ] as const) {
        const data = given.map((value) => store(column, value));
        expect(await roundTrip(one(column), [data])).to.deep.equal([data]);
      }
    });

    const beyond = [
      [bigint, ["9223372036854775807", "-9223372036854775808", "9007199254740993"]],
      [timestamp, ["0001-01-01T00:00:00", "9999-12-31T23:59:59.999999"]],
      [timestamptz, ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"]],
      [decimal(18, 2), ["9999999999999999.99", "-9999999999999999.99", "0.01"]],
      [decimal(38, 0), ["9".repeat(38), `-${"9".repeat(38)}`, "0", "-1"]],
      [decimal(38, 38), [`0.${"9".repeat(38)}`, `-0.${"9".repeat(38)}`]],
      [decimal(19, 4), ["999999999999999.9999", "-0.0001"]],
    ] as const;
    if (limits.int64Bits === 63) {
      it("holds the first and last of the 64-bit types, and decimals of 38 digits", async () => {
        for (const [column, given] of beyond) {
          const data = given.map((value) => store(column, value));
          expect(await roundTrip(one(column), [data])).to.deep.equal([data]);
        }
      });
    } else {
      it("refuses what it cannot hold, saying so", async () => {
        for (const [column, [given]] of beyond) {
          const error = await fails(write(one(column), [[store(column, given)]]));
          expect(error.message).to.include("2⁵³").and.to.include(name);
          expect(error.column).to.equal("it");
        }
        const edge = [2n ** 53n - 1n, 1n - 2n ** 53n, -(2n ** 32n), 2n ** 32n, 0n];
        expect(await roundTrip(one(bigint), [edge])).to.deep.equal([edge]);
      });
    }

    it("keeps emoji, byte order marks, U+FFFD, empty texts and a megabyte", async () => {
      const texts = [
        "",
        "👩‍🚀",
        "\ufeff",
        "\ufeffBOM",
        "\ufffd",
        "é",
        "\u{10ffff}",
        "\u2028",
        "x\r\n\t\\",
        "O'Keefe",
      ];
      const long = [
        "😀".repeat(1 << 18),
        "x".repeat(1 << 20),
        "",
        `${"y".repeat(127)}`,
        "z".repeat(128),
      ];
      const data = [...texts, ...long, ...texts];
      expect(await roundTrip(one(text), [data])).to.deep.equal([data]);
    });

    it("holds 250,000 rows, in row groups of at most 100,000", async () => {
      const many = fileColumns({
        id: integer,
        sparse: nullable(integer),
        price: decimal(10, 2),
        at: time,
        note: nullable(text),
        paid: boolean,
      });
      const rows = 250_000;
      const column = (value: (i: number) => Stored): Stored[] =>
        Array.from({ length: rows }, (_, i) => value(i));
      const data = [
        column((i) => i),
        column((i) => (i % 7 < 3 ? null : i % 1000)),
        column((i) => (i * 7919) % 100_003),
        column((i) => 43_200_000_000 + (i % 1_000_000)),
        column((i) => (i % 5 === 0 ? null : `note ${(i * 31) % 50_021} é`)),
        column((i) => i % 3 === 0),
        column(() => 42n),
      ];
      const found = await roundTrip(many, data);
      for (const [c, values] of found.entries()) {
        expect(values.length).to.equal(rows);
        // deep.equal on so many values takes seconds.
        expect(
          values.findIndex((value, row) => value !== data[c]?.[row]),
          many[c]?.name,
        ).to.equal(-1);
      }
    });

    it("holds a column that is of one value for a while and then of more than 65,536", async () => {
      const of = fileColumns({ near: integer, far: bigint, name: text });
      const count = 100_000;
      const column = <T>(first: T, then: (i: number) => T): T[] =>
        Array.from({ length: count }, (_, i) => (i < 30_000 ? first : then(i)));
      const data = [
        column(0, (i) => i),
        column(0n, (i) => BigInt(i) * 1_000_003n),
        column("", (i) => `${i}`),
        column(1n, () => 2n),
      ];
      const found = await roundTrip(of, data);
      for (const [c, values] of found.entries()) {
        expect(
          values.findIndex((value, row) => value !== data[c]?.[row]),
          of[c]?.name,
        ).to.equal(-1);
      }
    });

    it("finds columns by name, whatever their order", async () => {
      const data = [[1], ["a"], [2n]];
      const written = fileColumns({ a: integer, b: text });
      const bytes = await write(written, data);
      const [a, b, batch] = written;
      if (a === undefined || b === undefined || batch === undefined) throw new Error("no columns");
      expect(await read(bytes, [batch, a])).to.deep.equal([[2n], [1]]);
      expect(await read(bytes, [b, batch, a])).to.deep.equal([["a"], [2n], [1]]);
    });

    it("reads a nullable column that the file is older than as nulls", async () => {
      const bytes = await write(fileColumns({ a: integer }), [
        [1, 2],
        [5n, 5n],
      ]);
      const later = fileColumns({ a: integer, b: nullable(text) });
      expect(await read(bytes, later)).to.deep.equal([
        [1, 2],
        [null, null],
        [5n, 5n],
      ]);
    });

    it("reads a column that must not be null and that the file is older than as its placeholder", async () => {
      const bytes = await write(fileColumns({ a: integer }), [[1], [5n]]);
      const later = fileColumns({ a: integer, b: text, c: decimal(5, 2) });
      expect(await read(bytes, later)).to.deep.equal([[1], ["unknown"], [0], [5n]]);
    });

    it("refuses a column of another type, naming found and expected", async () => {
      for (const [written, value, asked, message] of [
        [integer, 1, bigint, /found integer, expected bigint/],
        [integer, 1, date, /found integer, expected date/],
        [date, 1, integer, /found date, expected integer/],
        [text, "1", integer, /found text, expected integer/],
        [decimal(10, 2), 1, decimal(10, 3), /found decimal\(10,2\), expected decimal\(10,3\)/],
        [decimal(10, 2), 1, bigint, /found decimal\(10,2\), expected bigint/],
        [timestamp, 1n, timestamptz, /found timestamp, expected timestamptz/],
        [timestamptz, 1n, timestamp, /found timestamptz, expected timestamp/],
        [boolean, true, integer, /found boolean, expected integer/],
      ] as const) {
        const bytes = await write(one(written), [[value]]);
        const error = await fails(read(bytes, one(asked)));
        expect(error.message).to.match(message);
        expect(error.message).to.match(/column "it"/);
      }
    });

    it("reads a column that became nullable, and refuses the nulls of one that no longer is", async () => {
      const strict = await write(one(integer), [[1, 2]]);
      expect(await read(strict, one(nullable(integer)))).to.deep.equal([[1, 2]]);
      const without = await write(one(nullable(integer)), [[1, 2]]);
      expect(await read(without, one(integer))).to.deep.equal([[1, 2]]);
      const loose = await write(one(nullable(integer)), [[1, null]]);
      expect((await fails(read(loose, one(integer)))).message).to.equal(
        'column "it": row 1 is null',
      );
    });

    it("refuses to write what its column cannot hold, naming the column and the row", async () => {
      const wrong: [Column, Stored, unknown[]][] = [
        [bigint, 1n, [1, "1", 2n ** 63n, undefined]],
        [text, "a", [1, "\ud83d", undefined]],
        [time, 1, [-1, 86_400_000_000, 0.5, NaN]],
        [timestamp, 1n, [1, "2024-01-15T00:00:00", new Date()]],
        [timestamptz, 1n, [1]],
        [decimal(10, 2), 1, [1.5, 1e10, -1e10, NaN, Infinity]],
        [decimal(15, 2), 1, [1e15]],
        [decimal(16, 2), 1n, [1, 10n ** 16n, -(10n ** 16n)]],
        [decimal(38, 2), 1n, [10n ** 38n]],
      ];
      const refused = async (column: Column, vector: Vector, row: number): Promise<void> => {
        const error = await fails(codec.write(one(column), [vector]));
        expect(error.column).to.equal("it");
        expect(error.message).to.include(`row ${row}: `);
      };
      for (const [column, good, values] of wrong) {
        for (const value of values) {
          const vector = vectorOf(column, [null, good, null, good]);
          (vector.values as unknown[])[3] = value;
          await refused(nullable(column), vector, 3);
          await refused(column, { ...vector, nulls: undefined } as Vector, 3);
        }
        await refused(column, vectorOf(column, [good, null]), 1);
      }
      await refused(integer, vectorOf(integer, [1, null]), 1);
      await refused(date, vectorOf(date, [1, 2, null]), 2);
    });

    it("refuses a column that is laid out as another type's", async () => {
      for (const column of columns) {
        const other = column.type === "text" ? [1] : ["a"];
        const laidOut = vectorOf(column.type === "text" ? integer : text, other);
        const error = await fails(codec.write([column], [laidOut]));
        expect(error.column).to.equal(column.name);
        expect(error.message).to.include("laid out");
      }
    });

    it("refuses columns of different lengths, and too few or too many of them", async () => {
      const two = fileColumns({ a: integer });
      expect((await fails(write(two, [[1], []]))).message).to.match(/"_batch": 0 values/);
      await fails(write(two, [[1]]));
      await fails(write(two, [[1], [1n], [1]]));
      await fails(codec.write([], []));
    });

    describe("given a damaged file", () => {
      // One column of each kind of page; the last is younger than the file.
      const some = fileColumns({
        id: integer,
        paid: nullable(boolean),
        note: nullable(text),
        price: decimal(10, 2),
        later: nullable(text),
      });
      const written = some.filter((column) => column.name !== "later");
      let bytes: Buffer;
      let data: Stored[][];
      before(async () => {
        const rows = Array.from({ length: 40 }, (_, i) => i);
        data = [
          rows.map((i) => i % 5),
          rows.map((i) => (i % 3 === 0 ? null : i % 2 === 0)),
          rows.map((i) => (i % 3 === 1 ? null : `note ${i} é`)),
          rows.map((i) => i * i * 1000 - 5),
          rows.map(() => null),
          rows.map(() => 42n),
        ];
        bytes = await write(written, [...data.slice(0, 4), data[5] ?? []]);
        expect(await read(bytes, some)).to.deep.equal(data);
      });

      it("refuses it when it is cut short anywhere", async () => {
        for (let length = 0; length < bytes.length; length++) {
          await fails(read(bytes.subarray(0, length), some));
        }
      });

      it("refuses what is no Parquet", async () => {
        for (const other of [
          "",
          "{}",
          "PAR1PAR1",
          "\0".repeat(100),
          `PAR1${"\0".repeat(92)}PAR1`,
        ]) {
          await fails(read(Buffer.from(other), some));
        }
      });

      // Parquet has no checksum over headers and footer. What is changed there either contradicts something
      // else, or is not read: statistics, field ids, the writer's name.
      it("never reads a flipped bit as another value", async () => {
        let refused = 0;
        for (let bit = 0; bit < bytes.length * 8; bit++) {
          const damaged = Buffer.from(bytes);
          damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          let found: Stored[][];
          try {
            found = await read(damaged, some);
          } catch (error) {
            if (!(error instanceof ParquetError)) throw error;
            refused++;
            continue;
          }
          if (!isDeepStrictEqual(found, data)) expect.fail(`bit ${bit & 7} of byte ${bit >> 3}`);
        }
        expect(refused).to.be.greaterThan(bytes.length * 4);
      });
    });
  });
}
