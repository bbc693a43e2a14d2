// The functions as they are deployed: bundles, run by node alone, on the Node that AWS runs them on.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  startFunction,
  type FunctionOptions,
  type LambdaFunction,
} from "../../localstack/functions.ts";
import { bundleFunction, bundleModule, type FunctionName } from "../../scripts/bundle.ts";
import { getNode24 } from "../../scripts/node24.ts";

export class Deployed {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Bundles functions (under a second) into a folder that {@link remove} removes. */
  static async make(...names: readonly FunctionName[]): Promise<Deployed> {
    const folder = await mkdtemp(path.join(tmpdir(), "totes-deployed-"));
    await Promise.all([
      ...names.map((name) => bundleFunction(name, { folder })),
      bundleModule("localstack/function-worker.ts", path.join(folder, "worker.mjs")),
    ]);
    return new Deployed(folder);
  }

  /** Starts a process for one of them. */
  start(
    name: FunctionName,
    options: Omit<FunctionOptions, "name" | "module" | "worker" | "node">,
  ): LambdaFunction {
    return startFunction({
      ...options,
      name,
      module: path.join(this.#folder, `${name}.cjs`),
      worker: path.join(this.#folder, "worker.mjs"),
      node: getNode24(),
    });
  }

  remove(): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true });
  }
}
