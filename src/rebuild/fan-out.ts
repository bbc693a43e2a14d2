/** The batches of a rebuild made by many functions at once: a child of a state machine's map for each. */
import { randomBytes } from "node:crypto";
import { execute } from "../aws/executions.ts";
import { FunctionError, invokeFunction } from "../aws/functions.ts";
import { putOnce } from "../aws/s3.ts";
import { fanOutKey } from "../lake/keys.ts";
import { listBatches } from "../lake/manifest.ts";
import { RebuildError } from "./error.ts";
import type { MakeBatches } from "./processed.ts";

/** What a stage has for it, where it was deployed with `retransform`. */
export interface FanOut {
  /** The bucket that the functions fill: no other. */
  readonly bucket: string;
  readonly functionName: string;
  readonly stateMachineArn: string;
}

/** Of one execution: what its children answer, three bytes each, must stay below 256 KB. */
const MOST = 10_000;
const NAMED = 10;

/**
 * Makes batches by the functions of a stage.
 * @param modules what {@link modulesOf} says of the table modules that all of them must have
 * @throws RebuildError naming the batches that were not made, with what the function says of the first
 */
export const fanOut =
  ({ bucket, functionName, stateMachineArn }: FanOut, modules: string): MakeBatches =>
  async (batches, done) => {
    for (let from = 0; from < batches.length; from += MOST) {
      const some = batches.slice(from, from + MOST);
      const key = fanOutKey(randomBytes(6).toString("hex"));
      const items = Buffer.from(JSON.stringify({ batches: some }));
      await putOnce(bucket, key, items, "application/json");
      const ended = await execute(stateMachineArn, { key, modules }, (made) => done(from + made));
      const there = new Set(await listBatches(bucket, 0));
      const missing = some.filter((batch) => !there.has(batch));
      const [first] = missing;
      if (first === undefined) continue;
      const named = missing.slice(0, NAMED).join(", ");
      throw new RebuildError(
        `${missing.length} of ${some.length} batches were not made (${named}${missing.length > NAMED ? ", …" : ""}): ` +
          `${await reasonOf(functionName, { batch: first, modules })}. The execution was ${ended.arn}${ended.status === "SUCCEEDED" ? "" : `, and ended as ${ended.status}`}; ` +
          "the same command goes on with those that are missing",
      );
    }
  };

/** Tries the batch once more, for what the function says of it: an execution tells of its map alone. */
async function reasonOf(
  functionName: string,
  event: { readonly batch: number; readonly modules: string },
): Promise<string> {
  try {
    await invokeFunction(functionName, event);
    return `batch ${event.batch} could be made when it was tried once more`;
  } catch (error) {
    if (!(error instanceof FunctionError)) throw error;
    return `batch ${event.batch}: ${error.message}`;
  }
}
