import { fingerprintsOf } from "./fingerprint.ts";
import type { Table } from "./table.ts";

/** A batch was made by newer code than this function's: a deploy is under way, and the batch is tried again after it. */
export class BuildError extends Error {
  override readonly name = "BuildError";
}

/**
 * When this code was last changed, in milliseconds since 1970: scripts/esbuild-plugins.cjs writes it into the bundle.
 * 0 in a checkout, where all functions are of one age.
 */
export const getBuild = (): number => Number(process.env["BUILD"] ?? 0);

/** What a manifest says about the code that made its batch. */
interface Made {
  readonly batch: number;
  readonly build: number;
  readonly fingerprints: Readonly<Record<string, string>>;
}

/**
 * Refuses a batch that newer code made of other table modules than `tables`, as long as the newest batch is newer code's too.
 * The functions of a deploy do not change at one instant: a function that is still the old one would leave a new table's
 * rows out, or make a changed table's in the old way, and nobody would make them again. Where the newest batch is not
 * newer code's any more, that was rolled back, and it has filled again what differs.
 *
 * An older batch is another matter: the next ingestion fills what it was made without.
 *
 * @param newest gives the newest batch of the same bucket
 * @throws BuildError naming the tables
 */
export async function checkBuild(
  made: Made,
  tables: readonly Table[],
  newest: () => Promise<Pick<Made, "build">>,
): Promise<void> {
  const own = getBuild();
  if (made.build <= own) return;
  const ours = fingerprintsOf(tables);
  const differing = Object.keys(made.fingerprints).filter(
    (name) => made.fingerprints[name] !== ours[name],
  );
  if (differing.length === 0 || (await newest()).build <= own) return;
  throw new BuildError(
    `batch ${made.batch} was made by newer code (built ${new Date(made.build).toISOString()}), with other modules for ` +
      `${differing.join(", ")}: a deploy is under way. It is tried again; if it goes on failing, deploy all functions`,
  );
}
