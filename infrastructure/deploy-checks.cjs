// A serverless plugin: what can only be known by asking AWS is asked before anything is created, and each refusal says what
// to do; what `sls remove` leaves is said, or emptied. A function that a stage has not is left out. Loaded with require(): keep it CommonJS.
const { setTimeout: delay } = require("node:timers/promises");
const {
  DeleteObjectsCommand,
  HeadBucketCommand,
  ListObjectVersionsCommand,
  S3Client,
} = require("@aws-sdk/client-s3");
const { DescribeSecretCommand, SecretsManagerClient } = require("@aws-sdk/client-secrets-manager");

module.exports = class DeployChecks {
  constructor(serverless, options, { log }) {
    this.serverless = serverless;
    this.provider = serverless.getProvider("aws");
    this.log = log;
    const checked = async () => {
      await this.checkEndpoint();
      await this.checkAccount();
    };
    this.hooks = {
      initialize: () => this.leaveOut(),
      "before:package:initialize": () => this.checkMail(),
      "before:deploy:deploy": async () => {
        await checked();
        await this.checkBuckets();
        await this.checkSecrets();
      },
      "before:remove:remove": async () => {
        await checked();
        await this.letGo();
      },
    };
  }

  /**
   * A function that the stage has not. A CloudFormation condition would leave it out as well, but serverless would miss it at each
   * deploy, and never find that nothing has changed.
   */
  leaveOut() {
    if (this.stage.retransform) return;
    const { functions, resources } = this.serverless.service;
    delete functions.retransformation;
    delete resources.extensions.RetransformationLogGroup;
  }

  /** Only where it counts: logs and the like are to be had without. */
  checkMail() {
    if (this.provider.getStage() === "prod" && this.stage.mail === null)
      throw this.refuse(
        'people rely on it, and nobody would be told when it fails: --param "mail=team@example.org", or mail in serverless.yml',
      );
  }

  get stage() {
    return this.serverless.service.custom.stage;
  }

  refuse(message) {
    return new this.serverless.classes.Error(`stage ${this.provider.getStage()}: ${message}`);
  }

  async client(Client, options = {}) {
    return new Client({ ...(await this.provider.getAwsSdkV3Config()), maxAttempts: 2, ...options });
  }

  s3() {
    const forcePathStyle = this.provider.getStage() === "local";
    return this.client(S3Client, { forcePathStyle });
  }

  /** Stage local goes to an emulator (infrastructure/stage.cjs sees to it), the others to AWS. */
  async checkEndpoint() {
    if (this.provider.getStage() !== "local") {
      for (const [name, value] of Object.entries(process.env))
        if (value && /^AWS_ENDPOINT_URL(_|$)/.test(name))
          throw this.refuse(
            `${name} is set (${value}), and this stage goes to AWS itself; unset it`,
          );
      return;
    }
    const endpoint = process.env.AWS_ENDPOINT_URL;
    try {
      await fetch(endpoint, { signal: AbortSignal.timeout(5000) });
    } catch (error) {
      throw this.refuse(
        `no emulator answers at ${endpoint} (${error.cause?.code ?? error.name}); start one: ` +
          "npm run emulator, or docker compose -f localstack/compose.yml up --wait",
      );
    }
  }

  async checkAccount() {
    let account;
    try {
      account = await this.provider.getAccountId();
    } catch (error) {
      throw this.refuse(
        `AWS does not know these credentials (${error.message}); run "aws sso login", or set AWS_PROFILE, and see who you ` +
          'are with "aws sts get-caller-identity"',
      );
    }
    if (this.stage.account !== null && this.stage.account !== account)
      throw this.refuse(
        `these credentials are of account ${account}; this stage belongs to account ${this.stage.account} (parameter account)`,
      );
    this.account = account;
  }

  /** A bucket's name, where it has the account in it. */
  nameOf(bucket) {
    return typeof bucket === "string"
      ? bucket
      : bucket["Fn::Sub"].replaceAll("${AWS::AccountId}", this.account);
  }

  /** Those of the lake, and the one that is filled again, where the stage has it. */
  buckets() {
    return ["ingestionBucket", "processedBucket", "retransformedBucket"].map((parameter) => ({
      parameter,
      id: `${parameter[0].toUpperCase()}${parameter.slice(1)}`,
      name: this.nameOf(this.stage[parameter]),
    }));
  }

  /** A bucket that is there must be this stack's: names are the world's. And this stack's stays the one that it has. */
  async checkBuckets() {
    const s3 = await this.s3();
    const own = await this.ownResources();
    for (const { parameter, id, name } of this.buckets()) {
      if (parameter === "retransformedBucket" && !this.stage.retransform) continue;
      if (own.get(id) === name) continue;
      if (own.has(id))
        throw this.refuse(
          `it has its lake in ${own.get(id)}, and ${name} would be an empty one; give --param "${parameter}=${own.get(id)}", ` +
            "or say so in serverless.yml",
        );
      let found;
      try {
        await s3.send(new HeadBucketCommand({ Bucket: name }));
        found =
          "this account has it, outside this stack: a removed prod leaves its buckets (docs/deploy.md)";
      } catch (error) {
        const status = error.$metadata?.httpStatusCode;
        if (status === 404) continue;
        if (status === undefined) throw error;
        found = "somebody else has it, or these credentials may not see it";
      }
      throw this.refuse(
        `the bucket name ${name} is taken: ${found}; choose another: --param "${parameter}=…"`,
      );
    }
    if (own.has("Key") && this.stage.kmsKey !== "own")
      throw this.refuse(
        'its lake is encrypted with its own key, which it would lose; give --param "kmsKey=own", or say so in serverless.yml',
      );
  }

  /** What the stack has now, physical ids by logical ones; nothing before the first deploy. */
  ownResources() {
    return (this.own ??= this.listResources());
  }

  async listResources() {
    const { paginateListStackResources } = require("@aws-sdk/client-cloudformation");
    const client = await this.provider.getCloudFormationClient();
    const own = new Map();
    try {
      const StackName = this.provider.naming.getStackName();
      for await (const page of paginateListStackResources({ client }, { StackName }))
        for (const one of page.StackResourceSummaries ?? [])
          if (!/^DELETE_(COMPLETE|SKIPPED)$/.test(one.ResourceStatus))
            own.set(one.LogicalResourceId, one.PhysicalResourceId);
    } catch (error) {
      if (!/does not exist/.test(error.message)) throw error;
    }
    return own;
  }

  async checkSecrets() {
    const secrets = await this.client(SecretsManagerClient);
    const own = await this.ownResources();
    for (const [parameter, id] of [
      ["sourceSecret", "SourceSecret"],
      ["warehouseSecret", "WarehouseSecret"],
    ]) {
      const name = this.stage[parameter];
      const there = await secrets
        .send(new DescribeSecretCommand({ SecretId: name }))
        .catch((error) => {
          if (error.name === "ResourceNotFoundException") return undefined;
          throw error;
        });
      if (there?.DeletedDate)
        throw this.refuse(
          `the secret ${name} is about to be deleted; keep it with aws secretsmanager restore-secret --secret-id ${name}`,
        );
      if (this.stage.secrets === "existing" && !there)
        throw this.refuse(
          `there is no secret ${name}; create it with aws secretsmanager create-secret --name ${name} --secret-string ` +
            '\'{"host":"…","port":5432,"user":"…","password":"…","database":"…"}\', or let the deploy make an empty one: ' +
            '--param "secrets=created"',
        );
      if (this.stage.secrets === "created" && there && !own.has(id))
        throw this.refuse(
          `there is a secret ${name} already, which this stack did not make; use it: --param "secrets=existing"`,
        );
    }
  }

  /**
   * CloudFormation deletes no bucket that holds something, and none that is to be kept: what was deployed decides, not what
   * the parameters say today.
   */
  async letGo() {
    const own = await this.ownResources();
    const all = [...this.buckets().map(({ id }) => id), "AthenaResults"];
    const ids = all.filter((id) => own.has(id));
    if (ids.length === 0) return;
    const { GetTemplateCommand } = require("@aws-sdk/client-cloudformation");
    const client = await this.provider.getCloudFormationClient();
    const { TemplateBody } = await client.send(
      new GetTemplateCommand({ StackName: this.provider.naming.getStackName() }),
    );
    const { Resources } = JSON.parse(TemplateBody);
    const s3 = await this.s3();
    for (const id of ids) {
      const name = own.get(id);
      if (Resources[id]?.DeletionPolicy !== "Delete") {
        this.log.notice(
          `${name} stays, with all that is in it. docs/deploy.md says how to delete it.`,
        );
        continue;
      }
      this.log.notice(`Emptying ${name}`);
      // Functions at work may still write.
      for (let tries = 0; tries < 5 && (await this.empty(s3, name)) > 0; tries++) await delay(200);
    }
  }

  /** Deletes every version of every object, and gives their number; 0 where the bucket is gone. */
  async empty(s3, Bucket) {
    let deleted = 0;
    for (;;) {
      let page;
      try {
        page = await s3.send(new ListObjectVersionsCommand({ Bucket }));
      } catch (error) {
        if (error.name === "NoSuchBucket") return deleted;
        throw error;
      }
      const Objects = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])].map(
        ({ Key, VersionId }) => ({ Key, VersionId }),
      );
      if (Objects.length === 0) return deleted;
      const { Errors = [] } = await s3.send(
        new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }),
      );
      if (Errors.length > 0)
        throw this.refuse(`${Bucket} cannot be emptied: ${Errors[0].Key}: ${Errors[0].Message}`);
      deleted += Objects.length;
    }
  }
};
