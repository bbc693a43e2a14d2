// COPY off the socket, by hand: whatever way the bytes arrive, whatever the server says in between.
import fc from "fast-check";
import { Readable } from "node:stream";
import type pg from "pg";
import { copyOut } from "../../src/postgres/copy-out.ts";
import { getConnection, type Connection } from "../../src/postgres/connection.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";

const textOf = async (chunks: AsyncIterable<Buffer>): Promise<string> => {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(Buffer.from(chunk));
  return Buffer.concat(all).toString();
};

/** A message of the protocol: https://www.postgresql.org/docs/current/protocol-message-formats.html */
function message(code: string, body: Buffer): Buffer {
  const made = Buffer.alloc(5 + body.length);
  made.write(code);
  made.writeInt32BE(4 + body.length, 1);
  body.copy(made, 5);
  return made;
}

const FILE_HEADER = Buffer.from("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", "latin1");

/** What a server sends for these rows: a notice before each `noticeEvery`-th. */
function conversation(rows: readonly string[], noticeEvery: number, headerAlone: boolean): Buffer {
  const tuple = (text: string): Buffer => {
    const bytes = Buffer.from(text);
    const head = Buffer.alloc(6);
    head.writeInt16BE(1);
    head.writeInt32BE(bytes.length, 2);
    return Buffer.concat([head, bytes]);
  };
  const bodies = [...rows.map(tuple), Buffer.from([0xff, 0xff])];
  if (headerAlone) bodies.unshift(FILE_HEADER);
  else bodies[0] = Buffer.concat([FILE_HEADER, bodies[0]!]);
  return Buffer.concat([
    message("H", Buffer.from([1, 0, 1, 0, 1])),
    ...bodies.flatMap((body, i) => [
      ...(i % noticeEvery === 0 ? [message("N", Buffer.from("SNOTICE\0\0"))] : []),
      message("d", body),
    ]),
    message("c", Buffer.alloc(0)),
    message("C", Buffer.from("COPY 1\0")),
    message("Z", Buffer.from("I")),
  ]);
}

/** A driver's connection, as far as it is used: its socket gives `bytes` in chunks of these sizes. */
function connectionOf(bytes: Buffer, sizes: readonly number[]) {
  const told: Buffer[] = [];
  let query: { submit(connection: unknown): void; handleReadyForQuery(): void };
  const socket = new Readable({ read: () => undefined });
  socket.on("data", (chunk: Buffer) => {
    told.push(Buffer.from(chunk));
    if (Buffer.concat(told).includes(message("Z", Buffer.from("I")))) query.handleReadyForQuery();
  });
  const client = {
    query(submitted: typeof query) {
      query = submitted;
      submitted.submit({
        stream: socket,
        query: () => {
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const size = sizes[i % sizes.length]!;
            // A copy each: as sockets do, and what is done to one must not show in another.
            socket.push(Buffer.from(bytes.subarray(at, at + size)));
            at += size;
          }
        },
      });
      return submitted;
    },
  };
  return { connection: { db: { client } } as unknown as Connection, told };
}

describe("COPY out", () => {
  it("gives the rows as lines, however the bytes arrive, and the rest to the driver", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc
            .string({ unit: "binary", minLength: 2, maxLength: 30 })
            .map((text) => text.replaceAll("\n", " ")),
          {
            maxLength: 12,
          },
        ),
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 5 }),
        fc.boolean(),
        async (rows, sizes, noticeEvery, headerAlone) => {
          const { connection, told } = connectionOf(
            conversation(rows, noticeEvery, headerAlone),
            sizes,
          );
          const lines = rows.map((row) => `${Buffer.from(row).toString()}\n`).join("");
          expect(await textOf(copyOut(connection, "select"))).to.equal(lines);
          const rest = Buffer.concat(told).toString("latin1");
          expect(rest.split("NOTICE").length - 1).to.equal(
            Math.ceil((rows.length + (headerAlone ? 2 : 1)) / noticeEvery),
          );
          expect(rest.endsWith("COPY 1\0Z\0\0\0\u0005I")).to.equal(true);
        },
      ),
      { numRuns: 300 },
    );
  });

  describe("from a server", () => {
    let p: TestPipeline;
    let connection: Connection;
    before(async () => {
      p = await openPipeline({ orders: 0 });
      connection = await getConnection({ ...p.source, schema: "public" });
      await connection.db.none("begin");
    });
    after(async () => {
      await connection.close();
      await closeAll();
    });
    const session = (): pg.Client => connection.db.client as unknown as pg.Client;

    it("is what a query gives, short and long rows, and the session goes on", async () => {
      const query =
        "select repeat(chr(233 + i % 7), (i * i * 37) % 70000) || i from generate_series(1, 300) i order by i";
      const lines = await textOf(copyOut(connection, query));
      const { rows } = await session().query<{ line: string }>({
        text: query.replace(" from", " as line from"),
      });
      expect(lines).to.equal(rows.map(({ line }) => `${line}\n`).join(""));
      expect(await textOf(copyOut(connection, "select ''::text where false"))).to.equal("");
    });

    it("waits for a reader that is slow", async () => {
      let rows = 0;
      let chunks = 0;
      for await (const chunk of copyOut(
        connection,
        "select md5(i::text) from generate_series(1, 200000) i",
      )) {
        rows += chunk.toString().split("\n").length - 1;
        if (++chunks % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      }
      expect(rows).to.equal(200_000);
    });

    it("hears notices in between", async () => {
      await connection.db.none(
        "create or replace function pg_temp.loud(i int) returns text language plpgsql as $$ begin raise warning 'row %', i; return i::text; end $$",
      );
      const lines = await textOf(
        copyOut(connection, "select pg_temp.loud(i) from generate_series(1, 50) i"),
      );
      expect(lines.split("\n")).to.have.length(51);
    });

    it("ends in the server's error, also in the middle", async () => {
      await connection.db.none("savepoint here");
      await expect(
        textOf(
          copyOut(connection, "select (1 / (90000 - i))::text from generate_series(1, 100000) i"),
        ),
      ).to.be.rejectedWith("division by zero");
      await connection.db.none("rollback to savepoint here");
      await expect(textOf(copyOut(connection, "select nothing from nowhere"))).to.be.rejectedWith(
        /relation "nowhere" does not exist/,
      );
      await connection.db.none("rollback to savepoint here");
      expect(await textOf(copyOut(connection, "select 'on'::text"))).to.equal("on\n");
    });
  });
});
