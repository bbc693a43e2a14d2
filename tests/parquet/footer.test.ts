// What a file says of itself in its footer, and what is refused of one that contradicts itself.
import { expect } from "chai";
import type { FileMetaData } from "hyparquet";
import { parquetMetadata } from "hyparquet/src/metadata.js";
import { ByteWriter } from "hyparquet-writer/src/bytewriter.js";
import { writeMetadata } from "hyparquet-writer/src/metadata.js";
import { bigint, integer, nullable, text, time } from "../../src/columns.ts";
import { ParquetError } from "../../src/parquet/codec.ts";
import { hyparquet, writeGroups } from "../../src/parquet/hyparquet.ts";
import { fileColumns } from "../../src/parquet/schema.ts";
import { storedOf, type Vector, vectorOf } from "../../src/vectors.ts";

const columns = fileColumns({ id: integer, same: integer, word: nullable(text), at: time });
const [id, same, word, at] = columns;
const own = [id!, same!, word!, at!];
const made = (rows: number): Vector[] => [
  vectorOf(
    id!,
    Array.from({ length: rows }, (_, i) => i * 7919),
  ),
  // Of few values: in a dictionary.
  vectorOf(
    same!,
    Array.from({ length: rows }, (_, i) => i % 2),
  ),
  vectorOf(
    word!,
    Array.from({ length: rows }, () => "a".repeat(50)),
  ),
  vectorOf(
    at!,
    Array.from({ length: rows }, (_, i) => i),
  ),
];
let bytes: Buffer;

/** The same pages under another footer. */
function withFooter(change: (footer: FileMetaData) => void): Buffer {
  const footer = parquetMetadata(bytes);
  const end = bytes.length - 8 - footer.metadata_length;
  for (const { meta_data } of footer.row_groups.flatMap((group) => group.columns))
    delete meta_data!.statistics;
  change(footer);
  const writer = new ByteWriter();
  writeMetadata(writer, footer);
  return Buffer.concat([bytes.subarray(0, end), writer.getBytes(), Buffer.from("PAR1")]);
}

async function refused(file: Buffer, of = own): Promise<ParquetError> {
  try {
    await hyparquet.read(file, of);
  } catch (error) {
    if (error instanceof ParquetError) return error;
    throw error;
  }
  return expect.fail("was read");
}

