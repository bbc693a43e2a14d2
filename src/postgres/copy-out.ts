import { Readable } from "node:stream";
import type pg from "pg";
import type { Connection } from "./connection.ts";

/**
 * `COPY … TO STDOUT`, as it comes: each row ends with a newline, and a chunk ends anywhere. Inside a transaction of
 * `connection` it goes by the same session. Whoever stops before the end ends the session: its next statement would have
 * to wait for all the rest.
 */
export function copyOut({ db }: Connection, sql: string): AsyncIterable<Buffer> {
  // pg-promise has no COPY of its own.
  return (db.client as unknown as pg.Client).query(new CopyOut(sql));
}

/** What is used of the driver's connection. */
type PgConnection = pg.Connection & { readonly stream: Readable };
type Listener = (chunk: Buffer) => void;

const COPY_DATA = code("d");
const COPY_OUT_RESPONSE = code("H");
/** What a server may say in between: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-ASYNC */
const ASIDES = ["N", "S", "A"].map(code);
/** Of a message: its code, and its length without that. */
const HEADER = 5;

function code(letter: string): number {
  return letter.charCodeAt(0);
}

/**
 * A query that takes the rows off the socket itself. The server sends a message for each; the driver makes an object of every
 * message, and so does pg-copy-streams: that is most of what reading costs. Here a chunk's rows are pushed together
 * where they lie.
 */
class CopyOut extends Readable implements pg.Submittable {
  readonly #sql: string;
  #socket: Readable | undefined;
  #driver: Listener[] = [];
  /** Bytes of the current row that are yet to come. */
  #left = 0;
  /** A message that has begun, other than a row. */
  #begun: Buffer = Buffer.alloc(0);
  #isDone = false;

  constructor(sql: string) {
    super({ highWaterMark: 1 << 20 });
    this.#sql = sql;
  }

  submit(connection: pg.Connection): void {
    this.#socket = (connection as PgConnection).stream;
    this.#driver = this.#socket.listeners("data") as Listener[];
    this.#socket.removeAllListeners("data");
    this.#socket.on("data", this.#take);
    connection.query(this.#sql);
  }

  override _read(): void {
    this.#socket?.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#isDone) this.#socket?.destroy();
    done(error);
  }

  readonly #take = (received: Buffer): void => {
    const chunk = this.#begun.length > 0 ? Buffer.concat([this.#begun, received]) : received;
    this.#begun = Buffer.alloc(0);
    // Rows lie before `end`, what was not looked at from `at`.
    let end = Math.min(this.#left, chunk.length);
    let at = end;
    this.#left -= end;
    while (at < chunk.length) {
      const length = at + HEADER <= chunk.length ? chunk.readInt32BE(at + 1) + 1 : Infinity;
      const next = at + length;
      if (chunk[at] === COPY_DATA && length < Infinity) {
        const stop = Math.min(next, chunk.length);
        chunk.copyWithin(end, at + HEADER, stop);
        end += stop - at - HEADER;
        this.#left = next - stop;
        at = stop;
        continue;
      }
      if (next > chunk.length) {
        this.#begun = chunk.subarray(at);
        break;
      }
      if (ASIDES.includes(chunk[at]!)) this.#tell(chunk.subarray(at, next));
      else if (chunk[at] !== COPY_OUT_RESPONSE) {
        this.#handBack(chunk.subarray(at));
        break;
      }
      at = next;
    }
    if (end > 0 && !this.push(chunk.subarray(0, end))) this.#socket?.pause();
  };

  #tell(messages: Buffer): void {
    for (const listener of this.#driver) listener(messages);
  }

  /** The rows are at their end, or an error is: the driver goes on. */
  #handBack(messages: Buffer): void {
    this.#socket!.removeListener("data", this.#take);
    for (const listener of this.#driver) this.#socket!.on("data", listener);
    // After the rows before it were pushed.
    process.nextTick(() => {
      this.#tell(messages);
      this.#socket!.resume();
    });
  }

  // ---- what the driver tells its current query

  handleError(error: Error): void {
    this.#isDone = true;
    this.destroy(error);
  }

  handleReadyForQuery(): void {
    this.#isDone = true;
    this.push(null);
  }

  handleCommandComplete(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
  handleCopyData(): void {}
}
