import fc from "fast-check";

/**
 * Checks a property as often as PROPERTY_RUNS says, else `runs` times and from a seed that stays the same. What fails is told
 * with the command that plays it again.
 * @param title of the test, for that command
 */
export async function assertOften<T>(
  title: string,
  property: fc.IAsyncPropertyWithHooks<T>,
  runs: number,
): Promise<void> {
  const { PROPERTY_RUNS, PROPERTY_SEED, PROPERTY_PATH } = process.env;
  let begun = 0;
  const tell = (): void => {
    // Whoever asked for a number waits for long.
    if (PROPERTY_RUNS !== undefined && ++begun % 25 === 0)
      console.error(`    ${title}: run ${begun}`);
  };
  const details = await fc.check(property.beforeEach(tell), {
    numRuns: Number(PROPERTY_RUNS ?? runs),
    seed: Number(PROPERTY_SEED ?? SEED),
    ...(PROPERTY_PATH === undefined ? {} : { path: PROPERTY_PATH }),
  });
  if (!details.failed) return;
  const replay =
    `PROPERTY_SEED=${details.seed} PROPERTY_PATH=${details.counterexamplePath ?? ""} ` +
    `npm run properties -- --grep ${JSON.stringify(title)}`;
  const { errorInstance: cause } = details;
  const why = cause instanceof Error ? cause.message : String(cause);
  throw new Error(`${why}\n\n${fc.defaultReportMessage(details) ?? ""}\n\nAgain: ${replay}`, {
    cause,
  });
}

const SEED = 20261126;
