// The stage parameters of serverless.yml, checked before anything is packaged or created, in the types that CloudFormation
// wants: --param gives strings. serverless.yml says what each is for. Loaded with require(): keep it CommonJS.
const v = require("valibot");

const RETENTION = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288,
  3653,
];
const absent = (value) => value === null || value === "" || value === "null";
const orNull = (schema) =>
  v.union([
    v.pipe(
      v.custom(absent),
      v.transform(() => null),
    ),
    schema,
  ]);
const matching = (pattern, what) => v.pipe(v.string(what), v.regex(pattern, what));
const flag = v.pipe(
  v.union([v.boolean(), v.picklist(["true", "false"])], "true or false"),
  v.transform((value) => String(value) === "true"),
);
const whole = (from, to) => {
  const what = `a whole number from ${from} to ${to}`;
  return v.pipe(
    v.union([v.number(), matching(/^\d+$/, what)], what),
    v.transform(Number),
    v.integer(what),
    v.minValue(from, what),
    v.maxValue(to, what),
  );
};
const ids = (kind) => {
  const what = `ids like ${kind}-0123abcd, comma-separated`;
  return orNull(
    v.pipe(
      matching(new RegExp(`^${kind}-[0-9a-f]+( *, *${kind}-[0-9a-f]+)*$`), what),
      v.transform((list) => list.split(",").map((id) => id.trim())),
    ),
  );
};
const arn = (service) =>
  orNull(matching(new RegExp(`^arn:[\\w-]+:${service}:`), `an ARN of ${service}`));
const BUCKET = "a bucket's name: 3 to 63 lower-case letters, digits, dots and hyphens";
const bucket = v.union(
  [v.object({ "Fn::Sub": v.string() }), matching(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, BUCKET)],
  BUCKET,
);
const secretName = matching(/^[\w/+=.@-]{1,512}$/, "a secret's name");
const expression = matching(
  /^(rate\((1 (minute|hour|day)|([2-9]|[1-9]\d+) (minutes|hours|days))\)|cron\(\S+( \S+){5}\))$/,
  "cron(0 2 * * ? *), or rate(6 hours)",
);

const SHARE = "a share from 0 to 1";

const parameters = {
  account: orNull(matching(/^\d{12}$/, "12 digits, quoted")),
  ingestionBucket: bucket,
  processedBucket: bucket,
  retransform: flag,
  retransformedBucket: bucket,
  retransformConcurrency: whole(1, 10_000), // what Step Functions allows of children
  deletionPolicy: v.picklist(["Delete", "Retain"]),
  secrets: v.picklist(["existing", "created"]),
  sourceSecret: secretName,
  warehouseSecret: secretName,
  scheduleEnabled: flag,
  rate: matching(
    /^rate\((1 minute|([2-9]|1[0-5]) minutes)\)$/,
    "rate(1 minute) to rate(15 minutes): the freshness alarms allow for thirty",
  ),
  reconcileAt: expression,
  deletesAt: expression,
  deletesShare: v.pipe(
    v.union([v.number(), matching(/^(0?\.\d+|[01])$/, SHARE)], SHARE),
    v.transform(Number),
    v.minValue(0, SHARE),
    v.maxValue(1, SHARE),
  ),
  reconciliationTimeout: whole(1, 900),
  compaction: flag,
  compactionAt: expression,
  compactedDays: orNull(whole(1, 36_500)),
  memorySize: whole(128, 10_240),
  timeout: whole(1, 900),
  visibilityTimeout: whole(1, 43_200),
  batchRows: whole(1, 10_000_000),
  batchBytes: whole(1, 1_000_000_000),
  transformationConcurrency: whole(2, 1000), // what AWS allows of a queue
  continueAtOnce: flag,
  reservedConcurrency: orNull(whole(1, 1000)),
  logLevel: v.picklist(["DEBUG", "INFO", "WARN", "ERROR"]),
  logRetentionInDays: v.pipe(
    whole(1, 3653),
    v.check((days) => RETENTION.includes(days), `one of ${RETENTION.join(", ")}`),
  ),
  mail: orNull(matching(/^[^@\s]+@[^@\s]+\.[^@\s]+$/, "a mail address")),
  quarantineDays: whole(1, 3650),
  compositeAlarm: flag,
  kmsKey: v.picklist(["aws", "own"]),
  secretsKeyArn: arn("kms"),
  tlsOnly: flag,
  athena: flag,
  athenaScanGb: whole(1, 100_000),
  permissionsBoundary: arn("iam"),
  subnetIds: ids("subnet"),
  securityGroupIds: ids("sg"),
  vpcId: orNull(matching(/^vpc-[0-9a-f]+$/, "an id like vpc-0123abcd")),
  routeTableIds: ids("rtb"),
};

/** What is wrong with the stage as a whole; each sentence says what to do. */
function* problemsOf(stage, given) {
  if (stage === "prod" && given.deletionPolicy !== "Retain")
    yield "deletionPolicy: prod keeps its lake when the service is removed: Retain";
  if ((given.subnetIds === null) !== (given.securityGroupIds === null))
    yield "subnetIds, securityGroupIds: half a network was given: both, or neither";
  if ((given.vpcId === null) !== (given.routeTableIds === null))
    yield "vpcId, routeTableIds: the endpoints need both; leave both out where there are endpoints or a NAT already";
  if (given.vpcId !== null && given.subnetIds === null)
    yield "vpcId: endpoints without subnetIds and securityGroupIds serve nobody";
  if (given.visibilityTimeout < given.timeout)
    yield `visibilityTimeout: ${given.visibilityTimeout} s is below the functions' timeout of ${given.timeout} s; a message would be delivered twice`;
  if (given.reservedConcurrency === 1 && given.continueAtOnce)
    yield "reservedConcurrency: 1 would throttle what ingestion's own queue delivers; 2, or continueAtOnce: false";
  const buckets = ["ingestionBucket", "processedBucket", "retransformedBucket"];
  for (const [i, one] of buckets.entries())
    for (const other of buckets.slice(i + 1))
      if (JSON.stringify(given[one]) === JSON.stringify(given[other]))
        yield `${one}, ${other}: one bucket was given twice`;
}

