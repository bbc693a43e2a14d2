/** What is in quarantine, for people: the rows, what each was in its source, and how many there are of a kind. */
import type { Connection } from "../postgres/connection.ts";
import { parameterised, qualified } from "../postgres/sql.ts";
import type { SourceRow } from "../table.ts";

/** The quarantine cannot be asked. */
export class QuarantineError extends Error {
  override readonly name = "QuarantineError";
}

/** A row of a source that did not fit a table when it was read last. */
export interface QuarantinedRow {
  readonly table: string;
  readonly source: string;
  /** Its primary key's text; of several columns, a JSON array of texts. */
  readonly key: string;
  readonly reason: string;
  /** The batch that it was read in last. */
  readonly batch: number;
  /** The one that it was read in first. */
  readonly firstBatch: number;
  /** When that one was read; ISO 8601, UTC. */
  readonly since: string;
}

/** Rows that were rejected for the same thing. */
export interface QuarantineCount {
  readonly table: string;
  /** Without the values that it quotes: `date_id: … is not a date`. */
  readonly reason: string;
  readonly rows: number;
  /** Since when the oldest of them is there. */
  readonly since: string;
}

/** Which rows; all where it says nothing. */
export interface Filter {
  readonly table?: string | undefined;
  /** A part of the reason, in any case. */
  readonly reason?: string | undefined;
}

const COLUMNS = `table_name as table, source_name as source, key, reason, batch::float8 as batch, first_batch::float8 as "firstBatch",
  to_char(since at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as since`;

const WHERE =
  "($1::text is null or table_name = $1) and ($2::text is null or strpos(lower(reason), lower($2)) > 0)";

/** @throws QuarantineError where the loader has made none yet */
async function placeOf({ db, ledger }: Connection): Promise<string> {
  const place = qualified(ledger, "quarantine");
  const { there } = await db.one<{ there: boolean }>(
    "select to_regclass($1) is not null as there",
    [place],
  );
  if (there) return place;
  throw new QuarantineError(
    `the warehouse has no ${ledger}.quarantine: the loader makes it at its next run; invoke it with {}`,
  );
}

const parametersOf = ({ table, reason }: Filter): unknown[] => [table ?? null, reason ?? null];

/** The rows in quarantine, those first that have been there longest. @throws QuarantineError */
export async function listQuarantine(
  connection: Connection,
  filter: Filter,
  limit: number,
): Promise<QuarantinedRow[]> {
  const place = await placeOf(connection);
  return connection.db.any<QuarantinedRow>(
    parameterised(
      `select ${COLUMNS} from ${place} where ${WHERE} order by quarantine.since, 1, 2, 3 limit $3`,
      [...parametersOf(filter), limit],
    ),
  );
}

/**
 * A row, with what its source gave; several where several of the table's sources have one of that key.
 * @throws QuarantineError
 */
export async function showQuarantined(
  connection: Connection,
  table: string,
  key: string,
): Promise<(QuarantinedRow & { readonly row: SourceRow })[]> {
  const place = await placeOf(connection);
  const found = await connection.db.any<QuarantinedRow & { readonly row: string }>(
    parameterised(
      `select ${COLUMNS}, "row" from ${place} where table_name = $1 and key = $2 order by 2`,
      [table, key],
    ),
  );
  return found.map((one) => ({ ...one, row: JSON.parse(one.row) as SourceRow }));
}

/** How many rows there are, by table and reason, the most first. @throws QuarantineError */
export async function countQuarantine(
  connection: Connection,
  filter: Filter = {},
): Promise<QuarantineCount[]> {
  const place = await placeOf(connection);
  return connection.db.any<QuarantineCount>(
    parameterised(
      `select table_name as table, regexp_replace(reason, '"(\\\\.|[^"\\\\])*"…?', '…', 'g') as reason, count(*)::float8 as rows,
              to_char(min(since) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as since
         from ${place} where ${WHERE} group by 1, 2 order by 3 desc, 1, 2`,
      parametersOf(filter),
    ),
  );
}
