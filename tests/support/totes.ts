import { execFile } from "node:child_process";
import path from "node:path";
import { Writable } from "node:stream";
import { totes } from "../../cli/totes.ts";
import type { Verb } from "../../cli/verb.ts";
import { allVerbs } from "../../cli/verbs.ts";
import { withEnvironment } from "./environment.ts";

const VERBS = await allVerbs();

/** What a command line gave. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Whatever is written to it, as one text: a pipe, or with `columns` a terminal. */
export class Paper extends Writable {
  text = "";
  readonly isTTY: boolean;
  readonly columns: number;

  constructor(columns = 0) {
    super();
    this.isTTY = columns > 0;
    this.columns = columns;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** Runs `totes` in this process, in a changed environment, and with nobody who answers. */
export async function callTotes(
  env: object,
  args: readonly string[],
  { columns, verbs }: { readonly columns?: number; readonly verbs?: readonly Verb[] } = {},
): Promise<Ran> {
  const [out, err] = [new Paper(columns), new Paper(columns)];
  const code = await withEnvironment(env, () =>
    totes(args, { out, err, isAnswered: false }, verbs),
  );
  return { code, out: out.text, err: err.text };
}

const PROGRAM = path.join(import.meta.dirname, "..", "..", "bin", "totes.mjs");

/** Runs `totes` as a shell does. */
export const spawnTotes = (env: object, args: readonly string[], program = PROGRAM): Promise<Ran> =>
  new Promise((resolve) => {
    execFile(
      process.execPath,
      [program, ...args],
      { env: { ...process.env, NODE_NO_WARNINGS: "1", ...env } },
      (error, out, err) => resolve({ code: error ? Number(error.code) : 0, out, err }),
    );
  });

/**
 * Whether the command line takes what somebody is told to type, as `npx totes redrive --queue loading`: nothing is done.
 * Gives what it says against it; nothing where it takes it.
 */
export async function refusalOf(line: string): Promise<string> {
  const words = line
    .match(/"[^"]*"|'[^']*'|\S+/g)!
    .map((word) => word.replace(/^(["'])(.*)\1$/, "$2"));
  if (words[0] !== "npx" || words[1] !== "totes") return `no line of totes: ${line}`;
  const { err } = await callTotes({}, words.slice(2), {
    verbs: VERBS.map((verb) => ({ ...verb, run: () => Promise.resolve(0) })),
  });
  return err;
}
