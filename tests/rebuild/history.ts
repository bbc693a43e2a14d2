// A shop with a past: whatever may happen between a first load and today, and what the warehouse was after each batch.
import { lateCommit } from "../../localstack/totesys/shop.ts";
import { load } from "../../src/loading/load.ts";
import { skipBatch } from "../../src/loading/skip.ts";
import { codecNamed } from "../../src/parquet/codec.ts";
import { getConnection, type Connection } from "../../src/postgres/connection.ts";
import { getTables } from "../../src/registry.ts";
import { nullable, text, type Table } from "../../src/table.ts";
import fact_design_use from "../fixtures/tables/fact_design_use.ts";
import { expect } from "../support/chai.ts";
import { openPipeline, type Database, type TestPipeline } from "../support/pipeline.ts";
import { ingestWith, tablesOf, transformWith, type Module } from "../support/stages.ts";

export interface History {
  readonly p: TestPipeline;
  /** Today's modules. */
  readonly tables: readonly Table[];
  readonly newest: number;
  readonly skipped: number;
  /** What the warehouse held after each batch. */
  readonly after: ReadonlyMap<number, Content>;
}

/** A hash of each table's rows. */
export type Content = Readonly<Record<string, string | null>>;

/** Record ids, which may have other gaps elsewhere, and the natural key that has versions. */
const VERSIONED: Readonly<Record<string, readonly [recordId: string, key: string]>> = {
  fact_sales_order: ["sales_record_id", "sales_order_id"],
  fact_purchase_order: ["purchase_record_id", "purchase_order_id"],
  fact_payment: ["payment_record_id", "payment_id"],
  fact_design_use: ["use_record_id", "sales_order_id"],
};

/** What a schema holds: of facts each version, in its order. A table that is not there holds nothing. */
export async function contentOf(
  db: Database,
  schema: string,
  tables: readonly Table[],
): Promise<Content> {
  const content: Record<string, string | null> = {};
  for (const { name } of tables) {
    const [recordId = "", key = ""] = VERSIONED[name] ?? [];
    const version = recordId ? "row_number() over (partition by $4:name order by $3:name)" : "1";
    const { there } = await db.one<{ there: boolean }>(
      "select to_regclass(format('%I.%I', $1::text, $2::text)) is not null as there",
      [schema, name],
    );
    // `note` came later: before that it is in no live table, and a placeholder in a rebuilt one.
    const { hash } = there
      ? await db.one<{ hash: string | null }>(
          `select md5(string_agg(line, chr(10) order by line collate "C")) as hash
             from (select (to_jsonb(t) - $3 - 'note')::text || ${version} as line from $1:name.$2:name t) l`,
          [schema, name, recordId || "none", key || "none"],
        )
      : { hash: null };
    content[name] = hash;
  }
  return content;
}

/** The same database and user, another schema: as a rebuild has it. */
export async function openRebuilt(p: TestPipeline, schema: string): Promise<Connection> {
  const connection = await openLive(p);
  return { ...connection, schema, ledger: `${schema}_etl` };
}

export function openLive(p: TestPipeline): Promise<Connection> {
  Object.assign(process.env, p.env);
  return getConnection({ ...p.warehouse, schema: "public" });
}

/** Lives through it all, as deployed functions do: a checkout is older than they are. */
export async function makeHistory(): Promise<History> {
  process.env["BUILD"] = "1700000000000";
  try {
    return await live();
  } finally {
    delete process.env["BUILD"];
  }
}

