// `sls deploy` to an AWS on this machine (ministack, IAM enforced, functions under Node 24) that runs the service by itself: the
// schedule starts ingestion, the buckets' events do the rest.
//
// Not shown here, for the emulator has it not: the alarms going off, metrics out of the logs, the composite alarm, the
// bucket policies that want TLS, a queue's own redrive (the messages are moved by hand), VPCs, customer keys, the permissions for
// queues and logs, which it does not ask for.
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { ListStacksCommand } from "@aws-sdk/client-cloudformation";
import { GetRolePolicyCommand, ListRolesCommand, PutRolePolicyCommand } from "@aws-sdk/client-iam";
import {
  InvokeCommand,
  ListEventSourceMappingsCommand,
  ListFunctionsCommand,
  UpdateEventSourceMappingCommand,
} from "@aws-sdk/client-lambda";
import {
  DeleteMessageCommand,
  ListQueuesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
} from "@aws-sdk/client-sqs";
import {
  DescribeMapRunCommand,
  ListExecutionsCommand,
  ListMapRunsCommand,
} from "@aws-sdk/client-sfn";
import path from "node:path";
import {
  lateCommit,
  openShop,
  silentUpdates,
  type LateCommit,
} from "../../localstack/totesys/shop.ts";
import { PythonError } from "../../scripts/python.ts";
import { manifestKey } from "../../src/lake/keys.ts";
import type { IngestionManifest } from "../../src/lake/manifest.ts";
import { eventually } from "../localstack/support.ts";
import { expect } from "../support/chai.ts";
import { dropIn } from "../support/drop-in.ts";
import { spawnTotes, type Ran } from "../support/totes.ts";
import { closeAll, connectTo, untruths, type Database } from "../support/pipeline.ts";
import { bucketsOf, openCloud, REGION, type DeployedCloud } from "./cloud.ts";

/**
 * For a test that is done in minutes: a tick a minute, a failed message again after eight seconds. With so little time an
 * invocation does one batch, and the first load is two.
 */
const QUICK = [
  "--param",
  "batchRows=600",
  "--param",
  "rate=rate(1 minute)",
  "--param",
  "timeout=8",
  "--param",
  "visibilityTimeout=8",
];

/** What a stage has where it asks for it: what makes all batches again, many at once, and the compaction. */
const MORE = ["--param", "retransform=true", "--param", "compaction=true"];
const MACHINE = `arn:aws:states:${REGION}:000000000000:stateMachine:totes-warehouse-local-retransformation`;

