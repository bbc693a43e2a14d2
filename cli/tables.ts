import type { Table } from "../src/table.ts";
import { didYouMean } from "./nearest.ts";
import { UsageError } from "./options.ts";
import { listed } from "./terminal.ts";

/**
 * The table that somebody names.
 * @throws UsageError where there is none of that name: with the nearest, or all
 */
export function tableNamed(name: string, tables: readonly Table[]): Table {
  const found = tables.find((table) => table.name === name);
  if (found) return found;
  const names = tables.map((table) => table.name);
  throw new UsageError(
    `there is no table ${name}${didYouMean(name, names) || `; there are ${listed(names)}`}`,
  );
}
