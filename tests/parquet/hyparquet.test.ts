import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { expect } from "chai";
import fc from "fast-check";
import { parquetMetadata } from "hyparquet/src/metadata.js";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  bigint,
  boolean,
  type Columns,
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
import { writeGroups } from "../../src/parquet/hyparquet.ts";
import { store, type Stored, toText } from "../../src/values.ts";
import { storedOf, type Vector, vectorOf } from "../../src/vectors.ts";
import { codecContract } from "../contracts/codec.ts";
import { anyStored, everyType, readStored, writeStored } from "../contracts/stored.ts";

codecContract("hyparquet", { int64Bits: 63 });

/** Each type, with the type that DuckDB is to see and values at the edges, as a formatter gives them. */
const types: Columns = {
  id: integer,
  big: bigint,
  paid: boolean,
  note: nullable(text),
  day: date,
  clock: time,
  wall: timestamp,
  moment: timestamptz,
  price: decimal(10, 2),
  wide: nullable(decimal(38, 6)),
};
const rows = [
  [
    1,
    "1",
    true,
    "O'Keefe",
    "2024-02-29",
    "14:20:52.1",
    "2024-02-29T14:20:52.186",
    "2024-02-29T14:20:52.186Z",
    "12.30",
    null,
  ],
  [
    -2147483648,
    "-9223372036854775808",
    false,
    "",
    "0001-01-01",
    "00:00:00",
    "0001-01-01T00:00:00",
    "0001-01-01T00:00:00Z",
    "-99999999.99",
    `-${"9".repeat(32)}.999999`,
  ],
  [
    2147483647,
    "9223372036854775807",
    true,
    "👩‍🚀 \ufeff",
    "9999-12-31",
    "23:59:59.999999",
    "9999-12-31T23:59:59.999999",
    "9999-12-31T23:59:59.999999Z",
    "99999999.99",
    `${"9".repeat(32)}.999999`,
  ],
  [
    0,
    "0",
    false,
    null,
    "1969-12-31",
    "12:00:00",
    "1969-12-31T23:59:59.999999",
    "1970-01-01T00:00:00+05:30",
    "0.00",
    "0.000001",
  ],
];
const columns = fileColumns(types);
const data: Stored[][] = [
  ...Object.values(types).map((column, c) => rows.map((row) => store(column, row[c]))),
  rows.map(() => 42n),
];

