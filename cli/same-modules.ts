import { fingerprintsOf } from "../src/fingerprint.ts";
import { getLastUpload } from "../src/lake/manifest.ts";
import { command } from "../src/operations/verdict.ts";
import type { Table } from "../src/table.ts";
import { LOCAL, StageError } from "./stage.ts";
import { listed } from "./terminal.ts";

/**
 * To be asked before this checkout makes a batch in place of a deployed stage's ingestion: the batch says which modules it was
 * read for. Of others than the stage runs, it would have a changed table count as filled before anything has filled it.
 * @throws StageError naming the tables
 */
export async function checkModules(
  stage: string,
  bucket: string,
  tables: readonly Table[],
): Promise<void> {
  // Here the functions run this checkout.
  if (stage === LOCAL) return;
  const newest = await getLastUpload(bucket);
  if (!newest) return;
  const { batch, fingerprints: theirs } = newest.manifest;
  const ours = fingerprintsOf(tables);
  const differing = [...new Set([...Object.keys(ours), ...Object.keys(theirs)])].filter(
    (name) => ours[name] !== theirs[name],
  );
  if (differing.length === 0) return;
  throw new StageError(
    `nothing was read: this checkout has other modules for ${listed(differing)} than batch ${batch} of stage ${stage} was read ` +
      `for; check out the commit that is deployed, or if it is this one, have it read first: \`${command({ stage }, "run")}\``,
  );
}
