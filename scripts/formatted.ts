// For what writes files that are committed: they look as the formatter would have them.
import { writeFile } from "node:fs/promises";
import { format } from "oxfmt";

/**
 * Writes a file, formatted as Markdown or JSON whatever it is called.
 * @throws Error where the formatter cannot read the text, or the file cannot be written
 */
export async function writeFormatted(
  file: string,
  kind: "md" | "json",
  text: string,
): Promise<void> {
  const { code, errors } = await format(`text.${kind}`, text);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`);
  await writeFile(file, code);
}
