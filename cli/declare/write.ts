import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";

/** The checkout. */
export const ROOT = path.join(import.meta.dirname, "..", "..");

/** Writes a TypeScript file as the project formats them. @param flag `wx`: throws EEXIST where there is one already */
export async function writeFormatted(file: string, text: string, flag: "w" | "wx"): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text, { flag });
  const oxfmt = path.join(ROOT, "node_modules", "oxfmt", "bin", "oxfmt");
  await promisify(execFile)(process.execPath, [oxfmt, file]);
}
