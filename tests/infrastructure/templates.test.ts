// What AWS is told to make, of every stage: `sls package`, without a network or an account.
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect } from "chai";
import { STAGES } from "../../scripts/package-stage.ts";
import { ofType, readPackaged, referencesIn, type Packaged, type Resource } from "./packaged.ts";

const root = path.join(import.meta.dirname, "..", "..");
/** What a function's zip may have, in bytes: a cold start loads all of it. */
const LIMIT = 1_000_000;

for (const [what, [stage, parameters]] of Object.entries(STAGES))
  describe(`the template of ${what}`, () => {
    let template: Packaged;
    let functions: [string, Resource][];
    let alarms: Resource[];
    const isLocal = stage === "local";
    const ifCompacted = (one: string): string[] =>
      parameters["compaction"] === "true" ? [one] : [];
    const hasAthena = "athena" in parameters;
    const retransforms = parameters["retransform"] === "true";
    const ifRetransforming = (one: string): string[] => (retransforms ? [one] : []);
    before(async () => {
      template = await readPackaged(stage, parameters);
      functions = ofType(template, "AWS::Lambda::Function");
      alarms = ofType(template, "AWS::CloudWatch::Alarm").map(([, alarm]) => alarm);
    });

    it("has its functions on Node 24 and arm64, each with a role of its own; compaction where it is asked for", () => {
      expect(functions.map(([id]) => id)).to.have.members([
        "IngestionLambdaFunction",
        "TransformationLambdaFunction",
        "LoadingLambdaFunction",
        "ReconciliationLambdaFunction",
        ...ifCompacted("CompactionLambdaFunction"),
        ...ifRetransforming("RetransformationLambdaFunction"),
      ]);
      for (const [, { Properties }] of functions)
        expect(Properties).to.deep.include({ Runtime: "nodejs24.x", Architectures: ["arm64"] });
      const memory = new Map(
        functions.map(([id, { Properties }]) => [id, Properties["MemorySize"]]),
      );
      expect(memory.get("CompactionLambdaFunction")).to.equal(ifCompacted("it")[0] && 1024);
      expect(memory.get("LoadingLambdaFunction")).to.equal(512);
      const roles = functions.map(([, { Properties }]) => referencesIn(Properties["Role"])[0]);
      expect(roles).to.have.members([
        "IngestionRole",
        "TransformationRole",
        "LoadingRole",
        "ReconciliationRole",
        ...ifCompacted("CompactionRole"),
        ...ifRetransforming("RetransformationRole"),
      ]);
      expect(ofType(template, "AWS::IAM::Role").map(([id]) => id)).to.have.members([
        ...roles,
        ...ifRetransforming("RetransformationMachineRole"),
        ...(hasAthena ? ["AthenaReaderRole"] : []),
      ]);
    });

    it("has bundles of less than a megabyte", () => {
      expect(template.sizes).to.have.all.keys(
        "ingestion",
        "transformation",
        "loading",
        "reconciliation",
        ...ifCompacted("compaction"),
        ...ifRetransforming("retransformation"),
      );
      for (const [name, size] of Object.entries(template.sizes))
        expect(size, name).to.be.lessThan(LIMIT);
    });

    it("hands each function what it reads, and no null or empty text", () => {
      const expected: Record<string, string[]> = {
        IngestionLambdaFunction: ["SOURCE_SECRET", "BATCH_ROWS", "BATCH_BYTES", "CONTINUE_AT_ONCE"],
        TransformationLambdaFunction: ["PARQUET_CODEC"],
        LoadingLambdaFunction: ["PARQUET_CODEC", "WAREHOUSE_SECRET"],
        ReconciliationLambdaFunction: ["PARQUET_CODEC", "SOURCE_SECRET", "WAREHOUSE_SECRET"],
        CompactionLambdaFunction: ["PARQUET_CODEC"],
        RetransformationLambdaFunction: ["PARQUET_CODEC"],
      };
      for (const [id, { Properties }] of functions) {
        const variables = Properties["Environment"].Variables as Record<string, unknown>;
        expect(Object.keys(variables)).to.have.members([
          "BUILD",
          "INGESTION_BUCKET",
          "PROCESSED_BUCKET",
          "POWERTOOLS_LOG_LEVEL",
          ...(stage === "local" ? [] : ["NODE_OPTIONS"]),
          "POWERTOOLS_METRICS_NAMESPACE",
          ...expected[id]!,
        ]);
        for (const value of Object.values(variables))
          expect(value).to.satisfy((one: unknown) => typeof one === "object" || one !== "");
        // As src/build.ts has it: milliseconds since 1970.
        expect(variables["BUILD"]).to.match(/^\d{13}$/);
      }
    });

    it("allows no role an action or a resource by wildcard, but Lambda's own network calls", () => {
      const statements = ofType(template, "AWS::IAM::Role").flatMap(([, { Properties }]) =>
        Properties["Policies"].flatMap((policy: any) => policy.PolicyDocument.Statement as any[]),
      );
      expect(statements.length).to.be.greaterThan(10);
      for (const { Sid, Action, Resource } of statements) {
        expect([Action].flat().join(), Sid).to.not.include("*");
        if (Sid !== "NetworkInterfaces") expect([Resource].flat(), Sid).to.not.include("*");
      }
      const inVpc = statements.filter(({ Sid }) => Sid === "NetworkInterfaces").length;
      expect(inVpc).to.equal("subnetIds" in parameters ? functions.length : 0);
    });

    it("closes every bucket: private, encrypted, versioned, tidied, by TLS alone", () => {
      const buckets = ofType(template, "AWS::S3::Bucket");
      // The lake's two, serverless' own for deployments, the one that is filled again, and what Athena answers.
      expect(buckets).to.have.length(3 + (retransforms ? 1 : 0) + (hasAthena ? 1 : 0));
      const policies = ofType(template, "AWS::S3::BucketPolicy").map(([, one]) => one.Properties);
      for (const [id, { Properties }] of buckets) {
        expect(Object.values(Properties["PublicAccessBlockConfiguration"]), id).to.deep.equal([
          true,
          true,
          true,
          true,
        ]);
        expect(Properties["VersioningConfiguration"], id).to.deep.equal({ Status: "Enabled" });
        const [{ ServerSideEncryptionByDefault: sse }] =
          Properties["BucketEncryption"].ServerSideEncryptionConfiguration;
        const ownKey = stage === "prod" && id !== "ServerlessDeploymentBucket";
        expect(sse.SSEAlgorithm, id).to.equal(ownKey ? "aws:kms" : "AES256");
        const policy = policies.find(({ Bucket }) => referencesIn(Bucket)[0] === id);
        if (isLocal) expect(policy, id).to.equal(undefined);
        else
          expect(policy!["PolicyDocument"].Statement, id).to.satisfy((all: any[]) =>
            all.some(
              ({ Effect, Principal, Action, Condition }) =>
                Effect === "Deny" &&
                Principal === "*" &&
                Action === "s3:*" &&
                String(Condition.Bool["aws:SecureTransport"]) === "false",
            ),
          );
        if (id === "ServerlessDeploymentBucket") continue;
        const rules = Properties["LifecycleConfiguration"].Rules as Record<string, unknown>[];
        const named =
          id === "AthenaResults"
            ? ["results"]
            : [
                "overwritten-and-deleted",
                ...(id === "ProcessedBucket" && "compactedDays" in parameters ? ["compacted"] : []),
              ];
        expect(
          rules.map((rule) => [rule["Id"], rule["Status"]]),
          id,
        ).to.deep.equal(named.map((rule) => [rule, "Enabled"]));
        // Nothing current of the lake goes but what was marked.
        for (const rule of rules)
          if (id !== "AthenaResults" && "ExpirationInDays" in rule)
            expect(rule).to.deep.include({
              ExpirationInDays: 400,
              TagFilters: [{ Key: "compacted", Value: "true" }],
            });
        expect(Properties["OwnershipControls"].Rules, id).to.deep.equal([
          { ObjectOwnership: "BucketOwnerEnforced" },
        ]);
        expect(template.Resources[id]!.DeletionPolicy, id).to.equal(
          stage === "prod" && id !== "AthenaResults" ? "RetainExceptOnCreate" : "Delete",
        );
      }
    });

    it("has Athena where it is asked for: a table for each folder, the views, a workgroup that bounds a query, a reader", () => {
      const tables = ofType(template, "AWS::Glue::Table").map(([, one]) => one.Properties);
      const groups = ofType(template, "AWS::Athena::WorkGroup");
      expect(groups).to.have.length(hasAthena ? 1 : 0);
      expect(ofType(template, "AWS::Glue::Database")).to.have.length(hasAthena ? 1 : 0);
      if (!hasAthena) {
        expect(tables).to.deep.equal([]);
        return;
      }
      const inputs = new Map(tables.map(({ TableInput: input }) => [input.Name, input]));
      expect([...inputs.keys()]).to.include.members(["etl_problem", "fact_payment_latest"]);
      const files = inputs.get("etl_files_rows_dim_date");
      const location = { "Fn::Sub": "s3://${ProcessedBucket}/dim_date/" };
      expect(files.StorageDescriptor.Location).to.deep.equal(location);
      expect(files.Parameters["storage.location.template"]).to.deep.equal({
        "Fn::Sub": "s3://${ProcessedBucket}/dim_date/${!etl_day}/",
      });
      expect(files.StorageDescriptor.Columns.slice(0, 2)).to.deep.equal([
        { Name: "date_id", Type: "date" },
        { Name: "year", Type: "int" },
      ]);
      const [, encoded] = /^\/\* Presto View: (\S+) \*\/$/.exec(
        inputs.get("dim_date").ViewOriginalText,
      )!;
      const view = JSON.parse(Buffer.from(encoded!, "base64").toString());
      expect(view).to.deep.include({ catalog: "awsdatacatalog", schema: "totes_warehouse_prod" });
      expect(view.columns[0]).to.deep.equal({ name: "date_id", type: "date" });
      expect(view.originalSql).to.include('from "etl_rows_dim_date"');
      expect(groups[0]![1].Properties["WorkGroupConfiguration"]).to.deep.include({
        EnforceWorkGroupConfiguration: true,
        BytesScannedCutoffPerQuery: 10_000_000_000,
      });
      const policies = template.Resources["AthenaReaderRole"]!.Properties["Policies"];
      const statements = policies.flatMap((one: any) => one.PolicyDocument.Statement) as any[];
      const read = statements.find(({ Sid }) => Sid === "ReadTheStar");
      expect(JSON.stringify(read.Resource)).to.not.match(/Ingestion|_rejected|_driven/);
    });

    it("tells a queue of each manifest and of a run that has more to read, and lets no other bucket or account write to it", () => {
      for (const [bucket, queue, prefix] of [
        ["IngestionBucket", "TransformationQueue", "_batches/"],
        ["IngestionBucket", "IngestionQueue", "_hints/continue"],
        ["ProcessedBucket", "LoadingQueue", "_batches/"],
      ] as const) {
        const { Properties, DependsOn } = template.Resources[bucket]!;
        expect(Properties["NotificationConfiguration"].QueueConfigurations).to.deep.include({
          Event: "s3:ObjectCreated:*",
          Queue: { "Fn::GetAtt": [queue, "Arn"] },
          Filter: {
            S3Key: {
              Rules: [
                { Name: "prefix", Value: prefix },
                { Name: "suffix", Value: ".json" },
              ],
            },
          },
        });
        expect([DependsOn].flat()).to.include(`${queue}Policy`);
        const [statement, ...more] =
          template.Resources[`${queue}Policy`]!.Properties["PolicyDocument"].Statement;
        expect(more).to.deep.equal([]);
        expect(statement).to.deep.include({
          Effect: "Allow",
          Principal: { Service: "s3.amazonaws.com" },
          Action: "sqs:SendMessage",
        });
        expect(statement.Condition.StringEquals).to.deep.equal({
          "aws:SourceAccount": { Ref: "AWS::AccountId" },
        });
        expect(statement.Condition.ArnEquals["aws:SourceArn"]["Fn::Join"][1].at(-1)).to.deep.equal(
          Properties["BucketName"],
        );
      }
    });

    it("gives every queue dead letters, kept for two weeks, and delivers again only after a timeout", () => {
      const queues = ofType(template, "AWS::SQS::Queue");
      const dead = queues.flatMap(([, { Properties }]) =>
        referencesIn(Properties["RedrivePolicy"]),
      );
      for (const [id, { Properties }] of queues) {
        expect(Properties["RedrivePolicy"] !== undefined, id).to.equal(!dead.includes(id));
        expect(Properties["MessageRetentionPeriod"], id).to.equal(1_209_600);
        expect(Properties["SqsManagedSseEnabled"] === true, id).to.equal(
          Properties["KmsMasterKeyId"] === undefined,
        );
        if (Properties["RedrivePolicy"])
          expect(Properties["RedrivePolicy"].maxReceiveCount, id).to.equal(5);
      }
      const mappings = ofType(template, "AWS::Lambda::EventSourceMapping");
      expect(mappings).to.have.length(3);
      for (const [id, { Properties }] of mappings) {
        const [name] = referencesIn(Properties["FunctionName"]);
        const given =
          name === "TransformationLambdaFunction" && parameters["transformationConcurrency"];
        expect(Properties, id).to.deep.include({
          BatchSize: 1,
          ScalingConfig: { MaximumConcurrency: Number(given || 2) },
        });
        const queue = template.Resources[referencesIn(Properties["EventSourceArn"])[0]!]!;
        // Ingestion has one thing to do, whatever the message: it succeeds or throws.
        expect(Properties["FunctionResponseTypes"], id).to.deep.equal(
          name === "IngestionLambdaFunction" ? undefined : ["ReportBatchItemFailures"],
        );
        const { Timeout } = template.Resources[name!]!.Properties;
        expect(queue.Properties["VisibilityTimeout"], id).to.be.at.least(6 * Timeout);
      }
    });

    it("wakes the stages by the schedule, reconciliation by its own two, and retries none of it", () => {
      const rules = ofType(template, "AWS::Events::Rule").map(([, { Properties }]) => Properties);
      const timesOf = (name: string): string[] =>
        rules
          .filter(({ Targets }) => referencesIn(Targets).includes(`${name}LambdaFunction`))
          .map(({ ScheduleExpression }) => ScheduleExpression as string);
      for (const name of ["Ingestion", "Transformation", "Loading"])
        expect(timesOf(name), name).to.deep.equal(["rate(10 minutes)"]);
      expect(timesOf("Reconciliation")).to.have.members([
        "cron(0 2 * * ? *)",
        "cron(30 1 * * ? *)",
      ]);
      expect(timesOf("Compaction")).to.deep.equal(ifCompacted("cron(0 3 ? * SUN *)"));
      const inputs = rules.flatMap(({ Targets }) => Targets.flatMap((one: any) => one.Input ?? []));
      expect(inputs).to.deep.equal(['{"deletes":true,"share":0.1}']);
      for (const { State } of rules)
        expect(State).to.equal(parameters["scheduleEnabled"] === "false" ? "DISABLED" : "ENABLED");
      const configs = ofType(template, "AWS::Lambda::EventInvokeConfig");
      expect(configs).to.have.length(4 + ifCompacted("compaction").length);
      for (const [id, { Properties }] of configs)
        expect(Properties, id).to.include({
          MaximumRetryAttempts: 0,
          MaximumEventAgeInSeconds: 300,
        });
    });

    it("keeps every function's log for a stated time", () => {
      const groups = ofType(template, "AWS::Logs::LogGroup");
      expect(groups).to.have.length(functions.length);
      for (const [id, { Properties }] of groups) {
        expect(Properties["RetentionInDays"], id).to.equal(stage === "prod" ? 365 : 30);
        expect(Properties["KmsKeyId"] !== undefined, id).to.equal(stage === "prod");
      }
    });

    it("watches every function that works by itself, every queue, the rows in quarantine and the freshness", () => {
      const watched = (metric: string): string[] =>
        alarms
          .filter(({ Properties }) => Properties["MetricName"] === metric)
          .map(({ Properties }) => referencesIn(Properties["Dimensions"])[0]!);
      for (const metric of ["Errors", "Throttles", "Duration"])
        expect(watched(metric), metric).to.have.members(
          functions.map(([id]) => id).filter((id) => id !== "RetransformationLambdaFunction"),
        );
      expect(watched("ApproximateNumberOfMessagesVisible")).to.have.members([
        "IngestionDeadLetters",
        "TransformationDeadLetters",
        "LoadingDeadLetters",
      ]);
      expect(watched("ApproximateAgeOfOldestMessage")).to.have.members([
        "IngestionQueue",
        "TransformationQueue",
        "LoadingQueue",
      ]);
      const { RowsRejectedAlarm } = template.Resources;
      expect(RowsRejectedAlarm!.Properties).to.include({
        Namespace: `TotesWarehouse/${stage}`,
        Threshold: 0,
        ComparisonOperator: "GreaterThanThreshold",
      });
      expect(template.Resources["QuarantineAgeAlarm"]!.Properties).to.include({
        Namespace: `TotesWarehouse/${stage}`,
        MetricName: "QuarantineAge",
        Threshold: 7 * 86_400,
        ComparisonOperator: "GreaterThanThreshold",
      });
      for (const [alarm, service] of [
        [template.Resources["FreshnessAlarm"]!, "loading"],
        [template.Resources["TransformingAlarm"]!, "transformation"],
        [template.Resources["ReadingAlarm"]!, "ingestion"],
      ] as const) {
        const { Period, DatapointsToAlarm, ...silence } = alarm.Properties;
        expect(Period * DatapointsToAlarm).to.equal(1800); // half an hour
        expect(silence["Dimensions"]).to.deep.equal([{ Name: "service", Value: service }]);
        expect(silence["TreatMissingData"]).to.equal(
          parameters["scheduleEnabled"] === "false" ? "notBreaching" : "breaching",
        );
      }
      const { ReconcilingAlarm, DifferencesAlarm } = template.Resources;
      const { Period, DatapointsToAlarm, ...reconciling } = ReconcilingAlarm!.Properties;
      expect(Period * DatapointsToAlarm).to.equal(2 * 86_400);
      expect(reconciling).to.include({ MetricName: "Reconciled", Threshold: 1 });
      expect(DifferencesAlarm!.Properties).to.include({
        Namespace: `TotesWarehouse/${stage}`,
        Threshold: 0,
        ComparisonOperator: "GreaterThanThreshold",
        Period: 86_400,
      });
      for (const { Properties } of alarms)
        if (!["Heartbeat", "Reconciled"].includes(Properties["MetricName"]))
          expect(Properties["TreatMissingData"], Properties["AlarmName"]).to.equal("notBreaching");
    });

    it("mails by one composite alarm of those that mean that the pipeline is unhealthy", () => {
      const composites = ofType(template, "AWS::CloudWatch::CompositeAlarm");
      expect(composites).to.have.length(isLocal ? 0 : 1);
      const rule = composites[0]?.[1].Properties["AlarmRule"] ?? "";
      for (const { Properties } of alarms) {
        const inComposite = rule.includes(`ALARM("${Properties["AlarmName"]}")`);
        const mails = referencesIn(Properties["AlarmActions"]).includes("Alerts");
        expect(inComposite !== mails, Properties["AlarmName"]).to.equal(true);
      }
      expect(ofType(template, "AWS::SNS::Subscription")).to.have.length(
        "mail" in parameters ? 1 : 0,
      );
    });

    it("says in each alarm what it means and where the runbook tells what to do", () => {
      const runbook = readFileSync(path.join(root, "docs", "runbook.md"), "utf8");
      const sections = [...runbook.matchAll(/^## (.+)$/gm)].map(([, heading]) =>
        heading!
          .toLowerCase()
          .replaceAll(/[^\w -]/g, "")
          .replaceAll(" ", "-"),
      );
      for (const { Properties } of alarms) {
        const [, meaning, section] =
          /^(.+\.) What to do: docs\/runbook\.md#(.+)$/.exec(Properties["AlarmDescription"]) ?? [];
        expect(meaning, Properties["AlarmName"]).to.be.a("string");
        expect(sections, Properties["AlarmName"]).to.include(section);
      }
    });

    it("alarms on, and draws, only metrics that the functions emit", () => {
      const emitted = [
        ...readFileSync(path.join(root, "src", "observe.ts"), "utf8").matchAll(
          /^ {2}(\w+): MetricUnit/gm,
        ),
      ].map(([, name]) => name);
      expect(emitted).to.include("Heartbeat");
      const filtered = ofType(template, "AWS::Logs::MetricFilter").flatMap(([, { Properties }]) =>
        Properties["MetricTransformations"].map((one: any) => one.MetricName as string),
      );
      const namespace = `TotesWarehouse/${stage}`;
      const alarmed = alarms.filter(({ Properties }) => Properties["Namespace"] === namespace);
      const { widgets } = JSON.parse(
        template.Resources["Dashboard"]!.Properties["DashboardBody"]["Fn::Sub"],
      ) as { widgets: any[] };
      const drawn = widgets
        .flatMap(({ properties }) => (properties.metrics ?? []) as unknown[][])
        .filter(([first]) => first === namespace);
      expect(drawn.length).to.be.greaterThan(10);
      for (const name of [
        ...alarmed.map(({ Properties }) => Properties["MetricName"]),
        ...drawn.map(([, name]) => name),
      ])
        expect([...emitted, ...filtered]).to.include(name);
    });

    it("draws a dashboard whose widgets lie side by side, of alarms that exist", () => {
      const { widgets } = JSON.parse(
        template.Resources["Dashboard"]!.Properties["DashboardBody"]["Fn::Sub"],
      ) as { widgets: any[] };
      const taken = new Set<string>();
      for (const { x, y, width, height } of widgets) {
        expect(x + width).to.be.at.most(24);
        for (let i = x; i < x + width; i++)
          for (let j = y; j < y + height; j++) {
            expect(taken.has(`${i},${j}`), `${i},${j}`).to.equal(false);
            taken.add(`${i},${j}`);
          }
      }
      const named = widgets.flatMap(({ properties }) => (properties.alarms ?? []) as string[]);
      expect(named.map((arn) => arn.split(":alarm:")[1])).to.have.members(
        alarms.map(({ Properties }) => Properties["AlarmName"]),
      );
    });

    it("lets a state machine run the function retransformation, each batch in a child, and nothing else", () => {
      const machines = ofType(template, "AWS::StepFunctions::StateMachine");
      expect(machines).to.have.length(retransforms ? 1 : 0);
      for (const [, { Properties }] of machines) {
        const { Batches } = Properties["Definition"].States;
        expect(Batches).to.deep.include({ Type: "Map", MaxConcurrency: 5 });
        expect(Batches.ItemProcessor.ProcessorConfig.Mode).to.equal("DISTRIBUTED");
        expect(Properties["DefinitionSubstitutions"]).to.deep.equal({
          Bucket: { Ref: "RetransformedBucket" },
          Function: {
            "Fn::Sub": `arn:\${AWS::Partition}:lambda:\${AWS::Region}:\${AWS::AccountId}:function:totes-warehouse-${stage}-retransformation`,
          },
        });
        expect(referencesIn(Properties["RoleArn"])).to.deep.equal(["RetransformationMachineRole"]);
      }
      // What is made again tells no queue: the warehouse goes on with what it has.
      const { RetransformedBucket } = template.Resources;
      expect(RetransformedBucket?.Properties["NotificationConfiguration"]).to.equal(undefined);
    });

    it("has no circular dependency, and refers to nothing that is not there", () => {
      const needs = new Map(
        Object.entries(template.Resources).map(([id, { Properties, DependsOn = [] }]) => [
          id,
          [...referencesIn(Properties), ...[DependsOn].flat()].filter(
            (name) => !name.startsWith("AWS::"),
          ),
        ]),
      );
      const done = new Set<string>();
      const visit = (id: string, way: string[]): void => {
        if (done.has(id)) return;
        expect(way, `${[...way, id].join(" → ")}`).to.not.include(id);
        expect(needs.has(id), `${way.at(-1)} refers to ${id}`).to.equal(true);
        for (const next of needs.get(id)!) visit(next, [...way, id]);
        done.add(id);
      };
      for (const id of needs.keys()) visit(id, []);
    });

    it("has a key, secrets, endpoints and a boundary exactly where the parameters ask for them", () => {
      const count = (type: string): number => ofType(template, type).length;
      const everything = what === "prod with everything";
      expect(count("AWS::KMS::Key")).to.equal(stage === "prod" ? 1 : 0);
      for (const id of ["Key", "SourceSecret", "WarehouseSecret"])
        expect(template.Resources[id]?.DeletionPolicy ?? "RetainExceptOnCreate", id).to.equal(
          "RetainExceptOnCreate",
        );
      expect(count("AWS::Lambda::Version")).to.equal(0);
      expect(count("AWS::SecretsManager::Secret")).to.equal(everything ? 2 : 0);
      expect(count("AWS::EC2::VPCEndpoint")).to.equal(everything ? 2 : 0);
      for (const [, { Properties }] of functions)
        expect(Properties["VpcConfig"]).to.deep.equal(
          everything
            ? {
                SubnetIds: ["subnet-0a1b2c3d", "subnet-1a2b3c4d"],
                SecurityGroupIds: ["sg-0a1b2c3d"],
              }
            : undefined,
        );
      for (const [, { Properties }] of ofType(template, "AWS::IAM::Role"))
        expect(Properties["PermissionsBoundary"]).to.equal(
          everything ? parameters["permissionsBoundary"] : undefined,
        );
      expect(
        template.Resources["IngestionLambdaFunction"]!.Properties["ReservedConcurrentExecutions"],
      ).to.equal(everything ? 2 : undefined);
    });
  });
