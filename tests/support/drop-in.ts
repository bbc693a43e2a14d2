import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

const fixture = path.join(import.meta.dirname, "..", "fixtures", "tables", "fact_design_use.ts");

/** Puts the module of `fact_design_use` into a folder of table modules, and gives the file. `src/` is beside the folder. */
export function dropIn(folder: string): string {
  const file = path.join(folder, "fact_design_use.ts");
  const text = readFileSync(fixture, "utf8");
  writeFileSync(file, text.replace("../../../src/", "../src/").replace("../../../tables/", "./"));
  return file;
}
