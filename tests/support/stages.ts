// The stages themselves, for tests that bring table modules of their own.
import { checkTables } from "../../src/check-tables.ts";
import { ingest } from "../../src/ingestion/ingest.ts";
import { load } from "../../src/loading/load.ts";
import { codecNamed } from "../../src/parquet/codec.ts";
import { getConnection } from "../../src/postgres/connection.ts";
import type { Table } from "../../src/table.ts";
import { transformUndone } from "../../src/transformation/undone.ts";
import type { TestPipeline } from "./pipeline.ts";

/** A table module's default export. */
export type Module = { readonly name: string } & object;

/** Checks modules as the registry does; each is named by its own name. */
export const tablesOf = (...modules: Module[]): readonly Table[] =>
  checkTables(
    Object.fromEntries(modules.map((module) => [`${module.name}.ts`, { default: module }])),
  );

/** Opens a pipeline's source or warehouse as the handlers do. */
const open = ({ users }: TestPipeline, user: keyof TestPipeline["users"]) =>
  getConnection({ ...users[user], schema: "public" });

export function ingestWith(
  p: TestPipeline,
  tables: readonly Table[],
  options?: Parameters<typeof ingest>[3],
): ReturnType<typeof ingest> {
  Object.assign(process.env, p.env);
  return ingest(() => open(p, "reader"), p.env.INGESTION_BUCKET, tables, options);
}

/** @param wake the batch whose event it is; the schedule's tick unless said otherwise */
export async function transformWith(
  p: TestPipeline,
  tables: readonly Table[],
  wake: Parameters<typeof transformUndone>[3] = { tick: true },
): Promise<void> {
  Object.assign(process.env, p.env);
  await transformUndone(
    { ingestion: p.env.INGESTION_BUCKET, processed: p.env.PROCESSED_BUCKET },
    tables,
    await codecNamed(),
    wake,
    { done: () => undefined, failed: () => undefined, goOn: () => true },
  );
}

export async function loadWith(
  p: TestPipeline,
  tables: readonly Table[],
  options?: Parameters<typeof load>[4],
): ReturnType<typeof load> {
  Object.assign(process.env, p.env);
  const connection = await open(p, "loader");
  try {
    return await load(connection, p.env.PROCESSED_BUCKET, tables, await codecNamed(), options);
  } finally {
    await connection.close();
  }
}

/** A tick with these tables: ingestion, transformation, loading. */
export async function runWith(
  p: TestPipeline,
  tables: readonly Table[],
): Promise<Awaited<ReturnType<typeof ingest>>> {
  const summary = await ingestWith(p, tables);
  await transformWith(p, tables);
  await loadWith(p, tables);
  return summary;
}
