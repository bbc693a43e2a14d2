import { fingerprintsOf } from "./fingerprint.ts";
import type { Table } from "./table.ts";

/** A batch was made by newer code than this function's: a deploy is under way, and the batch is tried again after it. */
export class BuildError extends Error {
  override readonly name = "BuildError";
}

/** Milliseconds after a batch's commit in which the deploy that changed its tables may still be under way. */
const DEPLOYING = 3_600_000;

/**
 * When this code was last changed, in milliseconds since 1970: scripts/esbuild-plugins.cjs writes it into the bundle.
 * 0 in a checkout, where all functions are of one age.
 */
export const getBuild = (): number => Number(process.env["BUILD"] ?? 0);

/** What a manifest says about the code that made its batch. */
interface Made {
  readonly batch: number;
  readonly committed_at: string;
  readonly build: number;
  readonly fingerprints: Readonly<Record<string, string>>;
}

/**
 * Refuses a batch that newer code made of other table modules than `tables`. The functions of a deploy do not change at
 * one instant: a function that is still the old one would leave a new table's rows out, or make a changed table's in
 * the old way, and nobody would make them again. An older batch is another matter: the next ingestion fills what
 * it was made without. After an hour the newer code was not deployed but rolled back, and the same holds.
 *
 * @throws BuildError naming the tables
 */
export function checkBuild(made: Made, tables: readonly Table[]): void {
  if (made.build <= getBuild() || Date.now() - Date.parse(made.committed_at) > DEPLOYING) return;
  const ours = fingerprintsOf(tables);
  const differing = Object.keys(made.fingerprints).filter(
    (name) => made.fingerprints[name] !== ours[name],
  );
  if (differing.length > 0)
    throw new BuildError(
      `batch ${made.batch} was made by newer code (built ${new Date(made.build).toISOString()}), with other modules for ` +
        `${differing.join(", ")}: a deploy is under way. It is tried again; if it fails for an hour, deploy all functions`,
    );
}
