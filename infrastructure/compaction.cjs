// The compaction of the lake, where the stage's parameter `compaction` asks for it: the function, its role, the encryption of
// its log. Its alarms are in alarms.cjs. Loaded with require(): keep it CommonJS.
/** Seconds: a first compaction of a year's lake is many, and each invocation does as many as it has time for. */
const TIMEOUT = 900;
/** MB: twice what it takes where Node 24 lets much lie about. It runs once a week. */
const memoryOf = ({ memorySize }) => Math.max(1024, memorySize);
const noValue = { Ref: "AWS::NoValue" };

module.exports = async ({ resolveVariable }) => {
  const stage = await resolveVariable("self:custom.stage");
  if (!stage.compaction) return { functions: {}, resources: {} };
  const name = `totes-warehouse-${await resolveVariable("sls:stage")}`;
  return {
    functions: {
      compaction: {
        handler: "src/handlers/compaction.handler",
        description: "Turns the small objects of batches that were loaded some time ago into few.",
        role: "CompactionRole",
        timeout: TIMEOUT,
        memorySize: memoryOf(stage),
        maximumRetryAttempts: 0, // the next one does the same work
        maximumEventAge: 300,
        environment: { PARQUET_CODEC: "hyparquet" },
        events: [{ schedule: { rate: [stage.compactionAt], enabled: stage.scheduleEnabled } }],
      },
    },
    resources: {
      Resources: {
        CompactionRole: roleOf(
          name,
          await resolveVariable("aws:region"),
          await resolveVariable("file(infrastructure/roles.yml):Resources.TransformationRole"),
        ),
      },
      extensions: {
        CompactionLogGroup: {
          Properties: {
            KmsKeyId: { "Fn::If": ["OwnKey", { "Fn::GetAtt": ["Key", "Arn"] }, noValue] },
          },
        },
      },
    },
  };
};
Object.assign(module.exports, { TIMEOUT, memoryOf });

const statement = (Sid, Action, Resource, Effect = "Allow") => ({ Sid, Effect, Action, Resource });
const under = (prefix) => ({ "Fn::Sub": `\${ProcessedBucket.Arn}/${prefix}*` });
const policy = (PolicyName, ...Statement) => ({
  PolicyName,
  PolicyDocument: { Version: "2012-10-17", Statement },
});

/**
 * As that of transformation, but for its work. Each table has a folder of its own: what it may not write is said instead of
 * what it may.
 */
const roleOf = (name, region, { Type, Properties }) => ({
  Type,
  Properties: {
    ...Properties,
    RoleName: `${name}-${region}-compaction`,
    Policies: [
      policy(
        "work",
        statement("ReadBatches", "s3:GetObject", under("")),
        statement("WriteCompactions", "s3:PutObject", under("")),
        statement(
          "LeaveBatchesAlone",
          "s3:PutObject",
          ["_batches/", "_loads/", "_hints/", "_rejected/", "_driven/", "_gone/"].map(under),
          "Deny",
        ),
        statement("FindBatches", "s3:ListBucket", { "Fn::GetAtt": ["ProcessedBucket", "Arn"] }),
        statement("Log", ["logs:CreateLogStream", "logs:PutLogEvents"], {
          "Fn::Sub": `arn:\${AWS::Partition}:logs:\${AWS::Region}:\${AWS::AccountId}:log-group:/aws/lambda/${name}-compaction:*`,
        }),
      ),
      ...Properties.Policies.slice(1), // the key, the network
    ],
  },
});
