// A serverless plugin: what can only be known by asking AWS is asked before anything is created, and each refusal says what
// to do; what `sls remove` leaves is said, or emptied. Loaded with require(): keep it CommonJS.
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
    const endpoint = process.env.AWS_ENDPOINT_URL;
    if (this.provider.getStage() !== "local") {
      if (endpoint)
        throw this.refuse(
          `AWS_ENDPOINT_URL is set (${endpoint}), and this stage goes to AWS itself; unset it`,
        );
      return;
    }
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

  buckets() {
    return ["ingestionBucket", "processedBucket"].map((parameter) => ({
      parameter,
      id: `${parameter[0].toUpperCase()}${parameter.slice(1)}`,
      name: this.nameOf(this.stage[parameter]),
    }));
  }

  /** A bucket that is there must be this stack's: names are the world's. */
  async checkBuckets() {
    const s3 = await this.s3();
    const own = await this.ownResources();
    for (const { parameter, id, name } of this.buckets()) {
      if (own.get(id) === name) continue;
      let found;
      try {
        await s3.send(new HeadBucketCommand({ Bucket: name }));
        found =
          "this account has it already, outside this stack: a removed prod leaves its buckets (docs/deploy.md says how to take them over)";
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
  }

  /** What the stack has, physical ids by logical ones; nothing before the first deploy. */
  async ownResources() {
    const { paginateListStackResources } = require("@aws-sdk/client-cloudformation");
    const client = await this.provider.getCloudFormationClient();
    const own = new Map();
    try {
      const StackName = this.provider.naming.getStackName();
      for await (const page of paginateListStackResources({ client }, { StackName }))
        for (const one of page.StackResourceSummaries ?? [])
          own.set(one.LogicalResourceId, one.PhysicalResourceId);
    } catch (error) {
      if (!/does not exist/.test(error.message)) throw error;
    }
    return own;
  }

  async checkSecrets() {
    if (this.stage.secrets !== "existing") return;
    const secrets = await this.client(SecretsManagerClient);
    for (const parameter of ["sourceSecret", "warehouseSecret"]) {
      const name = this.stage[parameter];
      try {
        await secrets.send(new DescribeSecretCommand({ SecretId: name }));
      } catch (error) {
        if (error.name !== "ResourceNotFoundException") throw error;
        throw this.refuse(
          `there is no secret ${name}; create it with aws secretsmanager create-secret --name ${name} --secret-string ` +
            '\'{"host":"…","port":5432,"user":"…","password":"…","database":"…"}\', or let the deploy make an empty one: ' +
            '--param "secrets=created"',
        );
      }
    }
  }

  /** CloudFormation deletes no bucket that holds something, and none that is to be kept. */
  async letGo() {
    const own = await this.ownResources();
    const buckets = this.buckets().filter(({ id }) => own.has(id));
    if (this.stage.deletionPolicy === "Retain") {
      const kept = buckets.map(({ name }) => name).join(" and ");
      if (kept) this.log.notice(`The lake stays: ${kept}. docs/deploy.md says how to delete it.`);
      return;
    }
    const s3 = await this.s3();
    for (const { name } of buckets) {
      this.log.notice(`Emptying ${name}`);
      // Functions at work may still write.
      for (let tries = 0; tries < 5 && (await this.empty(s3, name)) > 0; tries++) await delay(200);
    }
  }

  /** Deletes every version of every object, and gives their number. */
  async empty(s3, Bucket) {
    let deleted = 0;
    for (;;) {
      const page = await s3.send(new ListObjectVersionsCommand({ Bucket }));
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
