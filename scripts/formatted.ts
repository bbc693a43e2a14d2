// For what writes files that are committed: they look as the formatter would have them.
import { writeFile } from "node:fs/promises";
import { format } from "oxfmt";

/**
 * A text, formatted as Markdown or JSON.
 * @param of what the error names
 * @throws Error where the formatter cannot read the text
 */
export async function formatted(of: string, kind: "md" | "json", text: string): Promise<string> {
  const { code, errors } = await format(`text.${kind}`, text);
  if (errors.length > 0) throw new Error(`${of}: ${errors[0]?.message}`);
  return code;
}

/**
 * Writes a file, formatted as Markdown or JSON whatever it is called.
 * @throws Error where the formatter cannot read the text, or the file cannot be written
 */
export async function writeFormatted(
  file: string,
  kind: "md" | "json",
  text: string,
): Promise<void> {
  await writeFile(file, await formatted(file, kind, text));
}
