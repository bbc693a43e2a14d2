import { cpSync, symlinkSync } from "node:fs";
import path from "node:path";

const root = path.join(import.meta.dirname, "..", "..");

/** What `sls` and the commands of localstack/ need of a checkout. */
const FOLDERS = ["cli", "infrastructure", "localstack", "scripts", "src", "tables", "watch"];
const FILES = ["serverless.yml", "package.json", "tsconfig.json", ".env.local"];

/** Copies the project into an empty folder, to run it there and to edit its tables; its packages are this checkout's. */
export function copyProject(to: string): void {
  for (const part of [...FOLDERS, ...FILES])
    cpSync(path.join(root, part), path.join(to, part), { recursive: true });
  symlinkSync(path.join(root, "node_modules"), path.join(to, "node_modules"));
}
