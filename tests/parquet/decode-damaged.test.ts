import { expect } from "chai";
import { crc32, gzipSync } from "node:zlib";
import { packed, repeated } from "../../src/parquet/bits.ts";
import {
  type Made,
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
  text,
  texts,
  three,
  two,
  v2,
} from "./pages.ts";

describe("ColumnDecoder refuses", () => {
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
      /column "it": row 1 is null/,
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
    it(name, () => {
      expect(() => read(made)).to.throw(message);
    });
  }

  it("does not unpack more than the page says it holds", () => {
    const bomb = gzipSync(Buffer.alloc(1 << 20));
    const header = { ...plain(3), uncompressed_page_size: 12 };
    expect(() => read({ meta: { codec: "GZIP" }, pages: [{ body: bomb, header }] })).to.throw(
      RangeError,
    );
  });
});
