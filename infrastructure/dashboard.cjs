// The dashboard answers in one look: is it fresh, how much moves, what waits, what failed, what it costs.
// Loaded with require(): keep it CommonJS.
const { memoryOf } = require("./compaction.cjs");

const ALWAYS = ["ingestion", "transformation", "loading", "reconciliation"];
/** USD, eu-west-2, arm64: a GB-second, and a request. https://aws.amazon.com/lambda/pricing/ */
const GB_SECOND = 0.0000133334;
const REQUEST = 0.0000002;

module.exports = async ({ resolveVariable }) => {
  const stageName = await resolveVariable("sls:stage");
  const { memorySize, timeout, compaction } = await resolveVariable("self:custom.stage");
  const functions = [...ALWAYS, ...(compaction ? ["compaction"] : [])];
  const name = `totes-warehouse-${stageName}`;
  const namespace = `TotesWarehouse/${stageName}`;
  const ours = (metric, service, label, more = {}) => [
    namespace,
    metric,
    "service",
    service,
    { label, ...more },
  ];
  const lambda = (metric, of, more = {}) => [
    "AWS/Lambda",
    metric,
    "FunctionName",
    `${name}-${of}`,
    { label: of, ...more },
  ];
  const queue = (metric, of, label) => ["AWS/SQS", metric, "QueueName", `${name}-${of}`, { label }];

  const widgets = [];
  let y = 0;
  /** A row of widgets side by side, under a heading that asks what they answer. */
  const row = (question, height, ...parts) => {
    widgets.push({
      type: "text",
      x: 0,
      y,
      width: 24,
      height: 1,
      properties: { markdown: `## ${question}`, background: "transparent" },
    });
    y += 1;
    const width = 24 / parts.length;
    parts.forEach(({ type, properties }, i) =>
      widgets.push({ type, x: i * width, y, width, height, properties }),
    );
    y += height;
  };
  const graph = (title, stat, metrics, more = {}) => ({
    type: "metric",
    properties: { title, region: "${AWS::Region}", stat, period: 300, metrics, ...more },
  });
  const text = (markdown) => ({ type: "text", properties: { markdown } });

  const alarms = (await resolveVariable("file(infrastructure/alarms.cjs)")).Resources;
  const alarmArns = Object.values(alarms)
    .filter(({ Type }) => Type === "AWS::CloudWatch::Alarm")
    .map(
      ({ Properties }) =>
        "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:" +
        Properties.AlarmName,
    );
  row("Is it well?", 4, {
    type: "alarm",
    properties: { title: "Alarms (docs/runbook.md says what to do)", alarms: alarmArns },
  });
  row(
    "Is it fresh?",
    6,
    graph("Seconds from ingestion to the warehouse", "Maximum", [ours("Lag", "loading", "lag, s")]),
    graph("Runs that came to their end", "Sum", [
      ours("Heartbeat", "ingestion", "ingestion"),
      ours("Heartbeat", "transformation", "transformation"),
      ours("Heartbeat", "loading", "loading"),
    ]),
    graph("Newest batch", "Maximum", [
      ours("Batch", "ingestion", "ingested"),
      ours("Batch", "transformation", "transformed"),
      ours("Batch", "loading", "loaded"),
    ]),
  );
  row(
    "Is it true?",
    6,
    graph("Differences between shop and warehouse", "Maximum", [
      ours("Differences", "reconciliation", "differences"),
    ]),
    graph("Rows held against the shop", "Sum", [ours("RowsReconciled", "reconciliation", "rows")]),
    graph("Rows that the shop has deleted", "Sum", [
      ours("RowsGone", "reconciliation", "found"),
      ours("DeletesRefused", "reconciliation", "not believed"),
    ]),
  );
  row(
    "How much moves?",
    6,
    graph("Rows", "Sum", [
      ours("RowsIngested", "ingestion", "read from the shop"),
      ours("RowsTransformed", "transformation", "star rows made"),
      ours("RowsLoaded", "loading", "loaded"),
      ours("RowsChanged", "loading", "changed in the warehouse"),
    ]),
    graph("Bytes in the lake", "Sum", [
      ours("BytesIngested", "ingestion", "JSON, gzipped"),
      ours("BytesTransformed", "transformation", "Parquet"),
    ]),
    graph("Transactions that an open one holds back", "Maximum", [
      ours("FenceAge", "ingestion", "fence age"),
    ]),
  );
  row(
    "What waits?",
    6,
    graph("Messages", "Maximum", [
      queue("ApproximateNumberOfMessagesVisible", "ingestion", "for ingestion"),
      queue("ApproximateNumberOfMessagesVisible", "transformation", "for transformation"),
      queue("ApproximateNumberOfMessagesVisible", "loading", "for loading"),
    ]),
    graph("Age of the oldest message, s", "Maximum", [
      queue("ApproximateAgeOfOldestMessage", "ingestion", "for ingestion"),
      queue("ApproximateAgeOfOldestMessage", "transformation", "for transformation"),
      queue("ApproximateAgeOfOldestMessage", "loading", "for loading"),
    ]),
    graph(
      "Duration, ms",
      "Maximum",
      functions.map((of) => lambda("Duration", of)),
      { annotations: { horizontal: [{ label: "timeout", value: timeout * 1000 }] } },
    ),
  );
  row(
    "What failed?",
    6,
    graph("Errors and throttles", "Sum", [
      ...functions.map((of) => lambda("Errors", of)),
      ...functions.map((of) => lambda("Throttles", of, { label: `${of}, throttled` })),
    ]),
    graph("Dead letters", "Maximum", [
      queue("ApproximateNumberOfMessagesVisible", "ingestion-dead-letters", "ingestion"),
      queue("ApproximateNumberOfMessagesVisible", "transformation-dead-letters", "transformation"),
      queue("ApproximateNumberOfMessagesVisible", "loading-dead-letters", "loading"),
    ]),
  );
  row(
    "What does not fit?",
    6,
    graph("Rows that did not fit", "Sum", [ours("RowsRejected", "transformation", "rejected")]),
    graph("Rows in quarantine, inferred members", "Maximum", [
      ours("Quarantined", "loading", "in quarantine"),
      ours("InferredMembers", "loading", "inferred members"),
    ]),
    graph("Since the oldest row is in quarantine, s", "Maximum", [
      ours("QuarantineAge", "loading", "age"),
    ]),
  );
  const hidden = functions.flatMap((of, i) => [
    lambda("Duration", of, { id: `d${i}`, stat: "Sum", visible: false }),
    lambda("Invocations", of, { id: `n${i}`, stat: "Sum", visible: false }),
  ]);
  const memoryMb = (of) => (of === "compaction" ? memoryOf({ memorySize }) : memorySize);
  const cost = functions.map((of, i) => ({
    expression: `d${i} / 1000 * ${memoryMb(of) / 1024} * ${GB_SECOND} + n${i} * ${REQUEST}`,
    label: of,
    id: `c${i}`,
  }));
  row(
    "What does it cost?",
    6,
    graph("Lambda, USD a day", "Sum", [...cost.map((one) => [one]), ...hidden], {
      period: 86_400,
      view: "bar",
    }),
    text(
      "Lambda by its list price for arm64 in eu-west-2, without the free tier. The rest is small: requests to S3 and SQS, " +
        "and what a stage has by the month: secrets 0.40 USD each, alarms 0.10 each, metrics 0.30 each, a key of one's own 1, " +
        "this dashboard 3 (the first three are free). docs/deploy.md adds it up.",
    ),
  );
  return {
    Resources: {
      Dashboard: {
        Type: "AWS::CloudWatch::Dashboard",
        Properties: {
          DashboardName: name,
          DashboardBody: { "Fn::Sub": JSON.stringify({ widgets }) },
        },
      },
    },
  };
};
