import { cpus, loadavg, totalmem } from "node:os";
import { execFileSync } from "node:child_process";
import path from "node:path";
import type { Stack } from "../localstack/stack.ts";
import type { Database } from "../localstack/totesys/shop.ts";
import { STAGES, type StageName } from "../scripts/bundle.ts";
import { cpuOfChildren } from "./cpu.ts";
import { cpuOf, type Machine, type PipeFigures, type Round, type StageFigures } from "./figures.ts";
import { writtenSince } from "./lake.ts";
import type { BenchPipeline } from "./pipelines.ts";
import type { Service } from "./service.ts";

/** What makes an object, and may be paid for as such. */
const PUTS = new Set(["PutObject", "CompleteMultipartUpload"]);

/** Counts requests by operation, and objects that are put, until it is stopped. */
export function countRequests({ aws }: Stack): {
  readonly requests: Record<string, number>;
  readonly objectsPut: () => number;
  readonly stop: () => void;
} {
  const requests: Record<string, number> = {};
  let put = 0;
  const stop = aws.onAnswer(({ operation, status }) => {
    requests[operation] = (requests[operation] ?? 0) + 1;
    if (PUTS.has(operation) && status === 200) put++;
  });
  return { requests, objectsPut: () => put, stop };
}

/** What one measurement is of. */
export interface Measurement {
  readonly stack: Stack;
  readonly pipeline: BenchPipeline;
  readonly service: Service;
  /** Rows that the scenario is about. */
  readonly rows: number;
  /** The pipe of this round; undefined where the scenario is not held against it. */
  readonly pipe: PipeFigures | undefined;
  /** Does it, and gives how long it took in milliseconds. */
  readonly work: () => Promise<number>;
}

/** Measures a piece of work of all three functions. Throws what the work throws. */
export async function measure({
  stack,
  pipeline,
  service,
  rows,
  pipe,
  work,
}: Measurement): Promise<Round> {
  const { INGESTION_BUCKET, PROCESSED_BUCKET } = pipeline.env;
  const before = await pipeline.newest();
  await service.mark();
  const postgresBefore = cpuOfChildren(stack.postgres.pid);
  const counted = countRequests(stack);
  const own = process.cpuUsage();
  const wallMs = await work();
  const { user, system } = process.cpuUsage(own);
  counted.stop();
  const used = await service.used();
  const postgresAfter = cpuOfChildren(stack.postgres.pid);

  const ingested = await writtenSince(pipeline.lake, INGESTION_BUCKET, before);
  const processed = await writtenSince(pipeline.lake, PROCESSED_BUCKET, before);
  const rowsOf: Record<StageName, number> = {
    ingestion: ingested.rows["sales_order"] ?? 0,
    transformation: processed.rows["fact_sales_order"] ?? 0,
    // The warehouse has all batches: run() waited for them.
    loading: processed.rows["fact_sales_order"] ?? 0,
  };
  const stages = Object.fromEntries(
    STAGES.map((name) => [
      name,
      {
        ...used[name],
        rows: rowsOf[name],
        bytes: name === "ingestion" ? ingested.bytes : processed.bytes,
        share: 0,
      } satisfies StageFigures,
    ]),
  ) as Record<StageName, StageFigures>;
  const round: Round = {
    wallMs,
    pipeMs: pipe?.wallMs ?? null,
    ratio: pipe ? wallMs / pipe.wallMs : null,
    rows,
    stages,
    postgresCpuSeconds: postgresAfter === undefined ? null : postgresAfter - (postgresBefore ?? 0),
    standInCpuSeconds: (user + system) / 1e6,
    requests: counted.requests,
    objectsPut: counted.objectsPut(),
  };
  const total = cpuOf(round);
  return {
    ...round,
    stages: Object.fromEntries(
      STAGES.map((name) => [name, { ...stages[name], share: stages[name].cpuSeconds / total }]),
    ) as Record<StageName, StageFigures>,
  };
}

/** What the figures are of. */
export async function machineOf(db: Database): Promise<Machine> {
  const { version } = await db.one<{ version: string }>(
    "select current_setting('server_version') as version",
  );
  const all = cpus();
  return {
    cores: all.length,
    cpu: all[0]?.model.trim() ?? "unknown",
    memoryBytes: totalmem(),
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    postgres: version,
    load: loadavg()[0] ?? 0,
  };
}

/** The commit that is checked out, with `+` where files differ from it; `unknown` outside a checkout. */
export function commitNow(): string {
  const git = (...args: string[]): string =>
    execFileSync("git", args, {
      cwd: path.join(import.meta.dirname, ".."),
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  try {
    const hash = git("rev-parse", "--short=7", "HEAD");
    return git("status", "--porcelain", "--", "src", "tables") === "" ? hash : `${hash}+`;
  } catch {
    // Unpacked from an archive, or no git.
    return "unknown";
  }
}
