import * as v from "valibot";
import { COLUMN_TYPES } from "./columns.ts";
import { fileColumns, typeName } from "./parquet/schema.ts";
import {
  DELETED_AT,
  deletedAt,
  keyedBySource,
  keyOf,
  recordIdOf,
  referencesOf,
  type Column,
  type Columns,
  type Lookup,
  type Source,
  type Table,
} from "./table.ts";

/** A table module that cannot be used: says which file and field, and what was expected there. */
export class TableError extends Error {
  override readonly name = "TableError";
  constructor(file: string, field: string, problem: string, options?: ErrorOptions) {
    super(`tables/${file}: ${field ? `${field}: ` : ""}${problem}`, options);
  }
}

const columnShape = v.object({
  type: v.picklist(COLUMN_TYPES),
  nullable: v.boolean(),
  key: v.boolean(),
  precision: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(38))),
  scale: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(38))),
  references: v.optional(v.string()),
  generated: v.optional(v.literal(true)),
  meaning: v.optional(v.pipe(v.string(), v.nonEmpty())),
  examples: v.optional(v.array(v.unknown())),
});
const columnsShape = v.record(v.pipe(v.string(), v.nonEmpty()), columnShape);
const sourceShape = v.object({
  name: v.pipe(v.string(), v.nonEmpty()),
  schema: v.pipe(v.string(), v.nonEmpty()),
  columns: columnsShape,
  changes: v.variant("by", [
    v.object({ by: v.literal("snapshot") }),
    v.object({
      by: v.literal("timestamp"),
      column: v.string(),
      lag: v.pipe(v.number(), v.minValue(0)),
    }),
    v.object({ by: v.literal("full") }),
  ]),
  deletes: v.picklist(["ignore", "detect"]),
});
const tableShape = v.object({
  name: v.pipe(
    v.string(),
    v.regex(/^(dim|fact)_[a-z0-9_]+$/, "expected dim_… or fact_…, in lower case"),
  ),
  description: v.pipe(v.string(), v.regex(/^One row per ./, 'expected the grain: "One row per …"')),
  source: v.pipe(
    v.union([sourceShape, v.array(sourceShape)]),
    v.check((source) => [source].flat().length > 0, "expected a source (defineSource)"),
  ),
  lookups: v.optional(v.record(v.string(), v.object({ source: sourceShape, by: v.string() })), {}),
  columns: columnsShape,
  version: v.optional(v.pipe(v.number(), v.integer()), 1),
  deleted: v.optional(v.picklist(["keep", "mark", "remove"]), "keep"),
  distributed: v.optional(v.boolean(), false),
  format: v.function(),
});

/**
 * Checks the table modules one by one and together, and gives them in the order of their references: a table comes
 * after those that it refers to.
 *
 * @param modules file name → the file's exports; a file without a default export is no table module, unless its
 *   name says that it is one
 * @throws TableError for a module with a wrong shape, two of one name, a reference to nothing, a cycle, two modules
 *   that declare one source differently, or deletes that no table could be told of
 */
export function checkTables(
  modules: Readonly<Record<string, { readonly default?: unknown }>>,
): readonly Table[] {
  const files = new Map<string, string>();
  const tables: Table[] = [];
  for (const [file, module] of Object.entries(modules)) {
    if (!("default" in module) && !/^(dim|fact)_/.test(file)) continue;
    const table = checkShape(file, module.default);
    const other = files.get(table.name);
    if (other !== undefined)
      throw new TableError(file, "name", `${table.name} is the name of tables/${other} already`);
    if (`${table.name}.ts` !== file)
      throw new TableError(
        file,
        "name",
        `expected ${file.replace(/\.ts$/, "")}, the file's name, found ${table.name}`,
      );
    files.set(table.name, file);
    tables.push(table);
  }
  if (tables.length === 0) throw new TableError("", "", "no table module; see tables/README.md");
  checkSources(tables);
  checkDetected(tables);
  const byName = new Map(tables.map((table) => [table.name, table]));
  for (const table of tables) checkReferences(table, byName);
  return inOrder(tables, byName);
}

