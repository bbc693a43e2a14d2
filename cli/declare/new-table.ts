/** A new star table in a checkout: its source's declaration where there is none, its module, its first test. */
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { readTables } from "../../src/registry.ts";
import { keyOf, type Source } from "../../src/table.ts";
import { UsageError } from "../options.ts";
import type { FoundTable } from "./database.ts";
import { sourceTexts } from "./source-text.ts";
import { declaredSources, withSources } from "./sources-file.ts";
import { moduleText, testText } from "./table-text.ts";
import { writeFormatted } from "./write.ts";

/** What was written, as paths from the checkout's root. */
export interface WrittenTable {
  readonly module: string;
  readonly test: string;
  /** Whether the source's declaration was, too. */
  readonly declared: boolean;
}

/**
 * @param root of the checkout
 * @param name the star table's
 * @throws UsageError where there is such a table or file already, or the source has no key; nothing is overwritten
 */
export async function writeTable(
  root: string,
  name: string,
  found: FoundTable,
): Promise<WrittenTable> {
  const folder = path.join(root, "tables");
  const isFirst = !(await readdir(folder)).some((file) => /^(dim|fact)_/.test(file));
  const tables = isFirst ? [] : await readTables(folder);
  const [module, test] = [`tables/${name}.ts`, `tests/tables/${name}.test.ts`];
  if (tables.some((one) => one.name === name))
    throw new UsageError(`there is a table ${name} already: ${module}`);
  for (const file of [module, test])
    if (existsSync(path.join(root, file)))
      throw new UsageError(
        `there is a file ${file} already: nothing is overwritten, so remove it first, or choose another name`,
      );
  const { constant, source, isNew } = await declare(path.join(folder, "sources.ts"), found);
  if (keyOf(source).length === 0)
    throw new UsageError(
      `${found.name} has no primary key: say in tables/sources.ts which columns are its key(…), and run this again`,
    );
  const wanted = { name, source, constant, foreignKeys: found.foreignKeys, tables };
  await writeFormatted(path.join(root, module), moduleText(wanted), "wx");
  await writeFormatted(path.join(root, test), testText(wanted), "wx");
  return { module, test, declared: isNew };
}

/** The constant that declares a table, which is declared where it was not. */
async function declare(
  file: string,
  table: FoundTable,
): Promise<{ constant: string; source: Source; isNew: boolean }> {
  const find = (sources: ReadonlyMap<string, Source>): [string, Source] | undefined =>
    [...sources].find(([, { schema, name }]) => schema === table.schema && name === table.name);
  const sources = await declaredSources(file);
  const declared = find(sources);
  if (declared) return { constant: declared[0], source: declared[1], isNew: false };
  const text = withSources(await readFile(file, "utf8"), sourceTexts([table], sources.keys()));
  await writeFormatted(file, text, "w");
  const [constant, source] = find(await declaredSources(file))!;
  return { constant, source, isNew: true };
}
