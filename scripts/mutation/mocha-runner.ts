/** Stryker's test runner for this project's Mocha: Stryker's own reaches into files that Mocha 12 no longer has. */
import fc from "fast-check";
import Mocha from "mocha";
import path from "node:path";
import { pathToFileURL } from "node:url";
import {
  INSTRUMENTER_CONSTANTS,
  type InstrumenterContext,
  type StrykerOptions,
} from "@stryker-mutator/api/core";
import { commonTokens, declareClassPlugin, PluginKind, tokens } from "@stryker-mutator/api/plugin";
import {
  determineHitLimitReached,
  DryRunStatus,
  MutantRunStatus,
  TestStatus,
  toMutantRunResult,
  type CompleteDryRunResult,
  type DryRunOptions,
  type DryRunResult,
  type MutantRunOptions,
  type MutantRunResult,
  type TestResult,
  type TestRunner,
} from "@stryker-mutator/api/test-runner";

/** What the instrumented code and its runner tell each other. */
const context = ((globalThis as Record<string, InstrumenterContext | undefined>)[
  INSTRUMENTER_CONSTANTS.NAMESPACE
] ??= {});

/** A test that takes longer than that is run after those that do not, in milliseconds: most faults are found by a quick one. */
const QUICK_MS = 100;

/** Longest that one test or hook may take, in milliseconds: it fails then, and what it left behind goes with the process. */
const TEST_MS = 60_000;

/**
 * Runs the tests of one group again and again in one process, which is what makes a mutant cost milliseconds: files are
 * imported once, and the embedded PostgreSQL starts once.
 */
class MochaRunner implements TestRunner {
  static readonly inject = tokens(commonTokens.options);
  readonly #keepsProcess: boolean;
  readonly #mutated: readonly string[];
  readonly #files: readonly string[];
  #mocha: Mocha | undefined;
  readonly #slow = new Set<string>();

  constructor(options: StrykerOptions) {
    this.#keepsProcess = options.ignoreStatic;
    this.#mutated = options.mutate;
    this.#files = options["specs"] as readonly string[];
  }

