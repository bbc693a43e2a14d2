import { createHash } from "node:crypto";
import type { Source, Table } from "./table.ts";

const digest = (value: unknown): string =>
  createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);

const place = ({ schema, name }: Source): string[] => [schema, name];

/** What a batch must hold for `table`: a batch read under another closure lacks its lookups. */
export const closureOf = ({ sources, lookups }: Table): string =>
  digest([
    sources.map(place),
    Object.entries(lookups).map(([name, { source, by }]) => [name, place(source), by]),
  ]);

/** The columns that changes of the table's sources are found by: marks of one mean nothing for another. */
const marksOf = ({ sources, lookups }: Table): string[] =>
  [...sources, ...Object.values(lookups).map(({ source }) => source)].flatMap(({ name, changes }) =>
    changes.by === "timestamp" ? [`${name}.${changes.column}`] : [],
  );

/** Columns without what is said of them to people: new words fill no table again. */
const unsaid = ({ columns }: Table): Record<string, object> =>
  Object.fromEntries(
    Object.entries(columns).map(([name, column]) => [
      name,
      { ...column, meaning: undefined, examples: undefined },
    ]),
  );

/** Changes when the table must be filled again: `closure.rows`, what is read for it and what is made of that. */
export const fingerprint = (table: Table): string =>
  `${closureOf(table)}.${digest([table.name, unsaid(table), table.version, ...marksOf(table)])}`;

/** The fingerprint of each of `tables`, by name. */
export const fingerprintsOf = (tables: readonly Table[]): Record<string, string> =>
  Object.fromEntries(tables.map((table) => [table.name, fingerprint(table)]));