/** The hosts that are this machine, or LocalStack beside it. */
const LOCAL = /^(127\.\d+\.\d+\.\d+|\[::1\]|localhost|localstack|host\.docker\.internal)$/;

/** Stage local must never reach AWS, whatever the shell has set. */
function* endpointProblems(env) {
  const advice =
    "stage local never goes to AWS: .env.local says AWS_ENDPOINT_URL=http://127.0.0.1:4566; unset what the shell says";
  if (!/^(|0|false)$/i.test(env.AWS_IGNORE_CONFIGURED_ENDPOINT_URLS ?? ""))
    yield `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is set; ${advice}`;
  if (!env.AWS_ENDPOINT_URL) yield `AWS_ENDPOINT_URL is not set; ${advice}`;
  for (const [name, value] of Object.entries(env)) {
    if (!value || !/^AWS_ENDPOINT_URL(_|$)/.test(name)) continue;
    if (!URL.canParse(value) || !LOCAL.test(new URL(value).hostname))
      yield `${name} is ${value}, which is not this machine; ${advice}`;
  }
}

/** What would have been right: in our words, where there are some. A union that has none means its last member. */
const expectedBy = (issue) => {
  if (issue.type === "union" && issue.message.startsWith("Invalid type"))
    return expectedBy(issue.issues.at(-1));
  return issue.type === "picklist" ? issue.expected : issue.message;
};

/**
 * @param stage its name
 * @param known the stages of serverless.yml
 * @param given the parameters as they were given, by name
 * @param env the environment
 * @returns the parameters in their own types, and what follows from them
 * @throws a text (serverless would print an Error's stack): one line a problem
 */
function checkStage(stage, known, given, env) {
  const refuse = (problems) => {
    throw [`stage ${stage} cannot be used:`, ...problems].join("\n  - ");
  };
  if (!known.includes(stage))
    refuse([
      `there are ${known.join(", ")}; add it under "params" in serverless.yml to make one of your own`,
    ]);
  const parsed = v.safeParse(v.object(parameters), given, { abortPipeEarly: true });
  if (!parsed.success)
    refuse(
      parsed.issues.map((issue) => {
        const name = v.getDotPath(issue);
        return `${name}: expected ${expectedBy(issue)}, found ${JSON.stringify(given[name])}`;
      }),
    );
  const { output } = parsed;
  const problems = [
    ...problemsOf(stage, output),
    ...(stage === "local" ? endpointProblems(env) : []),
  ];
  if (problems.length > 0) refuse(problems);
  const { subnetIds, securityGroupIds } = output;
  return {
    ...output,
    // A stack that is rolled back at its first deploy leaves nothing; one that is removed leaves its lake.
    deletionPolicy: output.deletionPolicy === "Retain" ? "RetainExceptOnCreate" : "Delete",
    // Stack traces name our files and lines. An emulator has options of its own.
    nodeOptions: stage === "local" ? null : "--enable-source-maps",
    vpc: subnetIds === null ? null : { subnetIds, securityGroupIds },
    // Where there is none, the conditions leave it out, and the template still wants something that looks like it.
    orPlaceholder: {
      secretsKeyArn: output.secretsKeyArn ?? "arn:aws:kms:eu-west-2:000000000000:key/none",
      permissionsBoundary: output.permissionsBoundary ?? "arn:aws:iam::000000000000:policy/none",
      mail: output.mail ?? "nobody@example.org",
      vpcId: output.vpcId ?? "vpc-00000000",
      routeTableIds: output.routeTableIds ?? ["rtb-00000000"],
      subnetIds: subnetIds ?? ["subnet-00000000"],
      securityGroupId: securityGroupIds?.[0] ?? "sg-00000000",
      compactedDays: output.compactedDays ?? 1,
    },
    athenaScanBytes: output.athenaScanGb * 1_000_000_000,
    deploymentBucket: {
      blockPublicAccess: true,
      versioning: true,
      serverSideEncryption: "AES256",
      skipPolicySetup: !output.tlsOnly,
    },
    // For the conditions, which compare texts.
    is: Object.fromEntries(
      Object.entries({
        ownKey: output.kmsKey === "own",
        createdSecrets: output.secrets === "created",
        encryptedSecrets: output.secretsKeyArn !== null,
        mail: output.mail !== null,
        compositeAlarm: output.compositeAlarm,
        retention: output.compactedDays !== null,
        tlsOnly: output.tlsOnly,
        bounded: output.permissionsBoundary !== null,
        inVpc: subnetIds !== null,
        endpoints: output.vpcId !== null,
        athena: output.athena,
        retransform: output.retransform,
        retransformByTls: output.retransform && output.tlsOnly,
      }).map(([name, value]) => [name, String(value)]),
    ),
  };
}

module.exports = async ({ resolveVariable, resolveConfigurationProperty }) => {
  const stage = await resolveVariable("sls:stage");
  const { default: _, ...stages } = await resolveConfigurationProperty(["params"]);
  const given = {};
  for (const name of Object.keys(parameters))
    given[name] = await resolveVariable(`param:${name}, null`);
  return checkStage(stage, Object.keys(stages), given, process.env);
};
module.exports.checkStage = checkStage;
