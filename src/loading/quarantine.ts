/** The rows that are in quarantine now: kept in the transaction of the batch that brings them, or takes them out. */
import { fingerprint } from "../fingerprint.ts";
import type { LakeObject, ProcessedManifest } from "../lake/manifest.ts";
import type { Connection, Db } from "../postgres/connection.ts";
import { copyIn } from "../postgres/copy.ts";
import { parameterised, qualified } from "../postgres/sql.ts";
import { keyedBySource, type Table } from "../table.ts";
import { WarehouseError } from "./error.ts";
import { arrayText } from "./ledger.ts";
import type { Rows } from "./merge.ts";
import { blocks, keysIn, recordsOf, rejectedRows } from "./quarantine-rows.ts";

/** How many rows there are, and for how long. */
export interface InQuarantine {
  readonly rows: number;
  /** Seconds since the oldest came in; 0 where there is none. */
  readonly age: number;
}

/** Rows of one table and source. */
interface Share {
  readonly table: string;
  readonly source: string;
  readonly rows: number;
}

const DRIVEN = "pg_temp.quarantine_driven";
const GONE = "pg_temp.quarantine_gone";
const REJECTED = "pg_temp.quarantine_rejected";

/**
 * The quarantine, while a loader is at work. A row leaves it
 * - when a batch was made from it again, as star rows of a table that is keyed by its source say, or else a list in the
 *   manifest, and does not reject it again: it fits now, or makes no star row any more;
 * - when its source has it no more, and a batch says so, whatever tables that batch was made for;
 * - when no module declares its table any more, or that has another source, once a batch is loaded that was made by such
 *   modules: whoever brings the declaration back reads all of it again. Until then, as a loader may be older or newer than
 *   the code that has read them, such rows stay, and are not counted.
 *
 * As long as nothing is in quarantine and nothing comes in, a batch costs no statement.
 */
export class Quarantine {
  readonly #connection: Connection;
  readonly #place: string;
  readonly #tables: ReadonlyMap<string, Table>;
  /** Rows by table and source, those without any left out. */
  #shares: readonly Share[];
  /** Whether the batch at hand has its temporary tables. */
  #isOpen = false;
  #hasChanged = false;

  private constructor(
    connection: Connection,
    place: string,
    tables: readonly Table[],
    shares: readonly Share[],
  ) {
    this.#connection = connection;
    this.#place = place;
    this.#tables = new Map(tables.map((table) => [table.name, table]));
    this.#shares = shares;
  }

  /** Counts what is in quarantine. */
  static async open(connection: Connection, tables: readonly Table[]): Promise<Quarantine> {
    const place = qualified(connection.ledger, "quarantine");
    const shares = await connection.db.any<Share>(
      `select table_name as table, source_name as source, count(*)::int as rows from ${place} group by 1, 2`,
    );
    return new Quarantine(connection, place, tables, shares);
  }

  /** Rows in quarantine now, of what is declared. */
  get rows(): number {
    return this.#declared.reduce((sum, { rows }) => sum + rows, 0);
  }

