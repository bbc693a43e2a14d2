import type { Db } from "../postgres/connection.ts";
import { literal } from "../postgres/sql.ts";

/** Which database this is, and what it shows us. The same for all reads of a transaction. */
export interface Snapshot {
  readonly system_identifier: string;
  readonly database_oid: string;
  readonly timeline: string;
  /** When the server was started. A crash hands out again ids that were given and not yet written down. */
  readonly server_started_at: string;
  /** `xmin:xmax:xip,…` */
  readonly snapshot: string;
  /** Every transaction below it is settled. A 64-bit transaction id, as text. */
  readonly fence: string;
}

/** Begins the transaction in which everything is seen as of one moment. */
export const beginSnapshot = (db: Db): Promise<null> =>
  db.none("begin isolation level repeatable read, read only");

/** A name by which other connections can see the same moment, as long as this transaction lasts. */
export async function exportSnapshot(db: Db): Promise<string> {
  const { snapshot } = await db.one<{ snapshot: string }>(
    "select pg_export_snapshot() as snapshot",
  );
  return snapshot;
}

/** Begins a transaction that sees the moment of another connection's. It may wait for long between its queries. */
export async function joinSnapshot(db: Db, snapshot: string): Promise<void> {
  await beginSnapshot(db);
  await db.none(`set transaction snapshot ${literal(snapshot)}`);
  await db.none("set local idle_in_transaction_session_timeout = 0");
}

/** Must be the first query of a REPEATABLE READ transaction: it takes the transaction's snapshot. */
export function readSnapshot(db: Db): Promise<Snapshot> {
  // The timeline shows at once after a promotion in min_recovery_end_timeline, and for good in the checkpoint.
  return db.one<Snapshot>(
    `select pg_current_snapshot()::text as snapshot,
            pg_snapshot_xmin(pg_current_snapshot())::text as fence,
            pg_postmaster_start_time()::text as server_started_at,
            (select system_identifier::text from pg_control_system()) as system_identifier,
            (select oid::text from pg_database where datname = current_database()) as database_oid,
            greatest((select timeline_id from pg_control_checkpoint()),
                     (select min_recovery_end_timeline from pg_control_recovery()))::text as timeline`,
  );
}

/** Transaction ids given out since the fence: how far the oldest open transaction holds it back. */
export const fenceAge = ({ snapshot, fence }: Snapshot): number =>
  Number(BigInt(snapshot.split(":")[1]!) - BigInt(fence));

/** Who holds the fence back. What this user may not see of others is null. */
export interface Holder {
  readonly pid: number | null;
  readonly usename: string | null;
  readonly application_name: string | null;
  readonly state: string | null;
  /** How long its transaction has been open, in seconds. */
  readonly seconds: number | null;
}

/** The transaction that the fence waits for: a session's or a prepared one; undefined where it is not to be seen. */
export async function fenceHolder(db: Db, { fence }: Snapshot): Promise<Holder | undefined> {
  const [holder] = await db.any<Holder>(
    `select pid, usename, application_name, state, extract(epoch from now() - xact_start)::float8 as seconds
       from pg_stat_activity where backend_xid = $1::xid8::xid
      union all
     select null, owner, gid, 'prepared', extract(epoch from now() - prepared)::float8
       from pg_prepared_xacts where transaction = $1::xid8::xid`,
    [fence],
  );
  return holder;
}
