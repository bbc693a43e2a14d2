// Plants differences into a warehouse, and keeps to rows that none is in yet.
import type { Random } from "../../localstack/totesys/random.ts";
import type { Difference, Kind } from "../../src/reconciliation/difference.ts";
import { getColumnNames, keyOf, recordIdOf, type Table } from "../../src/table.ts";
import type { Db } from "../../src/postgres/connection.ts";

/** A difference, in short. */
export interface Planted {
  readonly table: string;
  readonly kind: Kind;
  readonly key: string;
  /** `column: expected → found`, of what differs; of a repeated version none. */
  readonly columns: readonly string[];
}

/** Each column as PostgreSQL prints it, a boolean as one letter. */
type Row = Record<string, string | null>;

const shownAs = (column: string, expected: unknown, found: unknown): string =>
  `${column}: ${String(expected)} → ${String(found)}`;

/** A difference that was named, as one that was planted. */
export const inShort = ({ table, kind, key, columns }: Difference): Planted => ({
  table,
  kind,
  key: Object.values(key).join(),
  columns: columns.map(({ column, expected, found }) => shownAs(column, expected, found)),
});

export const inOrder = (planted: readonly Planted[]): Planted[] =>
  planted.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));

/** The latest version of each of a table's rows, or of a copy of it. */
function latestOf(db: Db, table: Table, from = table.name): Promise<Row[]> {
  const texts = getColumnNames(table).map((column) =>
    table.columns[column]!.type === "boolean"
      ? `left(${column}::text, 1) as ${column}`
      : `${column}::text as ${column}`,
  );
  const [key] = keyOf(table);
  const order = `t.${key}, t.${recordIdOf(table) ?? key} desc`;
  return db.any<Row>(
    `select distinct on (t.${key}) ${texts.join(", ")} from ${from} t order by ${order}`,
  );
}

const TEXT_CHANGES: readonly ((text: string) => string)[] = [
  (text) => `${text} `,
  (text) => ` ${text}`,
  () => "",
  (text) => `é${text}`,
  (text) => `e\u0301${text}`,
  (text) => `${text}|${text}\n\t\r`,
  () => "𝄞 O'Keefe \"; drop table x; -- \\",
];
const DECIMALS = ["0.00", "-1.00", "0.001", "99999999.99", "1234.5678", "-0.000001"];
const TIMES = ["00:00:00", "23:59:59.999999", "12:00:00.000001", "12:00:00.1", "24:00:00"];
const DATES = ["0001-01-01", "9999-12-31", "2020-02-29"];

function otherThan(
  table: Table,
  column: string,
  value: string | null,
  draw: Random,
): string | null {
  const { type, nullable } = table.columns[column]!;
  if (value !== null && nullable && draw.chance(0.3)) return null;
  switch (type) {
    case "text":
      return draw.pick(TEXT_CHANGES)(value ?? "");
    case "integer":
      return String(Number(value ?? 0) + draw.pick([1, -1, 100_000, -2_000_000_000]));
    case "decimal":
      return draw.pick(DECIMALS);
    case "date":
      return draw.pick(DATES);
    case "time":
      return draw.pick(TIMES);
    case "boolean":
      return value === "t" ? "f" : "t";
    default:
      throw new Error(`${table.name}.${column}: no value is drawn of a ${type}`);
  }
}

export class Planter {
  readonly planted: Planted[] = [];
  readonly #db: Db;
  readonly #table: Table;
  readonly #draw: Random;
  /** Without a difference yet. */
  readonly #rows: Row[];
  /** As an earlier batch left them, by key. */
  readonly #before: ReadonlyMap<string, Row>;
  readonly #key: string;
  readonly #others: readonly string[];

