// The warehouse, or the processed bucket, again from the lake alone, and whether they are the same.
import { rebuildAsked } from "../rebuild/rebuild.ts";
import { batchNumber, UsageError } from "../options.ts";
import { fanOutOf, useStage } from "../stage.ts";
import { defineVerb, stageOptions } from "../verb.ts";

/** What PostgreSQL cuts names off at, in bytes. */
const NAME_BYTES = 63;

export const rebuild = defineVerb({
  command: "rebuild",
  describe: "makes the warehouse or the processed bucket again from the lake, and compares",
  about:
    "Nothing that the pipeline uses is changed. The code that is deployed is the one to run it with: a checkout of its commit. " +
    "Exit code: 0 what was made is the same, or the lake is whole; 1 it is not, with each difference or problem; 2 it could not be told.",
  examples: [
    ["rebuild --schema again", "the warehouse, in a new schema"],
    ["rebuild --secret totes/dev/empty", "… in an empty database"],
    ["rebuild --schema again --to 41", "… as it was after batch 41"],
    ["rebuild --processed my-bucket", "the processed bucket"],
    ["rebuild --processed my-bucket --schema again", "both, one from the other"],
    ["rebuild --stage dev --fan-out", "the processed bucket, by many functions at once"],
    ["rebuild --stage dev --fan-out --from 41 --to 60", "… these batches alone"],
    ["rebuild --verify", "is the lake whole?"],
  ],
  stopped: "what it made so far stays: the same command goes on with it",
  build: (args) =>
    stageOptions(args)
      .option("schema", {
        type: "string",
        describe:
          "makes the warehouse again in this schema, which must be empty, or not there, or hold what an interrupted rebuild left: that one goes on. It counts its batches in schema NAME_etl",
        coerce: checkedSchema,
      })
      .option("secret", {
        type: "string",
        describe:
          "makes it again in the database that this secret opens (in the secret's schema, unless --schema says another), and counts in schema etl: a pipeline can go on with it",
      })
      .option("from", {
        type: "string",
        describe: "only from this batch on, of the processed bucket",
        coerce: (text: string) => batchNumber("from", text),
      })
      .option("to", {
        type: "string",
        describe: "only up to this batch; a warehouse is not compared then",
        coerce: (text: string) => batchNumber("to", text),
      })
      .option("replace", {
        type: "boolean",
        default: false,
        describe: "drops what an earlier rebuild left there, and begins anew",
      })
      .option("processed", {
        type: "string",
        describe:
          "makes the processed bucket again in this bucket, which must be empty, or hold what an interrupted rebuild left",
      })
      .option("fan-out", {
        type: "boolean",
        default: false,
        describe:
          "makes it again in the stage's second processed bucket, by a function for each batch, many at once; of a stage that is deployed with retransform",
      })
      .option("no-compare", {
        type: "boolean",
        default: false,
        describe: "does not compare what was made with what is there",
      })
      .option("verify", {
        type: "boolean",
        default: false,
        describe:
          "reads every manifest and object of both buckets, and names all that is missing or changed; writes nothing",
      })
      .check(({ schema, secret, from, to, replace, processed, fanOut, verify, noCompare }) => {
        const isWarehouse = schema !== undefined || secret !== undefined;
        const isRebuild = isWarehouse || processed !== undefined || fanOut;
        const isRange = from !== undefined || to !== undefined;
        if (verify && (isRebuild || isRange || replace || noCompare))
          throw new UsageError("--verify goes alone");
        if (!verify && !isRebuild)
          throw new UsageError(
            "say what: --schema NAME, --secret NAME, --processed BUCKET, --fan-out or --verify",
          );
        if (fanOut && processed !== undefined)
          throw new UsageError("--fan-out has a bucket of its own: it goes without --processed");
        if (replace && !isWarehouse)
          throw new UsageError("--replace is of the warehouse: it goes with --schema or --secret");
        if (from !== undefined && isWarehouse)
          throw new UsageError("--from is of the processed bucket: a warehouse begins at batch 1");
        if (from !== undefined && to !== undefined && from > to)
          throw new UsageError(`--from ${from} is after --to ${to}`);
        return true;
      }),
  run: async (
    { schema, secret, from, to, replace, processed, fanOut, verify, noCompare, ...stage },
    { terminal, answer },
  ) => {
    await useStage(stage);
    const functions = fanOut ? await fanOutOf(stage.stage) : undefined;
    const isWarehouse = schema !== undefined || secret !== undefined;
    const outcome = await rebuildAsked(
      {
        ...(isWarehouse ? { warehouse: { schema, secret, replace } } : {}),
        range: { from, to },
        processed: functions?.bucket ?? processed,
        fanOut: functions,
        verify,
        compare: !noCompare,
      },
      terminal,
    );
    answer({ same: outcome.isSame, ...outcome.answer });
    return outcome.isSame ? 0 : 1;
  },
});

function checkedSchema(schema: string): string {
  const most = NAME_BYTES - "_etl".length;
  if (schema === "" || Buffer.byteLength(schema) > most || schema.startsWith("pg_"))
    throw new UsageError(
      `--schema takes a name of 1 to ${most} bytes that does not begin with pg_, not "${schema}"`,
    );
  return schema;
}
