// The compaction of the lake, where the stage's parameter `compaction` asks for it: the function, and the encryption of its log.
// Its role is in roles.yml, its alarms are in alarms.cjs. Loaded with require(): keep it CommonJS.
/** Seconds: a first compaction of a year's lake is many, and each invocation does as many as it has time for. */
const TIMEOUT = 900;

module.exports = async ({ resolveVariable }) => {
  const { compaction, scheduleEnabled } = await resolveVariable("self:custom.stage");
  if (!compaction) return { functions: {}, resources: {} };
  return {
    functions: {
      compaction: {
        handler: "src/handlers/compaction.handler",
        description: "Turns the small objects of batches that were loaded some time ago into few.",
        role: "CompactionRole",
        timeout: TIMEOUT,
        maximumRetryAttempts: 0, // the next one does the same work
        maximumEventAge: 300,
        environment: { PARQUET_CODEC: "hyparquet" },
        events: [
          {
            schedule: {
              rate: [await resolveVariable("param:compactionAt")],
              enabled: scheduleEnabled,
            },
          },
        ],
      },
    },
    resources: {
      extensions: {
        CompactionLogGroup: {
          Properties: {
            KmsKeyId: {
              "Fn::If": ["OwnKey", { "Fn::GetAtt": ["Key", "Arn"] }, { Ref: "AWS::NoValue" }],
            },
          },
        },
      },
    },
  };
};
module.exports.TIMEOUT = TIMEOUT;
