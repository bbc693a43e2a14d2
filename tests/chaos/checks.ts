// What must hold when all is at rest. Nothing here comes from src/, but what `reconcile` says, which must say the same.
import {
  GetObjectCommand,
  ListObjectVersionsCommand,
  type ObjectVersion,
} from "@aws-sdk/client-s3";
import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Database } from "../../localstack/totesys/shop.ts";
import { reconciled, shortly } from "../reconciliation/support.ts";
import { untruths } from "../support/pipeline.ts";
import { ROLES, type Lane, type World } from "./lane.ts";

/** Everything that does not hold; empty where all is well. */
export async function problemsOf(lane: Lane, world: World): Promise<string[]> {
  const found = await Promise.all([
    untruths(world.shop, world.star, { allowExtraDates: true }),
    orphans(world.star),
    lakeProblems(lane, world),
    unreconciled(world),
  ]);
  return [...found.flat(), ...(await leftOpen(lane, world)), ...spilled(lane, world)];
}

/** What `reconcile` names, as the functions' own users. */
async function unreconciled(world: World): Promise<string[]> {
  return shortly(await reconciled(world)).map((one) => `reconcile names ${one}`);
}

/** Facts without their dimensions, whatever the constraints say of themselves. */
async function orphans(star: Database): Promise<string[]> {
  const keys = await star.any<{ from: string; column: string; to: string; key: string }>(
    `select c.conrelid::regclass::text as from, a.attname as column,
            c.confrelid::regclass::text as to, k.attname as key
       from pg_constraint c
       join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
       join pg_attribute k on k.attrelid = c.confrelid and k.attnum = c.confkey[1]
      where c.contype = 'f'`,
  );
  if (keys.length === 0) return ["the warehouse has no foreign keys"];
  const found: string[] = [];
  for (const { from, column, to, key } of keys) {
    const { count } = await star.one<{ count: string }>(
      `select count(*) from $1:raw f where $2:name is not null
          and not exists (select from $3:raw d where d.$4:name = f.$2:name)`,
      [from, column, to, key],
    );
    if (count !== "0") found.push(`${count} rows of ${from} have a ${column} that ${to} lacks`);
  }
  return found;
}

interface Named {
  readonly key: string;
  readonly bytes: number;
  readonly sha256: string;
}
interface Manifest {
  readonly batch: number;
  readonly previous_sha256: string | null;
  readonly ingestion_sha256?: string;
  readonly objects: readonly Named[];
  readonly rejected?: readonly Named[];
}

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

/** The lake's chain, its objects' hashes, its numbers, and that nothing in it was ever written twice. */
async function lakeProblems({ s3 }: Lane, { env, star }: World): Promise<string[]> {
  const found: string[] = [];
  const get = async (bucket: string, key: string): Promise<Buffer> => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return Buffer.from(await Body!.transformToByteArray());
  };
  const versionsOf = async (bucket: string): Promise<readonly ObjectVersion[]> => {
    const answer = await s3.send(new ListObjectVersionsCommand({ Bucket: bucket }));
    if (answer.IsTruncated) found.push(`${bucket} has too many objects for this check`);
    for (const { Key } of answer.DeleteMarkers ?? []) found.push(`${bucket}/${Key} was deleted`);
    return answer.Versions ?? [];
  };
  const numbered = (keys: ReadonlySet<string>, prefix: string): string[] =>
    [...keys].filter((key) => key.startsWith(prefix)).sort();

  const chain: string[] = [];
  for (const bucket of [env.INGESTION_BUCKET, env.PROCESSED_BUCKET]) {
    const keys = new Set<string>();
    for (const { Key = "" } of await versionsOf(bucket)) {
      if (keys.has(Key) && !Key.startsWith("_hints/"))
        found.push(`${bucket}/${Key} was overwritten`);
      keys.add(Key);
    }
    const manifests = numbered(keys, "_batches/");
    for (const [i, key] of manifests.entries()) {
      const bytes = await get(bucket, key);
      const manifest = JSON.parse(bytes.toString()) as Manifest;
      const expected = `_batches/${String(i + 1).padStart(10, "0")}.json`;
      if (key !== expected || manifest.batch !== i + 1)
        found.push(`${bucket}/${expected} is missing`);
      if (manifest.previous_sha256 !== (chain[i - 1] ?? null))
        found.push(`${bucket}/${key} does not follow the one before it`);
      if (bucket === env.INGESTION_BUCKET) chain.push(sha256(bytes));
      else if (manifest.ingestion_sha256 !== chain[i])
        found.push(`${bucket}/${key} was made of another batch`);
      for (const object of [...manifest.objects, ...(manifest.rejected ?? [])]) {
        if (!keys.has(object.key)) {
          found.push(`${bucket}/${object.key} is missing`);
          continue;
        }
        const body = await get(bucket, object.key);
        if (body.length !== object.bytes || sha256(body) !== object.sha256)
          found.push(`${bucket}/${object.key} is not what its manifest says`);
      }
    }
    if (manifests.length !== chain.length)
      found.push(`${bucket} has ${manifests.length} manifests of ${chain.length}`);
    const receipts = numbered(keys, "_loads/");
    if (bucket === env.PROCESSED_BUCKET && receipts.length !== chain.length)
      found.push(`${bucket} has ${receipts.length} receipts of ${chain.length}`);
  }
  const loads = await star.any<{ batch: string; ingestion_sha256: string }>(
    "select batch, ingestion_sha256 from etl.batch_load order by batch",
  );
  const isSame =
    loads.length === chain.length &&
    loads.every(
      ({ batch, ingestion_sha256 }, i) => Number(batch) === i + 1 && ingestion_sha256 === chain[i],
    );
  if (!isSame)
    found.push(
      `the warehouse has loaded ${loads.map(({ batch }) => batch).join()} of ${chain.length}`,
    );
  return found;
}

/** Sessions, locks and prepared transactions that the functions left. A server takes a moment to notice who is gone. */
async function leftOpen({ admin }: Lane, { databases }: World): Promise<string[]> {
  for (let tries = 0; ; tries++) {
    const left = await admin.map(
      `select format('a session of %s is left, %s: %s', usename, state, left(query, 80)) as text
         from pg_stat_activity where usename = any($1) and datname = any($2)
        union all
       select format('a lock is left: %s on %s', mode, locktype)
         from pg_locks l join pg_database d on d.oid = l.database
        where d.datname = any($2) and locktype = 'advisory'
        union all
       select 'a prepared transaction is left: ' || gid from pg_prepared_xacts where database = any($2)`,
      [Object.values(ROLES), Object.values(databases)],
      ({ text }: { text: string }) => text,
    );
    if (left.length === 0 || tries === 40) return left;
    await delay(50);
  }
}

/** Whether a password is in anything that was printed or answered. */
function spilled({ printed }: Lane, { passwords }: World): string[] {
  const planted = /planted-\d+/.exec(passwords[0] ?? "")?.[0];
  if (planted === undefined) return ["no password was planted"];
  const lines = printed.filter((line) => line.includes(planted));
  return lines.slice(0, 1).map((line) => `a password was printed: ${line.slice(0, 300)}`);
}
