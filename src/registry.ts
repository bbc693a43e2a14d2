// Finds the table modules. This file runs from a checkout only: in a Lambda bundle, which has no folder to read,
// scripts/esbuild-plugins.cjs puts one static import a module in its place.
import { readdir } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import path from "node:path";
import { checkTables, TableError } from "./check-tables.ts";
import type { Table } from "./table.ts";

/** The files of a tables folder: no tests, no declarations. scripts/esbuild-plugins.cjs has the same rule. */
const FILE = /^[^.]+\.ts$/;

/**
 * Reads every table module in `folder`: each file with a default export, and each named dim_… or fact_….
 * Other files (`sources.ts`, …) are what modules share.
 * @throws TableError naming the file and the field of the first module that cannot be used
 */
export async function readTables(folder: string): Promise<readonly Table[]> {
  const modules: Record<string, object> = {};
  for (const file of (await readdir(folder)).filter((name) => FILE.test(name)).sort()) {
    try {
      modules[file] = (await import(pathToFileURL(path.join(folder, file)).href)) as object;
    } catch (error) {
      throw new TableError(file, "", `cannot be read: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
  return checkTables(modules);
}

/** The tables of `tables/`, in the order in which they are loaded. */
export const getTables = (): Promise<readonly Table[]> =>
  (read ??= readTables(path.join(import.meta.dirname, "..", "tables")));
let read: Promise<readonly Table[]> | undefined;