function checkShape(file: string, module: unknown): Table {
  if (module === undefined)
    throw new TableError(
      file,
      "",
      "has no default export; expected export default defineTable({ … })",
    );
  const parsed = v.safeParse(tableShape, module);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    const field = v.getDotPath(issue) ?? "default export";
    throw new TableError(file, field, `${issue.message} (found ${issue.received})`);
  }
  // The parsed value is a copy of plain data; sources keep their identity by name.
  const declared = module as Declared;
  checkNames(file, declared);
  const { name, description, version, deleted, distributed } = parsed.output;
  const sources = [parsed.output.source].flat() as Source[];
  const lookups = parsed.output.lookups as Record<string, Lookup>;
  const columns =
    deleted === "mark" ? { ...declared.columns, [DELETED_AT]: deletedAt } : declared.columns;
  const { format } = declared;
  const table: Table = {
    name,
    description,
    version,
    deleted,
    distributed,
    sources,
    lookups,
    columns,
    format,
  };
  for (const [column, declaration] of Object.entries(table.columns))
    checkColumn(file, `columns.${column}`, declaration);
  try {
    fileColumns(table.columns);
  } catch (error) {
    throw new TableError(file, "columns", (error as Error).message, { cause: error });
  }
  if (keyOf(table).length === 0)
    throw new TableError(file, "columns", "none is marked key(…); expected the natural key");
  const generated = Object.keys(table.columns).filter((column) => table.columns[column]!.generated);
  if (generated.length > 1)
    throw new TableError(file, `columns.${generated[1]}`, "a table has at most one record id");
  if (distributed && generated.length === 0)
    throw new TableError(
      file,
      "distributed",
      "is of tables that keep versions: expected a record id (serial); a table that is merged by its key has that in its primary key",
    );
  checkDeleted(file, table, declared.columns);
  for (const source of [...sources, ...Object.values(lookups).map((l) => l.source)])
    checkSource(file, source);
  for (const [lookup, { by, source }] of Object.entries(lookups)) {
    const field = `lookups.${lookup}`;
    const [target, ...more] = keyOf(source);
    if (target === undefined || more.length > 0)
      throw new TableError(file, field, `source ${source.name} needs exactly one key column`);
    for (const driving of sources) {
      const column = driving.columns[by];
      if (!column)
        throw new TableError(
          file,
          field,
          `source ${driving.name} has no column ${by}; it has ${Object.keys(driving.columns).join(", ")}`,
        );
      if (column.type !== source.columns[target]!.type)
        throw new TableError(
          file,
          field,
          `${driving.name}.${by} is ${column.type}, ${source.name}.${target} is ${source.columns[target]!.type}`,
        );
    }
  }
  return table;
}

function checkDeleted(file: string, table: Table, declared: Columns): void {
  const { deleted } = table;
  if (deleted === "mark" && Object.hasOwn(declared, DELETED_AT))
    throw new TableError(
      file,
      `columns.${DELETED_AT}`,
      'is declared, and deleted: "mark" adds it; expected another name',
    );
  if (keyedBySource(table) === undefined) {
    if (deleted === "keep") return;
    throw new TableError(
      file,
      "deleted",
      `"${deleted}" needs to know the row of a key that is gone: expected one source, whose key columns have the types of this ` +
        `table's, in order; found ${keyText(table)} and ${table.sources.map((source) => `${source.name} ${keyText(source)}`).join(", ")}`,
    );
  }
  if (keyOf(table).includes(DELETED_AT))
    throw new TableError(
      file,
      `columns.${DELETED_AT}`,
      "is part of the key; expected another name, as the lake says by this when a row was gone",
    );
}

const keyText = (of: { readonly columns: Columns }): string =>
  `(${keyOf(of)
    .map((column) => `${column} ${typeName(of.columns[column]!)}`)
    .join(", ")})`;

/** What a module exports, once its shape was seen to. */
type Declared = Pick<Table, "columns" | "format"> & {
  readonly source: Source | readonly Source[];
  readonly lookups?: Table["lookups"];
};

/** Names that no copy of an object has: what is called so would be left out in silence. */
const UNCOPIED = ["__proto__", "prototype", "constructor"];

function checkNames(file: string, { columns, source, lookups = {} }: Declared): void {
  const sources = [[source].flat(), Object.values(lookups).map((one) => one.source)].flat();
  const found = [
    ...Object.keys(columns).map((column) => [`columns.${column}`, column] as const),
    ...Object.keys(lookups).map((lookup) => [`lookups.${lookup}`, lookup] as const),
    ...sources.flatMap((one) =>
      [one.name, ...Object.keys(one.columns)].map((name) => [`source ${one.name}`, name] as const),
    ),
  ].find(([, name]) => UNCOPIED.includes(name));
  if (found)
    throw new TableError(
      file,
      found[0],
      `"${found[1]}" cannot be a name here; give the table or the column another, by a view in the source`,
    );
}

