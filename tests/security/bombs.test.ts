// Small things that claim to be large, and large ones where small ones belong: each is refused by name, before it is in memory.
import { createGzip, gzipSync } from "node:zlib";
import { once } from "node:events";
import type { FileMetaData } from "hyparquet";
import { parquetMetadata } from "hyparquet/src/metadata.js";
import { ByteWriter } from "hyparquet-writer/src/bytewriter.js";
import { writePageHeader } from "hyparquet-writer/src/datapage.js";
import { writeMetadata } from "hyparquet-writer/src/metadata.js";
import { integer, key, text, type Columns } from "../../src/columns.ts";
import { LineError, wholeLines } from "../../src/ingestion/lines.ts";
import { HINTS, manifestKey, receiptKey } from "../../src/lake/keys.ts";
import { sha256, type LakeObject } from "../../src/lake/manifest.ts";
import { LINE_BYTES, readS3Json } from "../../src/lake/objects.ts";
import { codecNamed } from "../../src/parquet/codec.ts";
import { fileColumns } from "../../src/parquet/schema.ts";
import { BadValue, store } from "../../src/values.ts";
import { failureOf, refusal } from "../support/attack.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";

const MIB = 1 << 20;

/** By how much this process' memory grew at most while `work` ran, in MiB; looked at all the time. */
async function growth(work: () => Promise<unknown>): Promise<number> {
  globalThis.gc?.();
  const before = process.memoryUsage.rss();
  let most = before;
  const look = (): void => void (most = Math.max(most, process.memoryUsage.rss()));
  const timer = setInterval(look, 5);
  try {
    await work();
  } finally {
    look();
    clearInterval(timer);
  }
  return (most - before) / MIB;
}

/** `times` times the same piece, gzipped: a thousandth of it. */
async function bomb(piece: Buffer, times: number): Promise<Buffer> {
  const gzip = createGzip({ level: 9 });
  const made: Buffer[] = [];
  gzip.on("data", (chunk: Buffer) => made.push(chunk));
  for (let i = 0; i < times; i++) if (!gzip.write(piece)) await once(gzip, "drain");
  gzip.end();
  await once(gzip, "end");
  return Buffer.concat(made);
}

describe("a bomb in the ingestion bucket", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 0 });
    Object.assign(process.env, p.env);
  });
  after(closeAll);

  async function read(body: Buffer, rows: number): Promise<number> {
    const object: LakeObject = {
      table: "thing",
      key: "thing/bomb.json.gz",
      rows,
      bytes: body.length,
      sha256: sha256(body),
    };
    await p.put("ingestion", object.key, body);
    let found = 0;
    for await (const part of readS3Json(p.env.INGESTION_BUCKET, object)) found += part.length;
    return found;
  }

  it("that is one line of a gigabyte is refused at the longest line there may be", async () => {
    const body = await bomb(Buffer.alloc(MIB, 32), 1024);
    expect(body.length).to.be.below(2 * MIB);
    let error: Error | undefined;
    const grew = await growth(async () => (error = await failureOf(read(body, 1))));
    expect(error)
      .to.have.property("message")
      .that.matches(
        /^s3:\/\/\S+\/thing\/bomb\.json\.gz, line 1: more than 134217728 bytes; restore the version/,
      );
    expect(error!.name).to.equal("ObjectError");
    expect(grew).to.be.below(400);
  });

  it("that has more rows than were committed is left off as soon as that shows", async () => {
    const line = Buffer.from(`{"id":1}\n`.repeat(100_000));
    const body = await bomb(line, 500);
    let error: Error | undefined;
    const grew = await growth(async () => (error = await failureOf(read(body, 10))));
    expect(error!.message).to.match(/: expected 10 rows, found more$/);
    expect(grew).to.be.below(200);
  });

  it("is no line of many megabytes that was committed: it is read", async () => {
    const large = JSON.stringify({ id: 1, note: "x".repeat(20 * MIB) });
    expect(await read(gzipSync(`${large}\n{"id":2}\n`), 2)).to.equal(2);
  });

  it("cannot be one that ingestion made: a row that long is refused there, with its table", async () => {
    async function* chunks(bytes: number): AsyncGenerator<Buffer> {
      yield Buffer.from(`{"id":1}\n`);
      const chunk = Buffer.alloc(MIB, 97);
      for (let sent = 0; sent < bytes; sent += MIB) yield chunk;
      yield Buffer.from(`"}\n{"id":3}\n`);
    }
    const linesOf = async (bytes: number): Promise<number> => {
      let rows = 0;
      for await (const lines of wholeLines(chunks(bytes), "thing")) rows += lines.rows;
      return rows;
    };
    const error = await failureOf(linesOf(LINE_BYTES));
    expect(error).to.be.instanceOf(LineError);
    expect(error.message).to.equal(
      "thing: a row of more than 134217728 bytes of JSON; make it smaller, or grant SELECT on the table's other columns alone",
    );
    expect(await linesOf(LINE_BYTES - MIB)).to.equal(3);
  });
});

