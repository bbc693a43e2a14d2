import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type pg from "pg";
import { from, to } from "pg-copy-streams";
import type { Connection } from "./connection.ts";

/** Inside a transaction of `connection`, COPY goes by the same session: pg-promise has no COPY of its own. */
const session = ({ db }: Connection): pg.Client => db.client as unknown as pg.Client;

/** `COPY … TO STDOUT`, as it comes: each row ends with a newline. */
export async function* copyOut(connection: Connection, sql: string): AsyncGenerator<Buffer> {
  let done = false;
  try {
    for await (const chunk of session(connection).query(to(sql))) yield chunk as Buffer;
    done = true;
  } finally {
    // Nobody reads the rest: the session's next statement would wait behind it for ever. So it ends here.
    if (!done) await session(connection).end();
  }
}

/** `COPY … FROM STDIN`. @returns how many rows arrived */
export async function copyIn(
  connection: Connection,
  sql: string,
  blocks: Iterable<Buffer>,
): Promise<number> {
  const copy = session(connection).query(from(sql));
  await pipeline(Readable.from(blocks), copy);
  return copy.rowCount;
}
