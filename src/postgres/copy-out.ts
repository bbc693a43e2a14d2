import { Readable } from "node:stream";
import type pg from "pg";
import type { Connection } from "./connection.ts";

/**
 * The rows of a query of one text column without nulls or newlines, as lines: each ends with a newline, and a chunk ends
 * anywhere. Inside a transaction of `connection` it goes by the same session. Whoever stops before the end ends the session:
 * its next statement would have to wait for all the rest.
 */
export function copyOut({ db }: Connection, query: string): AsyncIterable<Buffer> {
  // Binary is the text as it is; in the other formats the server looks at each character of it.
  const sql = `copy (${query}) to stdout (format binary)`;
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
/** Before the first row: https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-BINARY-FORMAT */
const FILE_HEADER = 19;
/** Before a row's text: how many columns there are, and how long the text is. */
const ROW_HEADER = 6;
const NEWLINE = 10;

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
  /** Bytes of the current row's text that are yet to come, and those before it. */
  #left = 0;
  #skip = 0;
  #rows = 0;
  #isFirst = true;
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
    // Lines lie before `end`, what was not looked at from `at`.
    let end = 0;
    let at = 0;
    let isLast = false;
    while (at < chunk.length) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, chunk.length - at);
        this.#skip -= skipped;
        at += skipped;
        continue;
      }
      if (this.#left > 0) {
        const stop = Math.min(at + this.#left, chunk.length);
        chunk.copyWithin(end, at, stop);
        end += stop - at;
        this.#left -= stop - at;
        at = stop;
        continue;
      }
      const length = at + HEADER <= chunk.length ? chunk.readInt32BE(at + 1) + 1 : Infinity;
      const next = at + length;
      if (chunk[at] === COPY_DATA && length < Infinity) {
        const before = this.#isFirst ? FILE_HEADER + ROW_HEADER : ROW_HEADER;
        this.#isFirst = false;
        const text = length - HEADER - before;
        at += HEADER;
        // The last message is the end mark, which is shorter than any row.
        this.#skip = text > 0 ? before : length - HEADER;
        this.#left = Math.max(0, text);
        // The row before is at its end: what stood before this one leaves the room for it.
        if (text > 0 && this.#rows++ > 0) chunk[end++] = NEWLINE;
        continue;
      }
      if (next > chunk.length) {
        this.#begun = chunk.subarray(at);
        break;
      }
      if (ASIDES.includes(chunk[at]!)) this.#tell(chunk.subarray(at, next));
      else if (chunk[at] !== COPY_OUT_RESPONSE) {
        this.#handBack(chunk.subarray(at));
        isLast = true;
        break;
      }
      at = next;
    }
    if (end > 0 && !this.push(chunk.subarray(0, end))) this.#socket?.pause();
    if (isLast && this.#rows > 0) this.push(Buffer.of(NEWLINE));
  };

  #tell(messages: Buffer): void {
    for (const listener of this.#driver) listener(messages);
  }

  /** The rows are at their end, or an error is: the driver goes on. */
  #handBack(messages: Buffer): void {
    // What follows must wait: after the rows before it were pushed, these come first.
    this.#socket!.pause();
    this.#socket!.removeListener("data", this.#take);
    for (const listener of this.#driver) this.#socket!.on("data", listener);
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
