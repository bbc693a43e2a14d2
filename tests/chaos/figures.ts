import type { FaultOutcome, Outcome } from "./scenario.ts";

/** What became of many scenarios. */
export interface Figures {
  /** Those with a fault that struck. */
  readonly scenarios: number;
  /** Those without, for which others were played. */
  readonly replaced: number;
  readonly runs: number;
  /** Runs that failed, as they may under faults. */
  readonly failed: number;
  readonly batches: number;
  readonly seconds: number;
  readonly kinds: readonly KindFigures[];
  readonly stages: readonly {
    readonly stage: string;
    readonly struck: number;
    readonly blows: number;
  }[];
  readonly failures: readonly { readonly seed: number; readonly problems: readonly string[] }[];
}

/** One kind of fault. */
export interface KindFigures {
  readonly kind: string;
  /** How often it was drawn, and how often it struck then. */
  readonly planned: number;
  readonly struck: number;
  /** Calls that it struck. */
  readonly blows: number;
  /** Scenarios with it that failed. */
  readonly failures: number;
}

/** One whose faults all missed is no scenario of faults: another one takes its place. */
export const isCounted = ({ faults }: Outcome): boolean => faults.some(({ fired }) => fired > 0);

export function figuresOf(outcomes: readonly Outcome[], seconds: number): Figures {
  const counted = outcomes.filter(isCounted);
  const sum = (of: (outcome: Outcome) => number): number =>
    outcomes.reduce((total, outcome) => total + of(outcome), 0);
  const faults = outcomes.flatMap((outcome) =>
    outcome.faults.map((fault) => ({ ...fault, isFailure: outcome.problems.length > 0 })),
  );
  const total = (some: readonly FaultOutcome[]) => ({
    struck: some.filter(({ fired }) => fired > 0).length,
    blows: some.reduce((blows, { fired }) => blows + fired, 0),
  });
  const names = <K extends "kind" | "stage">(by: K): string[] =>
    [...new Set(faults.map((fault) => fault[by] as string))].sort();
  return {
    scenarios: counted.length,
    replaced: outcomes.length - counted.length,
    runs: sum(({ runs }) => runs),
    failed: sum(({ failed }) => failed),
    batches: sum(({ batches }) => batches),
    seconds,
    kinds: names("kind").map((kind) => {
      const some = faults.filter((fault) => fault.kind === kind);
      const failures = some.filter(({ isFailure }) => isFailure).length;
      return { kind, planned: some.length, ...total(some), failures };
    }),
    stages: names("stage").map((stage) => ({
      stage,
      ...total(faults.filter((fault) => fault.stage === stage)),
    })),
    failures: outcomes
      .filter(({ problems }) => problems.length > 0)
      .map(({ seed, problems }) => ({ seed, problems })),
  };
}