describe("an object that is larger than it may be", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 3 });
    await p.ingest();
  });
  after(closeAll);
  const LARGE = 120 * MIB;

  it("is refused as a manifest, before it is read, by its size", async () => {
    const first = await p.get("ingestion", manifestKey(1));
    await p.put("ingestion", manifestKey(1), Buffer.alloc(LARGE, 32));
    try {
      for (const work of [() => p.ingest(), () => p.transform()]) {
        let error: Error | undefined;
        const grew = await growth(async () => (error = await failureOf(work())));
        expect(error).to.have.property("name", "ManifestError");
        expect(error!.message).to.equal(
          `s3://${p.env.INGESTION_BUCKET}/${manifestKey(1)} has ${LARGE} bytes, expected at most ${16 * MIB}; ` +
            "restore the version of the object that was written first (the bucket keeps them)",
        );
        expect(grew).to.be.below(60);
      }
    } finally {
      await p.put("ingestion", manifestKey(1), first);
    }
  });

  it("is refused as a data object, before it is read, by its size", async () => {
    const { objects } = await p.ingested(1);
    const { key: at, bytes } = objects.find(({ table }) => table === "staff")!;
    const first = await p.get("ingestion", at);
    await p.put("ingestion", at, Buffer.alloc(LARGE));
    try {
      let error: Error | undefined;
      const grew = await growth(async () => {
        error = await refusal(
          p,
          () => p.transform(),
          `s3://${p.env.INGESTION_BUCKET}/${at} is not`,
        );
      });
      expect(error).to.have.property("name", "ObjectError");
      expect(error!.message).to.include(`expected ${bytes} bytes, found ${LARGE}; restore`);
      expect(grew).to.be.below(60);
    } finally {
      await p.put("ingestion", at, first);
    }
  });

  it("is passed over as a hint or a receipt, which nobody believes", async () => {
    await p.run();
    await p.put("ingestion", HINTS.newest, Buffer.alloc(LARGE, 32));
    await p.put("processed", HINTS.loaded, Buffer.alloc(LARGE, 32));
    await p.shop.none("update staff set first_name = 'Hint'");
    const grew = await growth(() => p.run());
    expect(grew).to.be.below(80);
    await p.expectTrue();
    await p.put("processed", receiptKey(2), Buffer.alloc(LARGE, 32));
    await p.shop.none("update staff set first_name = 'Receipt'");
    expect(await growth(() => p.run())).to.be.below(80);
    await p.expectTrue();
  });

  it("is quarantined as a text: no page could hold it", () => {
    const most = "x".repeat(1 << 26);
    expect(store(text, most)).to.equal(most);
    expect(() => store(text, `${most}x`)).to.throw(
      BadValue,
      /^"x{60}"… \(67108865 characters\) is longer than 67108864$/,
    );
  });
});

