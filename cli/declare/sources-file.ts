/** `tables/sources.ts`: what it declares, and declarations added to it. What is there already stays as it is. */
import { stat } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import type { Source } from "../../src/table.ts";
import type { Written } from "./source-text.ts";

const IMPORT = /import \{([^}]*)\} from "\.\.\/src\/table\.ts";/;

/** The sources that a file exports, as it is now, by the name of the constant. */
export async function declaredSources(file: string): Promise<ReadonlyMap<string, Source>> {
  // A module is read once: one that has changed since is another by its address.
  const { mtimeMs } = await stat(file);
  const module = (await import(`${pathToFileURL(file).href}?${mtimeMs}`)) as Readonly<
    Record<string, unknown>
  >;
  return new Map(
    Object.entries(module).filter(
      (entry): entry is [string, Source] =>
        typeof entry[1] === "object" && entry[1] !== null && "changes" in entry[1],
    ),
  );
}

/** The file's text with declarations at its end, and with what they need among its imports. */
export function withSources(file: string, written: readonly Written[]): string {
  const wanted = new Set(written.flatMap(({ words }) => [...words]));
  const found = IMPORT.exec(file);
  for (const word of found?.[1]?.split(",") ?? []) if (word.trim() !== "") wanted.add(word.trim());
  const imports = `import { ${[...wanted].toSorted().join(", ")} } from "../src/table.ts";`;
  const begin = found ? file.replace(found[0], () => imports) : `${imports}\n${file}`;
  return [begin.trimEnd(), ...written.map(({ text }) => text)].join("\n\n");
}
