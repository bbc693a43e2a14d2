import { spawn } from "node:child_process";
import path from "node:path";
import { text } from "node:stream/consumers";
import { getPython, PythonError } from "./python.ts";

const root = path.join(import.meta.dirname, "..");

/**
 * Runs, side by side, linters that come as Python packages (scripts/requirements.txt), in the project's folder. Where they cannot be had,
 * that is said aloud, and is no pass; where CI is set, it is a failure.
 *
 * @param check the npm script, for what is said
 * @param commands each a tool and its arguments
 * @returns the exit code: 0 where every command gave 0, and where nothing could be run outside CI
 */
export async function runPythonTools(
  check: string,
  commands: readonly (readonly string[])[],
): Promise<number> {
  let program: (name: string) => string;
  try {
    program = getPython("linters", path.join(root, "scripts", "requirements.txt"));
  } catch (error) {
    if (!(error instanceof PythonError)) throw error;
    console.log(`${check}: NOT DONE. ${error.message}\nRun \`npm run ${check}\` where that is.`);
    return process.env["CI"] ? 1 : 0;
  }
  const codes = commands.map(async ([tool = "", ...args]) => {
    const child = spawn(program(tool), args, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      // Tools find each other by it: actionlint its shellcheck.
      env: {
        ...process.env,
        PATH: [path.dirname(program(tool)), process.env["PATH"]].join(path.delimiter),
      },
    });
    const ended = new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => resolve(code ?? 1));
    });
    const [code, out, err] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
    process.stdout.write(`${check}: ${[tool, ...args].join(" ")}\n${out}`);
    process.stderr.write(err);
    return code;
  });
  return (await Promise.all(codes)).every((code) => code === 0) ? 0 : 1;
}
