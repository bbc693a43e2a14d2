// What batches leave in the warehouse, held against the slow and obvious way: a map of dimension rows, a list of versions.
import fc from "fast-check";
import { InferredMembers } from "../../src/loading/inferred.ts";
import { prepareLedger } from "../../src/loading/ledger.ts";
import { mergeBatch, type Rows } from "../../src/loading/merge.ts";
import { Quarantine } from "../../src/loading/quarantine.ts";
import { prepareTables } from "../../src/loading/warehouse.ts";
import { getConnection, LEDGER, type Connection } from "../../src/postgres/connection.ts";
import {
  bigint,
  date,
  decimal,
  defineSource,
  defineTable,
  getColumnNames,
  integer,
  key,
  keyOf,
  nullable,
  recordIdOf,
  references,
  serial,
  text,
  timestamp,
  timestamptz,
  type Column,
  type Table,
} from "../../src/table.ts";
import { store, toText } from "../../src/values.ts";
import { vectorOf } from "../../src/vectors.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline } from "../support/pipeline.ts";
import { tablesOf } from "../support/stages.ts";

type Row = Readonly<Record<string, unknown>>;

const source = defineSource("any", { id: key(integer) });
const common = { source, format: () => [] };
const day = (n: number): string => new Date(n * 86_400_000).toISOString().slice(0, 10);
/** A key of each type, made of a whole number. */
const KEYS: Readonly<Record<string, [column: Column, of: (n: number) => unknown]>> = {
  integer: [key(integer), (n) => n],
  bigint: [key(bigint), (n) => String(BigInt(n) * 10n ** 15n)],
  date: [key(date), day],
  decimal: [key(decimal(7, 2)), (n) => `${n}.${String(Math.abs(n) % 100).padStart(2, "0")}`],
  wide: [key(decimal(30, 5)), (n) => `${n}00000000000000000.00001`],
  timestamp: [key(timestamp), (n) => `${day(n)}T01:02:03.4`],
  timestamptz: [key(timestamptz), (n) => `${day(n)}T01:02:03.4Z`],
  text: [key(text), (n) => `k${n}`],
};
const values = { word: nullable(text), amount: nullable(decimal(6, 2)) };
const tables = tablesOf(
  ...Object.entries(KEYS).flatMap(([name, [column]]) => [
    defineTable({
      ...common,
      name: `dim_${name}`,
      description: "One row per key.",
      columns: { id: column, ...values },
    } as never),
    defineTable({
      ...common,
      name: `fact_${name}`,
      description: "One row per version of a key.",
      columns: { record_id: serial, id: column, ...values },
    } as never),
  ]),
  defineTable({
    ...common,
    name: "fact_pair",
    description: "One row per version of a pair.",
    columns: { record_id: serial, id: key(integer), part: key(text), ...values },
  }),
  defineTable({
    ...common,
    name: "dim_pair",
    description: "One row per pair.",
    columns: { id: key(integer), part: key(text), ...values },
  }),
  defineTable({
    ...common,
    name: "dim_bare",
    description: "One row per key, which is all there is.",
    columns: { id: key(integer) },
  }),
  defineTable({
    ...common,
    name: "fact_use",
    description: "One row per version of a use.",
    columns: {
      record_id: serial,
      id: key(integer),
      of: references("dim_integer", integer),
      on: references("dim_date", nullable(date)),
      word: text,
    },
  }),
);
const byName = new Map(tables.map((table) => [table.name, table]));

