/**
 * Which source columns each column of a star table is made from: found by trying. The formatter makes rows of specimens,
 * one value after the other is changed, and what changes with it was made from it.
 */
import { formattedColumns, type Column, type Source, type SourceRow, type Table } from "./table.ts";

/** Where a column's values come from. */
export interface Lineage {
  /** `source.column`, in declared order, driving sources first. Empty where none was found. */
  readonly from: readonly string[];
  /** Whether the values are the source's own, as they are. */
  readonly isCarried: boolean;
  /** What stands there instead of the source's null, where that is handed on as something else. */
  readonly whenNull?: unknown;
}

/** What a formatter is given: the driving row, and what is looked up, by the lookup's name. */
interface Given {
  readonly row: SourceRow;
  readonly found: Readonly<Record<string, SourceRow>>;
}

/** A value that can be changed: of the driving row, or of the row of a lookup. */
interface Place {
  readonly lookup: string | undefined;
  readonly column: string;
  readonly declared: Column;
  /** `source.column`. */
  readonly origin: string;
}

/** Values of a column that are tried, besides null. */
const SPECIMENS = 3;
/** Apart by year, quarter, month, day and day of the week. */
const DAYS = ["2001-02-03", "2013-07-15", "2024-10-24"];

/**
 * The lineage of each column that `table`'s formatter fills.
 * A dependence that shows with no specimen is not found, and a formatter that refuses them all has none: text columns that are
 * not just any text need examples (`described`).
 */
export function lineageOf(table: Table): ReadonlyMap<string, Lineage> {
  const trials = table.sources.flatMap((source) => trialsOf(table, source));
  const origins = [...new Set(trials.map(({ place }) => place.origin))];
  return new Map(
    formattedColumns(table).map((column) => {
      const changed = new Set(
        trials
          .filter(({ before, after }) => valuesOf(before, column) !== valuesOf(after, column))
          .map(({ place }) => place.origin),
      );
      const from = origins.filter((origin) => changed.has(origin));
      const own = trials.filter(({ place }) => place.origin === from[0]);
      const isCarried =
        from.length === 1 &&
        own.every(
          ({ value, after }) =>
            value === null || (after.length === 1 && after[0]![column] === value),
        );
      const ofNull = own.find(({ value }) => value === null)?.after[0]?.[column] ?? null;
      return [
        column,
        { from, isCarried, ...(isCarried && ofNull !== null ? { whenNull: ofNull } : {}) },
      ];
    }),
  );
}

/** What the formatter made before and after one value was changed. */
interface Trial {
  readonly place: Place;
  readonly value: unknown;
  readonly before: readonly SourceRow[];
  readonly after: readonly SourceRow[];
}

/** Each value of each place of a driving row of `source` and its lookups, tried among each row of specimens. */
function trialsOf(table: Table, source: Source): Trial[] {
  const places = placesOf(table, source);
  const specimens = places.map(({ declared }, i) => specimensOf(declared, i));
  const given = (choose: (place: number) => unknown): Given => {
    const row: Record<string, unknown> = {};
    const found: Record<string, Record<string, unknown>> = {};
    for (const [i, { lookup, column }] of places.entries())
      (lookup === undefined ? row : (found[lookup] ??= {}))[column] = choose(i);
    return { row, found };
  };
  return Array.from({ length: SPECIMENS }, (_, k) => k).flatMap((k) => {
    const base = (i: number): unknown => specimens[i]![k % specimens[i]!.length];
    const before = rowsOf(table, given(base));
    return places.flatMap((place, at) =>
      [...specimens[at]!, ...(place.declared.nullable ? [null] : [])].map((value): Trial => {
        const after = rowsOf(
          table,
          given((i) => (i === at ? value : base(i))),
        );
        return { place, value, before, after };
      }),
    );
  });
}

const placesOf = (table: Table, source: Source): Place[] =>
  [
    [undefined, source] as const,
    ...Object.entries(table.lookups).map(([lookup, one]) => [lookup, one.source] as const),
  ].flatMap(([lookup, { name, columns }]) =>
    Object.entries(columns).map(([column, declared]) => ({
      lookup,
      column,
      declared,
      origin: `${name}.${column}`,
    })),
  );

function rowsOf({ format }: Table, { row, found }: Given): readonly SourceRow[] {
  try {
    return [format(row, found)].flat() as SourceRow[];
  } catch {
    return []; // as it would be quarantined
  }
}

/** What a column is in all rows. */
const valuesOf = (rows: readonly SourceRow[], column: string): string =>
  JSON.stringify(rows.map((row) => row[column] ?? null));

/** Values that a column may hold, no two columns' the same where the type has enough of them. */
function specimensOf({ type, examples, scale = 0 }: Column, place: number): readonly unknown[] {
  if (examples !== undefined) return examples;
  if (type === "boolean") return [true, false];
  return DAYS.map((day, k) => {
    const number = 1 + place * SPECIMENS + k;
    const time = `0${k + 1}:${String(place % 60).padStart(2, "0")}:0${k}.${k + 1}23`;
    switch (type) {
      case "integer":
        return number;
      case "bigint":
        return String(number);
      case "decimal":
        return number.toFixed(scale);
      case "text":
        return `specimen ${number}`;
      case "date":
        return day;
      case "time":
        return time;
      case "timestamp":
        return `${day}T${time}`;
      case "timestamptz":
        return `${day}T${time}Z`;
    }
  });
}