  get #declared(): readonly Share[] {
    return this.#shares.filter((share) => this.#declares(share));
  }

  /** Whether it holds other rows than when it was opened, or may. */
  get hasChanged(): boolean {
    return this.#hasChanged;
  }

  async state(): Promise<InQuarantine> {
    if (this.rows === 0) return { rows: 0, age: 0 };
    const { age } = await this.#connection.db.one<{ age: number }>(
      parameterised(
        `select greatest(0, extract(epoch from now() - min(since)))::float8 as age from ${this.#place}
          where (table_name, source_name) in (select * from unnest($1::text[], $2::text[]))`,
        [
          arrayText(this.#declared.map(({ table }) => table)),
          arrayText(this.#declared.map(({ source }) => source)),
        ],
      ),
    );
    return { rows: this.rows, age };
  }

  /**
   * To be told, in a batch's transaction, of the records that it has of a table, whether they come or go.
   * @param rows the table's key columns, at least
   */
  async arrived(table: Table, rows: Rows): Promise<void> {
    const source = keyedBySource(table);
    if (source && this.#holds(source.name))
      await this.#tell(DRIVEN, recordsOf(source, table, rows));
  }

  /**
   * Ends a batch, in its transaction: rows leave that fit by now, then those come in that do not.
   * @throws ObjectError where a rejected object is not what was committed; WarehouseError
   */
  async settle(db: Db, bucket: string, manifest: ProcessedManifest): Promise<void> {
    const rejected = manifest.rejected.filter(({ table }) => this.#tables.has(table));
    const driven = manifest.driven.filter(({ table }) => this.#holds(table));
    const gone = manifest.gone.filter(({ table }) => this.#holds(table));
    try {
      if (driven.length > 0) await this.#tell(DRIVEN, keysIn(bucket, driven, this.#tables));
      if (gone.length > 0) await this.#tell(GONE, keysIn(bucket, gone, this.#tables));
      if (rejected.length > 0) await this.#stage(db, bucket, rejected);
      if (this.#isOpen && this.#shares.length > 0) await this.#release(db, manifest);
      if (rejected.length > 0) await this.#admit(db, manifest);
      for (const share of this.#shares)
        if (!this.#declares(share) && this.#isAgreed(share, manifest)) await this.#drop(db, share);
    } catch (cause) {
      // PostgreSQL's own.
      if ((cause as { code?: unknown }).code === undefined) throw cause;
      throw new WarehouseError(`${this.#place}: ${(cause as Error).message}`, { cause });
    }
    this.#isOpen = false;
  }

  /** Whether there are rows of a source. */
  #holds(source: string): boolean {
    return this.#shares.some((share) => share.source === source);
  }

  async #tell(
    of: typeof DRIVEN | typeof GONE,
    records: Iterable<string[]> | AsyncIterable<string[]>,
  ): Promise<void> {
    await this.#open();
    await copyIn(this.#connection, `copy ${of} from stdin`, blocks(records));
  }

  #declares({ table, source }: Share): boolean {
    return this.#tables.get(table)?.sources.some(({ name }) => name === source) === true;
  }

  /** Whether a batch was made by modules that say the same of a table as ours. Manifests did not always tell. */
  #isAgreed({ table }: Share, { fingerprints }: ProcessedManifest): boolean {
    const ours = this.#tables.get(table);
    return (
      Object.keys(fingerprints).length > 0 && fingerprints[table] === (ours && fingerprint(ours))
    );
  }

  async #drop(db: Db, share: Share): Promise<void> {
    await db.none(
      parameterised(`delete from ${this.#place} where table_name = $1 and source_name = $2`, [
        share.table,
        share.source,
      ]),
    );
    this.#change([share], -1);
  }

  /** Makes the batch's temporary tables: records that it has, those that are gone, and rows that did not fit. */
  async #open(): Promise<void> {
    if (this.#isOpen) return;
    await this.#connection.db.none(
      `create temporary table quarantine_driven (source_name text, key text) on commit drop;
       create temporary table quarantine_gone (source_name text, key text) on commit drop;
       create temporary table quarantine_rejected
         (line bigint, table_name text, source_name text, key text, reason text, "row" text) on commit drop`,
    );
    this.#isOpen = true;
  }

  async #stage(db: Db, bucket: string, rejected: readonly LakeObject[]): Promise<void> {
    await this.#open();
    await copyIn(
      this.#connection,
      `copy ${REJECTED} from stdin`,
      blocks(rejectedRows(bucket, rejected, this.#tables)),
    );
    await db.none(`insert into ${DRIVEN} select source_name, key from ${REJECTED}`);
  }

  async #release(db: Db, { objects, rejected, fingerprints }: ProcessedManifest): Promise<void> {
    // What a table was not made for says nothing of its rows; that they are gone, of those of all. Manifests did not always tell.
    const made = Object.keys(fingerprints);
    const served = made.length > 0 ? made : [...objects, ...rejected].map(({ table }) => table);
    // Nobody here has looked at the others.
    const ours = served.filter((table) => this.#tables.has(table));
    const gone = await db.any<Share>(
      parameterised(
        `with told as (
           select source_name, key, false as is_gone from ${DRIVEN}
            union all select source_name, key, true from ${GONE}
         ), gone as (
           delete from ${this.#place} q using told d
            where q.source_name = d.source_name and q.key = d.key and (d.is_gone or q.table_name = any($1::text[]))
              and not exists (select from ${REJECTED} r
                               where r.table_name = q.table_name and r.source_name = q.source_name and r.key = q.key)
           returning q.table_name, q.source_name)
         select table_name as table, source_name as source, count(*)::int as rows from gone group by 1, 2`,
        [arrayText(ours)],
      ),
    );
    this.#change(gone, -1);
  }

  async #admit(db: Db, { batch, ingested_at }: ProcessedManifest): Promise<void> {
    const come = await db.any<Share>(
      parameterised(
        `with put as (
           insert into ${this.#place} as q (table_name, source_name, key, reason, batch, first_batch, since, "row")
           select distinct on (table_name, source_name, key)
                  table_name, source_name, key, reason, $1::bigint, $1::bigint, $2::timestamptz, "row"
             from ${REJECTED} order by table_name, source_name, key, line desc
               on conflict (table_name, source_name, key)
               do update set reason = excluded.reason, batch = excluded.batch, "row" = excluded."row"
           returning table_name, source_name, first_batch)
         select table_name as table, source_name as source, count(*)::int as rows
           from put where first_batch = $1::bigint group by 1, 2`,
        [batch, ingested_at],
      ),
    );
    this.#change(come, 1);
  }

  #change(by: readonly Share[], sign: 1 | -1): void {
    if (by.length > 0) this.#hasChanged = true;
    const all = new Map(
      this.#shares.map((share) => [JSON.stringify([share.table, share.source]), share]),
    );
    for (const { table, source, rows } of by) {
      const at = JSON.stringify([table, source]);
      all.set(at, { table, source, rows: (all.get(at)?.rows ?? 0) + sign * rows });
    }
    this.#shares = [...all.values()].filter(({ rows }) => rows > 0);
  }
}
