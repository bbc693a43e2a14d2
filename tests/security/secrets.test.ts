// A password is planted in both secrets, and everything that the service writes or throws is searched for it: when all goes
// well, and in each way in which it does not.
import { GetObjectCommand, ListObjectVersionsCommand } from "@aws-sdk/client-s3";
import { PutSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { gunzipSync } from "node:zlib";
import type { LambdaFunction } from "../../localstack/functions.ts";
import { STAGES } from "../../scripts/bundle.ts";
import { manifestKey } from "../../src/lake/keys.ts";
import { callWith, everythingIn, failureOf, type Stage } from "../support/attack.ts";
import { expect } from "../support/chai.ts";
import { Deployed } from "../support/deployed.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { callTotes } from "../support/totes.ts";

/** What no escaping changes, so that it is found in whatever form the password is written. */
const NEEDLE = "needle7f3a91";
const PASSWORD = `it's "p%41w"\n@:/?#\\é👜 $1 ${NEEDLE} \${x}'`;

/** The needle plain, in hexadecimal, and in base64 wherever it may begin. */
const FORMS = [
  NEEDLE,
  Buffer.from(NEEDLE).toString("hex"),
  ...[0, 1, 2].map((before) =>
    // Characters that hold bits of the needle alone.
    Buffer.from("\0".repeat(before) + NEEDLE)
      .toString("base64")
      .slice(before === 0 ? 0 : before + 1, before === 0 ? 16 : -4),
  ),
];

/** Fails where `text` shows the password; `where` says whose text it is. */
function expectNothingIn(text: string, where: string): void {
  for (const form of FORMS)
    if (text.toLowerCase().includes(form.toLowerCase()))
      expect.fail(`${where} shows the password:\n${text.slice(0, 2000)}`);
}

describe("a password", () => {
  let p: TestPipeline;
  let secrets: SecretsManagerClient;
  let deployed: Deployed;
  const functions = new Map<Stage, LambdaFunction>();
  const printed: string[] = [];

  before(async () => {
    p = await openPipeline({ orders: 10 });
    secrets = new SecretsManagerClient({
      endpoint: p.env.AWS_ENDPOINT_URL,
      region: p.env.AWS_REGION,
      credentials: {
        accessKeyId: p.env.AWS_ACCESS_KEY_ID,
        secretAccessKey: p.env.AWS_SECRET_ACCESS_KEY,
      },
    });
    for (const user of [p.users.reader.user, p.users.loader.user])
      await p.shop.none("alter role $1:name password $2", [user, PASSWORD]);
    // The functions as Lambda runs them: all that they print is heard, at the most talkative level there is.
    deployed = await Deployed.make(...STAGES);
    for (const name of STAGES)
      functions.set(
        name,
        deployed.start(name, {
          env: { ...p.env, POWERTOOLS_LOG_LEVEL: "TRACE", POWERTOOLS_LOGGER_LOG_EVENT: "true" },
          onLog: (line) => printed.push(line),
        }),
      );
    await restore();
  });
  after(async () => {
    secrets.destroy();
    for (const one of functions.values()) await one.stop();
    await deployed.remove();
    await closeAll();
  });

  const good = (stage: Stage): object => ({
    ...(stage === "loading" ? p.users.loader : p.users.reader),
    password: PASSWORD,
  });
  const nameOf = (stage: Stage): string =>
    stage === "loading" ? p.env.WAREHOUSE_SECRET : p.env.SOURCE_SECRET;
  const setSecret = (stage: Stage, value: object | string): Promise<unknown> =>
    secrets.send(
      new PutSecretValueCommand({
        SecretId: nameOf(stage),
        SecretString: typeof value === "string" ? value : JSON.stringify(value),
      }),
    );
  const restore = async (): Promise<void> => {
    for (const stage of ["ingestion", "loading"] as const) await setSecret(stage, good(stage));
  };

  /** Everything that lies in a bucket, overwritten and deleted versions too. */
  async function expectCleanBucket(Bucket: string): Promise<number> {
    const { Versions = [] } = await p.s3.send(new ListObjectVersionsCommand({ Bucket }));
    for (const { Key, VersionId } of Versions) {
      const { Body, Metadata } = await p.s3.send(
        new GetObjectCommand({ Bucket, Key, ...(VersionId ? { VersionId } : {}) }),
      );
      const bytes = Buffer.from(await Body!.transformToByteArray());
      const text = Key!.endsWith(".gz") ? gunzipSync(bytes) : bytes;
      expectNothingIn(`${Key} ${JSON.stringify(Metadata)} ${text.toString("latin1")}`, Key!);
    }
    return Versions.length;
  }

  async function expectCleanLedger(): Promise<void> {
    const tables = await p.star.any<{ name: string }>(
      "select tablename as name from pg_tables where schemaname = 'etl'",
    );
    expect(tables).to.have.length.greaterThan(0);
    for (const { name } of tables)
      expectNothingIn(JSON.stringify(await p.star.any("select * from etl.$1:name", [name])), name);
  }

  it("would be found: each of its forms is", () => {
    for (const text of [
      PASSWORD,
      JSON.stringify({ PASSWORD }),
      encodeURIComponent(PASSWORD),
      Buffer.from(PASSWORD).toString("hex"),
      ...[0, 1, 2].map((n) => Buffer.from(`${"x".repeat(n)}${PASSWORD}`).toString("base64")),
    ])
      expect(() => expectNothingIn(text, "x"), text).to.throw("x shows the password");
    expectNothingIn("nothing of the kind", "x");
  });

  it("is in no line, object or row of a run, nor in what the server shows of its sessions", async () => {
    let isDone = false;
    const seen = new Set<string>();
    const watching = (async () => {
      while (!isDone)
        for (const row of await p.shop.any(
          "select application_name, query, usename from pg_stat_activity where usename = any($1)",
          [[p.users.reader.user, p.users.loader.user]],
        ))
          seen.add(JSON.stringify(row));
    })();
    try {
      for (const stage of ["ingestion", "transformation", "loading"] as const)
        await functions.get(stage)!.invoke({});
    } finally {
      isDone = true;
      await watching;
    }
    await p.expectTrue();
    expect(seen.size).to.be.greaterThan(3);
    for (const row of seen) expectNothingIn(row, "pg_stat_activity");
    expect(printed.length).to.be.greaterThan(5);
    expectNothingIn(printed.join("\n"), "what was printed");
    expect(await expectCleanBucket(p.env.INGESTION_BUCKET)).to.be.greaterThan(5);
    expect(await expectCleanBucket(p.env.PROCESSED_BUCKET)).to.be.greaterThan(5);
    await expectCleanLedger();
  });

  /** What goes wrong: the secret's value, made of the good one; what is done before and undone after. */
  const failures: readonly {
    readonly what: string;
    readonly secret?: (good: object) => object | string;
    readonly on?: readonly Stage[];
    readonly before?: () => Promise<unknown>;
    readonly after?: () => Promise<unknown>;
    readonly message: RegExp;
  }[] = [
    {
      what: "is not the user's",
      secret: (all) => ({ ...all, password: `${PASSWORD}x` }),
      message: /password authentication failed for user/,
    },
    {
      what: "goes to a host that refuses",
      secret: (all) => ({ ...all, port: 1 }),
      message: /ECONNREFUSED/,
    },
    {
      what: "goes to a host that there is not",
      secret: (all) => ({ ...all, host: "no-such-host.invalid" }),
      message: /ENOTFOUND|EAI_AGAIN/,
    },
    {
      what: "goes to a server without TLS",
      secret: (all) => ({ ...all, sslmode: "verify-full" }),
      message: /does not support SSL/,
    },
    {
      what: "goes with an authority that is none",
      secret: (all) => ({ ...all, sslmode: "verify-full", ca: `not PEM ${NEEDLE}` }),
      message: /cannot connect to PostgreSQL/,
    },
    {
      what: "opens a database that there is not",
      secret: (all) => ({ ...all, database: "nowhere" }),
      message: /database "nowhere" does not exist/,
    },
    {
      what: "is another's, who may nothing",
      secret: (all) => ({ ...all, user: "nobody_at_all" }),
      before: () => p.shop.none("create role nobody_at_all login password $1", [PASSWORD]),
      after: () => p.shop.none("drop role nobody_at_all"),
      message: /may not SELECT it|permission denied/,
    },
    {
      what: "meets a limit of connections",
      before: () =>
        p.shop.none(
          "alter role $1:name connection limit 0; alter role $2:name connection limit 0",
          [p.users.reader.user, p.users.loader.user],
        ),
      after: () =>
        p.shop.none(
          "alter role $1:name connection limit -1; alter role $2:name connection limit -1",
          [p.users.reader.user, p.users.loader.user],
        ),
      message: /too many connections for role/,
    },
    {
      what: "is in a secret that is not JSON",
      secret: () => `{"password":"${NEEDLE}`,
      message: /is not JSON/,
    },
    {
      what: "is the whole secret",
      secret: () => JSON.stringify(PASSWORD),
      message: /is no JSON object/,
    },
    {
      what: "is in a list",
      secret: (all) => ({ ...all, password: [PASSWORD] }),
      message: /has no usable "password"/,
    },
    {
      what: "stands beside a port that is none",
      secret: (all) => ({ ...all, port: PASSWORD }),
      message: /has no usable "port"/,
    },
    {
      what: "stands beside an sslmode that is none",
      secret: (all) => ({ ...all, sslmode: NEEDLE }),
      message: /has no usable "sslmode"/,
    },
    {
      what: "stands beside no user",
      secret: (all) => ({ ...all, user: undefined }),
      message: /has no "user"/,
    },
    {
      what: "opened a source that does not fit",
      on: ["ingestion"],
      before: () => p.shop.none("alter table staff rename column first_name to other"),
      after: () => p.shop.none("alter table staff rename column other to first_name"),
      message: /staff\.first_name: expected text, found no such column/,
    },
    {
      what: "opened a warehouse that does not fit",
      on: ["loading"],
      before: () => p.star.none("alter table dim_staff rename column first_name to other"),
      after: () => p.star.none("alter table dim_staff rename column other to first_name"),
      message: /the warehouse differs/,
    },
    {
      what: "opened a source whose query fails",
      on: ["ingestion"],
      before: () =>
        p.shop.none("revoke execute on function pg_catalog.pg_control_system() from public"),
      after: () =>
        p.shop.none("grant execute on function pg_catalog.pg_control_system() to public"),
      message: /^permission denied for function pg_control_system$/,
    },
    {
      what: "opened a source, and the lake is broken",
      on: ["ingestion"],
      before: async () => p.put("ingestion", manifestKey(1), "{"),
      after: async () => p.put("ingestion", manifestKey(1), manifest),
      message: /is not JSON/,
    },
  ];
  let manifest: Buffer;

  for (const { what, secret, on, before, after, message } of failures)
    for (const stage of on ?? (["ingestion", "loading"] as const))
      it(`that ${what} is in no line and no error of ${stage}`, async () => {
        manifest ??= await p.get("ingestion", manifestKey(1));
        await before?.();
        try {
          if (secret) await setSecret(stage, secret(good(stage)));
          const from = printed.length;
          const error = await failureOf(callWith(p, stage, {}));
          expect(error.message).to.match(message);
          expectNothingIn(everythingIn(error), "the error");
          expectNothingIn(`${error.stack} ${JSON.stringify(error)}`, "the error");
          await failureOf(functions.get(stage)!.invoke({}));
          const lines = printed.slice(from);
          expect(lines.filter((line) => line.includes('"level":"ERROR"'))).to.have.length(1);
          expectNothingIn(lines.join("\n"), "what was printed");
        } finally {
          await after?.();
          await restore();
        }
      });

  for (const line of [
    "status",
    "doctor",
    "batch 1",
    "quarantine",
    "reconcile --json",
    "rebuild --verify",
    "sources check",
  ])
    it(`is in nothing that \`totes ${line}\` says, whether it opens the databases or is not the user's`, async () => {
      const say = async (): Promise<number> => {
        const { code, out, err } = await callTotes(p.env, line.split(" "));
        expectNothingIn(out + err, `totes ${line}`);
        expect(out + err).to.not.equal("");
        return code;
      };
      expect(await say()).to.be.at.most(1);
      try {
        for (const stage of ["ingestion", "loading"] as const)
          await setSecret(stage, { ...good(stage), password: `${PASSWORD}x` });
        await say();
      } finally {
        await restore();
      }
    });

  it("is in nothing that all of this left behind", async () => {
    await p.shop.none("update staff set first_name = 'After'");
    await p.run();
    await p.expectTrue();
    await expectCleanBucket(p.env.INGESTION_BUCKET);
    await expectCleanBucket(p.env.PROCESSED_BUCKET);
    await expectCleanLedger();
  });
});
