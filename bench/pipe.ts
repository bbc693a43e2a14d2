import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Database } from "../localstack/totesys/shop.ts";
import type { CopyPipe, CopyPiped } from "./copy-pipe.ts";
import type { PipeFigures } from "./figures.ts";
import { PIPE } from "./star.ts";

/** How to connect to one database. */
export interface Credentials {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/**
 * Copies the source's sales orders, star-shaped, into a table without foreign keys, by COPY alone, and drops it again.
 * @param script copy-pipe.ts as JavaScript
 * @throws Error with what PostgreSQL said
 */
export async function runPipe(
  script: string,
  from: Credentials,
  to: Credentials,
  target: Database,
): Promise<PipeFigures> {
  await target.multi(PIPE.table);
  await target.none("checkpoint");
  const copy: CopyPipe = { from: { ...from }, out: PIPE.out, to: { ...to }, in: PIPE.in };
  const running = promisify(execFile)(process.execPath, [script]);
  // Not as an argument: it holds passwords.
  running.child.stdin?.end(JSON.stringify(copy));
  const piped = JSON.parse((await running).stdout) as CopyPiped;
  const { rows } = await target.one<{ rows: string }>("select count(*) as rows from pipe_fact");
  await target.none("drop table pipe_fact");
  return { rows: Number(rows), ...piped };
}
