import type { Star, StarRow, StarTable } from "./star-shape.ts";

/** One thing that is not as it should be. */
export interface Difference {
  kind: "missing" | "extra" | "different";
  /** The row's key, as `name=value`. */
  key: string;
  /** Of a row that is different: the column, and both values. */
  column?: string;
  expected?: string | null;
  found?: string | null;
}

/** How one table compares. */
export interface Comparison {
  table: string;
  /** Rows there should be. */
  expected: number;
  /** Rows there are. */
  found: number;
  missing: number;
  extra: number;
  different: number;
  /** Rows found beyond the expected ones that the options allow. */
  allowed: number;
  /** The first few differences of each kind; a row that differs in two columns gives two. */
  differences: Difference[];
}

/** What may be in the warehouse beyond the expected rows. */
export interface CompareOptions {
  /** Rows of dim_date that quarantined rows, or older versions of facts, refer to; they must be right. Default: no. */
  allowExtraDates?: boolean;
  /**
   * Rows whose key is quarantined in the source: what a row was before it went bad, or an inferred member. Their
   * values are not looked at. Default: no.
   */
  allowQuarantined?: boolean;
  /** How many differences of each kind to name for each table. Default: 5. */
  show?: number;
}

/**
 * Compares the star that there should be with the one that there is, table by table, in the order of `expected`.
 * A table that is not in `found` counts as empty, and a key that is found twice as an extra row.
 */
export function compare(expected: Star, found: Star, options: CompareOptions = {}): Comparison[] {
  return [...expected].map(([table, wanted]) =>
    compareTable(table, wanted, found.get(table), options),
  );
}

function compareTable(
  table: string,
  wanted: StarTable,
  given: StarTable | undefined,
  { allowExtraDates = false, allowQuarantined = false, show = 5 }: CompareOptions,
): Comparison {
  const { columns, key } = wanted;
  const at = key.map((name) => columns.indexOf(name));
  const keyOf = (row: StarRow): string => at.map((i) => `${columns[i]}=${row[i]}`).join(", ");
  const keyed = (rows: StarRow[]): Map<string, StarRow> =>
    new Map(rows.map((row) => [keyOf(row), row]));

  const expected = keyed(wanted.rows);
  const allowed = keyed(allowExtraDates ? [...wanted.allowed, ...(given?.allowed ?? [])] : []);
  const quarantined = new Set(
    (allowQuarantined ? wanted.quarantined : []).map((values) =>
      key.map((name, i) => `${name}=${values[i]}`).join(", "),
    ),
  );
  const result: Comparison = {
    table,
    expected: wanted.rows.length,
    found: given?.rows.length ?? 0,
    missing: 0,
    extra: 0,
    different: 0,
    allowed: 0,
    differences: [],
  };
  const note = (difference: Difference, also: Difference[] = []): void => {
    result[difference.kind]++;
    if (result[difference.kind] <= show) result.differences.push(difference, ...also);
  };

  const seen = new Set<string>();
  for (const row of given?.rows ?? []) {
    const name = keyOf(row);
    const twice = seen.has(name);
    seen.add(name);
    const match = expected.get(name) ?? allowed.get(name);
    if (twice || (!match && !quarantined.has(name))) {
      note({ kind: "extra", key: name });
      continue;
    }
    if (!expected.has(name)) result.allowed++;
    const [first, ...rest] = match ? unequal(name, columns, match, row) : [];
    if (first) note(first, rest);
  }
  for (const name of expected.keys()) {
    if (!seen.has(name)) note({ kind: "missing", key: name });
  }
  return result;
}

function unequal(
  key: string,
  columns: readonly string[],
  expected: StarRow,
  found: StarRow,
): Difference[] {
  return columns.flatMap((column, i) =>
    expected[i] === found[i]
      ? []
      : [
          {
            kind: "different" as const,
            key,
            column,
            expected: expected[i] ?? null,
            found: found[i] ?? null,
          },
        ],
  );
}

/**
 * What is wrong, in lines for a person: none when both are the same. `expect(problems(compare(…))).to.deep.equal([])`
 * names the first rows that differ.
 */
export function problems(comparisons: readonly Comparison[]): string[] {
  return comparisons.flatMap(({ table, expected, found, missing, extra, different, differences }) =>
    missing + extra + different === 0
      ? []
      : [
          `${table}: ${expected} rows expected, ${found} found: ${missing} missing, ${extra} extra, ${different} different`,
          ...differences.map((difference) => `  ${table} ${sentence(difference)}`),
        ],
  );
}

function sentence({ kind, key, column, expected, found }: Difference): string {
  if (kind !== "different") return `${key} is ${kind}`;
  return `${key}: ${column} is ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`;
}
