/** The star's tables as views over the lake: what all engines are told alike. What is right is what src/loading/ does. */
import { BATCH_COLUMN } from "../parquet/schema.ts";
import {
  DELETED_AT,
  deletedColumns,
  formattedColumns,
  keyedBySource,
  keyOf,
  recordIdOf,
  type Column,
  type Table,
} from "../table.ts";
import { placeholder, toText } from "../values.ts";
import { lines, type Dialect, type Files, type Scope, type View } from "./dialect.ts";

/** The rows that a table's files have. */
const rowsOf = ({ name, columns }: Table): Files => ({
  table: name,
  content: "rows",
  columns: Object.fromEntries(Object.entries(columns).filter(([, { generated }]) => !generated)),
});

/** The keys of its rows that are gone; undefined of a table that no deletion names a row of. */
const goneOf = (table: Table): Files | undefined =>
  keyedBySource(table) && {
    table: table.name,
    content: "deleted",
    columns: deletedColumns(table),
  };

/** All files that the views of `tables` read, by table and kind. */
export const filesOf = (tables: readonly Table[]): Files[] =>
  tables.flatMap((table) => [
    rowsOf(table),
    ...[goneOf(table)].filter((files) => files !== undefined),
  ]);

/** Which batches and objects there are, in an engine's words. */
export const lakeViewsOf = (dialect: Dialect, scope: Scope): View[] =>
  new Views(dialect, scope).lake();

/** The views of `tables`, which are over those. */
export const viewsOf = (tables: readonly Table[], dialect: Dialect, scope: Scope): View[] =>
  new Views(dialect, scope).star(tables);

class Views {
  readonly #dialect: Dialect;
  readonly #scope: Scope;

  constructor(dialect: Dialect, scope: Scope) {
    this.#dialect = dialect;
    this.#scope = scope;
  }

