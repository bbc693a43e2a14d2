/** Inferred members: dimension rows that are made up because something refers to them, until the real ones come. */
import type { Db } from "../postgres/connection.ts";
import { parameterised, qualified } from "../postgres/sql.ts";
import type { Table } from "../table.ts";
import { recordKeyText } from "./ledger.ts";

/**
 * How many inferred members there are: no statement is needed where there are none. Those of a dimension that no module
 * declares are not counted, and stay: so do the rows themselves, and a loader may be older than the code that made them.
 */
export class InferredMembers {
  readonly ledger: string;
  readonly #there: Map<string, number>;
  readonly #declared: ReadonlySet<string>;

  private constructor(ledger: string, there: Map<string, number>, tables: readonly Table[]) {
    this.ledger = ledger;
    this.#there = there;
    this.#declared = new Set(tables.map((table) => table.name));
  }

  /** Counts those that there are. One loader is at work at a time, so that the count stays right. */
  static async open(db: Db, ledger: string, tables: readonly Table[]): Promise<InferredMembers> {
    const found = await db.any<{ table: string; count: number }>(
      `select table_name as table, count(*)::int as count from ${qualified(ledger, "inferred_member")} group by 1`,
    );
    const there = new Map(found.map(({ table, count }) => [table, count]));
    return new InferredMembers(ledger, there, tables);
  }

  /** In all dimensions that are declared. */
  get count(): number {
    return [...this.#there].reduce(
      (sum, [table, count]) => sum + (this.#declared.has(table) ? count : 0),
      0,
    );
  }

  /** To be told of those that were made. */
  made(dimension: Table, count: number): void {
    this.#there.set(dimension.name, (this.#there.get(dimension.name) ?? 0) + count);
  }

  /**
   * Real rows took the place of those that have one of the keys. Rows that are copied straight into their table meet none:
   * an inferred member is a row of it.
   * @param keys a table that has the dimension's key column
   * @param only what is true of its rows `s` that are meant
   */
  async replaced(db: Db, dimension: Table, keys: string, only = "true"): Promise<void> {
    const there = this.#there.get(dimension.name) ?? 0;
    if (there === 0) return;
    const gone = await db.result(
      parameterised(
        `delete from ${qualified(this.ledger, "inferred_member")} m using ${keys} s
          where m.table_name = $1 and m.key = ${recordKeyText(dimension, "s")} and ${only}`,
        [dimension.name],
      ),
      undefined,
      (result) => result.rowCount,
    );
    this.#there.set(dimension.name, there - gone);
  }
}
