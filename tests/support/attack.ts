// What the tests that attack a pipeline share: bad surroundings, refusals, and proof that nothing was left half-done.
import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import { CreateSecretCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { inspect } from "node:util";
import { literal } from "../../src/postgres/sql.ts";
import { handler as ingestion } from "../../src/handlers/ingestion.ts";
import { handler as loading } from "../../src/handlers/loading.ts";
import { handler as transformation } from "../../src/handlers/transformation.ts";
import { expect } from "./chai.ts";
import { withEnvironment } from "./environment.ts";
import type { TestPipeline } from "./pipeline.ts";

const HANDLERS: Readonly<Record<Stage, (event?: object) => Promise<unknown>>> = {
  ingestion: (event) => ingestion(event),
  transformation: (event) => transformation(event),
  loading: (event) => loading(event),
};
export type Stage = "ingestion" | "transformation" | "loading";

/** Calls a handler in the pipeline's environment with these variables changed; undefined takes one away. */
export const callWith = (
  { env }: TestPipeline,
  stage: Stage,
  changes: Readonly<Record<string, string | undefined>>,
  event?: object,
): Promise<unknown> => withEnvironment({ ...env, ...changes }, () => HANDLERS[stage](event));

let secrets = 0;
/** Makes a secret and gives its name. */
export async function addSecret({ env }: TestPipeline, value: object | string): Promise<string> {
  const client = new SecretsManagerClient({
    endpoint: env.AWS_ENDPOINT_URL,
    region: env.AWS_REGION,
    credentials: {
      accessKeyId: env.AWS_ACCESS_KEY_ID,
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
    },
  });
  const Name = `attack/${++secrets}`;
  const SecretString = typeof value === "string" ? value : JSON.stringify(value);
  try {
    await client.send(new CreateSecretCommand({ Name, SecretString }));
  } finally {
    client.destroy();
  }
  return Name;
}

/** What a promise was rejected with. Fails where it was not. */
export async function failureOf(promise: Promise<unknown>): Promise<Error> {
  let answer: unknown;
  try {
    answer = await promise;
  } catch (error) {
    return error as Error;
  }
  return expect.fail(`expected a refusal, got ${inspect(answer, { depth: 4 })}`);
}

/** All that anybody could print of an error: hidden fields, causes and their fields included. */
export const everythingIn = (error: Error): string =>
  inspect(error, {
    depth: Infinity,
    showHidden: true,
    maxStringLength: null,
    maxArrayLength: null,
  });

/**
 * What `work` was rejected with. Fails unless both buckets, but for hints, and the warehouse are as they were.
 * @param message a part of its message, or what that must match
 */
export async function refusal(
  pipeline: TestPipeline,
  work: () => Promise<unknown>,
  message: string | RegExp,
): Promise<Error> {
  const before = await stateOf(pipeline);
  const error = await failureOf(work());
  if (typeof message === "string") expect(error.message).to.include(message);
  else expect(error.message).to.match(message);
  expect(await stateOf(pipeline)).to.deep.equal(before);
  return error;
}

/** Every object but the hints, with its hash, and every table of the warehouse, with its rows' hash. */
export async function stateOf(pipeline: TestPipeline): Promise<unknown> {
  const [ingestion, processed, warehouse] = await Promise.all([
    objectsOf(pipeline, pipeline.env.INGESTION_BUCKET),
    objectsOf(pipeline, pipeline.env.PROCESSED_BUCKET),
    pipeline.star.task(async (t) => {
      const tables = await t.any<{ place: string }>(
        `select format('%I.%I', schemaname, tablename) as place from pg_tables
          where schemaname not in ('pg_catalog', 'information_schema') order by 1`,
      );
      if (tables.length === 0) return [];
      const hashes = tables.map(
        ({ place }) =>
          `select ${literal(place)} as place, md5(string_agg(t::text, chr(10) order by t::text)) as hash from ${place} t`,
      );
      return t.any<object>(hashes.join(" union all "));
    }),
  ]);
  return { ingestion, processed, warehouse };
}

async function objectsOf({ s3 }: TestPipeline, bucket: string): Promise<string[]> {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket }));
  return Contents.filter(({ Key }) => !Key!.startsWith("_hints/")).map(
    ({ Key, ETag }) => `${Key} ${ETag}`,
  );
}

/** A role of the whole server, which goes with it. */
export interface Role {
  readonly user: string;
  readonly password: string;
}

let roles = 0;
/** Makes a role that may log in and owns nothing. */
export async function addRole({ shop }: TestPipeline, password = "let me in"): Promise<Role> {
  const user = `role_${++roles}`;
  await shop.none("create role $1:name login password $2", [user, password]);
  return { user, password };
}
