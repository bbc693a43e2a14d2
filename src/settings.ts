import * as v from "valibot";

/** The environment lacks something, or holds something that cannot be: says which variable and what is expected. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

/** What a batch holds at most, unless the environment says otherwise: rows, and bytes of JSON before compression. */
export const LIMITS = { rows: 100_000, bytes: 32 << 20 } as const;

const required = v.pipe(v.string(), v.nonEmpty());
const count = v.pipe(
  v.string(),
  v.regex(/^[1-9][0-9]{0,9}$/, "a whole number from 1 up"),
  v.transform(Number),
);

/** Every variable of the environment that this service reads, besides the AWS SDK's own. */
const all = {
  INGESTION_BUCKET: required,
  PROCESSED_BUCKET: required,
  /** Name or ARN of the secret that opens the source. */
  SOURCE_SECRET: required,
  /** Name or ARN of the secret that opens the warehouse. */
  WAREHOUSE_SECRET: required,
  /** Rows that a batch holds at most. */
  BATCH_ROWS: v.optional(count, String(LIMITS.rows)),
  /** Bytes of JSON that a batch holds at most, before compression; a single row may be larger. */
  BATCH_BYTES: v.optional(count, String(LIMITS.bytes)),
  /** Whether a run that is not done asks for its next invocation at once: a queue must tell ingestion of that. Else the next tick goes on. */
  CONTINUE_AT_ONCE: v.optional(v.picklist(["true", "false"]), "false"),
  PARQUET_CODEC: v.optional(v.picklist(["hyparquet", "parquets"]), "hyparquet"),
};

const shape = v.object(all);
type Settings = v.InferOutput<typeof shape>;

/** The settings that a function needs, by name.
 *  @throws SettingsError naming the variable */
export function getSettings<N extends keyof Settings>(...names: [N, ...N[]]): Pick<Settings, N> {
  const parsed = v.safeParse(v.pick(shape, names), process.env);
  if (parsed.success) return parsed.output as Settings;
  const [issue] = parsed.issues;
  const name = v.getDotPath(issue)!;
  const expected =
    issue.type === "picklist" ? issue.expected : issue.type === "regex" ? issue.message : "a value";
  const found = JSON.stringify(process.env[name]) ?? "none";
  throw new SettingsError(
    `environment variable ${name}: expected ${expected}, found ${found}; serverless.yml sets it for a deployed function`,
  );
}
