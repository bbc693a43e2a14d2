/** Which keys of a star table its source lacks: range by range, by hash while none is. */
import { recordKeyText } from "../loading/ledger.ts";
import type { CatalogueTable } from "../postgres/catalogue.ts";
import type { Connection } from "../postgres/connection.ts";
import { literal, name, qualified } from "../postgres/sql.ts";
import { DELETED_AT, keyOf, recordIdOf, type Source, type Table } from "../table.ts";
import {
  cutsOf,
  rangeAt,
  rangeNumberSql,
  sourceOrder,
  starOrder,
  textsOf,
  within,
  type KeyOrder,
  type KeyTexts,
} from "./key-ranges.ts";
import { HASH_SQL, type Digest } from "./texts.ts";

/** Keys of a range. */
const RANGE_KEYS = 10_000;

/** What a source lacks of one star table. */
export interface Lacking {
  /** Rows of the source. */
  readonly rows: number;
  /** Rows that the star has of it, those that it knows to be deleted left out. */
  readonly live: number;
  /** Of too many at least so many. */
  readonly gone: number;
  /** In their order; of too many the first alone. */
  readonly keys: readonly KeyTexts[];
}

/** The keys of one source, and those of a star table that is keyed by it. */
export class StarKeys {
  readonly #source: Connection;
  readonly #warehouse: Connection;
  readonly #declared: Source;
  readonly #theirs: KeyOrder;
  readonly #ours: KeyOrder;
  readonly #place: string;
  readonly #live: string;

  constructor(
    source: Connection,
    warehouse: Connection,
    declared: Source,
    table: Table,
    catalogue: CatalogueTable,
  ) {
    this.#source = source;
    this.#warehouse = warehouse;
    this.#declared = declared;
    this.#theirs = sourceOrder(declared, catalogue);
    this.#ours = starOrder(table);
    this.#place = qualified(declared.schema, declared.name);
    this.#live = liveKeys(warehouse, table);
  }

  /** @param mostOf how many may be gone, of a source of so many rows and a star of so many */
  async lacking(mostOf: (rows: number, live: number) => number): Promise<Lacking> {
    const { rows, bounds } = await cutsOf(this.#source, this.#declared, this.#theirs, RANGE_KEYS);
    const expected = await digestsOf(this.#source, this.#place, this.#theirs, bounds);
    const found = await digestsOf(this.#warehouse, this.#live, this.#ours, bounds);
    const live = [...found.values()].reduce((sum, { keys }) => sum + keys, 0);
    const most = mostOf(rows, live);
    const keys: KeyTexts[] = [];
    let gone = 0;
    for (const [range, { keys: ours, digest }] of [...found].toSorted(([a], [b]) => a - b)) {
      const theirs = expected.get(range);
      if (theirs?.digest === digest) continue;
      const least = ours - (theirs?.keys ?? 0);
      // After TRUNCATE one range has all that there was: of too many, the first is enough.
      const isTooMany = gone + least > most;
      const missing = await this.#missing(
        bounds,
        range,
        isTooMany ? (theirs?.keys ?? 0) + 1 : undefined,
      );
      gone += isTooMany ? Math.max(least, missing.length) : missing.length;
      // Of more, only how many they are is of interest.
      if (gone > most) keys.length = Math.min(keys.length, 1);
      for (const key of gone > most ? missing.slice(0, 1 - keys.length) : missing) keys.push(key);
    }
    return { rows, live, gone, keys };
  }

  /**
   * Keys of a range that the star has and the source has not, in their order.
   * @param most of the star's keys that are looked at; all where undefined
   */
  async #missing(bounds: readonly KeyTexts[], range: number, most?: number): Promise<KeyTexts[]> {
    const there = new Set<string>();
    for (const key of await this.#keysOf(this.#source, this.#place, this.#theirs, bounds, range))
      there.add(JSON.stringify(key));
    const live = await this.#keysOf(this.#warehouse, this.#live, this.#ours, bounds, range, most);
    return live.filter((key) => !there.has(JSON.stringify(key)));
  }

  async #keysOf(
    { db }: Connection,
    from: string,
    order: KeyOrder,
    bounds: readonly KeyTexts[],
    range: number,
    most?: number,
  ): Promise<KeyTexts[]> {
    const rows = await db.any<{ key: string[] }>(
      `select array[${textsOf(order).join(", ")}] as key from ${from} t
        where ${within(order, "t", rangeAt(bounds, range))} order by ${order.of("t").join(", ")}
        limit ${most ?? "all"}`,
    );
    return rows.map(({ key }) => key);
  }
}

/** The keys of rows that are not known to be gone, as a table of SQL: those marked are, and inferred members are no rows of the source. */
function liveKeys({ schema, ledger }: Connection, table: Table): string {
  const place = qualified(schema, table.name);
  const columns = keyOf(table);
  const keys = columns.map((column) => name(column));
  const recordId = recordIdOf(table);
  const isMarked = table.deleted === "mark";
  const isInferred = `exists (select from ${qualified(ledger, "inferred_member")} m
                               where m.table_name = ${literal(table.name)} and m.key = ${recordKeyText(table, "t")})`;
  const live = `where not ${isInferred}${isMarked ? ` and ${name(DELETED_AT)} is null` : ""}`;
  if (recordId === undefined) return `(select ${keys.join(", ")} from ${place} t ${live})`;
  // The latest version says whether a record is live.
  const read = [...keys, ...(isMarked ? [name(DELETED_AT)] : [])].join(", ");
  const order = [...keys, `${name(recordId)} desc`].join(", ");
  return `(select * from (select distinct on (${keys.join(", ")}) ${read} from ${place} order by ${order}) t ${live})`;
}

interface KeyDigest {
  readonly keys: number;
  readonly digest: Digest;
}

/** What the keys of each range come to, by its number. */
async function digestsOf(
  { db }: Connection,
  from: string,
  order: KeyOrder,
  bounds: readonly KeyTexts[],
): Promise<Map<number, KeyDigest>> {
  const text = textsOf(order)
    .map((key) => `octet_length(convert_to(${key}, 'UTF8')), ':', ${key}`)
    .join(", ");
  const found = await db.any<{ n: number; keys: string; digest: Digest }>(
    `select n, count(*) as keys,
            concat(count(*), ':', sum(${HASH_SQL.high("hash")}), ':', sum(${HASH_SQL.low("hash")})) as digest
       from (select ${rangeNumberSql(order, "t", bounds)} as n, ${HASH_SQL.hash(`concat(${text})`)} as hash
               from ${from} t offset 0) t
      group by n`,
  );
  return new Map(found.map(({ n, keys, digest }) => [n, { keys: Number(keys), digest }]));
}
