/** The loader's own tables in the warehouse: what is loaded, what is made up, what is in quarantine. */
import { createHash } from "node:crypto";
import { text, type Column } from "../columns.ts";
import type { Db } from "../postgres/connection.ts";
import { literal, name, qualified } from "../postgres/sql.ts";
import { keyOf, type Table } from "../table.ts";
import { WarehouseError } from "./error.ts";

/** The table of a ledger that has a row for each batch that was loaded, or skipped. */
export const loadsOf = (ledger: string): string => qualified(ledger, "batch_load");

interface LedgerTable {
  readonly name: string;
  /** What is in it, for the message of whoever may not make it. */
  readonly holds: string;
  readonly columns: string;
  /** What the loader does with its rows. */
  readonly rights: string;
  /** What the catalogue says of it. */
  readonly comment: string;
}

const TABLES: readonly LedgerTable[] = [
  {
    name: "batch_load",
    holds: "where loaded batches are counted",
    columns: `batch bigint primary key,
      run text,
      kind text,
      ingestion_sha256 text,
      rows bigint not null,
      seconds double precision not null,
      loaded_at timestamptz not null default now(),
      skipped_why text,
      receipt jsonb not null,
      receipt_put boolean not null default false`,
    rights: "SELECT, INSERT, UPDATE",
    comment: "One row per batch that is in the warehouse, or was skipped.",
  },
  {
    name: "inferred_member",
    holds: "where the rows are named that were made up",
    columns: `table_name text not null,
      key text not null,
      batch bigint,
      made_at timestamptz not null default now(),
      primary key (table_name, key)`,
    rights: "SELECT, INSERT, UPDATE, DELETE",
    comment:
      "One row per inferred member there is now: a row of a dimension that was made up, its key and placeholders, because " +
      "something refers to it and the real one has not come. batch made it; null: a column that was added did.",
  },
  {
    name: "quarantine",
    holds: "where the rows are that did not fit",
    columns: `table_name text not null,
      source_name text not null,
      key text not null,
      reason text not null,
      batch bigint not null,
      first_batch bigint not null,
      since timestamptz not null,
      "row" text not null,
      primary key (table_name, source_name, key)`,
    rights: "SELECT, INSERT, UPDATE, DELETE",
    comment:
      "One row per row of a source that did not fit a table when it was read last, in batch. key is its primary key's text (of " +
      "several columns: a JSON array of texts), row what the source gave, as JSON: \"row\"::json ->> 'column'.",
  },
];

/** Makes the loader's own schema and tables, each where it is not there.
 *  @throws WarehouseError where this user may not */
export async function prepareLedger(db: Db, ledger: string): Promise<void> {
  const found = await db.any<{
    name: string;
    schema: boolean;
    there: boolean;
    may: boolean | null;
  }>(
    `select t.name, n.oid is not null as schema, c.oid is not null as there,
            has_schema_privilege(n.oid, 'usage')
              and (select bool_and(has_table_privilege(c.oid, r)) from unnest(string_to_array(t.rights, ', ')) r) as may
       from unnest($2::text[], $3::text[]) with ordinality as t(name, rights, position)
       left join pg_namespace n on n.nspname = $1
       left join pg_class c on c.relnamespace = n.oid and c.relname = t.name
      order by position`,
    [ledger, TABLES.map((table) => table.name), TABLES.map((table) => table.rights)],
  );
  const denied = found.find(({ there, may }) => there && may === false);
  if (denied) {
    const { holds, rights } = TABLES.find((table) => table.name === denied.name)!;
    throw new WarehouseError(
      `permission denied for ${ledger}.${denied.name}, ${holds}: another user made it; REASSIGN OWNED BY that user TO ` +
        `this one, or GRANT USAGE ON SCHEMA ${name(ledger)} and ${rights} ON ${qualified(ledger, denied.name)} to this user`,
    );
  }
  const missing = found.filter(({ there }) => !there);
  const [first] = missing;
  if (first === undefined) return;
  const made = TABLES.filter((table) => missing.some((one) => one.name === table.name));
  const statements = made.map((table) => {
    const place = qualified(ledger, table.name);
    return `create table ${place} (${table.columns}); comment on table ${place} is ${literal(table.comment)}`;
  });
  // Whoever may not make schemas may not say "if not exists" either.
  if (!first.schema) statements.unshift(`create schema ${name(ledger)}`);
  try {
    await db.none(statements.join("; "));
  } catch (cause) {
    const [{ name: table, holds }] = made as [LedgerTable];
    throw new WarehouseError(
      `cannot create ${ledger}.${table}, ${holds}: ${(cause as Error).message}; ` +
        (first.schema
          ? `GRANT CREATE ON SCHEMA ${name(ledger)} to this user, or let the schema's owner do it`
          : "GRANT CREATE ON DATABASE to this user"),
      { cause },
    );
  }
}

/** Bytes of a key: an index has room for some 2,700. */
const LONGEST = 1000;
/** Where a longer one is cut: its hash follows. */
const CUT = "… md5 ";

/** A key as the ledger has it. One that is longer than an index takes is cut, and told from others by its hash. */
export const keyOfText = (text: string): string =>
  Buffer.byteLength(text) <= LONGEST
    ? text
    : text.slice(0, 200) + CUT + createHash("md5").update(text).digest("hex");

/** Whether nothing of a key is missing. */
export const isWholeKey = (key: string): boolean => !/… md5 [0-9a-f]{32}$/.test(key);

/** SQL for the same, of a column's value. */
export function keyText({ type }: Column, value: string): string {
  const text = `${value}::text`;
  if (type !== "text") return text;
  return `case when octet_length(${text}) <= ${LONGEST} then ${text} else left(${text}, 200) || ${literal(CUT)} || md5(${text}) end`;
}

/** SQL for the key of a table's row as the ledger has it: of several columns, a JSON array of texts. */
export function recordKeyText(table: Pick<Table, "columns">, row: string): string {
  const key = keyOf(table);
  const values = key.map((column) => `${row}.${name(column)}`);
  if (values.length === 1) return keyText(table.columns[key[0]!]!, values[0]!);
  return keyText(text, `json_build_array(${values.map((value) => `${value}::text`).join(", ")})`);
}

/** An array's text, for a parameter of an array type. */
export const arrayText = (texts: Iterable<string>): string =>
  `{${[...texts].map((text) => `"${text.replaceAll(/["\\]/g, "\\$&")}"`).join(",")}}`;
