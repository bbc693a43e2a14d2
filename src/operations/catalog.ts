/** What the declarations say of the star's tables, in words: what the catalogue page, the command line and the live page show. */
import { lineageOf, type Lineage } from "../lineage.ts";
import { sqlType } from "../loading/warehouse.ts";
import {
  DELETED_AT,
  isFact,
  keyOf,
  recordIdOf,
  referencesOf,
  type Column,
  type Columns,
  type Source,
  type Table,
} from "../table.ts";

/** A column of a star table. */
export interface CatalogColumn {
  readonly name: string;
  /** As PostgreSQL has it; `serial` of a record id. */
  readonly type: string;
  readonly nullable: boolean;
  readonly key: boolean;
  /** What it means; empty where nobody said. */
  readonly meaning: string;
  /** `sales_order.units_sold`, `the loader`; several are separated by commas, none are empty. */
  readonly from: string;
  /** Whether the source's values are handed on as they are. */
  readonly isCarried: boolean;
  /** The star table that it refers to. */
  readonly references?: string;
}

export interface CatalogTable {
  readonly name: string;
  readonly kind: "fact" | "dimension";
  /** `One row per …`. */
  readonly grain: string;
  /** The natural key. */
  readonly key: readonly string[];
  /** Whether each version of a record is kept, or a record is merged by its key. */
  readonly keepsVersions: boolean;
  readonly version: number;
  /** What a row is made of: a changed row here makes rows there. */
  readonly sources: readonly string[];
  /** What is looked up: `department by staff.department_id`. */
  readonly lookups: readonly string[];
  /** What holds of the table, a sentence each. */
  readonly rules: readonly string[];
  readonly columns: readonly CatalogColumn[];
}

/** The catalogue of `tables`: facts first, in the order of their names. */
export const catalogOf = (tables: readonly Table[]): CatalogTable[] =>
  tables
    .toSorted((a, b) => Number(isFact(b)) - Number(isFact(a)) || (a.name < b.name ? -1 : 1))
    .map(inWords);

function inWords(table: Table): CatalogTable {
  const { name, description, version, sources, lookups } = table;
  return {
    name,
    kind: isFact(table) ? "fact" : "dimension",
    grain: description,
    key: keyOf(table),
    keepsVersions: recordIdOf(table) !== undefined,
    version,
    sources: sources.map(fullName),
    lookups: Object.values(lookups).flatMap(({ source, by }) =>
      sources.map((driving) => `${fullName(source)} by ${driving.name}.${by}`),
    ),
    rules: rulesOf(table),
    columns: columnsInWords(table),
  };
}

/** As a reader would type it. */
const fullName = ({ schema, name }: Source): string =>
  schema === "public" ? name : `${schema}.${name}`;

function rulesOf(table: Table): string[] {
  const key = keyOf(table).join(", ");
  const recordId = recordIdOf(table);
  const rules = [
    recordId === undefined
      ? `Merged by ${key}: a row is as the source has it now.`
      : `A row is added when a record is not as its latest version was. The newest version of a ${key} is the one with the highest ${recordId}.`,
  ];
  for (const { source, by } of Object.values(table.lookups)) {
    const mayBeNull = table.sources.some(({ columns }) => columns[by]!.nullable);
    rules.push(
      `When a row of ${source.name} changes, every row that shows it is made again. A ${by} that is not found there ` +
        `quarantines the row${mayBeNull ? ", unless it is null" : ""}.`,
    );
  }
  const refers = [...new Set(referencesOf(table).map(({ table: target }) => target))];
  if (refers.length > 0)
    rules.push(
      `Refers to ${refers.join(", ")}; a row that is not there yet is stood in for by an inferred member.`,
    );
  for (const source of originsOf(table))
    if (source.changes.by !== "snapshot")
      rules.push(
        source.changes.by === "full"
          ? `${source.name} is read whole at each run.`
          : `Changes of ${source.name} are found by its ${source.changes.column}, and up to ${source.changes.lag} s late ones.`,
      );
  rules.push(GONE[table.deleted]);
  return rules;
}

const GONE: Readonly<Record<Table["deleted"], string>> = {
  keep: "A row that is gone from the source stays.",
  mark: `A row that is gone from the source is marked in ${DELETED_AT}.`,
  remove: "A row that is gone from the source is removed, with all its versions.",
};

const originsOf = ({ sources, lookups }: Table): Source[] => [
  ...sources,
  ...Object.values(lookups).map(({ source }) => source),
];

/** The columns of a table, in declared order, with what they mean and where they come from. */
export function columnsInWords(table: Table): CatalogColumn[] {
  const lineages = lineageOf(table);
  return Object.entries(table.columns).map(([name, column]): CatalogColumn => {
    const { nullable, key, references } = column;
    const lineage = lineages.get(name);
    return {
      name,
      type: column.generated ? "serial" : sqlType(column),
      nullable,
      key,
      meaning: meaningOf(table, column, lineage),
      from: lineage?.from.join(", ") ?? (column.generated ? "the loader" : "the pipeline"),
      isCarried: lineage?.isCarried ?? false,
      ...(references === undefined ? {} : { references }),
    };
  });
}

/** Its own words, else those of the source column whose values it hands on. */
function meaningOf(table: Table, column: Column, lineage: Lineage | undefined): string {
  if (column.generated) return "Number of the version, in the order of loading.";
  if (column.marksDeleted)
    return "By when the row was gone from the source; null while it is there.";
  const [origin] = lineage?.from ?? [];
  const inherited = lineage?.isCarried
    ? originsOf(table).flatMap(({ name, columns }) => saidOf(name, columns, origin!))[0]
    : undefined;
  const meaning = column.meaning ?? inherited ?? "";
  const whenNull = lineage?.whenNull;
  return [
    meaning,
    ...(whenNull === undefined ? [] : [`${JSON.stringify(whenNull)} where the source has none.`]),
  ]
    .filter((text) => text !== "")
    .join(" ");
}

const saidOf = (source: string, columns: Columns, origin: string): string[] =>
  Object.entries(columns).flatMap(([name, { meaning }]) =>
    `${source}.${name}` === origin && meaning !== undefined ? [meaning] : [],
  );
