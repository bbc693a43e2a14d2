import { findDeleted, type DeletesOptions, type Gone } from "../../src/reconciliation/deletes.ts";
import type { Difference } from "../../src/reconciliation/difference.ts";
import {
  reconcile,
  type Reconciliation,
  type ReconcileOptions,
} from "../../src/reconciliation/reconcile.ts";
import { codecNamed } from "../../src/parquet/codec.ts";
import { getConnection } from "../../src/postgres/connection.ts";
import { getTables } from "../../src/registry.ts";
import type { Table } from "../../src/table.ts";
import type { TestPipeline } from "../support/pipeline.ts";

/** What a reconciliation came to, and what it named. */
export interface Reconciled extends Reconciliation {
  readonly found: readonly Difference[];
}

/** Reconciles a pipeline, with the registry's tables unless said otherwise. */
export async function reconciled(
  p: Pick<TestPipeline, "env" | "source" | "warehouse">,
  options: Omit<ReconcileOptions, "tell"> = {},
  tables?: readonly Table[],
): Promise<Reconciled> {
  Object.assign(process.env, p.env);
  const found: Difference[] = [];
  const report = await reconcile(
    {
      source: () => getConnection({ ...p.source, schema: "public" }),
      warehouse: () => getConnection({ ...p.warehouse, schema: "public" }),
      buckets: { ingestion: p.env.INGESTION_BUCKET, processed: p.env.PROCESSED_BUCKET },
      tables: tables ?? (await getTables()),
      codec: await codecNamed(),
    },
    { ...options, tell: (difference) => void found.push(difference) },
  );
  return { ...report, found };
}

/** What a reconciliation named, short: `dim_staff 3 stale`. */
export const shortly = ({ found }: Reconciled): string[] =>
  found
    .map(({ table, key, kind }) => `${table} ${Object.values(key).join(",")} ${kind}`)
    .toSorted();

/** Looks for what a pipeline's source has deleted, as of now. */
export function deletedOf(
  p: Pick<TestPipeline, "env" | "source" | "warehouse">,
  tables: readonly Table[],
  options?: DeletesOptions,
): Promise<Gone[]> {
  Object.assign(process.env, p.env);
  const open = (side: "source" | "warehouse") => () =>
    getConnection({ ...p[side], schema: "public" });
  const buckets = { ingestion: p.env.INGESTION_BUCKET, processed: p.env.PROCESSED_BUCKET };
  return findDeleted(
    { source: open("source"), warehouse: open("warehouse"), buckets, tables },
    options,
  );
}
