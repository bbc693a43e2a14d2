import type { StageName } from "../scripts/bundle.ts";
import type { ScenarioName } from "./options.ts";

/** What one function did in a round, all its processes together. */
export interface StageFigures {
  /** Rows of the driving table that it read or wrote: sales orders, or rows of their fact. */
  readonly rows: number;
  /** Bytes of the data objects that it wrote; of loading, that it read. */
  readonly bytes: number;
  /** Each started because all others were busy. */
  readonly processes: number;
  readonly invocations: number;
  /** Time in which at least one invocation ran. */
  readonly busyMs: number;
  /** Time of all invocations added up: what Lambda bills, apart from cold starts. */
  readonly billedMs: number;
  readonly cpuSeconds: number;
  /** Of its biggest process. */
  readonly peakRssBytes: number;
  /** What it printed: its log, metrics among it. */
  readonly logBytes: number;
  /** Of all CPU time that was measured, 0 to 1. */
  readonly share: number;
}

/** One measurement of a scenario. */
export interface Round {
  /** From the start, or the source's commit, until all was in the warehouse. */
  readonly wallMs: number;
  /** Of the pipe in the same round; null where the scenario is not held against it. */
  readonly pipeMs: number | null;
  /** `wallMs / pipeMs`. */
  readonly ratio: number | null;
  /** Sales orders that are new, changed, or read again. */
  readonly rows: number;
  readonly stages: Readonly<Record<StageName, StageFigures>>;
  /** null where the machine does not tell. */
  readonly postgresCpuSeconds: number | null;
  /** What stands in for S3, SQS and the schedule, in the bench's own process. */
  readonly standInCpuSeconds: number;
  /** Requests by operation, like `PutObject`. */
  readonly requests: Readonly<Record<string, number>>;
  /** Objects in both buckets that were put in this round. */
  readonly objectsPut: number;
}

export interface ScenarioFigures {
  readonly name: ScenarioName;
  readonly rounds: readonly Round[];
}

/** What one invocation took that had nothing to do. */
export interface IdleInvocation {
  readonly billedMs: number;
  readonly cpuSeconds: number;
  readonly logBytes: number;
  readonly requests: Readonly<Record<string, number>>;
}

/** A function's invocations that had nothing to do: the first of a process, and the next. */
export interface IdleFigures {
  readonly cold: IdleInvocation;
  readonly warm: IdleInvocation;
}

/** One run of the pipe. */
export interface PipeFigures {
  readonly rows: number;
  readonly wallMs: number;
  readonly cpuSeconds: number;
  readonly bytes: number;
}

/** All that a bench has measured: what `--json` writes. */
export interface Measured {
  readonly format: 1;
  /** `YYYY-MM-DD`. */
  readonly date: string;
  /** Short hash; with `+` where files were changed since. */
  readonly commit: string;
  readonly machine: Machine;
  readonly rows: number;
  readonly pipes: readonly PipeFigures[];
  readonly scenarios: readonly ScenarioFigures[];
  /** Where the scenario `idle` was measured. */
  readonly idle: Readonly<Record<StageName, IdleFigures>> | null;
  /** Distinct metrics that the functions put out: CloudWatch bills each. */
  readonly metrics: number;
}

export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryBytes: number;
  readonly platform: string;
  readonly node: string;
  readonly postgres: string;
  /** Processes that wanted a core in the minute before: what others did there. 0 on Windows. */
  readonly load: number;
}

/** The middle one, or the mean of both in the middle. Throws RangeError for none. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const [low, high] = [(sorted.length - 1) >> 1, sorted.length >> 1].map((i) => sorted[i]);
  if (low === undefined || high === undefined) throw new RangeError("the median of nothing");
  return (low + high) / 2;
}

/** The median over a scenario's rounds; null where a round has no such figure. */
export function medianOf(
  { rounds }: ScenarioFigures,
  of: (round: Round) => number | null,
): number | null {
  const values = rounds.map(of).filter((value) => value !== null);
  return values.length < rounds.length ? null : median(values);
}

/** What shares are of: all CPU seconds of a round that were measured. */
export const cpuOf = ({ stages, postgresCpuSeconds, standInCpuSeconds }: Round): number =>
  Object.values(stages).reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0) +
  (postgresCpuSeconds ?? 0) +
  standInCpuSeconds;
