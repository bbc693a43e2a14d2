import { expect } from "chai";
import type { SchemaElement } from "hyparquet";
import { crc32, gzipSync } from "node:zlib";
import { packed, repeated } from "../../src/parquet/bits.ts";
import type { Stored } from "../../src/values.ts";
import { storedOf } from "../../src/vectors.ts";
import {
  type Made,
  decode,
  dictionary,
  entries,
  indexed,
  ints,
  lengthOf,
  levels,
  optional,
  plain,
  read,
  required,
  texts,
  three,
  two,
  v2,
  words,
} from "./pages.ts";

describe("ColumnDecoder", () => {
  it("reads pages of both versions, with and without nulls and dictionaries", () => {
    expect(read({ pages: [three] })).to.deep.equal([1, -2, 3]);
    const [first, second] = [
      { body: ints(1), header: plain(1) },
      { body: ints(2, 3), header: plain(2) },
    ];
    expect(read({ pages: [first, second] })).to.deep.equal([1, 2, 3]);
    const v1 = { body: Buffer.concat([lengthOf(two), two, ints(7, 9)]), header: plain(3) };
    expect(read({ element: optional, pages: [v1] })).to.deep.equal([7, null, 9]);
    const levelled = { body: Buffer.concat([two, ints(7, 9)]), header: v2(3, 1, two.length) };
    expect(read({ element: optional, pages: [levelled] })).to.deep.equal([7, null, 9]);
    const entries = { body: ints(5, 6), header: dictionary(2) };
    const indexes = {
      body: Buffer.from([1, ...packed(Uint8Array.of(1, 0, 1), 1)]),
      header: indexed(3),
    };
    expect(read({ pages: [entries, indexes] })).to.deep.equal([6, 5, 6]);
    // Some writers give the indexes of one value no bits at all.
    const single = { body: Buffer.of(0, 3 << 1), header: indexed(3) };
    expect(read({ pages: [{ body: ints(5), header: dictionary(1) }, single] })).to.deep.equal([
      5, 5, 5,
    ]);
    const bits = packed(Uint8Array.of(1, 0, 1), 1);
    const booleans = {
      body: Buffer.concat([lengthOf(bits), bits]),
      header: { data_page_header: { num_values: 3, encoding: "RLE", ...levels } } as const,
    };
    expect(read({ element: { ...required, type: "BOOLEAN" }, pages: [booleans] })).to.deep.equal([
      true,
      false,
      true,
    ]);
  });

  it("refuses a decimal of more digits than its column has", () => {
    const tooBig = 10n ** 10n;
    const body = Buffer.from(BigInt64Array.of(1n - tooBig, tooBig).buffer);
    const column = { type: "decimal", precision: 10, scale: 2 } as const;
    const element = { ...required, type: "INT64", converted_type: "DECIMAL" } as const;
    const made = { element, column, rows: 2, pages: [{ body, header: plain(2) }] };
    expect(() => read(made)).to.throw(/10000000000 has too many digits/);
    const below = Buffer.from(BigInt64Array.of(-tooBig, 0n).buffer);
    expect(() => read({ ...made, pages: [{ body: below, header: plain(2) }] })).to.throw(
      /-10000000000 has too many digits/,
    );
    const wide = Buffer.from("0000000002540be400", "hex");
    const fixed = { ...element, type: "FIXED_LEN_BYTE_ARRAY", type_length: 9 } as const;
    const one = { element: fixed, column, rows: 1, pages: [{ body: wide, header: plain(1) }] };
    expect(() => read(one)).to.throw(/10000000000 has too many digits/);
    expect(read({ ...one, column: { ...column, precision: 11 } })).to.deep.equal([1e10]);
    const negative = (hex: string): Made => ({
      ...one,
      pages: [{ body: Buffer.from(hex, "hex"), header: plain(1) }],
    });
    expect(() => read(negative("fffffffffdabf41c00"))).to.throw(/-10000000000 has too many digits/);
    expect(read(negative("fffffffffdabf41c01"))).to.deep.equal([-9_999_999_999]);
  });

  it("knows the distinct values where all came from a dictionary, and only then", () => {
    const indexes = {
      body: Buffer.from([1, ...packed(Uint8Array.of(1, 0, 1), 1)]),
      header: indexed(3),
    };
    expect(decode({ pages: [entries, indexes] }).distinct).to.deep.equal(Int32Array.of(5, 6));
    const mixed = { rows: 6, pages: [entries, indexes, three] };
    expect(decode(mixed).distinct).to.equal(undefined);
    expect(decode({ pages: [three] }).distinct).to.equal(undefined);
  });

  const longs = (...values: bigint[]): Buffer => Buffer.from(BigInt64Array.from(values).buffer);
  const wide = (...values: number[]): Buffer =>
    Buffer.concat(
      values.map((value) =>
        Buffer.from(BigInt.asUintN(72, BigInt(value)).toString(16).padStart(18, "0"), "hex"),
      ),
    );
  const money = { ...required, converted_type: "DECIMAL" } as const;
  /** A column, two values of it in a file, and these as they are held. */
  const kinds: [string, Pick<Made, "element" | "column">, Buffer, Stored[]][] = [
    ["integers", {}, ints(7, -9), [7, -9]],
    [
      "bigints",
      { element: { ...required, type: "INT64" }, column: { type: "bigint" } },
      longs(2n ** 62n, -1n),
      [2n ** 62n, -1n],
    ],
    [
      "decimals",
      {
        element: { ...money, type: "INT64" },
        column: { type: "decimal", precision: 10, scale: 2 },
      },
      longs(9_999_999_999n, -1n),
      [9_999_999_999, -1],
    ],
    [
      "decimals of few digits",
      { element: money, column: { type: "decimal", precision: 4, scale: 1 } },
      ints(9999, -9999),
      [9999, -9999],
    ],
    [
      "decimals of many digits",
      {
        element: { ...money, type: "FIXED_LEN_BYTE_ARRAY", type_length: 9 },
        column: { type: "decimal", precision: 20, scale: 2 },
      },
      wide(258, -258),
      [258n, -258n],
    ],
    ["texts", { element: texts }, words("bc", "a"), ["bc", "a"]],
    ["texts of more bytes", { element: texts }, words("é", "a"), ["é", "a"]],
    [
      "times",
      { element: texts, column: { type: "time" } },
      words("00:00:01.000000", "00:00:00.000002"),
      [1_000_000, 2],
    ],
  ];
  for (const [name, of, body, [one, other]] of kinds) {
    it(`reads ${name}: page by page, with nulls, from dictionaries, of several row groups`, () => {
      const page = { body, header: plain(2) };
      expect(read({ ...of, rows: 4, pages: [page, page] })).to.deep.equal([one, other, one, other]);
      const nulled = {
        body: Buffer.concat([lengthOf(two), two, body]),
        header: plain(3),
      };
      const may: Made = {
        ...of,
        element: { ...required, ...of.element, repetition_type: "OPTIONAL" },
        rows: 6,
        pages: [nulled, nulled],
      };
      const spread = [one, null, other];
      expect(read(may)).to.deep.equal([...spread, ...spread]);
      expect(read({ ...may, stretch: { from: 3, to: 6 } })).to.deep.equal(spread);
      const values = { body, header: dictionary(2) };
      const indexes = { body: Buffer.from([1, ...two]), header: indexed(3) };
      const found = decode({ ...of, rows: 6, pages: [values, indexes, indexes], groups: 2 });
      const looked = [other, one, other];
      expect(storedOf(found)).to.deep.equal([looked, looked, looked, looked].flat());
      expect([...found.distinct!]).to.deep.equal([one, other, one, other]);
      const later = {
        ...of,
        rows: 3,
        pages: [values, indexes],
        groups: 3,
        stretch: { from: 6, to: 9 },
      };
      expect(read(later)).to.deep.equal(looked);
      expect(read({ ...later, stretch: { from: 2, to: 4 } })).to.deep.equal([other, other]);
    });
  }

  it("reads booleans bit by bit, page by page", () => {
    const element: SchemaElement = { ...required, type: "BOOLEAN" };
    const page = { body: Buffer.of(0b1011_0101, 0b10), header: plain(10) };
    const bits = [true, false, true, false, true, true, false, true, false, true];
    expect(read({ element, rows: 20, pages: [page, page] })).to.deep.equal([...bits, ...bits]);
    const levelled = {
      body: Buffer.concat([lengthOf(two), two, Buffer.of(0b10)]),
      header: plain(3),
    };
    const may: Made = { element: { ...element, repetition_type: "OPTIONAL" }, pages: [levelled] };
    expect(read(may)).to.deep.equal([false, null, true]);
  });

  it("reads what older writers call a dictionary, and what Snappy packed", () => {
    const old = {
      body: Buffer.from([1, ...two]),
      header: {
        data_page_header: { num_values: 3, encoding: "PLAIN_DICTIONARY", ...levels },
      } as const,
    };
    expect(read({ pages: [entries, old] })).to.deep.equal([6, 5, 6]);
    // Twelve bytes, all of them one literal.
    const body = Buffer.concat([Buffer.of(12, 11 << 2), three.body]);
    const snappy = { body, header: { ...plain(3), uncompressed_page_size: 12 } };
    expect(read({ meta: { codec: "SNAPPY" }, pages: [snappy] })).to.deep.equal([1, -2, 3]);
  });

  it("reads pages of version 2 without levels, and of levels alone", () => {
    expect(read({ pages: [{ body: three.body, header: v2(3, 0, 0) }] })).to.deep.equal([1, -2, 3]);
    const nulls = repeated(0, 3, 1);
    const page = { body: nulls, header: v2(3, 3, nulls.length) };
    expect(read({ element: optional, pages: [page] })).to.deep.equal([null, null, null]);
  });

  it("reads on where a row group gave its dictionary up", () => {
    const indexes = { body: Buffer.from([1, ...two]), header: indexed(3) };
    const of = { rows: 6, pages: [entries, indexes, three], groups: 2 };
    expect(read(of)).to.deep.equal([6, 5, 6, 1, -2, 3, 6, 5, 6, 1, -2, 3]);
    expect(decode(of).distinct).to.equal(undefined);
  });

  it("passes over pages of another kind, and reads pages without values", () => {
    const index = { body: ints(9), header: { type: "INDEX_PAGE" } as const };
    const none = { body: Buffer.alloc(0), header: plain(0) };
    expect(read({ pages: [index, none, three] })).to.deep.equal([1, -2, 3]);
  });

  it("needs no dictionary for nulls alone, and knows the distinct values with a page of nulls among them", () => {
    const nulls = repeated(0, 3, 1);
    const alone = { body: Buffer.concat([lengthOf(nulls), nulls]), header: indexed(3) };
    expect(read({ element: optional, pages: [alone] })).to.deep.equal([null, null, null]);
    const all = repeated(1, 3, 1);
    const indexes = {
      body: Buffer.concat([lengthOf(all), all, Buffer.of(1), packed(Uint8Array.of(1, 0, 1), 1)]),
      header: indexed(3),
    };
    const plainNulls = { body: alone.body, header: plain(3) };
    const of = { element: optional, rows: 6, pages: [entries, indexes, plainNulls] };
    expect(decode(of).distinct).to.deep.equal(Int32Array.of(5, 6));
    expect(read(of)).to.deep.equal([6, 5, 6, null, null, null]);
  });

  it("unpacks of a page of version 2 what is compressed, and that alone", () => {
    const values = ints(7, 9);
    const page = (is_compressed: boolean, body: Buffer): Made => {
      const { data_page_header_v2: header } = v2(3, 1, two.length);
      const data_page_header_v2 = { ...header!, is_compressed };
      const uncompressed_page_size = two.length + values.length;
      return {
        element: optional,
        // Of few values GZIP makes more.
        meta: { codec: "GZIP", total_uncompressed_size: 100n },
        pages: [
          {
            body: Buffer.concat([two, body]),
            header: { type: "DATA_PAGE_V2", data_page_header_v2, uncompressed_page_size },
          },
        ],
      };
    };
    expect(read(page(false, values))).to.deep.equal([7, null, 9]);
    expect(read(page(true, gzipSync(values)))).to.deep.equal([7, null, 9]);
  });

  it("reads a page of nothing that is compressed", () => {
    const nulls = repeated(0, 3, 1);
    const { data_page_header_v2: header } = v2(3, 3, nulls.length);
    const data_page_header_v2 = { ...header!, is_compressed: true };
    const body = Buffer.concat([nulls, gzipSync(Buffer.alloc(0))]);
    const page = {
      body,
      header: {
        type: "DATA_PAGE_V2" as const,
        data_page_header_v2,
        uncompressed_page_size: nulls.length,
      },
    };
    expect(read({ element: optional, meta: { codec: "GZIP" }, pages: [page] })).to.deep.equal([
      null,
      null,
      null,
    ]);
  });

  it("opens no page that has none of the rows that are wanted", () => {
    const page = (...values: number[]) => ({ body: ints(...values), header: plain(values.length) });
    const broken = (...values: number[]) => {
      const { body, header } = page(...values);
      return { body, header: { ...header, crc: (crc32(body) | 0) ^ 1 } };
    };
    const pages = [broken(1), page(2, 3), page(4, 5), broken(6)];
    const of = (from: number, to: number): Stored[] =>
      read({ rows: 6, pages, stretch: { from, to } });
    expect(of(1, 5)).to.deep.equal([2, 3, 4, 5]);
    expect(of(2, 4)).to.deep.equal([3, 4]);
    expect(of(1, 2)).to.deep.equal([2]);
    expect(of(4, 5)).to.deep.equal([5]);
    expect(() => of(0, 2)).to.throw(/checksum/);
    expect(() => of(4, 6)).to.throw(/checksum/);
  });
});
