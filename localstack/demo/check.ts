import { compare, latestOf, problems, starOf } from "../totesys/star.ts";
import type { Database } from "../totesys/source.ts";
import { STAR_TABLES } from "../totesys/star-shape.ts";
import { counted, whole, type Terminal } from "../../cli/terminal.ts";

/** How one star table compares with the shop. */
export interface CheckedTable {
  readonly table: string;
  readonly expected: number;
  readonly found: number;
  readonly differences: number;
  /** Days that only older versions of facts refer to: right to be there, though no latest version needs them. */
  readonly older: number;
  /** Rows of a fact, all versions of its records; undefined of a dimension. */
  readonly versions: number | undefined;
}

/** What a check found. */
export interface Check {
  readonly tables: readonly CheckedTable[];
  /** What is wrong, in lines for a person; none where nothing is. */
  readonly problems: readonly string[];
}

/**
 * Compares the warehouse with the star that the shop should have now, row by row and value by value. What should be is
 * computed by SQL of its own, which shares nothing with the pipeline. Nobody may write meanwhile.
 * @throws what PostgreSQL throws, as of a missing table
 */
export async function checkWarehouse(shop: Database, warehouse: Database): Promise<Check> {
  const compared = compare(await starOf(shop), await latestOf(warehouse), {
    allowExtraDates: true,
  });
  const found = problems(compared);
  const tables: CheckedTable[] = [];
  for (const { table, expected, found: rows, missing, extra, different, allowed } of compared) {
    const facts = await versionsOf(warehouse, table);
    const doubled = facts?.doubled ?? 0;
    if (doubled > 0)
      found.push(`${table}: ${counted(doubled, "version")} the same as the one before`);
    tables.push({
      table,
      expected,
      found: rows,
      differences: missing + extra + different + doubled,
      older: allowed,
      versions: facts?.versions,
    });
  }
  return { tables, problems: found };
}

/** How many versions a fact holds, and how many of them differ in nothing from the one before. */
async function versionsOf(
  warehouse: Database,
  table: string,
): Promise<{ versions: number; doubled: number } | undefined> {
  const { key, record } = STAR_TABLES.get(table) ?? {};
  if (record === undefined) return undefined;
  return warehouse.one<{ versions: number; doubled: number }>(
    `select count(*)::int as versions, (count(*) filter (where state = before))::int as doubled
       from (select to_jsonb(fact) - $(record) as state,
                    lag(to_jsonb(fact) - $(record))
                      over (partition by $(key:name) order by $(record:name)) as before
               from public.$(table:name) as fact) as version`,
    { table, key, record },
  );
}

/** Shows a check. Gives the exit code that it deserves: 0, or 1 where anything differs. */
export function showCheck(terminal: Terminal, { tables, problems: wrong }: Check): 0 | 1 {
  terminal.table(
    ["star table", "expected", "found", "differences", "versions"],
    tables.map(({ table, expected, found, differences, versions }) => [
      table,
      whole(expected),
      whole(found),
      whole(differences),
      versions === undefined ? "" : whole(versions),
    ]),
  );
  const older = tables.reduce((sum, table) => sum + table.older, 0);
  if (older > 0)
    terminal.paragraph(
      `${counted(older, "row")} of dim_date more than expected: days that older versions refer to.`,
    );
  if (wrong.length === 0) {
    const rows = tables.reduce((sum, { expected }) => sum + expected, 0);
    terminal.paragraph(`No difference in ${counted(rows, "row")}, compared value by value.`);
    return 0;
  }
  terminal.alarm("The warehouse differs from the shop:");
  for (const problem of wrong) terminal.alarm(problem);
  return 1;
}
