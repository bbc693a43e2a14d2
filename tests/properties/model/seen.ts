// What the runs of a history saw of the shop, and what the warehouse may hold after that: nothing but that, and all of that.
import {
  allDays,
  calendar,
  isUnfit,
  STAR,
  starRow,
  type Rules,
  type StarRow,
  type StarTable,
} from "./star.ts";
import type { ShopRow, ShopState } from "./shop.ts";

/** One batch, or the look at the source after which a run had nothing to write. */
export interface Sight {
  /** The batch; of a look without one, the newest that there was. */
  readonly batch: number;
  /** The source as it was seen. */
  readonly state: ShopState;
  /** Which star tables the batch was read for. */
  readonly tables: ReadonlySet<string>;
  /** By which rules its star rows are made; of a look without a batch, by which they would be. */
  rules: Rules | undefined;
  /** The rules that its fingerprints stand for: rows that did not change since are as these had them. */
  readonly readUnder: Rules;
}

/** The batches between two moments at which ingestion was done. */
export interface Run {
  readonly sights: Sight[];
  isDone: boolean;
  /** True where everything was asked for in the middle, and the same row may have been read twice. */
  mayRepeat: boolean;
}

/** The warehouse as it is: rows of each star table, versions in the order of their record ids. */
export type Warehouse = ReadonlyMap<string, readonly StarRow[]>;

/** The same text for the same values, whatever their order. */
const text = (row: StarRow): string =>
  JSON.stringify(Object.fromEntries(Object.entries(row).toSorted(([a], [b]) => (a < b ? -1 : 1))));

/** What one run may have made of a row: a version, or null where it made none. */
interface Chances {
  readonly made: readonly (string | null)[];
  /** False where the run need not have read the row at all. */
  readonly mustBeRead: boolean;
  readonly mayRepeat: boolean;
}

/**
 * Holds the warehouse against what was seen.
 * @param loaded the newest batch in it
 * @returns where it is not as it must be, one text each
 */
export function differences(runs: readonly Run[], loaded: number, warehouse: Warehouse): string[] {
  const started = runs.filter(({ sights }) => sights[0]!.batch <= loaded);
  const found: string[] = [];
  const referred = new Map<string, Set<string>>();
  // Facts first: what they refer to is to be in the dimensions.
  for (const table of STAR.toReversed()) {
    const rowsOf = byKey(table, warehouse.get(table.name) ?? []);
    const ids = new Set(
      started.flatMap(({ sights }) => sights.flatMap(({ state }) => state.ids(table.source))),
    );
    for (const id of new Set([...[...ids].map(String), ...rowsOf.keys()])) {
      const rows = (rowsOf.get(id) ?? []).map(text);
      const chances = started.map((run) => chancesOf(table, Number(id), run, loaded, started));
      const problem =
        table.recordId === undefined
          ? dimensionProblem(table, id, rows, chances, referred.get(table.name)?.has(id) ?? false)
          : versionsProblem(rows, chances);
      if (problem !== undefined)
        found.push(
          `${table.name} ${id} ${problem}; found ${rows.join(", ") || "no row"}; the runs saw ` +
            chances
              .map(
                ({ made, mustBeRead }) =>
                  `${mustBeRead ? "" : "perhaps "}${made.map((row) => row ?? "nothing").join(" or ")}`,
              )
              .join(" | "),
        );
    }
    for (const row of warehouse.get(table.name) ?? [])
      for (const [column, target] of Object.entries(table.references)) {
        const keys = referred.get(target) ?? new Set();
        referred.set(target, keys.add(row[column]!));
      }
  }
  for (const [target, keys] of referred) {
    const table = STAR.find(({ name }) => name === target);
    const key = table?.key ?? "date_id";
    const there = new Set((warehouse.get(target) ?? []).map((row) => row[key]));
    for (const id of keys)
      if (!there.has(id)) found.push(`${target} ${id} is referred to and is not there`);
  }
  return [...found, ...calendarProblems(started, loaded, warehouse)];
}