  /**
   * What is imported stays imported, so that a mutant of what a module does when it is loaded needs a new process. Where
   * those are left out, Stryker asks for one all the same if a test comes by the mutant later too: for nothing.
   */
  capabilities(): { reloadEnvironment: boolean } {
    return { reloadEnvironment: this.#keepsProcess };
  }

  async dryRun({ disableBail, coverageAnalysis }: DryRunOptions): Promise<DryRunResult> {
    const hooks = new Map<string, string[]>();
    const result = await this.#run(disableBail, (runner) => attribute(runner, hooks));
    if (coverageAnalysis === "off" || !context.mutantCoverage) return result;
    return { ...result, mutantCoverage: shared(context.mutantCoverage, hooks) };
  }

  async mutantRun(options: MutantRunOptions): Promise<MutantRunResult> {
    const { activeMutant, mutantActivation, testFilter, hitLimit, disableBail } = options;
    Object.assign(context, { hitLimit, hitCount: hitLimit === undefined ? undefined : 0 });
    if (mutantActivation === "static") context.activeMutant = activeMutant.id;
    const mocha = await this.#load();
    context.activeMutant = activeMutant.id;
    const titles = testFilter ?? titlesOf(mocha.suite);
    const quick = titles.filter((title) => !this.#slow.has(title));
    const slow = titles.filter((title) => this.#slow.has(title));
    let ran = 0;
    for (const some of [quick, slow].filter((one) => one.length > 0)) {
      mocha.grep(anyOf(some));
      const found = await this.#run(disableBail);
      const result = toMutantRunResult(
        determineHitLimitReached(context.hitCount, hitLimit) ?? found,
      );
      if (result.status !== MutantRunStatus.Survived) return result;
      ran += result.nrOfTests;
    }
    return { status: MutantRunStatus.Survived, nrOfTests: ran };
  }

  async dispose(): Promise<void> {
    const hooks = pathToFileURL(path.resolve("tests/support/hooks.ts")).href;
    const { mochaGlobalTeardown: tearDown } = (await import(hooks)) as {
      mochaGlobalTeardown: () => Promise<void>;
    };
    await tearDown();
  }

  async #load(): Promise<Mocha> {
    if (this.#mocha) return this.#mocha;
    await import(pathToFileURL(path.resolve("tests/support/hooks.ts")).href);
    // Also what a test would import later: what a module does at its own level is not that test's then.
    for (const file of this.#mutated) await import(pathToFileURL(path.resolve(file)).href);
    // No limit of time for properties: one that was cut short before its first example is done counts as failed.
    fc.configureGlobal({ seed: 1, endOnFailure: true });
    const mocha = new Mocha({ timeout: TEST_MS, reporter: class {} as never });
    mocha.cleanReferencesAfterRun(false);
    for (const file of this.#files) mocha.addFile(path.resolve(file));
    await mocha.loadFilesAsync();
    return (this.#mocha = mocha);
  }

  async #run(
    disableBail: boolean,
    watch: (runner: Mocha.Runner) => void = () => undefined,
  ): Promise<CompleteDryRunResult> {
    const mocha = await this.#load();
    setBail(mocha.suite, !disableBail);
    const tests: TestResult[] = [];
    await new Promise<void>((resolve) => {
      const runner = mocha.run(() => resolve());
      watch(runner);
      runner.on("pass", (test) => {
        const timeSpentMs = test.duration ?? 0;
        if (timeSpentMs > QUICK_MS) this.#slow.add(test.fullTitle());
        tests.push({ ...named(test), status: TestStatus.Success, timeSpentMs });
      });
      runner.on("fail", (test: Mocha.Runnable, error: Error) =>
        tests.push({
          ...named(test),
          status: TestStatus.Failed,
          timeSpentMs: test.duration ?? 0,
          failureMessage: error.stack ?? String(error),
        }),
      );
      runner.on("pending", (test) =>
        tests.push({ ...named(test), status: TestStatus.Skipped, timeSpentMs: 0 }),
      );
    });
    return { status: DryRunStatus.Complete, tests };
  }
}

/** With its file, so that what earlier runs found holds as long as that is the same. */
function named(test: Mocha.Runnable): { id: string; name: string; fileName?: string } {
  const title = test.fullTitle();
  return { id: title, name: title, ...(test.file === undefined ? {} : { fileName: test.file }) };
}

function titlesOf(suite: Mocha.Suite): string[] {
  const titles: string[] = [];
  suite.eachTest((test) => titles.push(test.fullTitle()));
  return titles;
}

function anyOf(titles: readonly string[]): RegExp {
  const escaped = titles.map((title) => title.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^(?:${escaped.join("|")})$`);
}

function setBail(suite: Mocha.Suite, bail: boolean): void {
  suite.bail(bail);
  for (const child of suite.suites) setBail(child, bail);
}

/**
 * Tells the instrumented code who is running it. What a suite's `before` runs is run for every test of that suite, and noted
 * under a name of its own in `hooks`: Stryker's runner counts it to the test before, and would then try a mutant on
 * tests that never see it.
 */
function attribute(runner: Mocha.Runner, hooks: Map<string, string[]>): void {
  runner.on("test", (test) => {
    context.currentTestId = test.fullTitle();
  });
  runner.on("hook", (hook) => {
    if (!/^"(?:before|after) all"/.test(hook.title)) return;
    const titles: string[] = [];
    hook.parent!.eachTest((test) => titles.push(test.fullTitle()));
    const id = `${hook.parent!.fullTitle()} ${hook.title}`;
    hooks.set(id, [...(hooks.get(id) ?? []), ...titles]);
    context.currentTestId = id;
  });
}

type Coverage = NonNullable<CompleteDryRunResult["mutantCoverage"]>;

/** The same coverage, what hooks covered counted to each of their tests. */
function shared(coverage: Coverage, hooks: ReadonlyMap<string, readonly string[]>): Coverage {
  const perTest: Coverage["perTest"] = {};
  for (const [id, hits] of Object.entries(coverage.perTest))
    for (const test of hooks.get(id) ?? [id]) {
      const all = (perTest[test] ??= {});
      for (const [mutant, count] of Object.entries(hits)) all[mutant] = (all[mutant] ?? 0) + count;
    }
  return { static: coverage.static, perTest };
}

export const strykerPlugins = [declareClassPlugin(PluginKind.TestRunner, "mocha", MochaRunner)];
