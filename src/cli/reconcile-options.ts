import { parseOptions, UsageError, wholeNumber } from "./options.ts";
import { STAGE_ARGUMENTS, STAGE_HELP } from "./stage.ts";

const LIMIT = 100;

/** What `--help` prints. */
export const HELP = `Compares the warehouse with the source, row by row, and names each row that differs.

  npm run reconcile -- --stage dev                  every table
  npm run reconcile -- --stage dev --table dim_staff,fact_payment
  npm run reconcile -- --stage dev --since 41       what changed since batch 41
  npm run reconcile -- --stage dev --sample 10%     a tenth of the key ranges, drawn at random
  npm run reconcile -- --stage dev --json > differences.jsonl
  npm run reconcile -- --stage dev --repair         and have what differs read again

What the source has that is newer than the last loaded batch is no difference. Both databases are
only read; --repair has ingestion read the named rows again, and they take the ordinary path.

  --table NAME,…   these star tables alone
  --since WHEN     rows alone that changed since a batch (41) or a moment (2026-11-25,
                   2026-11-25T06:00Z): quick, and finds no row that is gone from the source
  --sample SHARE   a share of the key ranges: 0.1 or 10%
  --limit N        differences that are shown, 0 to 1,000,000 (default ${LIMIT}); all are counted
  --json           one JSON object a line on standard output: a difference each, the report last
  --repair         have the source rows of what differs read again, after asking
  --yes            do not ask
  --confirm NAME,… these star tables may lose more rows by --repair than a tenth of them (and more than a
                   hundred), or all: their source lacks so many, as after TRUNCATE
${STAGE_HELP}
  --help           this text

Exit code: 0 no difference; 1 differences; 2 it could not be told, a repair was refused, or a wrong option.
NO_COLOR=1 leaves out colours and motion.`;

/** What to compare, and what to do about it. */
export interface ReconcileCommand {
  readonly only: readonly string[] | undefined;
  readonly since: number | Date | undefined;
  readonly sample: number | undefined;
  readonly limit: number;
  readonly json: boolean;
  readonly repair: boolean;
  readonly yes: boolean;
  readonly confirm: readonly string[];
  readonly stage: string | undefined;
  readonly region: string | undefined;
}

/**
 * Reads a command line; undefined where it asks for help.
 * @param isAnswered whether there is somebody who can be asked
 * @throws UsageError
 */
export function readOptions(
  args: readonly string[],
  isAnswered: boolean,
): ReconcileCommand | undefined {
  const values = parseOptions(args, {
    table: { type: "string", multiple: true },
    since: { type: "string" },
    sample: { type: "string" },
    limit: { type: "string", default: String(LIMIT) },
    json: { type: "boolean", default: false },
    repair: { type: "boolean", default: false },
    yes: { type: "boolean", default: false },
    confirm: { type: "string", multiple: true, default: [] },
    ...STAGE_ARGUMENTS,
    help: { type: "boolean", short: "h" },
  });
  if (values.help) return undefined;
  if (values.repair && !values.yes && !isAnswered)
    throw new UsageError("--repair asks before it does: add --yes where nobody can answer");
  return {
    only: values.table?.flatMap((names) => names.split(",")),
    since: values.since === undefined ? undefined : when(values.since),
    sample: values.sample === undefined ? undefined : share(values.sample),
    limit: wholeNumber("limit", values.limit, 0, 1_000_000),
    json: values.json,
    repair: values.repair,
    yes: values.yes,
    confirm: values.confirm.flatMap((names) => names.split(",")),
    stage: values.stage,
    region: values.region,
  };
}

function when(text: string): number | Date {
  if (/^\d+$/.test(text)) return wholeNumber("since", text, 1, 9_999_999_999);
  const at = new Date(text);
  if (/^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(at.getTime())) return at;
  throw new UsageError(`--since takes a batch's number or a date (2026-11-25), not "${text}"`);
}

function share(text: string): number {
  const found = /^(\d*\.?\d+)(%?)$/.exec(text);
  const value = Number(found?.[1]) / (found?.[2] === "%" ? 100 : 1);
  if (value > 0 && value <= 1) return value;
  throw new UsageError(`--sample takes a share, 0.1 or 10%, not "${text}"`);
}
