import { expect } from "chai";
import type { ColumnMetaData, PageHeader, SchemaElement } from "hyparquet";
import { ByteWriter } from "hyparquet-writer/src/bytewriter.js";
import { writePageHeader } from "hyparquet-writer/src/datapage.js";
import { crc32, gzipSync } from "node:zlib";
import { packed, repeated } from "../../src/parquet/bits.ts";
import { ColumnDecoder } from "../../src/parquet/decode.ts";
import type { FileColumn } from "../../src/parquet/schema.ts";
import type { Stored } from "../../src/values.ts";
import { storedOf, type Stretch, type Vector } from "../../src/vectors.ts";

interface Made {
  element?: SchemaElement;
  column?: Partial<FileColumn>;
  rows?: number;
  meta?: Partial<ColumnMetaData>;
  stretch?: Stretch;
  /** Bytes of the column's chunk that the footer says too much. */
  beyond?: number;
  pages: { body: Buffer; header: Partial<PageHeader> }[];
}

const levels = { definition_level_encoding: "RLE", repetition_level_encoding: "RLE" } as const;
const plain = (num_values: number): Partial<PageHeader> => ({
  data_page_header: { num_values, encoding: "PLAIN", ...levels },
});
const indexed = (num_values: number): Partial<PageHeader> => ({
  data_page_header: { num_values, encoding: "RLE_DICTIONARY", ...levels },
});
const dictionary = (num_values: number): Partial<PageHeader> => ({
  type: "DICTIONARY_PAGE",
  dictionary_page_header: { num_values, encoding: "PLAIN" },
});
const v2 = (
  num_values: number,
  num_nulls: number,
  definition_levels_byte_length: number,
  repetition_levels_byte_length = 0,
): Partial<PageHeader> => ({
  type: "DATA_PAGE_V2",
  data_page_header_v2: {
    num_values,
    num_nulls,
    num_rows: num_values,
    encoding: "PLAIN",
    definition_levels_byte_length,
    repetition_levels_byte_length,
    is_compressed: false,
  },
});
const ints = (...values: number[]): Buffer => Buffer.from(Int32Array.from(values).buffer);
const required: SchemaElement = { name: "it", type: "INT32", repetition_type: "REQUIRED" };
const TYPES: Readonly<Record<string, FileColumn["type"]>> = {
  BOOLEAN: "boolean",
  BYTE_ARRAY: "text",
  FIXED_LEN_BYTE_ARRAY: "decimal",
};
const optional: SchemaElement = { ...required, repetition_type: "OPTIONAL" };
const texts: SchemaElement = { ...required, type: "BYTE_ARRAY", converted_type: "UTF8" };

/** What is read of a column whose pages were made by hand. */
const read = (made: Made): Stored[] => storedOf(decode(made));

function decode(made: Made): Vector {
  const { element = required, column = {}, rows = 3, meta = {}, beyond = 0, pages } = made;
  const parts: Uint8Array[] = [Buffer.from("PAR1")];
  for (const { body, header } of pages) {
    const writer = new ByteWriter();
    writePageHeader(writer, {
      type: "DATA_PAGE",
      uncompressed_page_size: body.length,
      compressed_page_size: body.length,
      ...header,
    });
    parts.push(writer.getBytes(), body);
  }
  const size = Buffer.concat(parts).length - 4;
  const file = Buffer.concat([...parts, Buffer.alloc(8)]);
  const chunk: ColumnMetaData = {
    type: element.type ?? "INT32",
    encodings: [],
    path_in_schema: ["it"],
    codec: "UNCOMPRESSED",
    num_values: BigInt(rows),
    total_uncompressed_size: BigInt(size),
    total_compressed_size: BigInt(size + beyond),
    data_page_offset: 4n,
    ...meta,
  };
  const type = TYPES[element.type ?? "INT32"] ?? "integer";
  const nullable = element.repetition_type === "OPTIONAL";
  const asked = { name: "it", type, nullable, fieldId: 1, ...column };
  const decoder = new ColumnDecoder(asked, element, rows, made.stretch);
  decoder.decode(file, chunk, rows);
  return decoder.vector();
}

