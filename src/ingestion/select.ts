import type { CatalogueColumn, CatalogueTable } from "../postgres/catalogue.ts";
import { literal, name, names, qualified } from "../postgres/sql.ts";
import { keyOf, type Source, type Table } from "../table.ts";
import {
  inRange,
  namedColumns,
  namedKey,
  namedRows,
  orderOf,
  type Key,
  type Range,
} from "./keyset.ts";
import type { Plan } from "./plan.ts";

/** Which of a source's rows drive a batch: those within a stretch that changed, or those that were named. */
export type Extent = Range | { readonly keys: readonly Key[] };

/**
 * Makes the queries of one run, each of lines of JSON, as texts for COPY: no parameters are possible there, so that every
 * name and value is escaped here.
 */
export class Queries {
  readonly #tables: readonly Table[];
  readonly #catalogue: ReadonlyMap<string, CatalogueTable>;
  readonly #plan: Plan;
  readonly #marks: Readonly<Record<string, string>>;

  /** @param marks by source, the newest value of a timestamp column up to which the run before had read */
  constructor(
    tables: readonly Table[],
    catalogue: ReadonlyMap<string, CatalogueTable>,
    plan: Plan,
    marks: Readonly<Record<string, string>>,
  ) {
    this.#tables = tables;
    this.#catalogue = catalogue;
    this.#plan = plan;
    this.#marks = marks;
  }

  /** The rows of `source` that drive tables (changed ones, and those whose looked-up row changed) after a key, in its order. */
  driving(source: Source, after: Key | null): string {
    return this.#copy(source, this.#isIn(source, "t", { after, upTo: null }));
  }

  /** The rows of `source` that have one of `keys`, in its order. */
  named(source: Source, keys: readonly Key[]): string {
    return this.#copy(source, this.#isIn(source, "t", { keys }));
  }

  /** Those of `keys` that no row of `source` has, each once: lines of the key's columns, as a row would have them. */
  gone(source: Source, keys: readonly Key[]): string {
    const catalogue = this.#catalogue.get(source.name)!;
    const theirs = names(keyOf(source), "k.");
    const rows =
      `select distinct ${theirs} from ${namedRows(source, catalogue, keys)} where not exists ` +
      `(select from ${place(source)} t where (${namedKey(source, catalogue, "t")}) = (${theirs}))`;
    const columns = namedColumns(source, catalogue);
    return `select ${rowAsJson(source, columns)} from (${rows}) t`;
  }

  /** The sources that rows of those named look up. */
  lookedUpBy(seekers: ReadonlySet<string>): Source[] {
    const found = this.#edges().filter(({ from }) => seekers.has(from.name));
    return [...new Map(found.map(({ target }) => [target.name, target])).values()];
  }

  /**
   * The rows of `target` that are looked up by a batch's driving rows and are not driving in it themselves; undefined
   * where there can be none.
   * @param extents by source, which rows drive the batch
   */
  lookedUp(target: Source, extents: ReadonlyMap<string, Extent>): string | undefined {
    const wanted = this.#edges().flatMap(({ from, by, target: to }) => {
      const extent = extents.get(from.name);
      if (to.name !== target.name || !extent) return [];
      const seekers = `select x.${name(by)} from ${place(from)} x where ${this.#isIn(from, "x", extent)}`;
      return [`t.${name(keyOf(target)[0]!)} in (${seekers})`];
    });
    const own = extents.get(target.name);
    const driving = own ? this.#isIn(target, "t", own) : "false";
    if (wanted.length === 0 || driving === "true") return undefined;
    return this.#copy(target, `(${driving}) is not true and (${wanted.join(" or ")})`);
  }

  /**
   * A condition that is true of a driving row `row` that changed, or whose looked-up row did.
   * @param inFull whether a row of a source that is read in full has changed: it does not say
   */
  changed(source: Source, row: string, inFull: boolean): string {
    return this.#drives(source, row, String(inFull));
  }

  #copy(source: Source, where: string): string {
    const catalogue = this.#catalogue.get(source.name)!;
    return linesOf(source, catalogue, where, orderOf(source, catalogue, "t"));
  }

  /** Every "row of `from` looks up the row of `target` whose key is in its column `by`", once each. */
  #edges(): { from: Source; by: string; target: Source }[] {
    const edges = this.#tables.flatMap((table) =>
      table.sources.flatMap((from) =>
        Object.values(table.lookups).map(({ source, by }) => ({ from, by, target: source })),
      ),
    );
    return [
      ...new Map(
        edges.map((e) => [JSON.stringify([e.from.name, e.by, e.target.name]), e]),
      ).values(),
    ];
  }

  /** True of a driving row within `extent`. */
  #isIn(source: Source, row: string, extent: Extent): string {
    const catalogue = this.#catalogue.get(source.name)!;
    if ("keys" in extent)
      return `(${namedKey(source, catalogue, row)}) in (select * from ${namedRows(source, catalogue, extent.keys)})`;
    const drives = this.#drives(source, row);
    const within = inRange(source, catalogue, row, extent);
    if (within === "true") return drives;
    return drives === "true" ? within : `(${drives}) and ${within}`;
  }

  /**
   * True of a row that changed, or whose looked-up row did.
   * @param inFull of a source that is read in full
   */
  #drives(source: Source, row: string, inFull = "true"): string {
    const changed = this.#plan.whole.has(source.name) ? "true" : this.#changed(source, row, inFull);
    if (changed === "true") return changed;
    const through = this.#edges()
      .filter((edge) => edge.from.name === source.name)
      .map(
        ({ by, target }) =>
          `${row}.${name(by)} in (select l.${name(keyOf(target)[0]!)} from ${place(target)} l where ${this.#changed(target, "l", inFull)})`,
      );
    return [changed, ...through].join(" or ");
  }

  #changed(source: Source, row: string, inFull: string): string {
    const { changes } = source;
    if (this.#plan.since === null) return "true";
    if (changes.by === "full") return inFull;
    if (changes.by === "timestamp") {
      const newest = this.#marks[source.name];
      if (newest === undefined) return "true";
      const column = `${row}.${name(changes.column)}`;
      const type = source.columns[changes.column]!.type;
      return `(${column} is null or ${column} >= ${literal(newest)}::${type} - make_interval(secs => ${Number(changes.lag)}))`;
    }
    // Not pg_visible_in_snapshot: it does not know the sub-transaction ids that savepoints write.
    return `age(${row}.xmin) <= age(${literal(this.#plan.since)}::xid8::xid)`;
  }
}

