/** The functions, as Lambda has them: whether they can be invoked, and are of one build. */
import type { Configuration } from "../aws/functions.ts";
import { listed } from "../words.ts";
import { bad, ok, warn, type Finding } from "./finding.ts";
import { FUNCTIONS, type Function, type Places } from "./places.ts";

const TITLE = "Functions";

export async function functionFindings({ functionOf, stage }: Places): Promise<Finding[]> {
  if (!functionOf) return [ok(TITLE, "there are none here")];
  const asked = await Promise.allSettled(FUNCTIONS.map((of) => functionOf(of)));
  const missing = FUNCTIONS.filter((_, at) => isMissing(asked[at]!));
  if (stage === "local" && missing.length === FUNCTIONS.length)
    return [ok(TITLE, "none are hosted here; `totes up` starts a stack that has them")];
  const found: Finding[] = [];
  const deploy = `\`npx sls deploy --stage ${stage}\` deploys all of them`;
  if (missing.length > 0) found.push(bad(TITLE, `there is no ${listed(missing)}`, deploy));
  const known = new Map<Function, Configuration>();
  for (const [at, of] of FUNCTIONS.entries()) {
    const one = asked[at]!;
    if (one.status === "fulfilled") known.set(of, one.value);
    else if (!isMissing(one)) {
      const { name, message } = one.reason as Error;
      found.push(warn(TITLE, `${of} cannot be asked: ${name}: ${message}`));
    }
  }
  for (const [of, one] of known) found.push(...problemsOf(of, one, deploy));
  found.push(...buildsOf(known, deploy));
  const setUp = [...known].map(
    ([of, { memoryMb, timeoutSeconds }]) => `${of} ${memoryMb} MB and ${timeoutSeconds} s`,
  );
  if (found.length === 0) found.push(ok(TITLE, `active, of one build: ${listed(setUp)}`));
  return found;
}

const isMissing = (asked: PromiseSettledResult<unknown>): boolean =>
  asked.status === "rejected" && (asked.reason as Error).name === "ResourceNotFoundException";

function problemsOf(
  of: Function,
  { state, lastUpdate, reason }: Configuration,
  deploy: string,
): Finding[] {
  const why = reason === undefined ? "" : ` (${reason})`;
  // Lambda puts one to sleep that nobody has called for weeks; the next invocation wakes it.
  if (state === "Failed" || lastUpdate === "Failed")
    return [
      bad(TITLE, `${of} is ${state}, its last deploy ${lastUpdate}${why}`, `mend that; ${deploy}`),
    ];
  if (state === "Pending" || lastUpdate === "InProgress")
    return [warn(TITLE, `${of} is being deployed${why}`, "wait a minute, and look again")];
  return [];
}

/** A deploy of one function alone, or one that failed halfway, leaves functions of several builds. */
function buildsOf(known: ReadonlyMap<Function, Configuration>, deploy: string): Finding[] {
  const builds = new Map<string, Function[]>();
  for (const [of, { environment }] of known) {
    const build = environment["BUILD"] ?? "0";
    builds.set(build, [...(builds.get(build) ?? []), of]);
  }
  if (builds.size <= 1) return [];
  const each = [...builds].map(([build, of]) => {
    const at = Number(build);
    return `${listed(of)} ${at > 0 ? `of ${new Date(at).toISOString()}` : "of an unknown build"}`;
  });
  return [warn(TITLE, `they are of ${builds.size} builds: ${listed(each)}`, deploy)];
}