describe("ColumnDecoder", () => {
  const three = { body: ints(1, -2, 3), header: plain(3) };
  const lengthOf = (runs: Buffer): Buffer => ints(runs.length);
  const two = packed(Uint8Array.of(1, 0, 1), 1);

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

  const entries = { body: ints(5, 6), header: dictionary(2) };
  const text = (bytes: Buffer): Made => ({
    element: texts,
    rows: 1,
    pages: [{ body: Buffer.concat([ints(bytes.length), bytes]), header: plain(1) }],
  });
  const damaged: [string, Made, RegExp][] = [
    [
      "values that are too few",
      { pages: [{ ...three, body: ints(1, 2) }] },
      /values of 8 bytes, not 12/,
    ],
    [
      "values that are too many",
      { pages: [{ ...three, body: ints(1, 2, 3, 4) }] },
      /values of 16 bytes, not 12/,
    ],
    ["a page of more values than rows", { rows: 2, pages: [three] }, /a page of 3 values/],
    [
      "a page of minus one value",
      { pages: [{ ...three, header: plain(-1) }] },
      /a page of -1 values/,
    ],
    ["pages that end before the rows do", { rows: 4, pages: [three] }, /./],
    [
      "another count in the footer",
      { pages: [three], meta: { num_values: 4n } },
      /4 values in a row group of 3/,
    ],
    [
      "pages outside the file",
      { pages: [three], meta: { data_page_offset: 999n } },
      /outside the file/,
    ],
    ["pages that end in the footer", { pages: [three], beyond: 1 }, /outside the file/],
    [
      "a null where none may be",
      {
        element: optional,
        column: { nullable: false },
        pages: [{ body: Buffer.concat([lengthOf(two), two, ints(7, 9)]), header: plain(3) }],
      },
      /row 1 is null/,
    ],
    [
      "pages that begin in the magic bytes",
      { pages: [three], meta: { data_page_offset: 3n } },
      /outside the file/,
    ],
    [
      "a page of minus one byte",
      { pages: [{ ...three, header: { ...plain(3), compressed_page_size: -1 } }] },
      /reaches beyond/,
    ],
    [
      "a page of minus one byte once it is unpacked",
      { pages: [{ ...three, header: { ...plain(3), uncompressed_page_size: -1 } }] },
      /larger than its column/,
    ],
    [
      "levels of minus one byte",
      { pages: [{ body: three.body, header: v2(3, 0, -1) }] },
      /levels are wrong/,
    ],
    [
      "levels that are longer than their page",
      { pages: [{ body: three.body, header: v2(3, 0, 13) }] },
      /levels are wrong/,
    ],
    [
      "values that its column does not hold",
      { element: { ...required, type: "INT64" }, pages: [three] },
      /not held as bigint/,
    ],
    [
      "half the length of a text",
      { element: texts, rows: 1, pages: [{ body: Buffer.alloc(3), header: plain(1) }] },
      /beyond its page/,
    ],
    [
      "a page of more values than rows are left",
      { pages: [{ body: ints(1), header: plain(1) }, three] },
      /a page of 3 values/,
    ],
    [
      "a page that nobody could hold",
      {
        pages: [{ ...three, header: { ...plain(3), uncompressed_page_size: 2 ** 28 + 1 } }],
        meta: { total_uncompressed_size: 2n ** 30n },
      },
      /a page of 268435457 bytes is not unpacked/,
    ],
    [
      "indexes without a width",
      { pages: [entries, { body: Buffer.alloc(0), header: indexed(3) }] },
      /a bit width of -1/,
    ],
    [
      "an index beyond the dictionary that is not the last",
      {
        pages: [
          entries,
          { body: Buffer.from([2, ...packed(Uint8Array.of(2, 0, 1), 2)]), header: indexed(3) },
        ],
      },
      /beyond the dictionary/,
    ],
    [
      "booleans in an unknown encoding",
      {
        element: { ...required, type: "BOOLEAN" },
        pages: [
          {
            body: Buffer.of(5),
            header: {
              data_page_header: { num_values: 3, encoding: "BYTE_STREAM_SPLIT", ...levels },
            },
          },
        ],
      },
      /encoding BYTE_STREAM_SPLIT is not read/,
    ],
    [
      "a decimal that its column does not hold",
      {
        element: { ...required, type: "FIXED_LEN_BYTE_ARRAY", type_length: 4 },
        column: { type: "text" },
        pages: [three],
      },
      /not held as text/,
    ],
    [
      "pages in the magic bytes",
      { pages: [three], meta: { data_page_offset: 0n } },
      /outside the file/,
    ],
    [
      "a page that reaches beyond its column",
      { pages: [{ ...three, header: { ...plain(3), compressed_page_size: 999 } }] },
      /reaches beyond/,
    ],
    [
      "a page that is larger than its column",
      { pages: [{ ...three, header: { ...plain(3), uncompressed_page_size: 2 ** 30 } }] },
      /larger than its column/,
    ],
    [
      "a page of another size",
      { pages: [{ ...three, header: { ...plain(3), uncompressed_page_size: 8 } }] },
      /a page of 12 bytes, not 8/,
    ],
    [
      "a wrong checksum",
      { pages: [{ ...three, header: { ...plain(3), crc: (crc32(three.body) | 0) ^ 1 } }] },
      /checksum is wrong/,
    ],
    [
      "an unknown encoding",
      {
        pages: [
          {
            ...three,
            header: {
              data_page_header: { num_values: 3, encoding: "BYTE_STREAM_SPLIT", ...levels },
            },
          },
        ],
      },
      /encoding BYTE_STREAM_SPLIT is not read/,
    ],
    [
      "run lengths of what is no boolean",
      {
        pages: [
          { ...three, header: { data_page_header: { num_values: 3, encoding: "RLE", ...levels } } },
        ],
      },
      /encoding RLE is not read/,
    ],
    [
      "an unknown compression",
      { pages: [three], meta: { codec: "BROTLI" } },
      /compression BROTLI is not read/,
    ],
    [
      "levels in an old encoding",
      {
        element: optional,
        pages: [
          {
            body: three.body,
            header: {
              data_page_header: {
                num_values: 3,
                encoding: "PLAIN",
                definition_level_encoding: "BIT_PACKED",
                repetition_level_encoding: "RLE",
              },
            },
          },
        ],
      },
      /levels in BIT_PACKED/,
    ],
    [
      "levels that are too long",
      { element: optional, pages: [{ body: ints(99, 1), header: plain(3) }] },
      /levels are too long/,
    ],
    [
      "an index beyond the dictionary",
      {
        pages: [
          entries,
          { body: Buffer.from([2, ...packed(Uint8Array.of(0, 1, 2), 2)]), header: indexed(3) },
        ],
      },
      /beyond the dictionary/,
    ],
    [
      "no dictionary",
      { pages: [{ body: Buffer.from([1, ...repeated(0, 3, 1)]), header: indexed(3) }] },
      /dictionary is missing/,
    ],
    [
      "a dictionary without its values",
      { pages: [{ body: ints(5), header: dictionary(2) }, three] },
      /values of 4 bytes, not 8/,
    ],
    [
      "another count of nulls",
      {
        element: optional,
        pages: [{ body: Buffer.concat([two, ints(7, 9)]), header: v2(3, 2, two.length) }],
      },
      /a page of 2 nulls/,
    ],
    [
      "levels that repeat",
      { pages: [{ body: three.body, header: v2(3, 0, 0, 1) }] },
      /levels are wrong/,
    ],
    [
      "levels of what has no nulls",
      { pages: [{ body: Buffer.concat([two, ints(7, 9)]), header: v2(3, 0, two.length) }] },
      /column without nulls/,
    ],
    ["a text that is no UTF-8", text(Buffer.of(0x61, 0xff, 0x62)), /not UTF-8/],
    ["a text that is half a surrogate pair", text(Buffer.of(0xed, 0xa0, 0xbd)), /not UTF-8/],
    [
      "a text that reaches beyond its page",
      { ...text(Buffer.from("a")), pages: [{ body: ints(5), header: plain(1) }] },
      /beyond its page/,
    ],
    [
      "bytes after the last text",
      { ...text(Buffer.from("a")), pages: [{ body: ints(0, 0), header: plain(1) }] },
      /values of 4 bytes, not 0/,
    ],
    [
      "a type that is not read",
      { element: { ...required, type: "DOUBLE" }, pages: [three] },
      /DOUBLE is not read/,
    ],
    [
      "a decimal without a width",
      { element: { ...required, type: "FIXED_LEN_BYTE_ARRAY" }, pages: [three] },
      /without a width/,
    ],
  ];
  for (const [name, made, message] of damaged) {
    it(`refuses ${name}`, () => {
      expect(() => read(made)).to.throw(message);
    });
  }

  const clock = (...written: string[]): Made => ({
    element: texts,
    column: { type: "time" },
    rows: written.length,
    pages: [
      {
        body: Buffer.concat(
          written.flatMap((one) => [ints(Buffer.byteLength(one)), Buffer.from(one)]),
        ),
        header: plain(written.length),
      },
    ],
  });

  it("reads any text that is a time of day as microseconds", () => {
    expect(
      read(clock("00:00:00.000000", "23:59:59.999999", "14:20:52.1", "14:20:52", "14:20:52.186")),
    ).to.deep.equal([0, 86_399_999_999, 51_652_100_000, 51_652_000_000, 51_652_186_000]);
  });

  for (const text of [
    "24:00:00.000000",
    "23:60:00.000000",
    "23:59:60.000000",
    "23:59:59,999999",
    "23-59:59.999999",
    "23:59.59.999999",
    "2x:59:59.999999",
    "23:59:59.99999x",
    "/3:59:59.999999",
    "23:59:5:.999999",
    "23:59:59.9999999",
    "23:59:59.:99999",
    "23:59:59.9:9999",
    "23:59:59.9/9999",
    "23:59:59.",
    "",
    "é3:59:59.99999",
  ]) {
    it(`refuses ${JSON.stringify(text)} for a time of day`, () => {
      expect(() => read(clock("12:00:00.000000", text))).to.throw(/is no time of day/);
    });
  }

  it("refuses a decimal of more digits than its column has", () => {
    const tooBig = 10n ** 10n;
    const body = Buffer.from(BigInt64Array.of(1n - tooBig, tooBig).buffer);
    const column = { type: "decimal", precision: 10, scale: 2 } as const;
    const element = { ...required, type: "INT64", converted_type: "DECIMAL" } as const;
    const made = { element, column, rows: 2, pages: [{ body, header: plain(2) }] };
    expect(() => read(made)).to.throw(/10000000000 has too many digits/);
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

  it("says the first sixty characters of what is no time of day", () => {
    const long = "x".repeat(100);
    expect(() => read(clock(long))).to.throw(`"${long.slice(0, 60)}" is no time of day`);
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

  it("does not unpack more than the page says it holds", () => {
    const bomb = gzipSync(Buffer.alloc(1 << 20));
    const header = { ...plain(3), uncompressed_page_size: 12 };
    expect(() => read({ meta: { codec: "GZIP" }, pages: [{ body: bomb, header }] })).to.throw(
      RangeError,
    );
  });

  it("keeps U+FFFD and byte order marks that were written", () => {
    expect(read(text(Buffer.from("\ufeff\ufffd")))).to.deep.equal(["\ufeff\ufffd"]);
  });
});