function byKey({ key }: StarTable, rows: readonly StarRow[]): Map<string, StarRow[]> {
  const found = new Map<string, StarRow[]>();
  for (const row of rows) found.set(row[key]!, [...(found.get(row[key]!) ?? []), row]);
  return found;
}

function chancesOf(
  table: StarTable,
  id: number,
  { sights, isDone, mayRepeat }: Run,
  loaded: number,
  started: readonly Run[],
): Chances {
  const there = sights.filter(({ batch }) => batch <= loaded);
  const serving = there.filter(({ tables }) => tables.has(table.name));
  const made = serving.map(({ state, rules, readUnder }) => {
    const row = starRow(table, state, id, rules ?? readUnder);
    return row === undefined || isUnfit(row) ? null : text(row);
  });
  // Rules that came between reading and making: a row that did not change stays as it was until it is read for them.
  const newest = Math.max(...there.map(({ batch }) => batch));
  const before = started.flatMap((run) => run.sights).filter(({ batch }) => batch <= newest);
  const isMixed = there.some(({ readUnder }) =>
    before.some(
      ({ rules }) => rules !== undefined && rules !== readUnder && isNewer(rules, readUnder),
    ),
  );
  const mustBeRead =
    isDone &&
    there.length === sights.length &&
    serving.length === there.length &&
    (table.name !== "dim_currency" || !isMixed);
  return { made, mustBeRead, mayRepeat };
}

const isNewer = (a: Rules, b: Rules): boolean => a.takesAnyCurrency && !b.takesAnyCurrency;

/** Each run read the row once, at one of its sights; a version is there for each state that differs from the one before. */
function versionsProblem(
  versions: readonly string[],
  chances: readonly Chances[],
): string | undefined {
  let reached = new Set([0]);
  for (const { made, mustBeRead, mayRepeat } of chances) {
    const step = (from: ReadonlySet<number>, version: string | null): number[] =>
      [...from].flatMap((at) => {
        if (version === null || versions[at - 1] === version) return [at];
        return versions[at] === version ? [at + 1] : [];
      });
    const next = new Set(mustBeRead ? [] : reached);
    for (const version of made)
      for (const at of step(mayRepeat ? new Set([...reached, ...next]) : reached, version))
        next.add(at);
    reached = next;
  }
  return reached.has(versions.length) ? undefined : "has other versions than the runs saw";
}

function dimensionProblem(
  table: StarTable,
  id: string,
  rows: readonly string[],
  chances: readonly Chances[],
  isReferred: boolean,
): string | undefined {
  if (rows.length > 1) return "is there more than once";
  let possible = new Set<string | null>([null]);
  for (const { made, mustBeRead } of chances) {
    const next = new Set(mustBeRead ? [] : possible);
    for (const row of made) {
      if (row !== null) next.add(row);
      else for (const before of possible) next.add(before);
    }
    possible = next;
  }
  const [row] = rows;
  if (row === undefined)
    return possible.has(null) && !isReferred ? undefined : "is not there, and should be";
  if (possible.has(row)) return undefined;
  const inferred = text({ [table.key]: id, ...table.unknown });
  return possible.has(null) && isReferred && row === inferred
    ? undefined
    : "is not as it was seen last";
}

/** dim_date holds no day that no fact's row had, each as the calendar has it. */
function calendarProblems(started: readonly Run[], loaded: number, warehouse: Warehouse): string[] {
  const sights = started.flatMap((run) => run.sights.filter(({ batch }) => batch <= loaded));
  const allowed = new Set(sights.flatMap(({ state }) => allDays(state)));
  return (warehouse.get("dim_date") ?? []).flatMap((row) => {
    const day = row["date_id"]!;
    if (!allowed.has(day)) return [`dim_date has ${day}, which no fact's row ever had`];
    const expected = text(calendar(day));
    return text(row) === expected ? [] : [`dim_date has ${text(row)}, expected ${expected}`];
  });
}

