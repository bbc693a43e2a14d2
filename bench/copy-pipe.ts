// A process of its own: copies from one database to another as `psql | psql` would. It takes the two connections and
// statements as JSON from its standard input, and prints what it took as JSON.
import type { Socket } from "node:net";
import { json } from "node:stream/consumers";
import pg from "pg";
import { hopper } from "./frames.ts";

/** What to copy, from where to where. */
export interface CopyPipe {
  readonly from: pg.ClientConfig;
  readonly out: string;
  readonly to: pg.ClientConfig;
  readonly in: string;
}

/** What it took. */
export interface CopyPiped {
  readonly wallMs: number;
  readonly cpuSeconds: number;
  readonly bytes: number;
}

// https://www.postgresql.org/docs/current/protocol-message-formats.html
const [COPY_IN, COPY_DATA, COPY_DONE, READY, ERROR] = [...Buffer.from("GdcZE")];

/** The source may be so many bytes ahead, so that neither server waits for the other all the time. */
const AHEAD = 1 << 20;

const copy = (await json(process.stdin)) as CopyPipe;
const started = performance.now();
const { user, system } = process.cpuUsage();
const bytes = await pipe(copy);
const used = process.cpuUsage({ user, system });
const took: CopyPiped = {
  wallMs: performance.now() - started,
  cpuSeconds: (used.user + used.system) / 1e6,
  bytes,
};
console.log(JSON.stringify(took));
process.exit();

async function pipe(copy: CopyPipe): Promise<number> {
  const [source, target] = await Promise.all([open(copy.from), open(copy.to)]);
  const accepted = once(target, COPY_IN!);
  target.write(query(copy.in));
  await accepted;
  const done = once(target, READY!);
  const moved = splice(source, target);
  source.write(query(copy.out));
  const bytes = await moved;
  await done;
  return bytes;
}

/** Connects and signs in by pg, then takes the socket from it. */
async function open(config: pg.ClientConfig): Promise<Socket> {
  const client = new pg.Client(config);
  await client.connect();
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  stream.removeAllListeners("data");
  return stream;
}

function query(sql: string): Buffer {
  const text = Buffer.from(`${sql}\0`);
  const head = Buffer.alloc(5);
  head.write("Q");
  head.writeInt32BE(text.length + 4, 1);
  return Buffer.concat([head, text]);
}

/** Resolves when a message of that type comes. Rejects with the server's error. */
function once(socket: Socket, wanted: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const hop = hopper((type, chunk, at) => {
      if (type === ERROR) reject(errorIn(chunk, at));
      if (type !== wanted) return;
      socket.off("data", hop);
      resolve();
    });
    socket.on("data", hop);
    socket.once("error", reject);
  });
}

/** Writes the source's data messages to the target as they are, up to the one that says that it was all. */
function splice(source: Socket, target: Socket): Promise<number> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    let hasBegun = false;
    /** Of the chunk at hand. */
    const data: { from: number; to: number | undefined } = { from: 0, to: undefined };
    const hop = hopper((type, chunk, at) => {
      if (type === ERROR) reject(errorIn(chunk, at));
      if (type === COPY_DATA && !hasBegun) data.from = at;
      if (type === COPY_DATA) hasBegun = true;
      if (type === COPY_DONE) data.to = at;
    });
    const take = (chunk: Buffer): void => {
      data.from = hasBegun ? 0 : chunk.length;
      hop(chunk);
      const part = chunk.subarray(data.from, data.to);
      bytes += part.length;
      target.write(part);
      if (target.writableLength > AHEAD) {
        source.pause();
        target.once("drain", () => source.resume());
      }
      if (data.to === undefined) return;
      source.off("data", take);
      // It has nothing in it, and is the same in both directions.
      target.write(Buffer.from([COPY_DONE!, 0, 0, 0, 4]));
      resolve(bytes);
    };
    source.on("data", take).once("error", reject);
  });
}

/** The fields of an error, one after the other: severity, code, message … */
const errorIn = (chunk: Buffer, at: number): Error =>
  new Error(
    chunk
      .toString("utf8", at + 5)
      .replaceAll("\0", " ")
      .trim(),
  );