describe("a file of the codec hyparquet", () => {
  let codec: ParquetCodec;
  let folder: string;
  let duckdb: DuckDBConnection;

  before(async () => {
    codec = await codecNamed();
    folder = await mkdtemp(join(tmpdir(), "parquet-"));
    duckdb = await (await DuckDBInstance.create(":memory:")).connect();
  });
  after(async () => {
    duckdb.closeSync();
    await rm(folder, { recursive: true });
  });

  async function query(sql: string): Promise<unknown[][]> {
    return (await duckdb.runAndReadAll(sql)).getRowsJS();
  }
  async function file(
    of: readonly FileColumn[],
    values: readonly ArrayLike<Stored>[],
  ): Promise<string> {
    const path = join(folder, `${Math.random()}.parquet`);
    await writeFile(path, await writeStored(codec, of, values));
    return path;
  }

  it("has the declared types in DuckDB", async () => {
    const path = await file(columns, data);
    const described = await query(`DESCRIBE SELECT * FROM read_parquet('${path}')`);
    expect(described.map(([name, type]) => [name, type])).to.deep.equal([
      ["id", "INTEGER"],
      ["big", "BIGINT"],
      ["paid", "BOOLEAN"],
      ["note", "VARCHAR"],
      ["day", "DATE"],
      ["clock", "VARCHAR"],
      ["wall", "TIMESTAMP"],
      ["moment", "TIMESTAMP WITH TIME ZONE"],
      ["price", "DECIMAL(10,2)"],
      ["wide", "DECIMAL(38,6)"],
      ["_batch", "BIGINT"],
    ]);
  });

  it("has the same values in DuckDB", async () => {
    const path = await file(columns, data);
    const read = await query(
      `SELECT id::VARCHAR, big::VARCHAR, if(paid, 't', 'f'), note, day::VARCHAR, clock, epoch_us(wall)::VARCHAR,
        epoch_us(moment)::VARCHAR, price::VARCHAR, wide::VARCHAR, _batch::VARCHAR FROM read_parquet('${path}')`,
    );
    const expected = rows.map((_, r) =>
      columns.map((column, c) => {
        const stored = data[c]?.[r] ?? null;
        if (stored === null) return null;
        // Microseconds are compared as such.
        return typeof stored === "bigint" && column.type.startsWith("timestamp")
          ? String(stored)
          : toText({ ...column, key: false }, stored);
      }),
    );
    expect(read).to.deep.equal(expected);
  });

  it("has nulls only where they are declared, field ids from the names, and exact annotations", async () => {
    const path = await file(columns, data);
    const schema = await query(
      `SELECT name, type, repetition_type, converted_type, logical_type, field_id FROM parquet_schema('${path}') OFFSET 1`,
    );
    expect(
      schema.map(([name, , repetition, , , id]) => [name, repetition, Number(id)]),
    ).to.deep.equal(
      columns.map(({ name, nullable: optional, fieldId }) => [
        name,
        optional ? "OPTIONAL" : "REQUIRED",
        fieldId,
      ]),
    );
    const annotation = (wanted: string): unknown =>
      schema.find(([name]) => name === wanted)?.slice(3, 5);
    expect(annotation("wall")?.toString()).to.match(
      /^,TimestampType\(isAdjustedToUTC=0, unit=.*MICROS/,
    );
    expect(annotation("moment")?.toString()).to.match(
      /^TIMESTAMP_MICROS,TimestampType\(isAdjustedToUTC=1, unit=.*MICROS/,
    );
    expect(annotation("clock")?.toString()).to.equal("UTF8,StringType()");
  });

  it("is read by DuckDB when it has no rows", async () => {
    const path = await file(
      columns,
      columns.map(() => []),
    );
    expect(await query(`SELECT count(*)::INT FROM read_parquet('${path}')`)).to.deep.equal([[0]]);
    expect(await query(`DESCRIBE SELECT * FROM read_parquet('${path}')`)).to.have.length(11);
  });

  it("has row groups of at most 100,000 rows, whose statistics never hide a row from DuckDB", async () => {
    const count = 250_000;
    const of = fileColumns({
      id: integer,
      price: nullable(decimal(10, 2)),
      name: text,
      note: nullable(text),
      moment: timestamp,
    });
    const many = <T>(value: (i: number) => T): T[] =>
      Array.from({ length: count }, (_, i) => value(i));
    const names = [
      "a",
      "Zoë",
      "\ue000private",
      "😀",
      "\uffee",
      "日本",
      "x".repeat(40),
      "x".repeat(41),
    ];
    const path = await file(of, [
      many((i) => i),
      many((i) => (i % 3 === 0 ? null : (i % 7919) - 4000)),
      many((i) => names[i % names.length] ?? ""),
      many((i) => (i % 2 === 0 ? null : `note ${i} ${names[(i * 7) % names.length]}`)),
      many((i) => BigInt(i) * 1_000_003n - 10n ** 11n),
      many(() => 1n),
    ]);
    const groups = await query(
      `SELECT DISTINCT row_group_id::INT, row_group_num_rows::INT FROM parquet_metadata('${path}') ORDER BY 1`,
    );
    expect(groups).to.deep.equal([
      [0, 100_000],
      [1, 100_000],
      [2, 50_000],
    ]);
    const [totals] = await query(
      `SELECT count(*)::INT, sum(id)::VARCHAR, count(price)::INT, sum(price)::VARCHAR, count(DISTINCT name)::INT,
        count(DISTINCT note)::INT, (sum(epoch_us(moment)) % 1000000007)::INT FROM read_parquet('${path}')`,
    );
    let cents = 0n;
    let micros = 0n;
    for (let i = 0; i < count; i++) {
      if (i % 3 !== 0) cents += BigInt(i % 7919) - 4000n;
      micros += BigInt(i) * 1_000_003n - 10n ** 11n;
    }
    expect(totals).to.deep.equal([
      count,
      String((count * (count - 1)) / 2),
      166_666,
      toText(decimal(38, 2), cents),
      names.length,
      count / 2,
      Number(micros % 1_000_000_007n),
    ]);
    for (const [condition, found] of [
      ["id = 199999", 1],
      ["id >= 100000 AND id < 100010", 10],
      ["price = -40.00", 21],
      ["price IS NULL", 83_334],
      ["note IS NULL", 125_000],
      ["moment = make_timestamp(199999::BIGINT * 1000003 - 100000000000)", 1],
      ...names.map((name) => [`name = '${name}'`, count / names.length] as const),
      [`note = 'note 249999 ${names[(249_999 * 7) % names.length]}'`, 1],
    ] as const) {
      const [[rowsFound] = []] = await query(
        `SELECT count(*)::INT FROM read_parquet('${path}') WHERE ${condition}`,
      );
      expect(rowsFound, condition).to.equal(found);
    }
  });

  it("gives back every type, in any number of row groups, with and without nulls and dictionaries", async () => {
    const every = fileColumns(everyType);
    const counts = { withDictionary: 0, without: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...every),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 120 }),
        fc.integer(),
        async (column, groupRows, count, pool, seed) => {
          const any = fc.sample(anyStored(column, { int64Bits: 63 }), { numRuns: pool, seed });
          const stored = Array.from({ length: count }, (_, i) => any[(i * i + 7 * i) % pool]!);
          const bytes = writeGroups([column], [vectorOf(column, stored)], groupRows);
          const [vector] = await codec.read(bytes, [column]);
          expect(storedOf(vector!)).to.deep.equal(stored);
          const distinct = vector?.distinct;
          counts[distinct ? "withDictionary" : "without"]++;
          if (distinct === undefined) return;
          const values = stored.filter((value) => value !== null);
          expect(new Set<unknown>(distinct)).to.deep.equal(new Set(values));
        },
      ),
      { numRuns: 1000 },
    );
    expect(counts.withDictionary).to.be.greaterThan(20);
    expect(counts.without).to.be.greaterThan(20);
  });

  it("is still read when it is from before times and money were numbers in memory", async () => {
    const older: Columns = { ...types, none: nullable(time) };
    const written = Array.from({ length: 100 }, (_, i) => [
      i,
      String(i * 1e15),
      i % 2 === 0,
      i % 3 === 0 ? null : `note ${i} é`,
      "2024-02-29",
      ["14:20:52.1", "00:00:00", "23:59:59.999999"][i % 3],
      `2024-02-29T14:20:5${i % 10}.186`,
      "1969-12-31T23:59:59.999999Z",
      `-${i}.05`,
      i % 5 === 0 ? null : `${"9".repeat(32)}.00000${i % 10}`,
      i % 4 === 0 ? "12:00:00" : null,
    ]);
    const bytes = await readFile(new URL("../fixtures/parquet/gzip.parquet", import.meta.url));
    const expected = Object.values(older).map((column, c) =>
      written.map((row) => store(column, row[c])),
    );
    expect(await readStored(codec, bytes, fileColumns(older))).to.deep.equal([
      ...expected,
      written.map(() => 42n),
    ]);
  });

  it("refuses a boolean that is neither 0 nor 1", async () => {
    const column = fileColumns({ paid: boolean }).slice(0, 1);
    const vector: Vector = { layout: "boolean", values: Uint8Array.of(1, 0, 2), nulls: undefined };
    const refused = await codec.write(column, [vector]).then(() => "was written", String);
    expect(refused).to.include('column "paid": row 2: ');
  });

  describe("has checksums over its pages as they are in the file", () => {
    const outcomeOf = (damaged: Buffer): Promise<string> =>
      readStored(codec, damaged, columns).then(() => "was read", String);

    it("of each column", async () => {
      const bytes = await writeStored(codec, columns, data);
      const { row_groups } = parquetMetadata(bytes);
      for (const { meta_data } of row_groups[0]!.columns) {
        const damaged = Buffer.from(bytes);
        const start = meta_data!.dictionary_page_offset ?? meta_data!.data_page_offset;
        damaged[Number(start + meta_data!.total_compressed_size) - 1]! ^= 1;
        expect(await outcomeOf(damaged)).to.include("a page's checksum is wrong");
      }
      expect(row_groups[0]!.columns).to.have.length(columns.length);
    });

    // Those over GZIP's contents do not cover its header.
    it("over GZIP's headers too", async () => {
      const bytes = await writeStored(codec, columns, data);
      let pages = 0;
      for (let at = bytes.indexOf("1f8b08", "hex"); at >= 0;) {
        const damaged = Buffer.from(bytes);
        damaged[at + 4] = 1; // The time of writing, which nobody reads.
        expect(await outcomeOf(damaged)).to.include("a page's checksum is wrong");
        pages++;
        at = bytes.indexOf("1f8b08", at + 3, "hex");
      }
      expect(pages).to.be.at.least(2);
    });
  });

  it("has statistics of its own types", async () => {
    const path = await file(columns, data);
    const stats = await query(
      `SELECT path_in_schema, stats_min_value, stats_max_value, stats_null_count::INT FROM parquet_metadata('${path}')`,
    );
    const of = Object.fromEntries(stats.map(([name, ...rest]) => [String(name), rest]));
    expect(of["id"]).to.deep.equal(["-2147483648", "2147483647", 0]);
    expect(of["big"]).to.deep.equal(["-9223372036854775808", "9223372036854775807", 0]);
    expect(of["day"]).to.deep.equal(["0001-01-01", "9999-12-31", 0]);
    expect(of["price"]).to.deep.equal(["-99999999.99", "99999999.99", 0]);
    expect(of["clock"]).to.deep.equal(["00:00:00.000000", "23:59:59.999999", 0]);
    // U+FEFF: JavaScript's order and Parquet's differ, so there are none.
    expect(of["note"]).to.deep.equal([null, null, 1]);
    expect(of["_batch"]).to.deep.equal(["42", "42", 0]);
  });

  describe("written by DuckDB", () => {
    const select = `SELECT * FROM (VALUES
        (1::INTEGER, 9223372036854775807::BIGINT, true, 'é😀', DATE '2024-02-29', '14:20:52.100000',
         TIMESTAMP '2024-02-29 14:20:52.186', make_timestamptz(1709216452186000), 12.30::DECIMAL(10,2), -1.5::DECIMAL(38,6)),
        (-2147483648, -9223372036854775808, false, NULL, DATE '0001-01-01', '00:00:00.000000',
         TIMESTAMP '1969-12-31 23:59:59.999999', make_timestamptz(-1), -99999999.99, NULL))
      AS t(id, big, paid, note, day, clock, wall, moment, price, wide)`;
    const expected = [
      [1, -2147483648],
      [2n ** 63n - 1n, -(2n ** 63n)],
      [true, false],
      ["é😀", null],
      [19_782, -719_162],
      [51_652_100_000, 0],
      [1_709_216_452_186_000n, -1n],
      [1_709_216_452_186_000n, -1n],
      [1230, -9_999_999_999],
      [-1_500_000n, null],
    ];
    const declared = columns.slice(0, -1);
    async function written(sql: string, options: string): Promise<Buffer> {
      const path = join(folder, `${Math.random()}.parquet`);
      await query(`COPY (${sql}) TO '${path}' (FORMAT parquet, ${options})`);
      return readFile(path);
    }

    for (const compression of ["snappy", "gzip", "uncompressed"]) {
      it(`is read, ${compression}`, async () => {
        const bytes = await written(select, `COMPRESSION ${compression}`);
        expect(await readStored(codec, bytes, declared)).to.deep.equal(expected);
      });
    }

    it("is read with many row groups, pages, dictionaries and nulls", async () => {
      const count = 120_000;
      const bytes = await written(
        `SELECT i::INTEGER AS id, if(i % 3 = 0, NULL, (i % 50)::DECIMAL(4,1)) AS small, 'name ' || (i % 1000) AS name,
          if(i % 5 < 2, NULL, 'note ' || i) AS note, i % 2 = 0 AS even, (i % 7 = 0)::BOOLEAN AND i % 5 > 1 AS odd
          FROM range(${count}) AS r(i)`,
        "ROW_GROUP_SIZE 30000",
      );
      const of = fileColumns({
        id: integer,
        small: nullable(decimal(4, 1)),
        name: text,
        note: nullable(text),
        even: boolean,
        odd: boolean,
      }).slice(0, -1);
      const read = await readStored(codec, bytes, of);
      const wanted = (i: number): Stored[] => [
        i,
        i % 3 === 0 ? null : (i % 50) * 10,
        `name ${i % 1000}`,
        i % 5 < 2 ? null : `note ${i}`,
        i % 2 === 0,
        i % 7 === 0 && i % 5 > 1,
      ];
      for (let i = 0; i < count; i++) {
        wanted(i).forEach((value, c) => {
          if (read[c]?.[i] !== value) expect.fail(`row ${i}: ${read[c]?.[i]}, not ${value}`);
        });
      }
      expect(read.map((values) => values.length)).to.deep.equal(of.map(() => count));
    });

    for (const [name, options, message] of [
      ["a compression", "COMPRESSION zstd", /ZSTD is not read/],
      ["an encoding", "PARQUET_VERSION v2", /encoding DELTA_\w+ is not read/],
    ] as const) {
      it(`is refused in ${name} that is not read here, saying which`, async () => {
        const bytes = await written("SELECT i::INTEGER AS id FROM range(5000) AS r(i)", options);
        try {
          await readStored(codec, bytes, declared.slice(0, 1));
        } catch (error) {
          expect(error).to.be.instanceOf(ParquetError);
          expect(String(error)).to.match(message);
          return;
        }
        expect.fail("was read");
      });
    }
  });
});