async function live(): Promise<History> {
  const p = await openPipeline({ orders: 30 });
  const old = await getTables();
  const modules = await Promise.all(
    old.map(async ({ name }) => {
      const file = (await import(`../../tables/${name}.ts`)) as { default: Module };
      return file.default;
    }),
  );
  const added = tablesOf(...modules, fact_design_use);
  const { format } = fact_design_use;
  const columns = { ...fact_design_use.columns, note: nullable(text) };
  const noted: Module = Object.assign({}, fact_design_use, {
    columns,
    format: (...[row, found]: Parameters<typeof format>) =>
      Object.assign({}, format(row, found), { note: "noted" }),
  });
  const tables = tablesOf(...modules, noted);
  const after = new Map<number, Content>();
  const codec = await codecNamed();

  /** Loads what is ready a batch at a time, and looks at the warehouse after each. */
  const loadEach = async (by: readonly Table[]): Promise<void> => {
    const connection = await openLive(p);
    try {
      for (;;) {
        const { loaded, newest } = await load(connection, p.env.PROCESSED_BUCKET, by, codec, {
          goOn: () => false,
        });
        if (loaded.length === 0) return;
        after.set(newest, await contentOf(p.star, "public", tables));
      }
    } finally {
      await connection.close();
    }
  };
  const tick = async (by: readonly Table[]): Promise<void> => {
    await ingestWith(p, by);
    await transformWith(p, by);
    await loadEach(by);
  };

  // A first load that an invocation's end cut off, and went on; something changed behind its cursor.
  await ingestWith(p, old, { limits: { rows: 40, bytes: 1 << 20 }, goOn: () => false });
  await p.shop.none("update staff set first_name = 'Behind' where staff_id = 1");
  await tick(old);
  await tick(old);
  // Silent updates: versions of facts, A → B → A among them.
  for (const units of [1001, 1002, 1001]) {
    await p.shop.none("update sales_order set units_sold = $1 where sales_order_id <= 3", [units]);
    await tick(old);
  }
  // A transaction that commits after a later one was loaded.
  const late = await lateCommit(() => p.shop.connect(), { seed: 5, now: new Date("2026-01-02") });
  await p.shop.none("update design set file_name = 'later.json' where design_id = 1");
  await tick(old);
  await late.commit();
  await tick(old);
  // A row in quarantine, an inferred member for it, and the real one.
  await p.shop.none(
    `insert into currency (currency_id, currency_code, last_updated) values (9, 'XQZ', now());
     update sales_order set currency_id = 9 where sales_order_id = 1`,
  );
  await tick(old);
  await p.shop.none("update currency set currency_code = 'CHF' where currency_id = 9");
  await tick(old);
  // Another, which stays.
  await p.shop.none(
    `insert into currency (currency_id, currency_code, last_updated) values (10, 'QQQ', now());
     update payment set currency_id = 10 where payment_id = 1`,
  );
  await tick(old);
  // A table that is new.
  await tick(added);
  // A batch that was loaded by code that did not know the table yet; then the table is new again.
  await p.shop.none(
    "update sales_order set design_id = 1 + design_id % 3 where sales_order_id = 2",
  );
  await ingestWith(p, added);
  await transformWith(p, added);
  await loadEach(old);
  await p.shop.none(
    "update sales_order set design_id = 1 + design_id % 3 where sales_order_id = 2",
  );
  await tick(old);
  await tick(added);
  // A batch that cannot be loaded: left out for good, and what it held comes again.
  await p.shop.none("update staff set first_name = 'Skipped' where staff_id = 2");
  const { batch: skipped } = await ingestWith(p, added);
  await transformWith(p, added);
  const [object] = (await p.processed(skipped)).objects;
  await p.remove("processed", object!.key);
  const connection = await openLive(p);
  await skipBatch(connection, p.env.PROCESSED_BUCKET, {
    batch: skipped,
    why: "its object is gone",
  });
  await connection.close();
  after.set(skipped, await contentOf(p.star, "public", tables));
  await ingestWith(p, added, { resync: true });
  await tick(added);
  // A column that is new.
  await tick(tables);
  await p.shop.none("update design set file_location = '/moved' where design_id = 2");
  await tick(tables);

  const newest = Math.max(...after.keys());
  expect([...after.keys()].toSorted((a, b) => a - b)).to.deep.equal(
    Array.from({ length: newest }, (_, i) => i + 1),
  );
  return { p, tables, newest, skipped, after };
}