  lake(): View[] {
    return [this.#batches(), this.#objects()];
  }

  star(tables: readonly Table[]): View[] {
    return [...tables.flatMap((table) => this.#of(table)), this.#problems(tables)];
  }

  /** The batches that there are to be seen: those before the first whose number is missing, without those that were skipped. */
  #batches(): View {
    const { own } = this.#dialect;
    const asOf = this.#dialect.asOf(this.#scope);
    return {
      name: "etl_batch",
      columns: [
        ["batch", own.whole],
        ["kind", own.text],
        ["committed_at", own.text],
      ],
      query: `select batch, kind, committed_at\n  from ${IN_LINE}${where("skipped = 0", asOf !== undefined && `batch <= coalesce(${asOf}, batch)`)}`,
    };
  }

  /** The objects that are there: of a batch that was compacted those of the compaction alone. */
  #objects(): View {
    const { own, objectsIn, text, compacted, contains } = this.#dialect;
    const listed = (relation: string, columns: readonly string[]): string[] =>
      (["objects", "deleted"] as const).map(
        (list) =>
          `select *, ${text(list === "objects" ? "rows" : "deleted")} as content\n  from (${objectsIn(relation, list, columns)}) as listed`,
      );
    const described = ["kind", "committed_at"];
    const ofBatches = listed("etl_manifest", [
      "batch as first_batch",
      "batch as last_batch",
      ...described,
    ]);
    const ofCompactions = listed("etl_compaction", ["first_batch", "last_batch", ...described]);
    return {
      name: "etl_object",
      columns: [
        ["first_batch", own.whole],
        ["last_batch", own.whole],
        ["kind", own.text],
        ["committed_at", own.text],
        ["table_name", own.text],
        ["object_key", own.text],
        ["row_count", own.whole],
        ["byte_count", own.whole],
        ["sha256", own.text],
        ["content", own.text],
      ],
      query: `select o.*
  from (${indented(ofBatches.join("\nunion all\n"))}) as o
  left join etl_receipt as r on r.batch = o.first_batch${where(
    "o.first_batch in (select batch from etl_batch)",
    `o.first_batch not in (${compacted})`,
    `(r.left_out is null or not ${contains("r.left_out", "o.table_name")})`,
  )}
union all
select *
  from (${indented(ofCompactions.join("\nunion all\n"))}) as o${where("first_batch <= (select max(batch) from etl_batch)")}`,
    };
  }

  #of(table: Table): View[] {
    const { name } = table;
    const views = [this.#rows(rowsOf(table), table)];
    const gone = goneOf(table);
    if (gone) views.push(this.#gone(gone, table));
    const columns = this.#typed(rowsOf(table).columns);
    const recordId = recordIdOf(table);
    if (recordId === undefined) return [...views, { name, columns, query: this.#current(table) }];
    return [
      ...views,
      {
        name,
        columns: [[recordId, this.#dialect.own.whole], ...columns],
        query: this.#versions(table, recordId),
      },
      { name: `${name}_latest`, columns, query: this.#current(table) },
    ];
  }

  /** Every row that was committed, with its batch. */
  #rows(files: Files, table: Table): View {
    const name = `etl_rows_${files.table}`;
    const { from, where: isCommitted } = this.#dialect.rowsIn(files, this.#scope);
    const values = Object.entries(files.columns).map(
      ([column, declared]) => `${this.#valueOf(declared, column)} as ${this.#name(column)}`,
    );
    return {
      name,
      columns: [...this.#typed(files.columns), [BATCH_COLUMN, this.#dialect.own.whole]],
      query: `select ${lines([...values, BATCH], "       ")}\n  from ${from}${where(isCommitted, ...this.#isLoaded(table))}`,
    };
  }

  /** The keys that are gone, of batches that the table heeds them of. */
  #gone(files: Files, table: Table): View {
    const { from, where: isCommitted } = this.#dialect.rowsIn(files, this.#scope);
    const columns = Object.keys(files.columns).map((column) => this.#name(column));
    return {
      name: `etl_gone_${files.table}`,
      columns: [...this.#typed(files.columns), [BATCH_COLUMN, this.#dialect.own.whole]],
      query: `select ${[...columns, BATCH].join(", ")}\n  from ${from}${where(
        isCommitted,
        ...this.#isLoaded(table),
        // Files of before the table had this key.
        ...columns.map((column) => `${column} is not null`),
        table.deleted === "keep" &&
          `${BATCH} in (select batch from etl_batch where kind = ${this.#dialect.text("resync")})`,
      )}`,
    };
  }

  /** Of each key the newest row. */
  #current(table: Table): string {
    const columns = formattedColumns(table);
    const key = this.#names(keyOf(table));
    if (marks(table)) {
      const deletedAt = this.#name(DELETED_AT);
      return `with ${this.#events(table)}
select ${this.#names(columns)}, case when _gone_next = 1 then _deleted_next end as ${deletedAt}
  from (select *, row_number() over (partition by ${key}, _gone order by ${BATCH} desc) as _nth from event) as newest
 where _gone = 0 and _nth = 1`;
    }
    const { before, rows } = this.#live(table);
    return `${before}select ${this.#names(columns)}
  from (select *, row_number() over (partition by ${key} order by ${BATCH} desc) as _nth from ${rows}) as newest
 where _nth = 1`;
  }

  /** Each state that differs from the one before it. */
  #versions(table: Table, recordId: string): string {
    const columns = formattedColumns(table);
    const key = this.#names(keyOf(table));
    const state = columns.filter((column) => !keyOf(table).includes(column));
    const changed = (window: string): string =>
      state.length === 0
        ? "1 = 0"
        : this.#dialect.isChanged(
            state.map((column) => this.#name(column)),
            window,
          );
    const id = `row_number() over (order by ${BATCH}, ${key}`;
    if (marks(table)) {
      const deletedAt = this.#name(DELETED_AT);
      const window = `(partition by ${key} order by ${BATCH}, _gone)`;
      return `with ${this.#events(table)},
seen as (
  select *, row_number() over ${window} as _nth, lag(_gone) over ${window} as _gone_before, ${changed(window)} as _changed
    from event
),
version as (
  select ${this.#names(columns)}, cast(null as ${this.#dialect.type(table.columns[DELETED_AT]!)}) as ${deletedAt}, ${BATCH}, _gone
    from seen
   where _gone = 0 and (_nth = 1 or _gone_before = 1 or _changed)
  union all
  select ${this.#names(columns)}, _deleted_next, _batch_next, 1
    from event
   where _gone = 0 and _gone_next = 1
)
select ${id}, _gone) as ${this.#name(recordId)}, ${this.#names([...columns, DELETED_AT])}
  from version`;
    }
    const { before, rows } = this.#live(table);
    const window = `(partition by ${key} order by ${BATCH})`;
    return `${before}select ${id}) as ${this.#name(recordId)}, ${this.#names(columns)}
  from (select *, row_number() over ${window} as _nth, ${changed(window)} as _changed
          from ${rows}) as seen
 where _nth = 1 or _changed`;
  }

  /** The rows that no later deletion removed, of a table that knows of any. */
  #live(table: Table): { readonly before: string; readonly rows: string } {
    const rows = `etl_rows_${table.name}`;
    if (!goneOf(table)) return { before: "", rows: this.#name(rows) };
    const key = keyOf(table);
    const all = [...formattedColumns(table), BATCH_COLUMN].map((column) => this.#name(column));
    const sameKey = key.map((column) => `r.${this.#name(column)} = g.${this.#name(column)}`);
    return {
      before: `with live as (
  select ${all.map((column) => `r.${column} as ${column}`).join(", ")}
    from ${this.#name(rows)} as r
    left join (select ${this.#names(key)}, max(${BATCH}) as _last from ${this.#name(`etl_gone_${table.name}`)} group by ${this.#names(key)}) as g
      on ${sameKey.join(" and ")}
   where g._last is null or r.${BATCH} > g._last
)
`,
      rows: "live",
    };
  }

  /** Rows and marks of each record, in the order of loading, each with what comes next. */
  #events(table: Table): string {
    const columns = formattedColumns(table);
    const key = keyOf(table);
    const { type } = this.#dialect;
    const window = `(partition by ${this.#names(key)} order by ${BATCH}, _gone)`;
    const ofMark = columns.map((column) =>
      key.includes(column)
        ? this.#name(column)
        : `cast(null as ${type(table.columns[column]!)}) as ${this.#name(column)}`,
    );
    return `event as (
  select *, lead(_gone) over ${window} as _gone_next, lead(_deleted) over ${window} as _deleted_next,
         lead(${BATCH}) over ${window} as _batch_next
    from (select ${this.#names(columns)}, cast(null as ${type(table.columns[DELETED_AT]!)}) as _deleted, ${BATCH}, 0 as _gone
            from ${this.#name(`etl_rows_${table.name}`)}
           union all
          select ${ofMark.join(", ")}, ${this.#name(DELETED_AT)} as _deleted, ${BATCH}, 1 as _gone
            from ${this.#name(`etl_gone_${table.name}`)}) as happened
)`;
  }

  /** What is wrong with the lake that a query would not notice: nothing, mostly. */
  #problems(tables: readonly Table[]): View {
    const { own, text, counted, fileName, compacted } = this.#dialect;
    const problem = (words: string, batch: string, from: string): string =>
      `select ${text(words)} as problem, ${batch} as batch, ${text("")} as object_key\n  from ${from}`;
    // Whatever tells of a batch, and of the one before it.
    const told = `(select batch as n from etl_manifest union all select batch from etl_receipt union all select batch from (${compacted}) as compacted)`;
    const missing = [
      problem(
        "there are no manifests: it is another place, or nothing has run",
        "0",
        "(select count(*) as n from etl_manifest) as counted where n = 0",
      ),
      problem(
        "its manifest is missing",
        "n",
        `(select n from ${told} as told
         union distinct
        select n - 1 as n from ${told} as told where n > 1
         union distinct
        select coalesce(max(batch), 0) + 1 as n from ${IN_LINE}) as numbers
 where n > 0 and n not in (select batch from ${KNOWN} as known) and n < (select max(n) + 1 from ${told} as told)`,
      ),
      problem(
        "the compaction that ends with it is missing",
        "n",
        `(select first_batch - 1 as n from etl_compaction where first_batch > 1) as before_each
 where n not in (select last_batch from etl_compaction)`,
      ),
    ];
    const asOf = this.#dialect.asOf(this.#scope);
    if (asOf !== undefined)
      missing.push(
        problem(
          "it is asked for and not there: what is shown ends before it",
          "as_of",
          `(select coalesce(max(batch), 0) as n, ${asOf} as as_of from ${IN_LINE}) as asked\n where n < as_of`,
        ),
      );
    const counts = counted && filesOf(tables).map((files) => counted(files, this.#scope));
    const objects =
      counts === undefined
        ? []
        : [
            `select case when coalesce(f.found, 0) = 0 then ${text("the object is gone")} else ${text("the object has other rows than its manifest says")} end as problem,
       o.last_batch as batch, o.object_key as object_key
  from etl_object as o
  left join (${indented(counts.join("\nunion all\n"))}) as f
    on f.table_name = o.table_name and f.content = o.content and f.file_name = ${fileName("o.object_key")}
 where coalesce(f.found, 0) <> o.row_count
   and concat(o.content, '/', o.table_name) in (${filesOf(tables)
     .map(({ table, content }) => text(`${content}/${table}`))
     .join(", ")})`,
          ];
    return {
      name: "etl_problem",
      columns: [
        ["problem", own.text],
        ["batch", own.whole],
        ["object_key", own.text],
      ],
      query: [...missing, ...objects].join("\nunion all\n"),
    };
  }

  #valueOf(column: Column, name: string): string {
    const inFile = this.#dialect.value(column, this.#name(name));
    if (column.nullable || column.key) return inFile;
    // What the warehouse has in rows of before the column was declared.
    return `coalesce(${inFile}, ${this.#placeholder(column)})`;
  }

  #placeholder(column: Column): string {
    const { text, type, utc } = this.#dialect;
    const value = placeholder({ ...column, nullable: false });
    if (column.type === "boolean") return "false";
    const written = toText(column, value).replace("T", " ").replace(/\+00$/, utc);
    return `cast(${text(column.type === "time" ? "00:00:00.000000" : written)} as ${type(column)})`;
  }

  /** True of the rows of batches that are to be seen, but for those that the warehouse left this table out of. */
  #isLoaded({ name }: Table): string[] {
    const { contains, text } = this.#dialect;
    return [
      `${BATCH} in (select batch from etl_batch)`,
      `${BATCH} not in (select batch from etl_receipt where batch > 0 and ${contains("left_out", text(name))})`,
    ];
  }

  #typed(columns: Files["columns"]): [string, string][] {
    return Object.entries(columns).map(([name, column]) => [name, this.#dialect.type(column)]);
  }

  #name(identifier: string): string {
    return this.#dialect.name(identifier);
  }

  #names(identifiers: readonly string[]): string {
    return identifiers.map((identifier) => this.#name(identifier)).join(", ");
  }
}

const marks = ({ deleted }: Table): boolean => deleted === "mark";

const BATCH = BATCH_COLUMN;

/** The batches that are accounted for: each has its manifest, or was skipped, with one or without. */
const KNOWN = `(select batch, max(kind) as kind, max(committed_at) as committed_at, max(skipped) as skipped
          from (select batch, kind, committed_at, 0 as skipped from etl_manifest where batch > 0
                 union all
                select batch, null, null, 1 from etl_receipt where batch > 0 and skipped_why is not null) as named
         group by batch)`;
/** Those before the first whose number is missing: without a gap, the nth number is n. */
const IN_LINE = `(select batch, kind, committed_at, skipped
          from (select batch, kind, committed_at, skipped, row_number() over (order by batch) as _nth
                  from ${KNOWN.replaceAll("\n", "\n        ")} as known) as numbered
         where batch = _nth) as in_line`;

const where = (...conditions: (string | false | undefined)[]): string => {
  const all = conditions.filter((one) => one !== undefined && one !== false);
  return all.length === 0 ? "" : `\n where ${all.join("\n   and ")}`;
};

const indented = (query: string): string => query.replaceAll("\n", "\n        ");