/** A row in quarantine, as the processed bucket has it. */
export interface Quarantined {
  readonly batch: number;
  readonly table: string;
  readonly key: unknown;
  readonly reason: string;
  readonly row: Readonly<Record<string, unknown>>;
}

/** Where a quarantined row is not one that did not fit when its batch was read, one text each. */
export function wronglyQuarantined(
  sights: readonly Sight[],
  rows: readonly Quarantined[],
): string[] {
  return rows.flatMap((rejected) => {
    const where = `batch ${rejected.batch}: ${rejected.table} ${String(rejected.key)}`;
    const sight = sights.find(
      ({ batch, rules }) => batch === rejected.batch && rules !== undefined,
    );
    const table = STAR.find(({ name }) => name === rejected.table);
    if (!sight || !table) return [`${where} is quarantined, of no batch or table that there was`];
    const id = Number(rejected.key);
    const made = starRow(table, sight.state, id, sight.rules!);
    if (made === undefined) return [`${where} is quarantined and was not there`];
    if (!isUnfit(made)) return [`${where} is quarantined, and fits: ${rejected.reason}`];
    if (!made.unfit.some((word) => rejected.reason.includes(word)))
      return [`${where}: the reason ${rejected.reason} names none of ${made.unfit.join(", ")}`];
    const { [`${table.source}_id`]: _, ...found } = rejected.row;
    const shown = text(asSource(found));
    const expected = text(sight.state.get(table.source, id)!);
    return shown === expected ? [] : [`${where} is quarantined as ${shown}, expected ${expected}`];
  });
}

/** A source row as its JSON has it, each value as PostgreSQL prints it. */
const asSource = (row: Readonly<Record<string, unknown>>): ShopRow =>
  Object.fromEntries(
    Object.entries(row).map(([column, value]) => {
      const shown = typeof value === "string" || value === null ? value : JSON.stringify(value);
      return [column, column in STAMPS ? (shown?.replace("T", " ") ?? null) : shown];
    }),
  );

const STAMPS = { created_at: true, last_updated: true };

/** Rows that a run must have quarantined (they changed since the one before, and do not fit) and did not, one text each. */
export function missedByQuarantine(runs: readonly Run[], rows: readonly Quarantined[]): string[] {
  const there = new Set(rows.map(({ batch, table, key }) => `${batch} ${table} ${String(key)}`));
  return runs.flatMap((run, i) => {
    const [first] = run.sights;
    const isOneLook = new Set(run.sights.map(({ state }) => state)).size === 1;
    if (!run.isDone || !isOneLook || first!.rules === undefined) return [];
    const before = runs[i - 1]?.sights ?? [];
    return STAR.filter(({ name }) => first!.tables.has(name)).flatMap((table) =>
      first!.state.ids(table.source).flatMap((id) => {
        const made = starRow(table, first!.state, id, first!.rules!);
        const inputs = inputsOf(table, first!.state, id);
        const isChanged = before.every(({ state }) => {
          const [row, found] = inputsOf(table, state, id);
          // That a looked-up row is gone is no change of the row that looks it up.
          return row !== inputs[0] || (inputs[1] !== undefined && found !== inputs[1]);
        });
        if (made === undefined || !isUnfit(made) || !isChanged) return [];
        return run.sights.some(({ batch }) => there.has(`${batch} ${table.name} ${id}`))
          ? []
          : [`${table.name} ${id} did not fit in batch ${first!.batch}, and is not quarantined`];
      }),
    );
  });
}

function inputsOf(
  { source, lookup }: StarTable,
  state: ShopState,
  id: number,
): [row: string | undefined, found: string | undefined] {
  const row = state.get(source, id);
  const found = lookup && row && state.get(lookup.source, Number(row[lookup.by]));
  return [row && JSON.stringify(row), found && JSON.stringify(found)];
}