function checkColumn(file: string, field: string, column: Column): void {
  if (column.key && column.nullable)
    throw new TableError(file, field, "a key column cannot be nullable");
  if (column.key && column.generated)
    throw new TableError(file, field, "a record id cannot be the natural key");
}

function checkSource(file: string, source: Source): void {
  const field = `source ${source.name}`;
  if (keyOf(source).length === 0)
    throw new TableError(file, field, "no column is marked key(…); expected its primary key");
  const { changes } = source;
  if (changes.by === "timestamp") {
    const type = source.columns[changes.column]?.type;
    if (type !== "timestamp" && type !== "timestamptz")
      throw new TableError(
        file,
        field,
        `changes by ${changes.column}: expected a timestamp column, found ${type ?? "none of that name"}`,
      );
  }
}

/** One source is declared once: two declarations of the same table would be two truths. */
function checkSources(tables: readonly Table[]): void {
  const seen = new Map<string, { source: Source; file: string }>();
  for (const table of tables) {
    for (const source of allSources([table])) {
      const other = seen.get(source.name);
      if (other && JSON.stringify(other.source) !== JSON.stringify(source))
        throw new TableError(
          `${table.name}.ts`,
          `source ${source.name}`,
          `is declared differently in tables/${other.file}; declare it once and import it`,
        );
      seen.set(source.name, { source, file: `${table.name}.ts` });
    }
  }
}

/** What is detected must be of use to somebody. */
function checkDetected(tables: readonly Table[]): void {
  const told = new Set(
    tables.filter(({ deleted }) => deleted !== "keep").map((table) => keyedBySource(table)?.name),
  );
  for (const table of tables)
    for (const { name, deletes } of allSources([table]))
      if (deletes === "detect" && !told.has(name))
        throw new TableError(
          `${table.name}.ts`,
          `source ${name}`,
          `declares deletes: detect, and no table marks or removes its rows: expected one with ${name} as its only source, its key, ` +
            'and deleted: "mark" or "remove"',
        );
}

function checkReferences(table: Table, byName: ReadonlyMap<string, Table>): void {
  for (const { column, table: target } of referencesOf(table)) {
    const field = `columns.${column}`;
    const referred = byName.get(target);
    if (!referred)
      throw new TableError(
        `${table.name}.ts`,
        field,
        `refers to ${target}, which is no table; there are ${[...byName.keys()].join(", ")}`,
      );
    const [key, ...more] = keyOf(referred);
    if (more.length > 0 || recordIdOf(referred) !== undefined)
      throw new TableError(
        `${table.name}.ts`,
        field,
        `refers to ${target}, which is not merged by one key column`,
      );
    const expected = typeName(referred.columns[key!]!);
    const found = typeName(table.columns[column]!);
    if (expected !== found)
      throw new TableError(
        `${table.name}.ts`,
        field,
        `is ${found}; ${target}.${key} is ${expected}`,
      );
  }
}

function inOrder(tables: readonly Table[], byName: ReadonlyMap<string, Table>): readonly Table[] {
  const done = new Set<Table>();
  const visit = (table: Table, path: readonly string[]): void => {
    if (done.has(table)) return;
    if (path.includes(table.name))
      throw new TableError(
        `${table.name}.ts`,
        "columns",
        `references go in a circle: ${[...path, table.name].join(" → ")}`,
      );
    for (const { table: target } of referencesOf(table))
      visit(byName.get(target)!, [...path, table.name]);
    done.add(table);
  };
  for (const table of [...tables].sort((a, b) => (a.name < b.name ? -1 : 1))) visit(table, []);
  return [...done];
}

/** Every source that `tables` read, as driving or looked up, once each. */
export function allSources(tables: readonly Table[]): readonly Source[] {
  const sources = tables.flatMap((table) => [
    ...table.sources,
    ...Object.values(table.lookups).map((l) => l.source),
  ]);
  return [...new Map(sources.map((source) => [source.name, source])).values()];
}
