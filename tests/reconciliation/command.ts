import { spawn } from "node:child_process";
import path from "node:path";
import type { TestPipeline } from "../support/pipeline.ts";

const COMMAND = path.join(import.meta.dirname, "..", "..", "src", "cli", "reconcile.ts");

/** What a command said, and how it ended. */
export interface Answer {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Calls `npm run reconcile` in a pipeline's environment, with nobody to answer. */
export const call = (
  { env }: TestPipeline,
  args: readonly string[],
  more: Readonly<Record<string, string>> = {},
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--import", "tsx", COMMAND, ...args], {
      env: { ...process.env, ...env, NODE_NO_WARNINGS: "1", ...more },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, out, err }));
  });
