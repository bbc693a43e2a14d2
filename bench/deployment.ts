import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { memoryMb } from "../localstack/demo/service.ts";
import { packageStage } from "../scripts/package-stage.ts";
import type { Deployment } from "./cost-model.ts";

/** Of AWS and of the schedule; what is deployed is counted in the template. */
export const TAKEN = {
  memoryMb,
  ticksADay: 144,
  daysAMonth: 365 / 12,
  secrets: 2,
  queues: 3,
  emptyReceivesAMonth: 648_000,
  memoryOfACoreMb: 1769,
  latencyMs: 20,
  lambdaLogBytes: 400,
  monthsKept: 12,
} as const;

/** Counts what a deploy to prod makes and is billed by the month. */
export async function deploymentOf(): Promise<Deployment> {
  const folder = mkdtempSync(path.join(tmpdir(), "cost-"));
  try {
    const template = await packageStage("prod", { mail: "team@example.org" }, folder);
    const { Resources } = JSON.parse(readFileSync(template, "utf8")) as {
      Resources: Record<string, { Type: string }>;
    };
    const count = (type: string): number =>
      Object.values(Resources).filter(({ Type }) => Type === type).length;
    return {
      ...TAKEN,
      alarms: count("AWS::CloudWatch::Alarm"),
      compositeAlarms: count("AWS::CloudWatch::CompositeAlarm"),
      dashboards: count("AWS::CloudWatch::Dashboard"),
      filterMetrics: count("AWS::Logs::MetricFilter"),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
