// The warehouse, or the processed bucket, again from the lake alone, and whether they are the same.
import { rebuildAsked } from "../rebuild/rebuild.ts";
import { UsageError, wholeNumber } from "../options.ts";
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
      .option("to", {
        type: "string",
        describe: "only up to this batch; nothing is compared",
        coerce: (text: string) => wholeNumber("to", text, 1, 9_999_999_999),
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
      .check(({ schema, secret, to, replace, processed, fanOut, verify, noCompare }) => {
        const isWarehouse = schema !== undefined || secret !== undefined;
        const isRebuild = isWarehouse || processed !== undefined || fanOut;
        if (verify && (isRebuild || noCompare)) throw new UsageError("--verify goes alone");
        if (!verify && !isRebuild)
          throw new UsageError(
            "say what: --schema NAME, --secret NAME, --processed BUCKET, --fan-out or --verify",
          );
        if (fanOut && processed !== undefined)
          throw new UsageError("--fan-out has a bucket of its own: it goes without --processed");
        for (const [option, isGiven] of [
          ["to", to !== undefined],
          ["replace", replace],
        ] as const)
          if (isGiven && !isWarehouse)
            throw new UsageError(
              `--${option} is of the warehouse: it goes with --schema or --secret`,
            );
        return true;
      }),
  run: async (
    { schema, secret, to, replace, processed, fanOut, verify, noCompare, ...stage },
    { terminal, answer },
  ) => {
    await useStage(stage);
    const functions = fanOut ? await fanOutOf(stage.stage) : undefined;
    const isWarehouse = schema !== undefined || secret !== undefined;
    const outcome = await rebuildAsked(
      {
        ...(isWarehouse ? { warehouse: { schema, secret, to, replace } } : {}),
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
