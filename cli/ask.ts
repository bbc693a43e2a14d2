import { createInterface } from "node:readline/promises";

/** Asks whoever sits there, on standard error; no answer is a no. */
export async function isAgreed(question: string): Promise<boolean> {
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await asking.question(`  ${question} [y/N] `)).trim());
  } finally {
    asking.close();
  }
}
