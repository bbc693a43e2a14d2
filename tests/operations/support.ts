import type { Places, QueueDepth, Stage } from "../../src/operations/places.ts";
import { getConnection } from "../../src/postgres/connection.ts";
import { getTables } from "../../src/registry.ts";
import type { TestPipeline } from "../support/pipeline.ts";

const NOTHING: QueueDepth = { waiting: 0, inFlight: 0, dead: 0 };

/** A test pipeline's places, entered as its own users; its queues are asked by what `depths` says. */
export async function placesOf(
  p: TestPipeline,
  depths?: Partial<Record<Stage, Partial<QueueDepth>>>,
): Promise<Places> {
  Object.assign(process.env, p.env);
  return {
    source: () => getConnection({ ...p.users.reader, schema: "public" }),
    warehouse: () => getConnection({ ...p.users.loader, schema: "public" }),
    buckets: { ingestion: p.env.INGESTION_BUCKET, processed: p.env.PROCESSED_BUCKET },
    tables: await getTables(),
    stage: "local",
    ...(depths && {
      queues: () =>
        Promise.resolve({
          ingestion: { ...NOTHING, ...depths.ingestion },
          transformation: { ...NOTHING, ...depths.transformation },
          loading: { ...NOTHING, ...depths.loading },
        }),
    }),
  };
}
