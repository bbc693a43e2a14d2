// What a pipeline would lose that asks for rows "where last_updated is later than the newest that I have".
import { SOURCE_TABLES, type Database, type SourceTable } from "../totesys/source.ts";
import { counted } from "../../cli/terminal.ts";

/** The newest last_updated in each table, as such a pipeline would remember it. */
export type Watermarks = ReadonlyMap<SourceTable, string>;

/** Reads the watermarks of all that is committed now. Empty tables have none. */
export async function readWatermarks(shop: Database): Promise<Watermarks> {
  const marks = new Map<SourceTable, string>();
  for (const table of SOURCE_TABLES) {
    const { mark } = await shop.one<{ mark: string | null }>(
      "select max(last_updated)::text as mark from public.$1:name",
      [table],
    );
    if (mark !== null) marks.set(table, mark);
  }
  return marks;
}

/** Takes a transaction id: whatever writes later has a greater one, whatever has written before a smaller one. */
export async function takeTransactionId(shop: Database): Promise<string> {
  const { id } = await shop.one<{ id: string }>("select pg_current_xact_id()::text as id");
  return id;
}

/** How many of written rows a watermark would lose: `these 6 rows`, `4 of these 6 rows`. */
export function lostOf(written: readonly Written[]): string {
  const rows = written.reduce((sum, table) => sum + table.rows, 0);
  const lost = written.reduce((sum, table) => sum + table.lost, 0);
  const these = `these ${counted(rows, "row")}`.replace("these 1 row", "this row");
  return lost === rows ? these : `${lost} of ${these}`;
}

/** Rows that a stretch of transactions wrote into one table. */
export interface Written {
  readonly table: SourceTable;
  readonly rows: number;
  /** Those of them that are older than the watermark: they would not be read. */
  readonly lost: number;
}

/** What the transactions after `from`, and before `to` where it is given, wrote into each table, leaving out those without. */
export async function rowsWritten(
  shop: Database,
  marks: Watermarks,
  from: string,
  to?: string,
): Promise<Written[]> {
  const written: Written[] = [];
  for (const table of SOURCE_TABLES) {
    // The cluster is minutes old: its transaction ids have not wrapped, and compare as numbers.
    const { rows, lost } = await shop.one<{ rows: number; lost: number }>(
      `select count(*)::int as rows,
              (count(*) filter (where last_updated < $(mark)::timestamp))::int as lost
         from public.$(table:name)
        where xmin::text::bigint > $(from)::bigint
          and ($(to)::bigint is null or xmin::text::bigint < $(to)::bigint)`,
      { table, mark: marks.get(table) ?? null, from, to: to ?? null },
    );
    if (rows > 0) written.push({ table, rows, lost });
  }
  return written;
}
