import { getConfiguration } from "../src/aws/functions.ts";
import { nameOf } from "../src/aws/names.ts";
import { connectWith } from "../src/postgres/connection.ts";
import { queueDepths } from "../src/operations/depths.ts";
import type { Places } from "../src/operations/places.ts";
import { getTables } from "../src/registry.ts";
import { getSettings } from "../src/settings.ts";
import { useStage } from "./stage.ts";

/** Where a stage's pipeline is. @throws UsageError, SettingsError where nobody knows */
export async function placesOf(stage: {
  readonly stage: string;
  readonly region?: string | undefined;
}): Promise<Places> {
  await useStage(stage);
  const settings = getSettings(
    "INGESTION_BUCKET",
    "PROCESSED_BUCKET",
    "SOURCE_SECRET",
    "WAREHOUSE_SECRET",
  );
  return {
    source: () => connectWith(settings.SOURCE_SECRET),
    warehouse: () => connectWith(settings.WAREHOUSE_SECRET),
    buckets: { ingestion: settings.INGESTION_BUCKET, processed: settings.PROCESSED_BUCKET },
    tables: await getTables(),
    stage: stage.stage,
    functionOf: (of) => getConfiguration(nameOf(stage.stage, of)),
    queues: () => queueDepths(stage.stage),
  };
}
