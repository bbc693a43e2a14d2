/** The rows in quarantine by what is wrong with them, and how they get out. */
import { allSources } from "../check-tables.ts";
import { hasLedger } from "../loading/loads.ts";
import { literal, name, qualified } from "../postgres/sql.ts";
import { keyOf, type Source, type SourceRow } from "../table.ts";
import type { Places } from "./places.ts";
import type { QuarantineGroup, Step, Value } from "./types.ts";
import { command } from "./verdict.ts";

/** Rows that are told of at most, those first that have been there longest. */
const SHOWN = 1_000;

interface Found {
  readonly table: string;
  readonly source: string;
  readonly key: string;
  readonly reason: string;
  readonly kind: string;
  readonly batch: number;
  readonly at: string;
  readonly row: string;
}

/** @throws ConnectionError */
export async function quarantineGroups(places: Places): Promise<QuarantineGroup[]> {
  const connection = await places.warehouse();
  try {
    if (!(await hasLedger(connection))) return [];
    const found = await connection.db.any<Found>(
      `select table_name as "table", source_name as source, key, reason, "row", batch::float8 as batch,
              regexp_replace(reason, '"(\\\\.|[^"\\\\])*"…?', '…', 'g') as kind,
              to_char(since at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at
         from ${qualified(connection.ledger, "quarantine")} order by since, 1, 2, 3 limit $1`,
      [SHOWN],
    );
    const groups = new Map<string, Found[]>();
    for (const one of found) {
      const at = JSON.stringify([one.table, one.source, one.kind]);
      groups.set(at, [...(groups.get(at) ?? []), one]);
    }
    const sources = new Map(allSources(places.tables).map((source) => [source.name, source]));
    return [...groups.values()]
      .toSorted((a, b) => b.length - a.length)
      .map((rows) => groupOf(rows, sources.get(rows[0]!.source), places));
  } finally {
    await connection.close();
  }
}

function groupOf(
  rows: readonly Found[],
  source: Source | undefined,
  places: Places,
): QuarantineGroup {
  const { table, source: from, kind } = rows[0]!;
  const shown = rows.map(({ key, batch, at, row }) => ({ key, batch, at, row: valuesOf(row) }));
  const [named = ""] = /^[^\s:]+/.exec(kind) ?? [];
  const column = Object.hasOwn(shown[0]!.row, named) ? named : "";
  return {
    reason: kind,
    table,
    source: from,
    column,
    advice:
      `Mend ${rows.length === 1 ? "the row" : "the rows"} in the source: the next run reads the change, and ${rows.length === 1 ? "it leaves" : "they leave"} quarantine. ` +
      "Where the module is what is wrong, mend that and raise its version.",
    steps: [
      ...mendingSql(rows, source, column),
      {
        text: "Where nothing is wrong any more (a lookup was missing), have them read once more.",
        command: command(places, `quarantine retry --table ${table}`),
      },
    ],
    rows: shown,
  };
}

/** Keys that a statement names. */
const NAMED = 20;

function mendingSql(rows: readonly Found[], source: Source | undefined, column: string): Step[] {
  const [key, ...more] = source ? keyOf(source) : [];
  if (!source || key === undefined || more.length > 0 || column === "") return [];
  const keys = rows.slice(0, NAMED).map((row) => literal(row.key));
  const where = `${name(key)} IN (${keys.join(", ")})`;
  const place = qualified(source.schema, source.name);
  return [
    {
      text: "In the source, with the right value:",
      command: `UPDATE ${place} SET ${name(column)} = '…' WHERE ${where};`,
    },
  ];
}

/** Values that JSON has beyond the plain ones are shown as their text. */
function valuesOf(row: string): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(JSON.parse(row) as SourceRow).map(([column, value]): [string, Value] => {
      const isPlain = value === null || ["string", "number", "boolean"].includes(typeof value);
      return [column, isPlain ? (value as Value) : JSON.stringify(value)];
    }),
  );
}
