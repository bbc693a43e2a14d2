import { SERVICE } from "../../cli/stage.ts";
import type { Stack, StackEnv } from "../stack.ts";
import { HostedFunction } from "./hosted.ts";
import type { Print } from "./log.ts";

/** The four functions, as serverless.yml has them. */
export type Functions = Readonly<Record<keyof typeof NEEDS, HostedFunction>>;

/** What each is told of the pipeline's places. */
const NEEDS = {
  ingestion: ["SOURCE_SECRET"],
  transformation: [],
  loading: ["WAREHOUSE_SECRET"],
  reconciliation: ["SOURCE_SECRET", "WAREHOUSE_SECRET"],
} as const satisfies Readonly<Record<string, readonly (keyof StackEnv)[]>>;

const MEMORY_MB = 512;
const TIMEOUT_MS = 300_000;
const RECONCILIATION_TIMEOUT_MS = 900_000;

/** Starts the functions of stage local on a stack: the queues deliver to them, and Lambda invokes them by name. */
export function hostFunctions(
  stack: Pick<Stack, "env" | "aws" | "connectFunctions" | "defer">,
  print: Print,
): Functions {
  const { env } = stack;
  const host = (service: keyof Functions): HostedFunction => {
    const name = `${SERVICE}-local-${service}`;
    const log = stack.aws.logs.open(`/aws/lambda/${name}`);
    const hosted = new HostedFunction({
      name,
      service,
      module: `src/handlers/${service}.ts`,
      environment: {
        INGESTION_BUCKET: env.INGESTION_BUCKET,
        PROCESSED_BUCKET: env.PROCESSED_BUCKET,
        ...Object.fromEntries(NEEDS[service].map((name) => [name, env[name]])),
        ...(service === "ingestion" ? { CONTINUE_AT_ONCE: "true" } : {}),
        POWERTOOLS_LOG_LEVEL: "INFO",
        POWERTOOLS_METRICS_NAMESPACE: "TotesWarehouse/local",
      },
      access: {
        AWS_ENDPOINT_URL: env.AWS_ENDPOINT_URL,
        AWS_REGION: env.AWS_REGION,
        AWS_ACCESS_KEY_ID: env.AWS_ACCESS_KEY_ID,
        AWS_SECRET_ACCESS_KEY: env.AWS_SECRET_ACCESS_KEY,
        AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
      },
      memoryMb: MEMORY_MB,
      timeoutMs: service === "reconciliation" ? RECONCILIATION_TIMEOUT_MS : TIMEOUT_MS,
      print: (line) => {
        print(line);
        log(line);
      },
    });
    stack.aws.functions.add(hosted);
    return hosted;
  };
  const functions: Functions = {
    ingestion: host("ingestion"),
    transformation: host("transformation"),
    loading: host("loading"),
    reconciliation: host("reconciliation"),
  };
  stack.defer("functions", () => Promise.all(Object.values(functions).map((one) => one.stop())));
  // Reconciliation is asked for seldom, and starts then.
  for (const name of ["ingestion", "transformation", "loading"] as const) functions[name].warm();
  stack.connectFunctions({
    ingestion: functions.ingestion.deliver,
    transformation: functions.transformation.deliver,
    loading: functions.loading.deliver,
  });
  return functions;
}
