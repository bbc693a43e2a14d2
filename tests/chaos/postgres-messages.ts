// PostgreSQL's protocol, as far as a proxy must know it: https://www.postgresql.org/docs/current/protocol-message-formats.html

/** A message: its type (empty for the first one of a client, which has none), and all of its bytes. */
export interface Message {
  readonly type: string;
  readonly bytes: Buffer;
}

/** Takes what comes from one side apart into messages. */
export class Messages {
  #rest: Buffer = Buffer.alloc(0);
  #isFirst: boolean;

  /** @param isClient a client's first message has no type */
  constructor(isClient: boolean) {
    this.#isFirst = isClient;
  }

  /** The messages that are whole now. */
  *take(chunk: Buffer): Generator<Message> {
    this.#rest = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    for (;;) {
      const head = this.#isFirst ? 0 : 1;
      if (this.#rest.length < head + 4) return;
      const length = head + this.#rest.readInt32BE(head);
      if (this.#rest.length < length) return;
      const bytes = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      this.#isFirst = false;
      yield { type: head === 0 ? "" : String.fromCharCode(bytes[0]!), bytes };
    }
  }
}

/** A message of this type and content. */
export function message(type: string, content: Buffer | string): Buffer {
  const body = typeof content === "string" ? Buffer.from(content) : content;
  const head = Buffer.alloc(5);
  head.write(type, 0, "latin1");
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

/** A simple query. */
export const query = (sql: string): Buffer => message("Q", `${sql}\0`);

/** An ErrorResponse. */
export const errorResponse = (severity: "ERROR" | "FATAL", code: string, text: string): Buffer =>
  message("E", `S${severity}\0V${severity}\0C${code}\0M${text}\0\0`);

/** The zero-terminated texts of a message. */
export const textsOf = ({ type, bytes }: Message): string[] =>
  bytes.toString("utf8", type === "" ? 8 : 5).split("\0");
