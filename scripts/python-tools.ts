import { spawnSync } from "node:child_process";
import path from "node:path";
import { getPython, PythonError } from "./python.ts";

const root = path.join(import.meta.dirname, "..");

/**
 * Runs linters that come as Python packages (scripts/requirements.txt), in the project's folder. Where they cannot be had,
 * that is said aloud, and is no pass; where CI is set, it is a failure.
 *
 * @param check the npm script, for what is said
 * @param commands each a tool and its arguments
 * @returns the exit code: 0 where every command gave 0, and where nothing could be run outside CI
 */
export function runPythonTools(check: string, commands: readonly (readonly string[])[]): number {
  let program: (name: string) => string;
  try {
    program = getPython("linters", path.join(root, "scripts", "requirements.txt"));
  } catch (error) {
    if (!(error instanceof PythonError)) throw error;
    console.log(`${check}: NOT DONE. ${error.message}\nRun \`npm run ${check}\` where that is.`);
    return process.env["CI"] ? 1 : 0;
  }
  let code = 0;
  for (const [tool = "", ...args] of commands) {
    console.log(`${check}: ${[tool, ...args].join(" ")}`);
    const { status, error } = spawnSync(program(tool), args, {
      cwd: root,
      stdio: "inherit",
      // Tools find each other by it: actionlint its shellcheck.
      env: {
        ...process.env,
        PATH: [path.dirname(program(tool)), process.env["PATH"]].join(path.delimiter),
      },
    });
    if (error) console.error(error.message);
    if (status !== 0) code = 1;
  }
  return code;
}
