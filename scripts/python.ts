// Tools that are written in Python, each set in a virtual environment of its own in .python/.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** There is no Python that will do, or pip cannot install what is needed: says what is missing. */
export class PythonError extends Error {
  override readonly name = "PythonError";
}

const root = fileURLToPath(new URL("../.python", import.meta.url));

const run = (program: string, args: readonly string[]) =>
  spawnSync(program, args, { encoding: "utf8" });

/**
 * Installs what a requirements file pins, once, and gives where a program of it is.
 * @param name of the folder in .python/
 * @throws PythonError
 */
export function getPython(name: string, requirements: string): (program: string) => string {
  const folder = path.join(root, name);
  const bin = path.join(folder, process.platform === "win32" ? "Scripts" : "bin");
  const done = path.join(folder, "requirements.txt");
  const wanted = readFileSync(requirements, "utf8");
  const program = (one: string): string => path.join(bin, one);
  if (existsSync(done) && readFileSync(done, "utf8") === wanted) return program;

  const python = ["python3.14", "python3.13", "python3.12", "python3.11", "python3", "python"].find(
    (one) =>
      run(one, ["-c", "import sys, venv; sys.exit(sys.version_info < (3, 11))"]).status === 0,
  );
  if (!python)
    throw new PythonError(
      "this needs Python 3.11 or later, with its venv module (Debian: apt install python3-venv); none was found",
    );
  rmSync(folder, { recursive: true, force: true });
  for (const [command, args] of [
    [python, ["-m", "venv", folder]],
    [
      program("python"),
      [
        "-m",
        "pip",
        "install",
        "--quiet",
        // What is imported is compiled then; most never is.
        "--no-compile",
        "--disable-pip-version-check",
        "-r",
        requirements,
      ],
    ],
  ] as const) {
    const { status, stdout, stderr } = run(command, args);
    if (status !== 0)
      throw new PythonError(`${command} ${args.join(" ")} failed:\n${stdout}${stderr}`);
  }
  writeFileSync(done, wanted);
  return program;
}
