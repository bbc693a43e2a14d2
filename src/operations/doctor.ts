/** Looks at everything that the pipeline stands on. Writes nothing; each look is on its own, so that all are had. */
import { lookAtBucket, s3ClockSkew } from "../aws/buckets.ts";
import { getCredentials } from "../aws/secrets.ts";
import { whyNotComparable } from "../ingestion/plan.ts";
import { BATCHES } from "../lake/keys.ts";
import { getLastUpload, readChained } from "../lake/manifest.ts";
import { readReceipt } from "../lake/receipts.ts";
import { maySilence, whyTriggersRun } from "../loading/triggers.ts";
import type { Connection } from "../postgres/connection.ts";
import { qualified } from "../postgres/sql.ts";
import { gapsOf, listManifests } from "../rebuild/verify-manifests.ts";
import type { LakeProblem } from "../rebuild/verify.ts";
import { getSettings } from "../settings.ts";
import { recordIdOf } from "../table.ts";
import type { Buckets } from "../transformation/transform.ts";
import { counted, duration, listed, whole } from "../words.ts";
import { functionFindings } from "./doctor-functions.ts";
import { bad, ok, warn, type Finding } from "./finding.ts";
import { PATIENCE } from "./look.ts";
import { STAGES, type Places } from "./places.ts";
import { withPlace } from "./reach.ts";
import { lookAtSource } from "./source.ts";
import { command, whoHolds } from "./verdict.ts";
import { lookAtWarehouse } from "./warehouse.ts";

/** What the doctor looks at besides a pipeline's places. */
export interface Surroundings {
  readonly secrets: { readonly source: string; readonly warehouse: string };
  /** The versions of Node that the project is for, as package.json has them. */
  readonly engines: string;
}

/** Everything, in the order in which data goes. */
export async function doctor(places: Places, around: Surroundings): Promise<Finding[]> {
  const { buckets } = places;
  const found = await Promise.all([
    look("This machine", () => [node(around.engines), settings()]),
    look("Clock of S3", s3Clock),
    look("Source's secret", () => secret("Source's secret", around.secrets.source)),
    withPlace(places.source, async (db, error) =>
      db ? sourceFindings(db, places) : [bad("Source", error!.message)],
    ),
    look("Ingestion bucket", () => bucket("Ingestion bucket", buckets.ingestion, "transformation")),
    look("Lake", () => lake(places)),
    look("Processed bucket", () => bucket("Processed bucket", buckets.processed, "loading")),
    look("Queues", () => queues(places)),
    look("Functions", () => functionFindings(places)),
    look("Warehouse's secret", () => secret("Warehouse's secret", around.secrets.warehouse)),
    withPlace(places.warehouse, async (db, error) =>
      db ? warehouseFindings(db, places) : [bad("Warehouse", error!.message)],
    ),
  ]);
  return found.flat();
}

type Findings = Finding | readonly Finding[];

/** What a look comes to; one that fails is a finding itself. */
async function look(title: string, work: () => Findings | Promise<Findings>): Promise<Finding[]> {
  try {
    return [await work()].flat();
  } catch (error) {
    return [bad(title, (error as Error).message)];
  }
}

function node(engines: string): Finding {
  const title = "Node";
  const version = process.versions.node;
  return satisfies(version, engines)
    ? ok(title, version)
    : bad(title, version, `install one of ${engines}`);
}

/** Whether a version is in a range of `^1.2.3` and `>=1` with `||` between them. */
export function satisfies(version: string, range: string): boolean {
  const parts = (text: string): number[] =>
    [...text.matchAll(/\d+/g)].map(([part]) => Number(part));
  const [major, ...rest] = parts(version);
  return range.split("||").some((one) => {
    const [least, ...further] = parts(one);
    if (major !== least) return one.includes(">=") && major! > least!;
    const differing = further.findIndex((part, at) => rest[at] !== part);
    return differing < 0 || rest[differing]! > further[differing]!;
  });
}

function settings(): Finding {
  getSettings("BATCH_ROWS", "BATCH_BYTES", "CONTINUE_AT_ONCE", "PARQUET_CODEC");
  return ok("Settings", "each is one that may be");
}

async function secret(title: string, name: string): Promise<Finding> {
  const { user, host, port, database } = await getCredentials(name);
  return ok(title, `${name}: ${database} on ${host}:${port} as ${user}`);
}

/** From when on a clock is worth a word, and from when on AWS refuses what it signs, in milliseconds. */
const SKEW = { warn: 5_000, bad: 300_000 };

