// Plays a history on a real shop and a real pipeline, beside the model, and compares the two after every load.
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import pgPromise from "pg-promise";
import type { Connection } from "../../localstack/totesys/source.ts";
import type { IngestionManifest, ProcessedManifest } from "../../src/lake/manifest.ts";
import type { Table } from "../../src/table.ts";
import dim_counterparty from "../../tables/dim_counterparty.ts";
import dim_currency from "../../tables/dim_currency.ts";
import dim_date from "../../tables/dim_date.ts";
import dim_design from "../../tables/dim_design.ts";
import dim_location from "../../tables/dim_location.ts";
import dim_payment_type from "../../tables/dim_payment_type.ts";
import dim_staff from "../../tables/dim_staff.ts";
import dim_transaction from "../../tables/dim_transaction.ts";
import fact_payment from "../../tables/fact_payment.ts";
import fact_purchase_order from "../../tables/fact_purchase_order.ts";
import fact_sales_order from "../../tables/fact_sales_order.ts";
import { openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { ingestWith, loadWith, tablesOf, transformWith, type Module } from "../support/stages.ts";
import {
  differences,
  missedByQuarantine,
  wronglyQuarantined,
  type Quarantined,
  type Run,
  type Sight,
} from "./model/seen.ts";
import {
  isVisible,
  ModelShop,
  OpenTransaction,
  SHOP_TABLES,
  type ShopRow,
  type ShopState,
  type ShopTable,
} from "./model/shop.ts";
import { STAR, type Rules, type StarRow } from "./model/star.ts";
import type { History, Ingestion, Statement, Step } from "./steps.ts";

const always: readonly Module[] = [
  dim_counterparty,
  dim_date,
  dim_design,
  dim_location,
  dim_payment_type,
  dim_staff,
  dim_transaction,
  fact_payment,
  fact_sales_order,
];

/** As a colleague might have it that a row in quarantine is taken after all: a formatter, and its version raised. */
const anyCurrency = {
  ...dim_currency,
  version: 2,
  format: (row: { currency_id: number; currency_code: string }) => {
    try {
      return dim_currency.format(row as Parameters<typeof dim_currency.format>[0], {});
    } catch {
      return { ...row, currency_name: "Not in ISO 4217" };
    }
  },
};

/** The table modules that are deployed in turn: without a fact, all, and with one that has changed. */
const VERSIONS: readonly { readonly tables: readonly Table[]; readonly rules: Rules }[] = [
  { tables: tablesOf(...always, dim_currency), rules: { takesAnyCurrency: false } },
  {
    tables: tablesOf(...always, dim_currency, fact_purchase_order),
    rules: { takesAnyCurrency: false },
  },
  {
    tables: tablesOf(...always, anyCurrency, fact_purchase_order),
    rules: { takesAnyCurrency: true },
  },
];

const ALL_STAR = ["dim_date", ...STAR.map(({ name }) => name)];

/** Opens a pipeline to play on. Its shop has no foreign keys: what is referred to may be missing, or be deleted. */
export async function openPlayground(): Promise<TestPipeline> {
  const p = await openPipeline({ orders: 0 });
  const found = await p.shop.any<{ place: string; name: string }>(
    "select conrelid::regclass::text as place, conname as name from pg_constraint where contype = 'f'",
  );
  for (const { place, name } of found)
    await p.shop.none("alter table $1:raw drop constraint $2:name", [place, name]);
  await p.shop.none(
    "drop index transaction_sales_order_id_key, transaction_purchase_order_id_key, payment_transaction_id_key",
  );
  return p;
}

/** Plays a history, from nothing. Throws with all that is not as the model has it. */
export async function play(p: TestPipeline, history: History): Promise<void> {
  await empty(p);
  const player = new Player(p, history.version);
  try {
    await player.do({ do: "transaction", statements: history.filling, commit: true });
    for (const step of history.steps) await player.do(step);
    await player.comeToRest(history.commits);
  } finally {
    await player.close();
  }
}

async function empty(p: TestPipeline): Promise<void> {
  await p.shop.none("truncate $1:name", [SHOP_TABLES]);
  const found = await starTables(p);
  await p.star.none("drop schema if exists etl cascade");
  if (found.length > 0) await p.star.none("truncate $1:name", [found]);
  for (const bucket of ["ingestion", "processed"] as const)
    await Promise.all((await p.keys(bucket)).map((key) => p.remove(bucket, key)));
}

const starTables = async (p: TestPipeline): Promise<string[]> =>
  (
    await p.star.any<{ name: string }>(
      "select tablename as name from pg_tables where schemaname = 'public' and tablename in ($1:csv)",
      [ALL_STAR],
    )
  ).map(({ name }) => name);

/** A transaction in both worlds. */
interface Open {
  readonly connection: Connection;
  readonly model: OpenTransaction;
}

const keyOf = (table: ShopTable): string => `${table}_id`;
const format = (sql: string, values: unknown): string => pgPromise.as.format(sql, values);
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

class Player {
  readonly #p: TestPipeline;
  readonly #shop = new ModelShop();
  readonly #open: (Open | undefined)[] = [];
  readonly #runs: Run[] = [];
  readonly #sights: Sight[] = [];
  readonly #quarantined: Quarantined[] = [];
  #last: IngestionManifest | undefined;
  #version: number;

  constructor(p: TestPipeline, version: number) {
    this.#p = p;
    this.#version = version;
  }

  get #tables(): readonly Table[] {
    return VERSIONS[this.#version]!.tables;
  }

  async do(step: Step): Promise<void> {
    switch (step.do) {
      case "transaction":
        return this.#transaction(step.statements, step.commit);
      case "write": {
        const open = (this.#open[step.slot] ??= await this.#begin());
        return this.#execute(open, step.statements);
      }
      case "end": {
        const open = this.#open[step.slot];
        this.#open[step.slot] = undefined;
        return open && this.#end(open, step.commit);
      }
      case "truncate":
        return this.#truncate(step.table, step.rows);
      case "vacuum freeze":
        await this.#p.shop.none("vacuum (freeze) $1:name", [step.table]);
        return;
      case "ingest":
        await this.#ingest(step.how);
        return;
      case "at once":
        return this.#atOnce(step);
      case "transform":
        return this.#transform(step.back, step.twice);
      case "load":
        return this.#load(step.batches, step.twice);
      case "tick":
        await this.#ingest(UNBOUNDED);
        await this.#transform(null, false);
        return this.#load(null, false);
      case "deploy":
        this.#version = Math.min(this.#version + 1, VERSIONS.length - 1);
    }
  }

  /** Ends what is open, and has everything arrive that has not. */
  async comeToRest(commits: readonly boolean[]): Promise<void> {
    for (const [slot, commit] of commits.entries()) await this.do({ do: "end", slot, commit });
    let outcome = await this.#ingest(UNBOUNDED);
    for (let tries = 0; outcome !== "unchanged"; tries++) {
      if (tries === 3) throw new Error("nothing changes, and ingestion finds something each time");
      outcome = await this.#ingest(UNBOUNDED);
    }
    await this.#transform(null, false);
    await this.#load(null, false);
    refuse([...missedByQuarantine(this.#runs, this.#quarantined), ...(await this.#brokenChain())]);
  }

  /** Ends what a history that failed has left open. */
  async close(): Promise<void> {
    for (const open of this.#open.splice(0)) if (open) await this.#end(open, false);
  }

  // ---- the shop

  async #begin(): Promise<Open> {
    const connection = await this.#p.shop.connect();
    // Where the model lets two transactions wait for each other, it is wrong.
    const { xid } = await connection.one<{ xid: string }>(
      "begin; set local lock_timeout = '5s'; select pg_current_xact_id()::text as xid",
    );
    return { connection, model: new OpenTransaction(this.#shop, BigInt(xid)) };
  }

  async #end({ connection, model }: Open, commit: boolean): Promise<void> {
    await connection.none(commit ? "commit" : "rollback");
    await connection.done();
    if (commit) model.commit();
    else model.rollback();
  }

  async #transaction(statements: readonly Statement[], commit: boolean): Promise<void> {
    const open = await this.#begin();
    try {
      await this.#execute(open, statements);
    } catch (error) {
      await this.#end(open, false);
      throw error;
    }
    await this.#end(open, commit);
  }

  async #execute(open: Open, statements: readonly Statement[]): Promise<void> {
    const { connection, model } = open;
    for (const one of statements) {
      if (one.do === "savepoint") {
        await connection.none("savepoint inner_one");
        model.savepoint();
        await this.#execute(open, one.statements);
        const undo = one.keep ? "" : "rollback to savepoint inner_one; ";
        await connection.none(`${undo}release savepoint inner_one`);
        model.leaveSavepoint(one.keep);
        continue;
      }
      const { table, id } = one;
      if (!model.mayWrite(table, id)) continue;
      const now = model.get(table, id);
      if (one.do === "put") {
        const changed = Object.fromEntries(one.columns.map((column) => [column, one.row[column]!]));
        await this.#put(open, table, id, now, now ? changed : one.row);
      } else if (one.do === "put back") {
        const before = this.#shop
          .statesOf(table, id)
          .findLast((row) => row && JSON.stringify(row) !== JSON.stringify(now));
        if (before) await this.#put(open, table, id, now, before);
      } else if (one.do === "delete") {
        if (!now) continue;
        await write(open, "delete from $1:name where $2:name = $3", [table, keyOf(table), id]);
        model.write(table, id, null);
      } else if (now && model.mayWrite(table, one.to) && !model.get(table, one.to)) {
        await write(open, "update $1:name set $2:name = $3 where $2:name = $4", [
          table,
          keyOf(table),
          one.to,
          id,
        ]);
        model.write(table, id, null);
        model.write(table, one.to, now);
      }
    }
  }

  async #put(
    open: Open,
    table: ShopTable,
    id: number,
    now: ShopRow | undefined,
    row: ShopRow,
  ): Promise<void> {
    const key = keyOf(table);
    if (now) {
      const set = Object.entries(row).map((one) => format("$1:name = $2", one));
      const all = set.length > 0 ? set.join(", ") : format("$1:name = $1:name", [key]);
      await write(open, "update $1:name set $4:raw where $2:name = $3", [table, key, id, all]);
    } else {
      const columns = [key, ...Object.keys(row)];
      const values = [id, ...Object.values(row)];
      await write(open, "insert into $1:name ($2:name) values ($3:csv)", [table, columns, values]);
    }
    open.model.write(table, id, { ...now, ...row });
  }

  async #truncate(table: ShopTable, rows: readonly ShopRow[]): Promise<void> {
    if (this.#shop.isInUse(table)) return;
    const open = await this.#begin();
    await open.connection.none("truncate $1:name", [table]);
    for (const id of this.#shop.now.ids(table)) open.model.write(table, id, null);
    for (const [i, row] of rows.entries()) await this.#put(open, table, i + 1, undefined, row);
    await this.#end(open, true);
  }

  // ---- the pipeline

  async #ingest(how: Ingestion): Promise<string> {
    const committed = this.#shop.transactions;
    const { outcome } = await ingestWith(this.#p, this.#tables, optionsOf(how));
    await this.#lookAtBatches(committed);
    if (outcome === "unchanged")
      this.#runs.push({
        sights: [
          {
            batch: this.#sights.length,
            state: this.#shop.copy(),
            tables: new Set(this.#tables.map(({ name }) => name)),
            rules: undefined,
            readUnder: VERSIONS[this.#version]!.rules,
          },
        ],
        isDone: true,
        mayRepeat: false,
      });
    return outcome;
  }

  async #atOnce({ how, other, all, meanwhile }: Step & { do: "at once" }): Promise<void> {
    const committed = this.#shop.transactions;
    const shop = async (): Promise<void> => {
      for (const statements of meanwhile) await this.#transaction(statements, true);
    };
    await allOf([
      ingestWith(this.#p, this.#tables, optionsOf(how)),
      ingestWith(this.#p, this.#tables, optionsOf(other)),
      ...(all ? [transformWith(this.#p, this.#tables), loadWith(this.#p, this.#tables)] : []),
      shop(),
    ]);
    await this.#lookAtBatches(committed);
    if (!all) return;
    await this.#lookAtQuarantine();
    await this.#compare();
  }

  async #transform(back: number | null, twice: boolean): Promise<void> {
    const newest = this.#sights.length;
    if (back !== null && newest === 0) return;
    const wake = back === null ? ({ tick: true } as const) : { batch: Math.max(1, newest - back) };
    await allOf(
      Array.from({ length: twice ? 2 : 1 }, () => transformWith(this.#p, this.#tables, wake)),
    );
    await this.#lookAtQuarantine();
  }

  async #lookAtQuarantine(): Promise<void> {
    const made: Quarantined[] = [];
    for (const sight of this.#sights.filter(({ rules }) => rules === undefined))
      made.push(...(await this.#lookAtProcessed(sight)));
    this.#quarantined.push(...made);
    refuse(wronglyQuarantined(this.#sights, made));
  }

  async #load(batches: number | null, twice: boolean): Promise<void> {
    const load = (): Promise<unknown> => {
      let left = batches ?? Infinity;
      return loadWith(this.#p, this.#tables, { goOn: () => --left > 0 });
    };
    await allOf(Array.from({ length: twice ? 2 : 1 }, load));
    await this.#compare();
  }

  async #compare(): Promise<void> {
    const { loaded } = await this.#p.star.one<{ loaded: number }>(
      "select coalesce(max(batch), 0)::int as loaded from etl.batch_load",
    );
    refuse(differences(this.#runs, loaded, await this.#warehouse()));
  }

  async #warehouse(): Promise<Map<string, StarRow[]>> {
    const found = new Map<string, StarRow[]>();
    for (const name of await starTables(this.#p)) {
      const recordId = STAR.find((table) => table.name === name)?.recordId ?? "";
      const rows = await this.#p.star.map<StarRow>(
        `select (select jsonb_object_agg(key, value) from jsonb_each_text(to_jsonb(t) - $2)) as row
           from $1:name t order by ${recordId === "" ? "1" : format("$1:name", [recordId])}`,
        [name, recordId],
        ({ row }: { row: StarRow }) => row,
      );
      found.set(name, rows);
    }
    return found;
  }

  // ---- what it wrote

  /** @param committed transactions that were, when the ingestion began: it must have seen them */
  async #lookAtBatches(committed: readonly bigint[]): Promise<void> {
    const states = new Map<string, ShopState>();
    const keys = await this.#p.keys("ingestion", "_batches/");
    for (let batch = this.#sights.length + 1; batch <= keys.length; batch++) {
      const manifest = await this.#p.ingested(batch);
      const { snapshot } = manifest;
      const unseen = committed.filter((xid) => !isVisible(snapshot, xid));
      if (unseen.length > 0)
        throw new Error(`batch ${batch} was read without the transactions ${unseen.join(", ")}`);
      if (this.#open.some((open) => open && isVisible(snapshot, open.model.xid)))
        throw new Error(`batch ${batch} claims to have seen a transaction that is open`);
      const state = states.get(snapshot) ?? this.#shop.at(snapshot);
      states.set(snapshot, state);
      const sight: Sight = {
        batch,
        state,
        tables: new Set(Object.keys(manifest.fingerprints)),
        rules: undefined,
        readUnder: VERSIONS[this.#version]!.rules,
      };
      if (beginsRun(manifest, this.#last))
        this.#runs.push({ sights: [], isDone: false, mayRepeat: manifest.kind === "resync" });
      const run = this.#runs.at(-1)!;
      run.sights.push(sight);
      run.isDone = manifest.cursor === null;
      this.#sights.push(sight);
      this.#last = manifest;
    }
  }

  /** The rows that a batch has in quarantine; none where it is not transformed yet. */
  async #lookAtProcessed(sight: Sight): Promise<Quarantined[]> {
    const { batch } = sight;
    const [key] = await this.#p.keys("processed", `_batches/${String(batch).padStart(10, "0")}`);
    if (key === undefined) return [];
    sight.rules = VERSIONS[this.#version]!.rules;
    const { rejected } = await this.#p.processed(batch);
    const rows: Quarantined[] = [];
    for (const object of rejected)
      for (const line of await linesOf(this.#p, object.key))
        rows.push({ batch, ...(JSON.parse(line) as Omit<Quarantined, "batch">) });
    return rows;
  }

  /** What of the lake is not as its manifests say, and which batches were not loaded once. */
  async #brokenChain(): Promise<string[]> {
    const broken: string[] = [];
    const all = this.#sights.map(({ batch }) => batch);
    const before: Record<"ingestion" | "processed", string | null> = {
      ingestion: null,
      processed: null,
    };
    for (const bucket of ["ingestion", "processed"] as const)
      for (const [i, key] of (await this.#p.keys(bucket, "_batches/")).entries()) {
        const bytes = await this.#p.get(bucket, key);
        const manifest = JSON.parse(bytes.toString()) as IngestionManifest & ProcessedManifest;
        if (manifest.batch !== i + 1) broken.push(`${bucket}: ${key} is batch ${manifest.batch}`);
        if (manifest.previous_sha256 !== before[bucket])
          broken.push(`${bucket}: ${key} does not follow on the one before`);
        before[bucket] = bucket === "ingestion" ? sha256(bytes) : manifest.ingestion_sha256;
        for (const object of [...manifest.objects, ...(manifest.rejected ?? [])])
          if (sha256(await this.#p.get(bucket, object.key)) !== object.sha256)
            broken.push(`${bucket}: ${object.key} is not what was committed`);
      }
    if (before.ingestion !== before.processed)
      broken.push("the processed bucket was made from another lake");
    const loads = await this.#p.star.map<number>(
      "select batch::int from etl.batch_load order by batch",
      [],
      ({ batch }: { batch: number }) => batch,
    );
    if (JSON.stringify(loads) !== JSON.stringify(all))
      broken.push(`loaded are the batches ${loads.join(", ")} of ${all.length}`);
    return broken;
  }
}

const UNBOUNDED: Ingestion = {
  rows: null,
  bytes: null,
  batches: null,
  looks: null,
  resync: false,
};

function optionsOf({
  rows,
  bytes,
  batches,
  looks,
  resync,
}: Ingestion): NonNullable<Parameters<typeof ingestWith>[2]> {
  let batchesLeft = batches ?? Infinity;
  let looksLeft = looks ?? Infinity;
  return {
    resync,
    limits: { rows: rows ?? 100_000, bytes: bytes ?? 1 << 26 },
    goOn: () => --batchesLeft > 0,
    isLate: () => looksLeft-- <= 0,
  };
}

/** Whether a batch is not of the run that the one before belongs to: that was done, or was given up for everything anew. */
const beginsRun = (now: IngestionManifest, before: IngestionManifest | undefined): boolean =>
  !before?.cursor ||
  (now.kind === "resync" && (before.kind !== "resync" || now.fence !== before.fence));

async function write({ connection }: Open, sql: string, values: unknown[]): Promise<void> {
  const { rowCount } = await connection.result(sql, values);
  if (rowCount !== 1) throw new Error(`the model expected one row of ${format(sql, values)}`);
}

/** Waits for all, and throws what the first that failed did. */
async function allOf(work: readonly Promise<unknown>[]): Promise<void> {
  const done = await Promise.allSettled(work);
  for (const one of done) if (one.status === "rejected") throw one.reason;
}

const linesOf = async (p: TestPipeline, key: string): Promise<string[]> =>
  gunzipSync(await p.get("processed", key))
    .toString()
    .trimEnd()
    .split("\n");

function refuse(problems: readonly string[]): void {
  if (problems.length > 0) throw new Error(problems.join("\n"));
}
