// The alarms, the topic that they mail by, and the metric filters that count what the functions log. Each alarm says what
// it means and where the runbook tells what to do. Loaded with require(): keep it CommonJS.
const thresholds = require("../src/operations/thresholds.json"); // `totes status` says which alarms would be on

const { TIMEOUT } = require("./compaction.cjs");

const FUNCTIONS = ["Ingestion", "Transformation", "Loading", "Reconciliation"];
const QUEUES = ["Ingestion", "Transformation", "Loading"];
const noValue = { Ref: "AWS::NoValue" };

/** kebab-case, for names that people read. */
const kebab = (name) => name.replace(/(?<=.)(?=[A-Z])/g, "-").toLowerCase();

module.exports = async ({ resolveVariable }) => {
  const name = `totes-warehouse-${await resolveVariable("sls:stage")}`;
  const stage = await resolveVariable("self:custom.stage");
  const namespace = `TotesWarehouse/${await resolveVariable("sls:stage")}`;
  const alarms = {};
  const members = []; // of the composite alarm

  /**
   * An alarm named `id`, whose text says what it means and where the runbook is. The pipeline is unhealthy while it is on, and
   * the composite alarm mails; unless the pipeline is `well` all the same, or there is no composite: then it mails itself.
   */
  const alarm = (id, section, meaning, properties, { well = false } = {}) => {
    if (!well) members.push(`${id}Alarm`);
    const mails = [{ Ref: "Alerts" }];
    const actions = well ? mails : { "Fn::If": ["CompositeAlarm", noValue, mails] };
    alarms[`${id}Alarm`] = {
      Type: "AWS::CloudWatch::Alarm",
      Properties: {
        AlarmName: `${name}-${kebab(id)}`,
        AlarmDescription: `${meaning} What to do: docs/runbook.md#${section}`,
        EvaluationPeriods: 1,
        Threshold: 0,
        ComparisonOperator: "GreaterThanThreshold",
        TreatMissingData: "notBreaching",
        AlarmActions: actions,
        OKActions: actions,
        ...properties,
      },
    };
  };
  const timeouts = { Reconciliation: stage.reconciliationTimeout, Compaction: TIMEOUT };
  const timeoutOf = (of) => timeouts[of] ?? stage.timeout;
  const ofFunction = (of) => ({
    Namespace: "AWS/Lambda",
    Dimensions: [{ Name: "FunctionName", Value: { Ref: `${of}LambdaFunction` } }],
    Period: 60,
    // On until a quarter of an hour has been without: a tick that fails comes every ten minutes, or so. Lambda dates what
    // it counts by the start of the invocation.
    EvaluationPeriods: 15 + Math.ceil(timeoutOf(of) / 60),
    DatapointsToAlarm: 1,
  });
  const ofQueue = (queue) => ({
    Namespace: "AWS/SQS",
    Dimensions: [{ Name: "QueueName", Value: { "Fn::GetAtt": [queue, "QueueName"] } }],
    Statistic: "Maximum",
    Period: 60,
  });
  const ofService = (service) => ({
    Namespace: namespace,
    Dimensions: [{ Name: "service", Value: service }],
  });

  const functions = [...FUNCTIONS, ...(stage.compaction ? ["Compaction"] : [])];
  for (const of of functions) {
    // Without a compaction the pipeline is as well as before.
    const well = of === "Compaction";
    alarm(
      `${of}Errors`,
      well ? "a-compaction-fails" : "a-function-fails",
      `The ${kebab(of)} function failed.`,
      { ...ofFunction(of), MetricName: "Errors", Statistic: "Sum" },
      { well },
    );
    alarm(
      `${of}Throttles`,
      "a-function-is-throttled",
      `AWS did not start the ${kebab(of)} function: the account's concurrency is used up.`,
      { ...ofFunction(of), MetricName: "Throttles", Statistic: "Sum" },
      { well },
    );
    alarm(
      `${of}Duration`,
      "a-function-is-slow",
      `The ${kebab(of)} function took more than 80 % of its ${timeoutOf(of)} s.`,
      {
        ...ofFunction(of),
        MetricName: "Duration",
        Statistic: "Maximum",
        Threshold: timeoutOf(of) * 800,
      },
      { well: true },
    );
    alarm(
      `${of}Problems`,
      well ? "a-compaction-fails" : "a-function-fails",
      `The ${kebab(of)} function logged five warnings or errors within an hour.`,
      {
        Namespace: namespace,
        MetricName: `${of}Problems`,
        Statistic: "Sum",
        Period: 3600,
        Threshold: 5,
        ComparisonOperator: "GreaterThanOrEqualToThreshold",
      },
      { well },
    );
  }
  for (const of of QUEUES) {
    alarm(
      `${of}DeadLetters`,
      "dead-letters",
      `The ${kebab(of)} function failed five times with the same message.`,
      { ...ofQueue(`${of}DeadLetters`), MetricName: "ApproximateNumberOfMessagesVisible" },
    );
    alarm(
      `${of}Backlog`,
      "messages-wait",
      `A message for the ${kebab(of)} function has waited for longer than two deliveries take.`,
      {
        ...ofQueue(`${of}Queue`),
        MetricName: "ApproximateAgeOfOldestMessage",
        Threshold: stage.visibilityTimeout * thresholds.deliveries,
      },
    );
  }
  alarm(
    "RowsRejected",
    "rows-in-quarantine",
    "Rows of the shop did not fit the star schema.",
    {
      ...ofService("transformation"),
      MetricName: "RowsRejected",
      Statistic: "Sum",
      Period: thresholds.rejectedSeconds,
    },
    { well: true },
  );
  alarm(
    "QuarantineAge",
    "rows-in-quarantine",
    `A row has been in quarantine for more than ${stage.quarantineDays} days.`,
    {
      ...ofService("loading"),
      MetricName: "QuarantineAge",
      Statistic: "Maximum",
      Period: 3600,
      Threshold: stage.quarantineDays * 86_400,
    },
    { well: true },
  );
  alarm(
    "Lag",
    "rows-arrive-late",
    "A batch reached the warehouse half an hour after it was read.",
    {
      ...ofService("loading"),
      MetricName: "Lag",
      Statistic: "Maximum",
      Period: 300,
      Threshold: thresholds.lagSeconds,
    },
  );
  alarm(
    "Differences",
    "the-warehouse-differs",
    "The warehouse is not what the shop says, where nothing newer is on its way.",
    {
      ...ofService("reconciliation"),
      MetricName: "Differences",
      Statistic: "Maximum",
      // Until a reconciliation finds none, or none has run for a day, of which another alarm tells.
      Period: 86_400,
    },
  );
  alarm(
    "DeletesRefused",
    "many-rows-are-gone",
    "So many rows of a table are gone from the shop that nobody believes it yet.",
    {
      ...ofService("reconciliation"),
      MetricName: "DeletesRefused",
      Statistic: "Maximum",
      Period: 86_400,
    },
  );
  alarm(
    "Reconciling",
    "nothing-is-loaded",
    "No reconciliation has come to its end for two days: nobody knows whether the warehouse is true.",
    {
      ...ofService("reconciliation"),
      MetricName: "Reconciled",
      Statistic: "Sum",
      Period: 3600,
      EvaluationPeriods: 48,
      DatapointsToAlarm: 48,
      Threshold: 1,
      ComparisonOperator: "LessThanThreshold",
      TreatMissingData: stage.scheduleEnabled ? "breaching" : "notBreaching",
    },
  );
  for (const [id, of, meaning] of [
    [
      "Freshness",
      "loading",
      "No loading has come to its end for 30 minutes: the warehouse stands still.",
    ],
    [
      "Transforming",
      "transformation",
      "No transformation has come to its end for 30 minutes: nothing gets ahead.",
    ],
    [
      "Reading",
      "ingestion",
      "No ingestion has come to its end for 30 minutes: the shop is not read.",
    ],
  ])
    alarm(id, "nothing-is-loaded", meaning, {
      ...ofService(of),
      MetricName: "Heartbeat",
      Statistic: "Sum",
      Period: 300,
      EvaluationPeriods: thresholds.silentSeconds / 300,
      DatapointsToAlarm: thresholds.silentSeconds / 300,
      Threshold: 1,
      ComparisonOperator: "LessThanThreshold",
      // Silence is the alarm, unless nothing is meant to start by itself.
      TreatMissingData: stage.scheduleEnabled ? "breaching" : "notBreaching",
    });

  const filters = functions.map((of) => [
    `${of}ProblemsFilter`,
    {
      Type: "AWS::Logs::MetricFilter",
      DependsOn: [`${of}LogGroup`],
      Properties: {
        LogGroupName: { Ref: `${of}LogGroup` },
        FilterPattern: '{ $.level = "WARN" || $.level = "ERROR" }',
        MetricTransformations: [
          { MetricNamespace: namespace, MetricName: `${of}Problems`, MetricValue: "1" },
        ],
      },
    },
  ]);
  return {
    Resources: {
      Alerts: {
        Type: "AWS::SNS::Topic",
        Properties: {
          TopicName: `${name}-alerts`,
          // Not with SNS's own key: CloudWatch may not use that one.
          KmsMasterKeyId: { "Fn::If": ["OwnKey", { "Fn::GetAtt": ["Key", "Arn"] }, noValue] },
        },
      },
      AlertsPolicy: {
        Type: "AWS::SNS::TopicPolicy",
        Properties: {
          Topics: [{ Ref: "Alerts" }],
          PolicyDocument: {
            Version: "2012-10-17",
            Statement: [
              {
                Sid: "Alarms",
                Effect: "Allow",
                Principal: { Service: "cloudwatch.amazonaws.com" },
                Action: "sns:Publish",
                Resource: { Ref: "Alerts" },
                Condition: { StringEquals: { "aws:SourceAccount": { Ref: "AWS::AccountId" } } },
              },
            ],
          },
        },
      },
      AlertsMail: {
        Type: "AWS::SNS::Subscription",
        Condition: "Mail",
        Properties: {
          TopicArn: { Ref: "Alerts" },
          Protocol: "email",
          Endpoint: stage.orPlaceholder.mail,
        },
      },
      ...Object.fromEntries(filters),
      ...alarms,
      UnhealthyAlarm: {
        Type: "AWS::CloudWatch::CompositeAlarm",
        Condition: "CompositeAlarm",
        DependsOn: members,
        Properties: {
          AlarmName: `${name}-unhealthy`,
          AlarmDescription:
            "The pipeline is unhealthy; the alarms that are on say why. What to do: docs/runbook.md",
          AlarmRule: members
            .map((id) => `ALARM("${alarms[id].Properties.AlarmName}")`)
            .join(" OR "),
          AlarmActions: [{ Ref: "Alerts" }],
          OKActions: [{ Ref: "Alerts" }],
        },
      },
    },
    Outputs: { Alerts: { Value: { Ref: "Alerts" } } },
  };
};