describe("batches", () => {
  let connection: Connection;
  before(async () => {
    const p = await openPipeline({ orders: 0 });
    connection = await getConnection({ ...p.warehouse, schema: "public" });
    await prepareLedger(connection.db, LEDGER);
  });
  beforeEach(async () => {
    await connection.db.none(
      "drop schema public cascade; create schema public; truncate etl.inferred_member, etl.quarantine",
    );
  });
  after(async () => {
    await connection.close();
    await closeAll();
  });

  const vectorsOf = (table: Table, rows: readonly Row[], columns: readonly string[]): Rows =>
    new Map(
      columns.map((name) => {
        const column = table.columns[name]!;
        return [
          name,
          vectorOf(
            column,
            rows.map((row) => store(column, row[name])),
          ),
        ];
      }),
    );

  /** Merges batches, one after the other. @returns what was read, in order, and when there was time for something else */
  async function merge(...batches: ReadonlyMap<Table, readonly Row[]>[]) {
    const reads: string[] = [];
    const changed: Record<string, number>[] = [];
    const { typeOf } = await connection.db.tx((t) => prepareTables(t, "public", LEDGER, tables));
    for (const batch of batches)
      await connection.db.tx(async (db) => {
        const done = await mergeBatch(
          {
            connection,
            db,
            schema: "public",
            batch: 1,
            inferred: await InferredMembers.open(db, LEDGER),
            quarantine: await Quarantine.open(connection, tables),
            byName,
            typeOf,
            maySilence: true,
            meanwhile: () => void reads.push("meanwhile"),
          },
          tables.filter((table) => batch.has(table)),
          {
            read: (table, columns) => {
              reads.push(`${table.name} ${columns.join()}`);
              return Promise.resolve(vectorsOf(table, batch.get(table)!, columns));
            },
            stretches: () => Promise.resolve(undefined),
          },
        );
        changed.push(Object.fromEntries(done.changed));
      });
    return { reads, changed };
  }

  const textOf = (table: Table, row: Row): string =>
    JSON.stringify(
      getColumnNames(table).map((name) => {
        const column = table.columns[name]!;
        const stored = store(column, row[name]);
        return stored === null ? null : toText(column, stored).replace(/\+00$/, "");
      }),
    );

  /** What the batches leave: the latest row of each key, or every version. */
  function expected(table: Table, batches: readonly (readonly Row[])[]) {
    const latest = new Map<string, string>();
    const versions: string[] = [];
    const changed: number[] = [];
    for (const rows of batches) {
      let count = 0;
      for (const row of rows) {
        const of = JSON.stringify(keyOf(table).map((name) => row[name]));
        const now = textOf(table, row);
        if (latest.get(of) === now) continue;
        latest.set(of, now);
        versions.push(now);
        count++;
      }
      changed.push(count);
    }
    return { rows: recordIdOf(table) ? versions : [...latest.values()], changed };
  }

  const found = async (table: Table): Promise<string[]> => {
    const rows = await connection.db.any<Record<string, string | null>>(
      `select ${getColumnNames(table)
        .map((name) => {
          const { type } = table.columns[name]!;
          const long = type === "timestamp" || type === "timestamptz";
          return `${long ? `to_char("${name}", 'YYYY-MM-DD HH24:MI:SS.US')` : `"${name}"::text`} as "${name}"`;
        })
        .join(", ")} from public."${table.name}"`,
    );
    return rows.map((row) => JSON.stringify(Object.values(row)));
  };
  const sorted = (rows: readonly string[]): string[] => rows.toSorted();

  for (const [name, [, of]] of [
    ...Object.entries(KEYS),
    ["pair", [integer, (n: number) => n]] as const,
  ])
    it(`with a key of the type ${name} leave what the obvious way leaves`, async () => {
      const number = fc.oneof(
        fc.integer({ min: -8, max: 8 }),
        fc.integer({ min: 100, max: 108 }),
        fc.integer({ min: 900, max: 999 }),
      );
      const rowsOf = (ids: fc.Arbitrary<number>) =>
        fc.uniqueArray(
          fc.record({
            id: ids.map(of),
            part: fc.constantFrom("x", "y"),
            word: fc.constantFrom("a", "", null),
            amount: fc.constantFrom("0", "-1.5", null),
          }),
          {
            maxLength: 12,
            selector: ({ id, part }) => (name === "pair" ? `${String(id)} ${part}` : id),
          },
        );
      // Far apart, and one beside the other.
      const rows = fc.oneof(rowsOf(number), rowsOf(fc.integer({ min: 1, max: 9 })));
      await fc.assert(
        fc.asyncProperty(fc.array(rows, { minLength: 1, maxLength: 5 }), async (batches) => {
          await connection.db.none("drop schema public cascade; create schema public");
          const [dim, fact] = [byName.get(`dim_${name}`)!, byName.get(`fact_${name}`)!];
          const { changed } = await merge(
            ...batches.map((of) => new Map([dim, fact].map((table) => [table, of]))),
          );
          for (const table of [dim, fact]) {
            const should = expected(table, batches);
            expect(sorted(await found(table))).to.deep.equal(sorted(should.rows));
            expect(changed.map((done) => done[table.name])).to.deep.equal(should.changed);
          }
        }),
        { numRuns: 15 },
      );
    });

  /** What work gives, and the statements that the connection sent for it. */
  async function watched<T>(
    work: () => Promise<T>,
  ): Promise<{ result: T; statements: readonly string[] }> {
    const statements: string[] = [];
    const query = connection.db.client.query.bind(connection.db.client) as (
      ...of: unknown[]
    ) => unknown;
    connection.db.client.query = ((...of: unknown[]) => {
      statements.push(String((of[0] as { text?: string }).text ?? of[0]));
      return query(...of);
    }) as never;
    try {
      return { result: await work(), statements };
    } finally {
      connection.db.client.query = query as never;
    }
  }

  it("write all dimensions before the first read of a fact, and read each column once", async () => {
    const [dim, fact, use] = ["dim_integer", "fact_integer", "fact_use"].map((name) =>
      byName.get(name)!,
    ) as [Table, Table, Table];
    const rows = [{ id: 1, word: "a", amount: null }];
    const batch = new Map<Table, Row[]>([
      [dim, rows],
      [fact, rows],
      [use, [{ id: 1, of: 5, on: null, word: "a" }]],
    ]);
    const { result, statements } = await watched(() => merge(batch, batch));
    const { reads } = result;
    const once = [
      "dim_integer id,word,amount",
      "fact_use of,on",
      "fact_integer id,word,amount",
      "fact_use id,word",
      // Nothing is left to be read: PostgreSQL alone is at work.
      "meanwhile",
    ];
    expect(reads).to.deep.equal([...once, ...once]);
    // Of one transaction each: the last write to a dimension, and the first look at a fact's rows.
    for (const part of statements.join("\0").split("begin").slice(-2)) {
      const all = part.split("\0");
      const last = all.findLastIndex((one) => /^\s*(insert into|copy) "public"\."dim_/.test(one));
      const first = all.findIndex((one) => /(from|into|join|copy) "public"\."fact_/.test(one));
      expect(last).to.be.greaterThan(-1);
      expect(first).to.be.greaterThan(last);
    }
    expect(
      await connection.db.any("select id, word from public.dim_integer order by 1"),
    ).to.deep.equal([
      { id: 1, word: "a" },
      { id: 5, word: "unknown" },
    ]);
  });

  it("of dimensions alone leave time for something else when the last one's rows are about to go", async () => {
    const [first, second] = [byName.get("dim_bigint")!, byName.get("dim_integer")!];
    const { reads } = await merge(
      new Map([
        [first, [{ id: "1", word: null, amount: null }]],
        [second, [{ id: 1, word: null, amount: null }]],
      ]),
    );
    expect(reads).to.deep.equal([
      "dim_bigint id,word,amount",
      "dim_integer id,word,amount",
      "meanwhile",
    ]);
  });

  it("of keys that lie close together are held against all in their range, others against their own", async () => {
    const table = byName.get("fact_integer")!;
    const batchOf = (...ids: number[]) =>
      new Map([[table, ids.map((id) => ({ id, word: null, amount: null }))]]);
    const { result, statements } = await watched(() =>
      merge(
        batchOf(1, 2, 4, 9),
        batchOf(1, 3, 4),
        batchOf(1, 9),
        // Every other key of the range is enough; one fewer is not.
        batchOf(1, 4),
        batchOf(1, 5),
      ),
    );
    const { changed } = result;
    expect(changed.map((done) => done[table.name])).to.deep.equal([4, 1, 0, 0, 1]);
    const merges = statements.filter((one) => one.includes("distinct on"));
    expect(merges.map((one) => /join "pg_temp"/.test(one))).to.deep.equal([
      false,
      true,
      false,
      true,
    ]);
  });

  it("of keys alone are inserted once", async () => {
    const table = byName.get("dim_bare")!;
    const batchOf = (...ids: number[]) => new Map([[table, ids.map((id) => ({ id }))]]);
    const { changed } = await merge(batchOf(1, 2), batchOf(1, 2), batchOf(2, 3));
    expect(changed.map((done) => done[table.name])).to.deep.equal([2, 0, 1]);
    expect(sorted(await found(table))).to.deep.equal(['["1"]', '["2"]', '["3"]']);
  });

  it("ask nothing of the ledger while nothing is in quarantine or inferred", async () => {
    const [dim, fact] = [byName.get("dim_integer")!, byName.get("fact_integer")!];
    const rows = [{ id: 1, word: "a", amount: null }];
    const batch = new Map([
      [dim, rows],
      [fact, rows],
    ]);
    const { statements } = await watched(() => merge(batch, batch, batch));
    const ofLedger = statements.filter((one) => one.includes('"etl"'));
    // What a loader asks before its first batch.
    const counts = ofLedger.filter((one) => /^\s*select table_name .* group by/.test(one));
    expect(counts).to.have.length(2 * 3);
    expect(ofLedger).to.deep.equal(counts);
  });

  it("of new rows make no staging table, and the next ones do", async () => {
    const table = byName.get("fact_integer")!;
    const staged = async (...ids: number[]): Promise<boolean> => {
      const { typeOf } = await connection.db.tx((t) => prepareTables(t, "public", LEDGER, tables));
      return connection.db.tx(async (db) => {
        const rows = ids.map((id) => ({ id, word: null, amount: null }));
        await mergeBatch(
          {
            connection,
            db,
            schema: "public",
            batch: 1,
            inferred: await InferredMembers.open(db, LEDGER),
            quarantine: await Quarantine.open(connection, tables),
            byName,
            typeOf,
            maySilence: true,
            meanwhile: () => undefined,
          },
          [table],
          {
            read: (_, columns) => Promise.resolve(vectorsOf(table, rows, columns)),
            stretches: () => Promise.resolve(undefined),
          },
        );
        const { there } = await db.one<{ there: boolean }>(
          "select to_regclass('pg_temp.stage_fact_integer') is not null as there",
        );
        return there;
      });
    };
    expect(await staged(10, 30, 20)).to.equal(false);
    expect(await staged(31, 40)).to.equal(false);
    expect(await staged(9, -5)).to.equal(false);
    expect(await staged(11, 19)).to.equal(false);
    expect(await staged(12, 21, 50)).to.equal(true);
    expect(await staged(40)).to.equal(true);
  });
});
