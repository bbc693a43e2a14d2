// Figures that are easy to reckon with.
import type { IdleInvocation, Measured, Round, StageFigures } from "../../bench/figures.ts";

export const stage = (more: Partial<StageFigures> = {}): StageFigures => ({
  rows: 1000,
  bytes: 2_000_000,
  processes: 1,
  invocations: 1,
  busyMs: 500,
  billedMs: 500,
  cpuSeconds: 1,
  peakRssBytes: 100 << 20,
  logBytes: 300,
  share: 0.2,
  ...more,
});

/** Five seconds of CPU, two seconds for what the pipe does in one. */
export const round = (more: Partial<Round> = {}): Round => ({
  wallMs: 2000,
  pipeMs: 1000,
  ratio: 2,
  rows: 1000,
  stages: { ingestion: stage(), transformation: stage(), loading: stage() },
  postgresCpuSeconds: 1,
  standInCpuSeconds: 1,
  requests: { PutObject: 4, ListObjectsV2: 1, GetObject: 3, GetSecretValue: 2 },
  objectsPut: 4,
  ...more,
});

const idle = (more: Partial<IdleInvocation> = {}): IdleInvocation => ({
  billedMs: 10,
  cpuSeconds: 0.01,
  logBytes: 100,
  requests: { ListObjectsV2: 1, GetObject: 2, GetSecretValue: 1 },
  ...more,
});
const idles = { cold: idle({ billedMs: 110, cpuSeconds: 0.06 }), warm: idle() };

export const measured = (more: Partial<Measured> = {}): Measured => ({
  format: 1,
  date: "2026-11-25",
  commit: "abcdef0",
  machine: {
    cores: 2,
    cpu: "a processor",
    memoryBytes: 8 << 30,
    platform: "linux x64",
    node: "20.19.0",
    postgres: "18.4",
    load: 0.1,
  },
  rows: 1000,
  pipes: [{ rows: 1000, wallMs: 1000, cpuSeconds: 0.1, bytes: 100_000 }],
  scenarios: [
    { name: "backfill", rounds: [round(), round({ wallMs: 4000, ratio: 4 }), round()] },
    { name: "idle", rounds: [round({ wallMs: 90, pipeMs: null, ratio: null, objectsPut: 0 })] },
    { name: "one-row", rounds: [round({ wallMs: 200, pipeMs: null, ratio: null, rows: 1 })] },
  ],
  idle: { ingestion: idles, transformation: idles, loading: idles },
  metrics: 19,
  ...more,
});
