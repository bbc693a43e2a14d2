/** A rebuilt warehouse against the live one: the rows of both in the order of their keys, side by side. */
import { valueSql } from "../loading/warehouse.ts";
import { readCatalogue, type CatalogueTable } from "../postgres/catalogue.ts";
import type { Connection, Db } from "../postgres/connection.ts";
import { copyOut } from "../postgres/copy-out.ts";
import { name, names, qualified } from "../postgres/sql.ts";
import { getColumnNames, keyOf, recordIdOf, type Column, type Table } from "../table.ts";
import { RebuildError } from "./error.ts";

/** What differs: a row that only one side has, or one column of a row that both have. */
export interface RowDifference {
  readonly table: string;
  readonly key: Readonly<Record<string, string | null>>;
  /** Which version of its record, from 1, of a table that keeps versions. */
  readonly version?: number;
  /** `missing` in what was rebuilt, `extra` there, or `different`. */
  readonly kind: "missing" | "extra" | "different";
  readonly column?: string;
  readonly rebuilt?: string | null;
  readonly live?: string | null;
}

export interface Comparison {
  /** Rows of what was rebuilt, by table. */
  readonly rows: Readonly<Record<string, number>>;
  /** Differing rows, by table; those without any are left out. */
  readonly differing: Readonly<Record<string, number>>;
}

/**
 * Holds every declared table of one warehouse against the other's. Memory does not grow with the tables.
 *
 * @param live in a transaction that sees one moment
 * @param found told of each difference
 * @param done told how many rows were compared so far
 * @throws RebuildError where the live warehouse lacks a declared table or column
 */
export async function compareWarehouses(
  rebuilt: Connection,
  live: Connection,
  tables: readonly Table[],
  found: (difference: RowDifference) => void,
  done: (rows: number) => void = () => undefined,
): Promise<Comparison> {
  const theirs = await checkShape(live, tables);
  const ours = await catalogueOf(rebuilt, tables);
  const rows: Record<string, number> = {};
  const differing: Record<string, number> = {};
  let before = 0;
  for (const table of tables) {
    let differences = 0;
    const compared = await compareTable(
      table,
      new Rows(copyOut(rebuilt, rowsOf(table, ours.get(table.name)!))),
      new Rows(copyOut(live, rowsOf(table, theirs.get(table.name)!))),
      (several) => {
        if (several.length > 0) differences++;
        several.forEach(found);
      },
      (count) => done(before + count),
    );
    rows[table.name] = compared;
    before += compared;
    if (differences > 0) differing[table.name] = differences;
  }
  return { rows, differing };
}

/** How many rows a warehouse's declared tables have. */
export async function countRows(db: Db, schema: string, tables: readonly Table[]): Promise<number> {
  let rows = 0;
  for (const table of tables) {
    const { count } = await db.one<{ count: string }>(
      `select count(*) from ${qualified(schema, table.name)}`,
    );
    rows += Number(count);
  }
  return rows;
}

type Catalogue = ReadonlyMap<string, CatalogueTable>;

const catalogueOf = ({ db, schema }: Connection, tables: readonly Table[]): Promise<Catalogue> =>
  readCatalogue(
    db,
    tables.map((table) => ({ schema, name: table.name })),
  );

/**
 * @returns what the live warehouse's catalogue says of the tables
 * @throws RebuildError where the live warehouse lacks a declared table or column
 */
export async function checkShape(live: Connection, tables: readonly Table[]): Promise<Catalogue> {
  const catalogue = await catalogueOf(live, tables);
  const missing = tables.flatMap((table) => {
    const there = catalogue.get(table.name)?.columns.map((column) => column.name);
    if (!there) return [table.name];
    return getColumnNames(table)
      .filter((column) => !there.includes(column))
      .map((column) => `${table.name}.${column}`);
  });
  if (missing.length > 0)
    throw new RebuildError(
      `the live warehouse has no ${missing.join(", ")}, which tables/ declares: rebuild with the code that is deployed, or --no-compare`,
    );
  return catalogue;
}

/** Each row as a JSON array of texts: key, version where there are versions, the other columns. */
function rowsOf(table: Table, { schema, columns }: CatalogueTable): string {
  const key = keyOf(table);
  const recordId = recordIdOf(table);
  const found = new Map(columns.map((column) => [column.name, column]));
  // To the last digit that there is, also of a column that is wider than its declaration.
  const text = (column: string): string =>
    `(${valueSql("t", column, table.columns[column]!, found.get(column)!)})::text`;
  // What the warehouse's own collation or encoding makes of texts is not the same everywhere.
  const order = key.map((column) =>
    table.columns[column]!.type === "text"
      ? `convert_to(${text(column)}, 'UTF8')`
      : `t.${name(column)}`,
  );
  const version = `(row_number() over (partition by ${names(key, "t.")} order by t.${name(recordId ?? key[0]!)}))::text`;
  return `select array_to_json(array[${[...key.map(text), version, ...othersOf(table).map(text)].join(", ")}])::text
            from ${qualified(schema, table.name)} t
           order by ${order.join(", ")}${recordId === undefined ? "" : `, t.${name(recordId)}`}`;
}

