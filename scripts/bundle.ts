// Bundles the functions as a deploy does, without the Serverless Framework around it.
import { build, type BuildOptions, type Metafile, type Plugin } from "esbuild";
import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";

/** What serverless.yml calls the functions that a change of the shop passes through. */
export const STAGES = ["ingestion", "transformation", "loading"] as const;
export type StageName = (typeof STAGES)[number];

/** What it calls all of them, and that of infrastructure/compaction.cjs. */
export const FUNCTIONS = [...STAGES, "reconciliation", "retransformation", "compaction"] as const;
export type FunctionName = (typeof FUNCTIONS)[number];

const root = path.join(import.meta.dirname, "..");
const require = createRequire(import.meta.url);
const { pluginsWith } = require("./esbuild-plugins.cjs") as {
  pluginsWith: (...further: string[]) => Plugin[];
};
/** The options, without those that are serverless-esbuild's own. */
const { outputFileExtension, exclude, plugins, skipRebuild, watch, ...options } =
  require("./esbuild-options.cjs") as BuildOptions & Record<string, unknown>;
void [exclude, plugins, skipRebuild, watch];

/** How to bundle. */
export interface BundleOptions {
  /** An existing one takes `<function>.cjs` and its map; nothing is written where undefined. */
  readonly folder?: string;
  /** Folders of table modules besides `tables/`, from the project's root. */
  readonly tables?: readonly string[];
}

/** Bundles one function. Gives what is in the bundle. Throws esbuild's BuildFailure. */
export async function bundleFunction(
  name: FunctionName,
  { folder, tables = [] }: BundleOptions = {},
): Promise<{ readonly metafile: Metafile; readonly code: Uint8Array }> {
  const { metafile, outputFiles } = await build({
    ...options,
    absWorkingDir: root,
    entryPoints: [path.join("src", "handlers", `${name}.ts`)],
    platform: "node",
    outdir: folder ?? "unused",
    outExtension: { ".js": String(outputFileExtension) },
    plugins: pluginsWith(...tables),
    metafile: true,
    write: false,
    logLevel: "silent",
  });
  if (folder !== undefined)
    for (const file of outputFiles) await writeFile(file.path, file.contents);
  const { contents } = outputFiles.find((file) => file.path.endsWith(".cjs"))!;
  return { metafile, code: contents };
}

/** Bundles a module of this project to be run by node alone, as `file`. */
export async function bundleModule(module: string, file: string): Promise<void> {
  await build({
    absWorkingDir: root,
    entryPoints: [module],
    outfile: file,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    // What packages need that are CommonJS.
    banner: {
      js: `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);`,
    },
    logLevel: "silent",
  });
}
