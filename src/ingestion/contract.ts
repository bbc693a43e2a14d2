import type { CatalogueColumn, CatalogueTable } from "../postgres/catalogue.ts";
import type { ColumnType, Source } from "../table.ts";

/** The source is not what the table modules were written for. Nothing was read and nothing written. */
export class ContractError extends Error {
  override readonly name = "ContractError";
  constructor(problems: readonly string[]) {
    super(
      `the source does not fit the declarations in tables/: ${problems.join("; ")}. ` +
        "Change tables/sources.ts, or the database, until they agree",
    );
  }
}

const TEXTS = ["text", "varchar", "bpchar", "name", "citext", "uuid"];

/** The catalogue types whose every value fits a declared type. */
const FITTING: Readonly<Record<ColumnType, readonly string[]>> = {
  integer: ["int2", "int4"],
  bigint: ["int2", "int4", "int8"],
  boolean: ["bool"],
  text: TEXTS,
  date: ["date"],
  time: ["time"],
  timestamp: ["timestamp"],
  timestamptz: ["timestamptz"],
  decimal: ["int2", "int4", "int8", "numeric"],
};

const fits = (declared: ColumnType, { base, isEnum }: CatalogueColumn): boolean =>
  FITTING[declared].includes(base) || (declared === "text" && isEnum);

/**
 * Holds the source's catalogue against the declared sources.
 * @returns columns that are there and not declared, as `table.column`
 * @throws ContractError naming every table and column that is missing, of another type or not readable
 */
export function checkContract(
  sources: readonly Source[],
  catalogue: ReadonlyMap<string, CatalogueTable>,
): string[] {
  const problems: string[] = [];
  const undeclared: string[] = [];
  for (const source of sources) {
    const table = catalogue.get(source.name);
    if (!table) {
      problems.push(`table ${source.schema}.${source.name} is not there`);
      continue;
    }
    if (source.changes.by === "snapshot" && (table.kind === "v" || table.kind === "f"))
      problems.push(
        `${source.name} is a ${table.kind === "v" ? "view" : "foreign table"} and has no xmin: ` +
          "declare its changes as full, or as timestampOf(column, { lag })",
      );
    if (table.rowSecurity)
      problems.push(
        `${source.name}: row level security would hide rows from this user: ALTER ROLE … BYPASSRLS`,
      );
    const found = new Map(table.columns.map((column) => [column.name, column]));
    for (const [name, declared] of Object.entries(source.columns)) {
      const column = found.get(name);
      const where = `${source.name}.${name}`;
      if (!column) problems.push(`${where}: expected ${declared.type}, found no such column`);
      else if (!fits(declared.type, column))
        problems.push(`${where}: expected ${declared.type}, found ${column.type}`);
      else if (!column.selectable) problems.push(`${where}: this user may not SELECT it`);
      found.delete(name);
    }
    // Without the right to any column the columns have said so already.
    if (
      source.changes.by === "snapshot" &&
      table.xminSelectable === false &&
      table.columns.some((column) => column.selectable)
    )
      problems.push(
        `${source.name}.xmin: this user may not SELECT it, and changes are found by it: ` +
          "grant SELECT on the table, or on xmin too",
      );
    for (const column of found.values()) undeclared.push(`${source.name}.${column.name}`);
  }
  if (problems.length > 0) throw new ContractError(problems);
  return undeclared;
}