const place = (source: Source): string => qualified(source.schema, source.name);

/**
 * A query, for COPY, of a source's rows as lines of JSON.
 * @param where true of the rows `t` that are wanted
 * @param order of `t`, for ORDER BY; in any order where undefined
 */
export function linesOf(
  source: Source,
  catalogue: CatalogueTable,
  where: string,
  order?: string,
): string {
  const columns = catalogue.columns.filter((column) => column.selectable);
  // Sorted first and written as JSON after: a sort of finished lines would carry many times the bytes.
  const rows =
    `select ${names(
      columns.map((column) => column.name),
      "t.",
    )} from ${place(source)} t ` +
    `where ${where}${order === undefined ? "" : ` order by ${order}`}`;
  return `select ${rowAsJson(source, columns)} from (${rows}) t`;
}

/** A function takes 100 arguments at most. */
const ARGUMENTS = 80;

/**
 * SQL for one row as one line of JSON: the same bytes as row_to_json in two thirds of the time, but for numbers beyond
 * a double's reach, which go as text.
 */
function rowAsJson(source: Source, columns: readonly CatalogueColumn[]): string {
  const parts: string[] = [];
  // What stands between two values is one argument: each costs.
  let text = "{";
  for (const [i, column] of columns.entries()) {
    const { value, quote } = valueAsJson(column, source.columns[column.name]?.type);
    text += `${i > 0 ? "," : ""}${JSON.stringify(column.name)}:${quote}`;
    parts.push(literal(text), value);
    text = quote;
  }
  parts.push(literal(`${text}}`));
  const calls: string[] = [];
  for (let at = 0; at < parts.length; at += ARGUMENTS)
    calls.push(`concat(${parts.slice(at, at + ARGUMENTS).join(", ")})`);
  return calls.length === 1 ? calls[0]! : `concat(${calls.join(", ")})`;
}

const BARE = ["int2", "int4"];
const NUMBERS = ["int2", "int4", "int8", "numeric"];
const AS_JSON = [
  "bool",
  "text",
  "varchar",
  "bpchar",
  "name",
  "citext",
  "uuid",
  "date",
  "time",
  "timetz",
  "timestamp",
  "timestamptz",
  "float4",
  "float8",
];

/** A value as JSON, between the quotes that are to stand around it. */
function valueAsJson(
  column: CatalogueColumn,
  declared: string | undefined,
): { value: string; quote: string } {
  const value = `t.${name(column.name)}`;
  const bare = BARE.includes(column.base) && declared !== "bigint" && declared !== "decimal";
  if (column.notNull && NUMBERS.includes(column.base)) return { value, quote: bare ? "" : '"' };
  const json = bare
    ? value
    : NUMBERS.includes(column.base)
      ? `('"' || ${value} || '"')`
      : AS_JSON.includes(column.base) || column.isEnum
        ? `to_json(${value})`
        : `to_json(${value}::text)`;
  return { value: column.notNull ? json : `coalesce(${json}::text, 'null')`, quote: "" };
}