describe("the deployed service", () => {
  let cloud: DeployedCloud;
  let shop: Database;
  let star: Database;
  let late: LateCommit;
  const isTrue = (): Promise<string[]> => untruths(shop, star, { allowExtraDates: true });
  const eventuallyTrue = (): Promise<unknown> =>
    eventually(async () => expect(await isTrue()).to.deep.equal([]), 100);

  before(async function () {
    try {
      cloud = await openCloud();
    } catch (error) {
      if (!(error instanceof PythonError) || process.env["CI"]) throw error;
      console.log(`  NOT DONE: ${error.message}`);
      this.skip();
    }
    const { host, port, user, password } = cloud.postgres;
    shop = connectTo({ host, port, user, password, database: "totesys" });
    star = connectTo({ host, port, user, password, database: "warehouse" });
    await openShop(shop, { seed: 3, salesOrders: 200 });
  });
  after(async () => {
    await closeAll();
    await cloud?.stop();
  });

  /** A deploy that must not come to anything. */
  const refused = async (expected: RegExp, args: string[] = [], env = {}): Promise<void> => {
    const { code, output } = await cloud.sls(["deploy", ...QUICK, ...args], env);
    expect(output).to.match(expected);
    expect(code).to.not.equal(0);
  };

  /** Does something while a role lacks one action on one resource. */
  const withoutPermission = async (
    role: string,
    sid: string,
    action: string,
    resource: number,
    work: () => Promise<void>,
  ): Promise<void> => {
    const RoleName = `totes-warehouse-local-${REGION}-${role}`;
    const found = await cloud.iam.send(new GetRolePolicyCommand({ RoleName, PolicyName: "work" }));
    const whole = decodeURIComponent(found.PolicyDocument!);
    const put = (document: string) =>
      cloud.iam.send(
        new PutRolePolicyCommand({ RoleName, PolicyName: "work", PolicyDocument: document }),
      );
    await put(JSON.stringify(without(JSON.parse(whole) as Policy, sid, action, resource)));
    try {
      await work();
    } finally {
      await put(whole);
    }
  };

  /** A verb of the command line on the deployed stage. */
  const totes = (...args: string[]): Promise<Ran> =>
    spawnTotes(
      {
        AWS_ENDPOINT_URL: cloud.emulator.endpoint,
        AWS_ACCESS_KEY_ID: "test",
        AWS_SECRET_ACCESS_KEY: "test",
      },
      [...args, "--stage", "local"],
    );

  it("is refused where a bucket's name is taken", async () => {
    await cloud.s3.send(new CreateBucketCommand({ Bucket: "somebodys" }));
    await refused(
      /the bucket name somebodys is taken: .* choose another: --param "processedBucket=…"/,
      ["--param", "processedBucket=somebodys"],
    );
    await cloud.s3.send(new DeleteBucketCommand({ Bucket: "somebodys" }));
  });

  it("is refused where a secret is missing, and nothing is made", async () => {
    await refused(
      /stage local: there is no secret totes\/local\/source; create it with aws secretsmanager/,
    );
    expect(await bucketsOf(cloud)).to.deep.equal([]);
    const { StackSummaries = [] } = await cloud.cloudFormation.send(new ListStacksCommand({}));
    expect(StackSummaries).to.deep.equal([]);
  });

  it("is deployed by one command", async () => {
    await cloud.setSecret("source");
    await cloud.setSecret("warehouse");
    // Its rows are written before the first batch is read, and committed after it.
    late = await lateCommit(() => shop.connect(), { seed: 5, now: new Date() });
    const { code, output } = await cloud.sls(["deploy", ...QUICK]);
    expect(code, output).to.equal(0);
    const { output: info } = await cloud.sls(["info", ...QUICK]);
    expect(info).to.match(/ingestion: totes-warehouse-local-ingestion/);
  });

  it("is refused another lake than it has", () =>
    refused(
      /it has its lake in totes-processed-local, and elsewhere would be an empty one; give --param "processedBucket=totes-processed-local"/,
      ["--param", "processedBucket=elsewhere"],
    ));

  it("is refused with the credentials of another account", () =>
    refused(
      /these credentials are of account 000000000000; this stage belongs to account 123456789012/,
      ["--param", "account=123456789012"],
    ));

  it("is refused where no emulator answers", () =>
    refused(
      /no emulator answers at http:\/\/127\.0\.0\.1:9 \(.*\); start one: npm run emulator/,
      [],
      { AWS_ENDPOINT_URL: "http://127.0.0.1:9" },
    ));

  it("changes nothing when it is deployed again", async () => {
    const { code, output } = await cloud.sls(["deploy", ...QUICK]);
    expect(code, output).to.equal(0);
    expect(output).to.match(/No changes to deploy/);
  });

  it("fills the warehouse by itself: nobody calls a function", () => eventuallyTrue());

  it("goes on at once with a run that is not done, and does not wait for the next tick", async () => {
    const manifests = await Promise.all(
      [1, 2].map(async (batch) => {
        const { Body } = await cloud.s3.send(
          new GetObjectCommand({ Bucket: "totes-ingestion-local", Key: manifestKey(batch) }),
        );
        return JSON.parse(await Body!.transformToString()) as IngestionManifest;
      }),
    );
    const [first, second] = manifests;
    expect(first!.cursor).to.not.equal(null);
    expect(second!.run).to.not.equal(first!.run);
    const waited = Date.parse(second!.committed_at) - Date.parse(first!.committed_at);
    expect(waited).to.be.lessThan(20_000);
  });

  it("brings what changed in silence, and what commits late", async () => {
    await silentUpdates(shop, { seed: 4 });
    await late.commit();
    await eventuallyTrue();
  });

  it("answers to the verbs of the command line", async () => {
    const json = async (...args: string[]): Promise<any> => {
      const { code, out, err } = await totes(...args, "--json");
      expect(code, `totes ${args.join(" ")}: ${err}`).to.equal(0);
      return out.includes("\n{")
        ? out
            .trimEnd()
            .split("\n")
            .map((line) => JSON.parse(line))
        : JSON.parse(out);
    };
    const { verdict, checks } = await json("status");
    expect(verdict.status).to.equal("ok");
    const queues = (checks as { id: string; status: string }[]).find(({ id }) => id === "queues");
    expect(queues!.status).to.equal("ok");
    const findings = (await json("doctor")) as { title: string; status: string }[];
    expect(findings.filter(({ status }) => status === "bad")).to.deep.equal([]);
    const { total } = await json("batches");
    expect(total).to.be.greaterThan(2);
    expect(await json("batch", "1")).to.include({ batch: 1, status: "loaded", chain: "equal" });
    const lines = (await json("logs", "--batch", "1")) as { function: string; batch: number }[];
    expect([...new Set(lines.map((line) => line.function))]).to.deep.equal([
      "ingestion",
      "transformation",
      "loading",
    ]);
    expect(await json("replay", "1")).to.include({
      transformation: "done already",
      isLoaded: true,
    });
    expect((await json("reconcile")).report).to.include({ differences: 0 });
    expect(await json("redrive", "--yes")).to.deep.equal({ moved: {} });
    expect(await json("run")).to.include({ outcome: "nothing changed", batch: total });
  });

  it("takes a commit of the shop to the warehouse in a moment, once it is woken", async () => {
    const started = performance.now();
    await shop.none("update design set file_name = 'latency.json' where design_id = 1");
    await cloud.lambda.send(
      new InvokeCommand({
        FunctionName: "totes-warehouse-local-ingestion",
        InvocationType: "Event",
      }),
    );
    await eventually(async () => {
      const { file_name } = await star.one<{ file_name: string }>(
        "select file_name from dim_design where design_id = 1",
      );
      expect(file_name).to.equal("latency.json");
    });
    console.log(`      source commit → warehouse: ${Math.round(performance.now() - started)} ms`);
  });

  it("delivers again, gives up, and is right again after a redrive: nothing lost, nothing doubled", async () => {
    await cloud.setSecret("warehouse", { port: 9 });
    await silentUpdates(shop, { seed: 6 });
    await cloud.invoke("ingestion");
    const deadLetters = async (): Promise<unknown> =>
      expect(await cloud.depth("loading-dead-letters")).to.be.greaterThan(0);
    await eventually(deadLetters, 100);
    expect(await isTrue()).to.not.deep.equal([]);
    await cloud.setSecret("warehouse");
    const from = await cloud.queueUrl("loading-dead-letters");
    const to = await cloud.queueUrl("loading");
    const { Messages = [] } = await cloud.sqs.send(new ReceiveMessageCommand({ QueueUrl: from }));
    for (const { Body, ReceiptHandle } of Messages) {
      await cloud.sqs.send(new SendMessageCommand({ QueueUrl: to, MessageBody: Body }));
      await cloud.sqs.send(new DeleteMessageCommand({ QueueUrl: from, ReceiptHandle }));
    }
    await eventuallyTrue();
    const noneWaits = async (): Promise<unknown> =>
      expect(await cloud.depth("loading")).to.equal(0);
    await eventually(noneWaits, 100);
  });

  {
    /** Each permission of a role, one action on one resource, and a call that needs it. */
    const permissions: [role: string, sid: string, action: string, resource: number][] = [
      ["ingestion", "ReadAndWriteBatches", "s3:GetObject", 0],
      ["ingestion", "ReadAndWriteBatches", "s3:PutObject", 0],
      ["ingestion", "FindTheNewest", "s3:ListBucket", 0],
      ["ingestion", "OpenTheSource", "secretsmanager:GetSecretValue", 0],
      ["transformation", "ReadBatches", "s3:GetObject", 0],
      ["transformation", "ReadBatches", "s3:GetObject", 1],
      ["transformation", "WriteBatches", "s3:PutObject", 0],
      ["transformation", "FindWhatIsUndone", "s3:ListBucket", 0],
      ["transformation", "FindWhatIsUndone", "s3:ListBucket", 1],
      ["loading", "ReadBatches", "s3:GetObject", 0],
      ["loading", "WriteReceiptsAndHints", "s3:PutObject", 0],
      ["loading", "WriteReceiptsAndHints", "s3:PutObject", 1],
      ["loading", "FindWhatIsReady", "s3:ListBucket", 0],
      ["loading", "OpenTheWarehouse", "secretsmanager:GetSecretValue", 0],
    ];
    let design = 0;

    // Or a message might do a function's work before the test asks for it.
    const deliverMessages = async (Enabled: boolean): Promise<void> => {
      const { EventSourceMappings = [] } = await cloud.lambda.send(
        new ListEventSourceMappingsCommand({}),
      );
      expect(EventSourceMappings).to.have.length(3);
      for (const { UUID } of EventSourceMappings)
        await cloud.lambda.send(new UpdateEventSourceMappingCommand({ UUID, Enabled }));
    };
    it("does without its queues: a tick does what is undone", async () => {
      await deliverMessages(false);
      await silentUpdates(shop, { seed: 7 });
      for (const name of ["ingestion", "transformation", "loading"])
        expect((await cloud.invoke(name)).failed, name).to.equal(false);
      expect(await isTrue()).to.deep.equal([]);
    });

    for (const [role, sid, action, resource] of permissions)
      it(`needs ${action} (${role}: ${sid}, resource ${resource + 1})`, async () => {
        await withoutPermission(role, sid, action, resource, async () => {
          await shop.none("update design set file_name = $1 where design_id = 2", [
            `${++design}.json`,
          ]);
          for (const name of ["ingestion", "transformation", "loading"]) {
            const { failed, answer } = await cloud.invoke(name);
            if (name !== role) continue;
            expect(JSON.stringify(answer)).to.match(/AccessDenied/);
            expect(failed).to.equal(true);
            break;
          }
        });
        for (const name of ["ingestion", "transformation", "loading"])
          expect((await cloud.invoke(name)).failed, name).to.equal(false);
        expect(await isTrue()).to.deep.equal([]);
      });

    it("takes messages again", () => deliverMessages(true));
  }

  {
    const AGAIN = "totes-retransformed-local";
    const again = (...args: string[]): Promise<Ran> => totes("rebuild", "--fan-out", ...args);
    const manifestsIn = async (Bucket: string): Promise<string[]> => {
      const { Contents = [] } = await cloud.s3.send(
        new ListObjectsV2Command({ Bucket, Prefix: "_batches/" }),
      );
      return Contents.map(({ Key }) => Key!);
    };

    it("asked for all batches again, says what it takes where it has not", async () => {
      const { code, err } = await again();
      expect(err).to.match(
        /^stage local has no totes-warehouse-local-retransformation: `npx sls deploy --stage local --param "retransform=true"` makes it\n$/,
      );
      expect(code).to.equal(2);
    });

    it("asked for all batches again, makes them by many functions at once, the same, and the same warehouse from them", async () => {
      const deployed = await cloud.sls(["deploy", ...QUICK, ...MORE]);
      expect(deployed.code, deployed.output).to.equal(0);
      const { code, out, err } = await again("--schema", "again", "--json");
      expect(err).to.match(/\n {2}Made +\d+ batches, in /);
      const batches = await manifestsIn("totes-processed-local");
      expect(batches.length).to.be.greaterThan(2);
      expect(JSON.parse(out)).to.deep.include({ same: true });
      expect(JSON.parse(out).processed).to.include({
        bucket: AGAIN,
        newest: batches.length,
        before: 0,
      });
      expect(code).to.equal(0);
      expect(await manifestsIn(AGAIN)).to.deep.equal(batches);
      // One child a batch: each ran the function.
      const { executions = [] } = await cloud.steps.send(
        new ListExecutionsCommand({ stateMachineArn: MACHINE }),
      );
      expect(executions.map(({ status }) => status)).to.deep.equal(["SUCCEEDED"]);
      const { mapRuns } = await cloud.steps.send(
        new ListMapRunsCommand({ executionArn: executions[0]!.executionArn }),
      );
      const { itemCounts } = await cloud.steps.send(
        new DescribeMapRunCommand({ mapRunArn: mapRuns![0]!.mapRunArn }),
      );
      expect(itemCounts).to.include({ total: batches.length, succeeded: batches.length });
    });

    it("asked for all batches again, goes on with those that are missing, and names one that cannot be made, with the reason", async () => {
      const [first, second] = (await manifestsIn(AGAIN)) as [string, string];
      for (const Key of [first, second])
        await cloud.s3.send(new DeleteObjectCommand({ Bucket: AGAIN, Key }));
      const from = { Bucket: "totes-ingestion-local", Key: manifestKey(2) };
      const { Body } = await cloud.s3.send(new GetObjectCommand(from));
      const { objects } = JSON.parse(await Body!.transformToString()) as IngestionManifest;
      const object = { Bucket: from.Bucket, Key: objects[0]!.key };
      const whole = await cloud.s3.send(new GetObjectCommand(object));
      const bytes = await whole.Body!.transformToByteArray();
      await cloud.s3.send(new PutObjectCommand({ ...object, Body: "altered" }));
      const refused = await again();
      expect(refused.err, refused.err).to.match(
        /^RebuildError: 1 of 2 batches were not made \(2\): batch 2: \S+ failed: .* is not what was committed: .*\. The execution was arn:\S+; the same command goes on with those that are missing$/m,
      );
      expect(refused.code).to.equal(2);
      expect(await manifestsIn(AGAIN))
        .to.include(first)
        .and.not.include(second);
      await cloud.s3.send(new PutObjectCommand({ ...object, Body: bytes }));
      const { code, out } = await again("--json");
      const newest = (await manifestsIn("totes-processed-local")).length;
      expect(JSON.parse(out).processed).to.include({ newest, before: newest - 1, differences: 0 });
      expect(code).to.equal(0);
    });

    /** Each permission of the function and of its machine, and a batch that needs it. */
    const permissions: [role: string, sid: string, action: string, resource: number][] = [
      ["retransformation", "ReadBatches", "s3:GetObject", 0],
      ["retransformation", "ReadBatches", "s3:GetObject", 1],
      ["retransformation", "WriteBatches", "s3:PutObject", 0],
    ];
    for (const [role, sid, action, resource] of permissions)
      it(`asked for all batches again, needs ${action} (${role}: ${sid}, resource ${resource + 1})`, async () => {
        await withoutPermission(role, sid, action, resource, async () => {
          await cloud.s3.send(new DeleteObjectCommand({ Bucket: AGAIN, Key: manifestKey(1) }));
          const { failed, answer } = await cloud.invoke("retransformation", { batch: 1 });
          expect(JSON.stringify(answer)).to.match(/AccessDenied/);
          expect(failed).to.equal(true);
        });
        expect((await cloud.invoke("retransformation", { batch: 1 })).failed).to.equal(false);
      });

    for (const [sid, action] of [
      ["ReadBatches", "s3:GetObject"],
      ["FindBatches", "s3:ListBucket"],
      ["WriteCompactions", "s3:PutObject"],
    ] as const)
      it(`compacts, and needs ${action} for that (${sid})`, () =>
        withoutPermission("compaction", sid, action, 0, async () => {
          const { failed, answer } = await cloud.invoke("compaction", { to: 1 });
          expect(JSON.stringify(answer)).to.match(/AccessDenied/);
          expect(failed).to.equal(true);
        }));

    it("compacts by the function of the stage, and has the lake whole and the same answers then", async () => {
      const newest = (await manifestsIn("totes-processed-local")).length;
      const { failed, answer } = await cloud.invoke("compaction", { to: newest });
      expect(failed, JSON.stringify(answer)).to.equal(false);
      const { compactions } = answer as { compactions: Record<string, unknown>[] };
      expect(compactions).to.have.length(1);
      expect(compactions[0]).to.include({ from: 1, to: newest, outcome: "committed" });
      const verified = await totes("rebuild", "--verify", "--json");
      const { same, verified: found } = JSON.parse(verified.out) as {
        same: boolean;
        verified: object;
      };
      expect(found, verified.err).to.deep.include({ compactions: 1, problems: [] });
      expect(same).to.equal(true);
      const question = `select (select count(*) from fact_sales_order_latest) as orders,
                               (select count(*) from etl_object where kind = 'compaction') as objects`;
      const asked = await totes("lake", "query", question, "--json");
      const [{ orders, objects }] = JSON.parse(asked.out) as [{ orders: string; objects: string }];
      expect(orders).to.equal(
        (await shop.one<{ count: string }>("select count(*) from sales_order")).count,
      );
      expect(Number(objects)).to.be.greaterThan(5);
    });

    it("asked for all batches again, is refused by functions with other table modules", async () => {
      dropIn(path.join(cloud.project, "tables"));
      const { code, output } = await cloud.sls(["deploy", ...QUICK, ...MORE]);
      expect(code, output).to.equal(0);
      await cloud.s3.send(new DeleteObjectCommand({ Bucket: AGAIN, Key: manifestKey(1) }));
      const { err } = await again();
      expect(err, err).to.match(
        /^RebuildError: .*: batch 1: \S+ failed: .*: this function was deployed with other table modules than the rebuild was started with/m,
      );
    });
  }

  it("fills a new table module once it is deployed", async () => {
    const expected = await shop.any(
      `select o.sales_order_id, o.design_id, d.file_location || '/' || d.file_name as file
         from sales_order o join design d using (design_id) order by 1`,
    );
    const filled = async (): Promise<unknown> =>
      expect(
        await star.any("select sales_order_id, design_id, file from fact_design_use order by 1"),
      ).to.deep.equal(expected);
    await eventually(filled, 100);
    expect(await isTrue()).to.deep.equal([]);
  });

  it("never went beyond this machine, whatever sls did", async () => {
    // With credentials of an account, and an endpoint that is not ours: refused before a word was sent.
    const { code, output } = await cloud.sls(["deploy"], {
      AWS_ENDPOINT_URL: "https://cloudformation.eu-west-2.amazonaws.com",
      AWS_ACCESS_KEY_ID: "AKIAIOSFODNN7EXAMPLE",
      AWS_SECRET_ACCESS_KEY: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    });
    expect(output).to.match(/which is not this machine; stage local never goes to AWS/);
    expect(code).to.not.equal(0);
    expect(cloud.elsewhere()).to.deep.equal([]);
  });

  it("leaves nothing when it is removed", async () => {
    const { code, output } = await cloud.sls(["remove", ...QUICK]);
    expect(code, output).to.equal(0);
    expect(await bucketsOf(cloud)).to.deep.equal([]);
    expect((await cloud.lambda.send(new ListFunctionsCommand({}))).Functions).to.deep.equal([]);
    expect((await cloud.sqs.send(new ListQueuesCommand({}))).QueueUrls ?? []).to.deep.equal([]);
    const { Roles = [] } = await cloud.iam.send(new ListRolesCommand({}));
    expect(
      Roles.map(({ RoleName }) => RoleName).filter((name) => name!.includes("totes")),
    ).to.deep.equal([]);
  });
});

interface Policy {
  Statement: { Sid: string; Action: string | string[]; Resource: string | string[] }[];
}

/** The policy with one action on one resource left out. */
function without(policy: Policy, sid: string, action: string, resource: number): Policy {
  return {
    ...policy,
    Statement: policy.Statement.flatMap((statement) => {
      if (statement.Sid !== sid) return [statement];
      const actions = [statement.Action].flat();
      const resources = [statement.Resource].flat();
      expect(actions).to.include(action);
      expect(resources).to.have.length.greaterThan(resource);
      const others = actions.filter((one) => one !== action);
      const elsewhere = resources.filter((_, i) => i !== resource);
      return [
        ...(others.length > 0 ? [{ ...statement, Action: others }] : []),
        ...(elsewhere.length > 0 ? [{ ...statement, Action: action, Resource: elsewhere }] : []),
      ];
    }),
  };
}