  private constructor(db: Db, table: Table, draw: Random, rows: Row[], before: Row[]) {
    this.#db = db;
    this.#table = table;
    this.#draw = draw;
    this.#rows = rows;
    [this.#key] = keyOf(table) as [string];
    this.#others = getColumnNames(table).filter((column) => column !== this.#key);
    this.#before = new Map(before.map((row) => [row[this.#key]!, row]));
  }

  /** @param only the keys of the rows to plant into; all where undefined */
  static async open(
    db: Db,
    table: Table,
    draw: Random,
    only?: ReadonlySet<string>,
  ): Promise<Planter> {
    const rows = await latestOf(db, table);
    const [key] = keyOf(table);
    const left = only ? rows.filter((row) => only.has(row[key!]!)) : rows;
    return new Planter(db, table, draw, left, await latestOf(db, table, `before.${table.name}`));
  }

  /** Each of these gives false, and does nothing, where there is no row left for it. */
  readonly ways: readonly (() => Promise<boolean>)[] = [
    () => this.#missing(),
    () => this.#extra(),
    () => this.#repeated(),
    () => this.#different(),
    () => this.#stale(),
  ];

  async #missing(): Promise<boolean> {
    const row = this.#take();
    if (!row) return false;
    await this.#db.none(`delete from ${this.#table.name} where ${this.#key}::text = $1`, [
      row[this.#key],
    ]);
    return this.#note("missing", row, (column) => [row[column], undefined], this.#others);
  }

  async #extra(): Promise<boolean> {
    const number = this.planted.length;
    if (number > 60) return false;
    const like = [...this.#before.values()][number % this.#before.size]!;
    const isDate = this.#table.columns[this.#key]!.type === "date";
    // Before all others and after them.
    const key = isDate ? `${3000 + number}-01-01` : number % 2 ? -1 - number : 10_000_000 + number;
    const row = { ...like, [this.#key]: String(key) };
    await this.#insert(row);
    return this.#note("extra", row, (column) => [undefined, row[column]], this.#others);
  }

  async #repeated(): Promise<boolean> {
    const row = recordIdOf(this.#table) === undefined ? undefined : this.#take();
    if (!row) return false;
    await this.#insert(row);
    return this.#note("extra", row, () => [null, null], []);
  }

  async #different(): Promise<boolean> {
    const row = this.#take();
    if (!row) return false;
    const columns = this.#draw.shuffle([...this.#others]).slice(0, this.#draw.int(1, 3));
    const values = Object.fromEntries(
      columns.map((column) => [column, otherThan(this.#table, column, row[column]!, this.#draw)]),
    );
    const changed = this.#others.filter(
      (column) => column in values && values[column] !== row[column],
    );
    if (changed.length === 0) return false;
    await this.#update(row, values);
    return this.#note("different", row, (column) => [row[column], values[column]], changed);
  }

  /** A change that got lost: the version that it made is gone, or the row is as it was before. */
  async #stale(): Promise<boolean> {
    const changedOf = (row: Row): string[] => {
      const then = this.#before.get(row[this.#key]!);
      return then ? this.#others.filter((column) => then[column] !== row[column]) : [];
    };
    const at = this.#rows.findIndex((row) => changedOf(row).length > 0);
    if (at < 0) return false;
    const [row] = this.#rows.splice(at, 1) as [Row];
    const then = this.#before.get(row[this.#key]!)!;
    const recordId = recordIdOf(this.#table);
    if (recordId === undefined) await this.#update(row, then);
    else
      await this.#db.none(`delete from ${this.#table.name} where ${recordId} = ${this.#latest}`, [
        row[this.#key],
      ]);
    return this.#note("stale", row, (column) => [row[column], then[column]], changedOf(row));
  }

  #take(): Row | undefined {
    if (this.#rows.length === 0) return undefined;
    return this.#rows.splice(this.#draw.int(0, this.#rows.length - 1), 1)[0];
  }

  #note(
    kind: Kind,
    row: Row,
    values: (column: string) => [expected: unknown, found: unknown],
    columns: readonly string[],
  ): true {
    this.planted.push({
      table: this.#table.name,
      kind,
      key: row[this.#key]!,
      columns: columns.map((column) => shownAs(column, ...values(column))),
    });
    return true;
  }

  /** The latest version of the record whose key is `$1`. */
  get #latest(): string {
    const id = recordIdOf(this.#table) ?? this.#key;
    return `(select max(${id}) from ${this.#table.name} where ${this.#key}::text = $1)`;
  }

  async #update(row: Row, values: Row): Promise<void> {
    const columns = Object.keys(values);
    await this.#db.none(
      `update ${this.#table.name} set ${columns.map((column, at) => `${column} = $${at + 2}`).join(", ")}
        where ${recordIdOf(this.#table) ?? this.#key} = ${this.#latest}`,
      [row[this.#key], ...Object.values(values)],
    );
  }

  async #insert(row: Row): Promise<void> {
    const columns = Object.keys(row);
    await this.#db.none(
      `insert into ${this.#table.name} (${columns.join(", ")}) values (${columns.map((_, at) => `$${at + 1}`).join(", ")})`,
      Object.values(row),
    );
  }
}