describe("a Parquet bomb", () => {
  const columns: Columns = { id: key(integer), word: text };
  const file = fileColumns(columns);

  async function sound(): Promise<Buffer> {
    const codec = await codecNamed();
    return codec.write(file, [
      { layout: "int32", values: Int32Array.of(1, 2, 3), nulls: undefined },
      { layout: "text", values: ["a", "b", "c"], nulls: undefined },
      { layout: "bigint", values: [1n, 1n, 1n], nulls: undefined },
    ]);
  }

  /** The file with another footer: all that a forger can say, under a manifest that was forged to fit. */
  function forged(bytes: Buffer, change: (metadata: FileMetaData) => void): Buffer {
    const metadata = parquetMetadata(bytes);
    change(metadata);
    const footer = new ByteWriter();
    writeMetadata(footer, metadata);
    const before = bytes.length - 8 - bytes.readUInt32LE(bytes.length - 8);
    return Buffer.concat([bytes.subarray(0, before), footer.getBytes(), Buffer.from("PAR1")]);
  }

  async function expectRefused(bytes: Buffer, message: RegExp): Promise<void> {
    const codec = await codecNamed();
    let error: Error | undefined;
    const grew = await growth(async () => (error = await failureOf(codec.read(bytes, file))));
    expect(error).to.have.property("name", "ParquetError");
    expect(error!.message).to.match(message);
    expect(grew).to.be.below(100);
  }

  it("is told from the file that it was made of, which is read", async () => {
    const codec = await codecNamed();
    const [ids] = await codec.read(
      forged(await sound(), () => undefined),
      file,
    );
    expect(ids!.values).to.deep.equal(Int32Array.of(1, 2, 3));
  });

  for (const rows of [2n ** 24n + 1n, 2n ** 31n, 2n ** 62n])
    it(`of ${rows} rows is refused`, async () =>
      expectRefused(
        forged(await sound(), (metadata) => {
          metadata.num_rows = rows;
          for (const group of metadata.row_groups) {
            group.num_rows = rows;
            for (const { meta_data } of group.columns) meta_data!.num_values = rows;
          }
        }),
        /^\d+ rows, a file has at most 16777216$/,
      ));

  it("whose groups make up for each other is refused", async () =>
    expectRefused(
      forged(await sound(), (metadata) => {
        const [group] = metadata.row_groups;
        group!.num_rows = 2n ** 31n;
        for (const { meta_data } of group!.columns) meta_data!.num_values = 2n ** 31n;
        metadata.row_groups.push({ ...group!, num_rows: 3n - 2n ** 31n });
      }),
      /the footer is damaged: a row group of -2147483645 rows/,
    ));

  it("whose page unpacks to more than a page has is refused, before it is unpacked", async () => {
    const size = 512 * MIB;
    const packed = await bomb(Buffer.alloc(MIB), 512);
    const header = new ByteWriter();
    writePageHeader(header, {
      type: "DATA_PAGE",
      uncompressed_page_size: size,
      compressed_page_size: packed.length,
      data_page_header: {
        num_values: 3,
        encoding: "PLAIN",
        definition_level_encoding: "RLE",
        repetition_level_encoding: "RLE",
      },
    });
    const page = Buffer.concat([header.getBytes(), packed]);
    const whole = await sound();
    const bytes = forged(Buffer.concat([whole.subarray(0, 4), page, whole]), (metadata) => {
      for (const { meta_data } of metadata.row_groups[0]!.columns) {
        meta_data!.data_page_offset = 4n;
        delete meta_data!.dictionary_page_offset;
        meta_data!.codec = "GZIP";
        meta_data!.total_compressed_size = BigInt(page.length);
        meta_data!.total_uncompressed_size = BigInt(size);
      }
    });
    await expectRefused(bytes, /a page of 536870912 bytes is not unpacked/);
  });

  it("whose pages lie anywhere is refused", async () => {
    for (const offset of [-1n, 0n, 3n, 2n ** 31n, 2n ** 62n])
      await expectRefused(
        forged(await sound(), (metadata) => {
          for (const { meta_data } of metadata.row_groups[0]!.columns) {
            meta_data!.data_page_offset = offset;
            delete meta_data!.dictionary_page_offset;
          }
        }),
        /damaged/,
      );
  });

  it("of footers that end nowhere, or are nothing but nested lists, is refused", async () => {
    const bytes = await sound();
    const withFooter = (footer: Buffer, says = footer.length): Buffer => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(says);
      return Buffer.concat([bytes.subarray(0, 4), footer, length, Buffer.from("PAR1")]);
    };
    // Thrift's compact protocol: a struct in a struct, a list of lists, a binary of gigabytes.
    for (const footer of [
      Buffer.alloc(MIB, 0x1c),
      Buffer.alloc(MIB, 0x19),
      Buffer.concat([Buffer.from([0x18, 0xff, 0xff, 0xff, 0xff, 0x0f]), Buffer.alloc(64)]),
      Buffer.concat([Buffer.from([0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07]), Buffer.alloc(64)]),
      Buffer.alloc(64, 0xff),
    ])
      await expectRefused(withFooter(footer), /the footer is damaged/);
    await expectRefused(withFooter(Buffer.alloc(8), 2 ** 32 - 1), /the footer is damaged/);
  });
});
