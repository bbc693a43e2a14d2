import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import pg from "pg";
import type { Postgres } from "./postgres.ts";
import { inSession } from "./session.ts";

/** How a pipeline's own users connect: no superusers, and what docs/roles.md grants them is all they may. */
export interface Users {
  readonly reader: DatabaseUser;
  readonly loader: DatabaseUser;
}

export interface DatabaseUser {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** The names that the files of infrastructure/sql have, and which others they are to have. */
export interface Names {
  readonly totes_reader?: string;
  readonly totesys?: string;
  readonly totes_loader?: string;
  readonly warehouse?: string;
}

/** A file of infrastructure/sql with other names in it. */
export async function roleSql(file: string, names: Names): Promise<string> {
  const sql = await readFile(new URL(`../infrastructure/sql/${file}`, import.meta.url), "utf8");
  // In one go: a name that was put in may hold another's.
  return sql
    .replaceAll(/^--.*\n/gm, "")
    .replaceAll(/\w+/g, (word) =>
      Object.hasOwn(names, word) ? pg.escapeIdentifier(names[word as keyof Names]!) : word,
    );
}

/** Whoever tries things out makes schemas and tables as a superuser, and expects the pipeline to go on with them. */
const tryingOut = (role: string, onSchemas: string, onTables: string): string => `
  alter default privileges grant ${onSchemas} on schemas to ${role};
  alter default privileges grant ${onTables} on tables to ${role};
  alter default privileges grant usage on sequences to ${role}`;

/** Two that grant the same parameter at once get in each other's way. */
let before: Promise<unknown> = Promise.resolve();

/**
 * Makes the users of a pipeline, as docs/roles.md has it, with the right that lets many rows be loaded faster. A role is
 * the whole server's: these are named after the warehouse, which no other pipeline has.
 */
export function addUsers(
  postgres: Postgres,
  { source, warehouse }: { readonly source: string; readonly warehouse: string },
): Promise<Users> {
  const add = async (): Promise<Users> => {
    const totes_reader = `${warehouse}_reader`;
    const totes_loader = `${warehouse}_loader`;
    const names = { totes_reader, totesys: source, totes_loader, warehouse };
    return {
      reader: await addUser(postgres, source, totes_reader, [
        await roleSql("source-role.sql", names),
        tryingOut(pg.escapeIdentifier(totes_reader), "usage", "select"),
      ]),
      loader: await addUser(postgres, warehouse, totes_loader, [
        await roleSql("warehouse-role.sql", names),
        await roleSql("warehouse-role-faster.sql", names),
        tryingOut(
          pg.escapeIdentifier(totes_loader),
          "usage, create",
          "select, insert, update, delete",
        ),
      ]),
    };
  };
  const added = before.then(add);
  before = added.catch(() => undefined);
  return added;
}

async function addUser(
  postgres: Postgres,
  database: string,
  user: string,
  sql: readonly string[],
): Promise<DatabaseUser> {
  const password = randomBytes(12).toString("hex");
  const { host, port } = postgres;
  const administrator = { host, port, user: postgres.user, password: postgres.password, database };
  await inSession(administrator, async (client) => {
    for (const statements of sql) await client.query(statements);
    await client.query(
      `alter role ${pg.escapeIdentifier(user)} password ${pg.escapeLiteral(password)}`,
    );
  });
  return { host, port, user, password, database };
}