function clock(title: string, skew: number): Finding {
  const off = Math.abs(skew);
  if (off < SKEW.warn) return ok(title, `${duration(off)} from this machine's, or less`);
  const found = `${duration(off)} ${skew > 0 ? "ahead of" : "behind"} this machine's`;
  return warn(
    title,
    found,
    "have both follow a time server: no row is lost by it, but ages, lags and freshness are off by as much",
  );
}

async function s3Clock(): Promise<Finding> {
  const title = "Clock of S3";
  const skew = await s3ClockSkew();
  if (skew === undefined) return warn(title, "S3 does not say");
  const found = clock(title, skew);
  if (Math.abs(skew) < SKEW.bad) return found;
  return { ...found, status: "bad", advice: "set this machine's clock: AWS refuses what it signs" };
}

async function bucket(title: string, name: string, next: string): Promise<Finding[]> {
  const { isVersioned, notifies } = await lookAtBucket(name);
  const may = "; these credentials may not ask more";
  const notified = notifies?.some((prefix) => BATCHES.startsWith(prefix));
  return [
    isVersioned === false
      ? warn(
          title,
          `${name} can be listed, and keeps no versions`,
          "deploy the stage, or switch versioning on: an object that is damaged could not be restored",
        )
      : ok(title, `${name} can be listed${isVersioned ? ", and keeps versions" : may}`),
    ...(notified === false
      ? [
          warn(
            title,
            `${name} tells nobody of its manifests`,
            `deploy the stage: until then ${next} does them at the next tick`,
          ),
        ]
      : []),
  ];
}

async function lake(places: Places): Promise<Finding> {
  const title = "Lake";
  const { buckets } = places;
  const verify = command(places, "rebuild --verify");
  const newest = await getLastUpload(buckets.ingestion);
  if (!newest) return ok(title, "no batch yet");
  await readChained(buckets.ingestion, newest.manifest.batch);
  const [lost, ...more] = await lostManifests(buckets);
  if (lost)
    return bad(
      title,
      lost.message,
      more.length === 0 ? `${verify} reads all there is` : `${verify} names ${more.length} more`,
    );
  return ok(
    title,
    `batch ${whole(newest.manifest.batch)} is the newest, follows the one before it, and no manifest is missing`,
  );
}

/** Missing manifests, but for those of batches that were skipped. */
async function lostManifests(buckets: Buckets): Promise<LakeProblem[]> {
  const lost: LakeProblem[] = [];
  for (const gap of gapsOf(buckets, await listManifests(buckets)))
    if (
      gap.kind !== "receipt" ||
      (await readReceipt(gap.bucket, gap.batch)).skipped_why === undefined
    )
      lost.push(gap);
  return lost;
}

async function queues({ queues: ask, stage }: Places): Promise<Finding> {
  const title = "Queues";
  if (!ask) return ok(title, "there are none here");
  const depths = await ask().catch((error: unknown) => error as Error);
  if (depths instanceof Error) return warn(title, depths.message);
  const dead = STAGES.filter((stage) => depths[stage].dead > 0);
  if (dead.length === 0) return ok(title, "no dead letters");
  return warn(
    title,
    `dead letters of ${listed(dead)}`,
    `\`${command({ stage }, "status")}\` says whether their work is done; \`${command({ stage }, "redrive")}\` puts them back`,
  );
}

interface Server {
  readonly version: number;
  readonly text: string;
  readonly now: Date;
  readonly recovers: boolean;
}

const serverOf = ({ db }: Connection): Promise<Server> =>
  db.one<Server>(
    `select current_setting('server_version_num')::int as version, current_setting('server_version') as text,
            clock_timestamp() as now, pg_is_in_recovery() as recovers`,
  );

/** Fences further apart than this are not compared; from half of it on there is something to say. */
const FAR = 500_000_000n;

