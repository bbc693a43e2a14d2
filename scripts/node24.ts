// The Node that the Lambdas run on: from npm, in .node24/, where this process has another. Prints where it is.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const VERSION = "24.21.0";
const folder = fileURLToPath(new URL("../.node24", import.meta.url));

/** @returns the path of a Node 24, installed where there was none
 *  @throws Error where npm cannot install it */
export function getNode24(): string {
  if (process.versions.node.startsWith("24.")) return process.execPath;
  const node = path.join(folder, "node_modules", "node", "bin", "node");
  if (existsSync(node)) return node;
  const args = ["install", "--prefix", folder, "--no-save", "--no-audit", "--no-fund", "--silent"];
  const { status, stderr } = spawnSync("npm", [...args, `node@${VERSION}`], {
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  if (status !== 0) throw new Error(`npm cannot install Node ${VERSION} into ${folder}: ${stderr}`);
  return node;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(getNode24());
