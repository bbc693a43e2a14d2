import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type pg from "pg";
import { from } from "pg-copy-streams";
import type { Connection } from "./connection.ts";

/** Inside a transaction of `connection`, COPY goes by the same session: pg-promise has no COPY of its own. */
const session = ({ db }: Connection): pg.Client => db.client as unknown as pg.Client;

/** `COPY … FROM STDIN`. @returns how many rows arrived */
export async function copyIn(
  connection: Connection,
  sql: string,
  blocks: Iterable<Buffer> | AsyncIterable<Buffer>,
): Promise<number> {
  const copy = session(connection).query(from(sql));
  await pipeline(Readable.from(blocks), copy);
  return copy.rowCount;
}