const othersOf = (table: Table): string[] =>
  getColumnNames(table).filter((column) => !table.columns[column]!.key);

type Row = readonly (string | null)[];

/** @returns how many rows `rebuilt` has */
async function compareTable(
  table: Table,
  rebuilt: Rows,
  live: Rows,
  found: (differences: readonly RowDifference[]) => void,
  done: (rows: number) => void,
): Promise<number> {
  const key = keyOf(table);
  const others = othersOf(table);
  const hasVersions = recordIdOf(table) !== undefined;
  const about = (row: Row) => ({
    table: table.name,
    key: Object.fromEntries(key.map((column, at) => [column, row[at]!])),
    ...(hasVersions ? { version: Number(row[key.length]) } : {}),
  });
  const order = orderOf(key.map((column) => table.columns[column]!));
  let rows = 0;
  for (;;) {
    if (rebuilt.isDry) {
      done(rows);
      await rebuilt.fill();
    }
    if (live.isDry) await live.fill();
    const ours = rebuilt.first;
    const theirs = live.first;
    if (ours === undefined && theirs === undefined) return rows;
    if (ours !== undefined && ours === theirs) {
      rows++;
      rebuilt.shift();
      live.shift();
      continue;
    }
    const a = ours === undefined ? undefined : (JSON.parse(ours) as Row);
    const b = theirs === undefined ? undefined : (JSON.parse(theirs) as Row);
    const which = a === undefined ? 1 : b === undefined ? -1 : order(a, b);
    if (which < 0) found([{ ...about(a!), kind: "extra" }]);
    else if (which > 0) found([{ ...about(b!), kind: "missing" }]);
    else
      found(
        others.flatMap((column, i) => {
          const at = key.length + 1 + i;
          return a![at] === b![at]
            ? []
            : [{ ...about(a!), kind: "different", column, rebuilt: a![at]!, live: b![at]! }];
        }),
      );
    if (which <= 0) {
      rows++;
      rebuilt.shift();
    }
    if (which >= 0) live.shift();
  }
}

/** The order of rows by key, as `order by` has it. Rows of one key that meet are the same version: both sides count from 1. */
function orderOf(key: readonly Column[]): (a: Row, b: Row) => number {
  const orders = key.map(({ type }) => ORDERS[type]);
  return (a, b) => {
    for (const [at, order] of orders.entries()) {
      const which = order(a[at]!, b[at]!);
      if (which !== 0) return which;
    }
    return 0;
  };
}

type Order = (a: string, b: string) => number;
const byWhole: Order = (a, b) => {
  const difference = BigInt(a) - BigInt(b);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
};
const digitsOf = (decimal: string): number => decimal.split(".")[1]?.length ?? 0;
const byBytes: Order = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Of values as PostgreSQL writes them, two of one column. Days and times of four-digit years are in the order of their texts. */
const ORDERS: Readonly<Record<Column["type"], Order>> = {
  integer: byWhole,
  bigint: byWhole,
  // As many digits after the point, of both.
  decimal: (a, b) => {
    const digits = Math.max(digitsOf(a), digitsOf(b));
    const whole = (text: string): string =>
      text.replace(".", "") + "0".repeat(digits - digitsOf(text));
    return byWhole(whole(a), whole(b));
  },
  boolean: byBytes,
  text: byBytes,
  date: byBytes,
  time: byBytes,
  timestamp: byBytes,
  timestamptz: byBytes,
};

/** Rows as lines, as many at hand as came with a chunk. */
class Rows {
  readonly #chunks: AsyncIterator<Buffer>;
  #begun: Buffer[] = [];
  #lines: readonly string[] = [];
  #at = 0;
  #isDone = false;

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  get isDry(): boolean {
    return this.#at === this.#lines.length && !this.#isDone;
  }

  /** undefined where there is no more. */
  get first(): string | undefined {
    return this.#lines[this.#at];
  }

  shift(): void {
    this.#at++;
  }

  async fill(): Promise<void> {
    while (this.isDry) {
      const { done, value } = await this.#chunks.next();
      if (done) {
        this.#isDone = true;
        return;
      }
      const end = value.lastIndexOf("\n");
      if (end < 0) {
        this.#begun.push(value);
        continue;
      }
      this.#lines = Buffer.concat([...this.#begun, value.subarray(0, end)])
        .toString()
        .split("\n");
      this.#at = 0;
      this.#begun = [value.subarray(end + 1)];
    }
  }
}
