import { createInterface } from "node:readline/promises";

/** Asks whoever is at the terminal; no answer is no. */
export async function isAgreed(question: string): Promise<boolean> {
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  // It reads Ctrl-C itself.
  asking.once("SIGINT", () => process.kill(process.pid, "SIGINT"));
  try {
    return /^y(es)?$/i.test((await asking.question(`  ${question} [y/N] `)).trim());
  } finally {
    asking.close();
  }
}