async function sourceFindings(connection: Connection, places: Places): Promise<Finding[]> {
  const about = (title: string, work: () => Promise<Findings>) => look(title, work);
  return [
    ...(await about("Source", async () => {
      const { version, text, now, recovers } = await serverOf(connection);
      return [
        version >= 130_000
          ? ok("Source", `PostgreSQL ${text}${recovers ? ", a replica" : ""}`)
          : bad(
              "Source",
              `PostgreSQL ${text}`,
              "13 or later has the snapshots that changes are found by",
            ),
        ...(recovers
          ? [
              warn(
                "Source",
                "it is a replica",
                "read the primary: each switch to another replica costs a whole reading",
              ),
            ]
          : []),
        clock("Clock of source", now.getTime() - Date.now()),
      ];
    })),
    ...(await about("Contract", async () => {
      const seen = await lookAtSource(connection, places.tables);
      if (seen.problem) return bad("Contract", seen.problem.message);
      const more = seen.undeclared;
      const contract = ok(
        "Contract",
        `${counted(seen.tables, "table")} as declared, and readable` +
          (more.length > 0
            ? `; no table uses ${listed(more.slice(0, 5))}${more.length > 5 ? " and others" : ""}`
            : ""),
      );
      const seconds = seen.holder?.seconds ?? 0;
      const fence =
        seconds >= PATIENCE.held
          ? warn(
              "Fence",
              whoHolds(seconds, seen.holder),
              "have that transaction ended: each run reads again what began since",
            )
          : ok("Fence", `${counted(seen.fenceAge, "transaction")} since the oldest that is open`);
      const newest = (await getLastUpload(places.buckets.ingestion))?.manifest;
      if (!newest || !seen.snapshot) return [contract, fence];
      const why = whyNotComparable(newest, seen.snapshot);
      const behind = BigInt(seen.snapshot.fence) - BigInt(newest.fence);
      const ids =
        why !== undefined
          ? warn("Transaction ids", why, "nothing: the next run reads everything again, once")
          : behind > FAR
            ? warn(
                "Transaction ids",
                `${whole(Number(behind))} since the newest batch`,
                "have ingestion run: past 1,000,000,000 it reads everything again",
              )
            : ok("Transaction ids", `${whole(Number(behind))} since the newest batch's fence`);
      return [contract, fence, ids];
    })),
  ];
}

async function warehouseFindings(connection: Connection, places: Places): Promise<Finding[]> {
  const { db, schema } = connection;
  const { tables } = places;
  return [
    ...(await look("Warehouse", async () => {
      const { text, now, recovers } = await serverOf(connection);
      return [
        recovers
          ? bad(
              "Warehouse",
              `PostgreSQL ${text}, a replica`,
              "name the primary in the secret: a replica cannot be written",
            )
          : ok("Warehouse", `PostgreSQL ${text}`),
        clock("Clock of warehouse", now.getTime() - Date.now()),
      ];
    })),
    ...(await look("Star", async () => {
      const seen = await lookAtWarehouse(connection, tables);
      if (seen.problem) return bad("Star", seen.problem.message);
      const missing = tables.length - seen.tables;
      const { may } = await db.one<{ may: boolean }>(
        "select coalesce(has_schema_privilege(to_regnamespace($1)::oid, 'create'), false) as may",
        [schema],
      );
      if (missing > 0 && !may)
        return bad(
          "Star",
          `${counted(missing, "table is", "tables are")} not there, and this user may not make any in schema ${schema}`,
          "GRANT CREATE ON SCHEMA to it, or let the tables' owner make them",
        );
      return ok(
        "Star",
        missing > 0
          ? `${counted(missing, "table")} to be made at the next loading`
          : `${counted(seen.tables, "table")} as declared`,
      );
    })),
    ...(await look("Loader's rights", async () => {
      const { may } = await db.one<{ may: boolean }>(
        "select to_regnamespace($1) is not null or has_database_privilege(current_database(), 'create') as may",
        [connection.ledger],
      );
      return may
        ? ok(
            "Loader's rights",
            `schema ${connection.ledger} is there, or can be made; temporary tables too`,
          )
        : bad(
            "Loader's rights",
            `no schema ${connection.ledger}, and this user may make none`,
            "GRANT CREATE ON DATABASE to it",
          );
    })),
    ...(await look("Speed", async () => {
      const why = (await maySilence(db)) ? await slowest(connection, places) : WITHOUT;
      return why === undefined
        ? ok("Speed", "references are checked as sets")
        : warn(
            "Speed",
            why,
            "nothing, unless many rows are to be loaded: rows are right either way, and each reference is looked up alone (docs/roles.md)",
          );
    })),
  ];
}

const WITHOUT = "this user may not set session_replication_role";

/** Why a table's references are not checked as sets; undefined where all are. */
async function slowest(
  { db, schema }: Connection,
  { tables }: Places,
): Promise<string | undefined> {
  const byName = new Map(tables.map((table) => [table.name, table]));
  for (const table of tables) {
    if (recordIdOf(table) === undefined) continue;
    const { there } = await db.one<{ there: boolean }>(
      "select to_regclass($1) is not null as there",
      [qualified(schema, table.name)],
    );
    const why = there ? await whyTriggersRun(db, schema, table, byName) : undefined;
    if (why !== undefined) return why;
  }
  return undefined;
}