describe("a footer", () => {
  let row_groups: FileMetaData["row_groups"];
  before(() => {
    bytes = writeGroups(own, made(200), 100);
    ({ row_groups } = parquetMetadata(bytes));
  });

  it("says who wrote the file, and its columns beneath one root", () => {
    const { created_by, schema, num_rows } = parquetMetadata(bytes);
    expect(bytes.subarray(0, 4).toString()).to.equal("PAR1");
    expect(created_by).to.equal("totes-warehouse version 1.0.0 (build hyparquet-writer)");
    expect(schema.map(({ name }) => name)).to.deep.equal(["root", "id", "same", "word", "at"]);
    expect(num_rows).to.equal(200n);
  });

  it("has as many row groups as there are rows for, and none without rows", () => {
    expect(row_groups.map((group) => group.num_rows)).to.deep.equal([100n, 100n]);
    expect(parquetMetadata(writeGroups(own, made(0), 100)).row_groups).to.deep.equal([]);
  });

  it("says how each column is kept: texts and times are compressed, numbers are not, few values are in a dictionary", () => {
    const of = row_groups[1]!.columns.map(({ meta_data }) => meta_data!);
    expect(of.map(({ codec }) => codec)).to.deep.equal([
      "UNCOMPRESSED",
      "UNCOMPRESSED",
      "GZIP",
      "GZIP",
    ]);
    expect(of.map(({ type }) => type)).to.deep.equal([
      "INT32",
      "INT32",
      "BYTE_ARRAY",
      "BYTE_ARRAY",
    ]);
    expect(of[0]!.encodings).to.deep.equal(["PLAIN", "RLE"]);
    expect(of[0]!.dictionary_page_offset).to.equal(undefined);
    expect(of[1]!.encodings).to.deep.equal(["PLAIN", "RLE", "RLE_DICTIONARY"]);
  });

  it("says where each column's pages lie, one behind the other, its dictionary first", () => {
    let next = 4n;
    for (const { file_offset, meta_data } of row_groups.flatMap((group) => group.columns)) {
      const { dictionary_page_offset, data_page_offset, total_compressed_size } = meta_data!;
      expect(file_offset).to.equal(next);
      expect(dictionary_page_offset ?? data_page_offset).to.equal(next);
      if (dictionary_page_offset !== undefined)
        expect(Number(data_page_offset)).to.be.within(
          Number(next) + 1,
          Number(next + total_compressed_size) - 1,
        );
      next += total_compressed_size;
    }
  });

  it("has of each row group what its columns come to", () => {
    for (const group of row_groups) {
      const of = group.columns.map(({ meta_data }) => meta_data!);
      const sum = (sizes: readonly bigint[]): bigint => sizes.reduce((a, b) => a + b, 0n);
      expect(group.total_byte_size).to.equal(
        sum(of.map(({ total_uncompressed_size }) => total_uncompressed_size)),
      );
      expect(group.total_compressed_size).to.equal(
        sum(of.map(({ total_compressed_size }) => total_compressed_size)),
      );
    }
  });

  it("tells what some columns take in memory, and nothing of those that are not there", () => {
    const size = hyparquet.sizeOf(bytes, [word!]);
    // Two dictionaries of fifty characters, at least; each page has a header, too.
    expect(size).to.be.within(100, 400);
    expect(hyparquet.sizeOf(bytes, [word!, id!])).to.be.within(size + 800, size + 1000);
    expect(hyparquet.sizeOf(bytes, fileColumns({ other: text }).slice(0, 1))).to.equal(0);
  });

  it("says which columns there are, and which may be null", async () => {
    const found = await hyparquet.columnsOf(bytes);
    expect(found.map(({ name, type, nullable: may }) => [name, type, may])).to.deep.equal([
      ["id", "integer", false],
      ["same", "integer", false],
      ["word", "text", true],
      ["at", "text", false],
    ]);
  });

  it("may have row groups without rows", async () => {
    const file = withFooter((footer) => {
      const [first] = footer.row_groups;
      const empty = first!.columns.map((chunk) => ({
        ...chunk,
        meta_data: { ...chunk.meta_data!, num_values: 0n },
      }));
      footer.row_groups.unshift({ ...first!, columns: empty, num_rows: 0n });
    });
    const [ids] = await hyparquet.read(file, [id!]);
    expect(storedOf(ids!)).to.deep.equal(Array.from({ length: 200 }, (_, i) => i * 7919));
  });

  it("may tell further types, of which the file's own key alone counts", async () => {
    const told = withFooter((footer) => {
      footer.schema[2]!.type = "INT64";
      footer.key_value_metadata = [
        { key: "other", value: '{"same":"integer"}' },
        { key: "totes.types", value: '{"same":"timestamp"}' },
      ];
    });
    expect((await refused(told, [same!])).message).to.equal(
      'column "same": found timestamp, expected integer',
    );
    const untold = withFooter((footer) => {
      footer.schema[2]!.type = "INT64";
      footer.key_value_metadata = [{ key: "other", value: '{"same":"integer"}' }];
    });
    const { message } = await refused(untold, [same!]);
    expect(message).to.equal('column "same": found bigint, expected integer');
  });

  it("is not looked for in what is too short for a Parquet file, or begins otherwise", async () => {
    const short = Buffer.from("PAR1   PAR1");
    expect((await refused(short)).message).to.equal("this is no Parquet file");
    const other = Buffer.concat([Buffer.from("PAR2"), bytes.subarray(4)]);
    expect((await refused(other)).message).to.equal("this is no Parquet file");
  });

  it("is damaged where its length reaches beyond the file, which is said with its cause", async () => {
    const error = await refused(Buffer.from("PAR1\xff\0\0\0PAR1", "latin1"));
    expect(error.message).to.match(/^the footer is damaged: ./);
    expect(error.cause).to.be.instanceOf(Error);
  });

  const damaged: [string, (footer: FileMetaData) => void, RegExp][] = [
    [
      "that counts other columns than it has",
      ({ schema: of }) => (of[0]!.num_children = 3),
      /columns are missing or nested/,
    ],
    [
      "with a row group of fewer columns",
      ({ row_groups: [group] }) => group!.columns.pop(),
      /a row group has other columns/,
    ],
    [
      "with a row group of more columns",
      ({ row_groups: [group] }) => group!.columns.push(group!.columns[0]!),
      /a row group has other columns/,
    ],
    [
      "with a column in another place",
      ({ row_groups: [group] }) => group!.columns.reverse(),
      /a row group has other columns/,
    ],
    [
      "with a column beneath another",
      ({ row_groups: [group] }) => (group!.columns[0]!.meta_data!.path_in_schema = ["i", "d"]),
      /a row group has other columns/,
    ],
    [
      "with a column of which it says nothing",
      ({ row_groups: [group] }) => delete group!.columns[0]!.meta_data,
      /a row group has other columns/,
    ],
    [
      "with fewer rows than none",
      ({ row_groups: [first, second] }) => {
        first!.num_rows = -1n;
        second!.num_rows = 201n;
      },
      /a row group of -1 rows/,
    ],
    [
      "that counts other rows than its row groups",
      (footer) => (footer.num_rows = 201n),
      /200 rows, not 201/,
    ],
  ];
  for (const [how, change, message] of damaged)
    it(`${how} is refused`, async () => {
      const error = await refused(withFooter(change));
      expect(error.message).to.match(/^the footer is damaged: /);
      expect(error.message).to.match(message);
    });

  it("with a list is refused, which no column here is", async () => {
    const file = withFooter((footer) => (footer.schema[1]!.repetition_type = "REPEATED"));
    const { message, column } = await refused(file);
    expect(message).to.equal('column "id": found a list of integer, expected integer');
    expect(column).to.equal("id");
  });

  it("is named by the column and row group whose pages are not what it says", async () => {
    const file = withFooter(({ row_groups: [, group] }) => {
      group!.columns[1]!.meta_data!.num_values = 99n;
    });
    const error = await refused(file);
    expect(error.message).to.equal(
      'column "same": row group 1 is damaged: 99 values in a row group of 100 rows',
    );
    expect(error.column).to.equal("same");
    expect(error.cause).to.be.instanceOf(Error);
  });

  it("tells of nothing that came after the file", async () => {
    const [added] = await hyparquet.read(
      bytes,
      fileColumns({ added: nullable(bigint) }).slice(0, 1),
    );
    expect(storedOf(added!)).to.deep.equal(Array<null>(200).fill(null));
    const stretch = { from: 150, to: 153 };
    const of = [...fileColumns({ added: nullable(bigint) }).slice(0, 1), at!];
    const some = await hyparquet.read(bytes, of, stretch);
    expect(some.map(storedOf)).to.deep.equal([
      [null, null, null],
      [50, 51, 52].map((i) => i + 100),
    ]);
  });
});
