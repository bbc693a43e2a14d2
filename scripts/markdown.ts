// For what writes pages of docs/: they look as the formatter would have them.
import { writeFile } from "node:fs/promises";
import { format } from "oxfmt";

/** Writes a page, formatted. Throws Error where it is no Markdown that the formatter can read, or cannot be written. */
export async function writeMarkdown(file: string, text: string): Promise<void> {
  const { code, errors } = await format("page.md", text);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`);
  await writeFile(file, code);
}
