import { execFile } from "node:child_process";
import path from "node:path";
import { Writable } from "node:stream";
import { totes } from "../../cli/totes.ts";
import type { Verb } from "../../cli/verb.ts";

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

type Environment = Readonly<Record<string, string | undefined>>;

/** Runs `totes` in this process, with these variables changed (undefined takes one away), and nobody who answers. */
export async function callTotes(
  env: object,
  args: readonly string[],
  { columns, verbs }: { readonly columns?: number; readonly verbs?: readonly Verb[] } = {},
): Promise<Ran> {
  const before = { ...process.env };
  for (const [name, value] of Object.entries(env as Environment))
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  const [out, err] = [new Paper(columns), new Paper(columns)];
  try {
    const code = await totes(args, { out, err, isAnswered: false }, verbs);
    return { code, out: out.text, err: err.text };
  } finally {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  }
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
