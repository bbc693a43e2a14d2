// The views over the lake's files, in DuckDB: what the warehouse has, now and after any batch.
import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { DIALECTS, lakeScript } from "../../src/lake-sql/lake-sql.ts";
import type { Scope } from "../../src/lake-sql/dialect.ts";
import { codecNamed } from "../../src/parquet/codec.ts";
import { readReceipts } from "../../src/rebuild/receipts.ts";
import type { ProcessedLake } from "../../src/rebuild/warehouse.ts";
import type { Table } from "../../src/table.ts";
import { expect } from "../support/chai.ts";
import { closeAll, type TestPipeline } from "../support/pipeline.ts";
import { compactWith } from "../compaction/support.ts";
import {
  contentSql,
  copyOf,
  differences,
  isVersioned,
  rebuiltContent,
  warehouseContent,
  type Content,
  type Writer,
} from "./content.ts";
import { makeLakeHistory, type LakeHistory } from "./history.ts";

const writer: Writer = {
  name: DIALECTS.duckdb.name,
  text: ({ type }, value) =>
    `coalesce(${
      type === "time"
        ? `strftime(date '2000-01-01' + ${value}, '%H:%M:%S.%f')`
        : type === "timestamp" || type === "timestamptz"
          ? `strftime(${value}, '%Y-%m-%d %H:%M:%S.%f')`
          : `cast(${value} as varchar)`
    }, '~')`,
};

async function open(tables: readonly Table[], scope: Scope): Promise<DuckDBConnection> {
  const duckdb = await (await DuckDBInstance.create(":memory:")).connect();
  await duckdb.run("set timezone = 'UTC'");
  await duckdb.run(lakeScript("duckdb", tables, scope));
  return duckdb;
}

async function contentIn(tables: readonly Table[], scope: Scope, asOf?: number): Promise<Content> {
  const duckdb = await open(tables, { ...scope, asOf });
  const content: Record<string, string[]> = {};
  const read = async (sql: string) =>
    (await duckdb.runAndReadAll(sql))
      .getRows()
      .map(([line]) => String(line))
      .sort();
  for (const table of tables) {
    content[table.name] = await read(contentSql(table, writer, writer.name(table.name)));
    if (!isVersioned(table)) continue;
    const latest = `${table.name}_latest`;
    content[latest] = await read(
      contentSql(table, writer, writer.name(latest), { isLatest: true }),
    );
  }
  duckdb.closeSync();
  return content;
}

/** What a batch's manifest is called, or its receipt. */
const fileOf = (batch: number): string => `${String(batch).padStart(10, "0")}.json`;

const isMissing = (batch: number): [string, string] => ["its manifest is missing", String(batch)];

describe("the views over the lake", () => {
  let history: LakeHistory;
  let p: TestPipeline;
  let tables: readonly Table[];
  let lake: ProcessedLake;
  let scope: Scope;
  before(async () => {
    history = await makeLakeHistory();
    ({ p, tables } = history);
    lake = {
      bucket: p.env.PROCESSED_BUCKET,
      tables,
      codec: await codecNamed(),
      receipts: await readReceipts(p.env.PROCESSED_BUCKET),
    };
    const folder = await mkdtemp(path.join(tmpdir(), "lake-"));
    await copyOf(p, folder);
    scope = { lake: folder };
  });
  after(async () => {
    await rm(scope.lake, { recursive: true });
    await closeAll();
  });

  it("have the rows of the warehouse: of dimensions, of versions, and the latest of each", async () => {
    const warehouse = await warehouseContent(p, tables, "public", "etl");
    expect(warehouse["fact_thing_mark"]).to.have.length.above(20);
    expect(differences(warehouse, await contentIn(tables, scope)).join("\n")).to.equal("");
  });

  it("have as of each batch what the warehouse has that is rebuilt to it", async () => {
    expect(history.newest).to.be.greaterThan(15);
    for (let batch = 1; batch <= history.newest; batch++)
      expect(
        differences(
          await rebuiltContent(p, lake, batch),
          await contentIn(tables, scope, batch),
        ).join("\n"),
        `batch ${batch}`,
      ).to.equal("");
  });

  /** A copy of the lake, compacted up to the one batch and then the other, the batches' own objects beside that or not. */
  const withCompactions = async (
    ends: readonly [number, number],
    areGone: boolean,
    work: (folder: string) => Promise<void>,
  ): Promise<void> => {
    const folder = await mkdtemp(path.join(tmpdir(), "compacted-"));
    const own = new Set(await p.keys("processed"));
    try {
      for (const to of ends) await compactWith(p, { to });
      await copyOf(p, folder);
      if (areGone)
        for (let batch = 1; batch <= ends[1]; batch++) {
          const { objects, deleted } = await p.processed(batch);
          for (const { key } of [...objects, ...deleted])
            await rm(path.join(folder, key), { force: true });
        }
      await work(folder);
    } finally {
      for (const key of await p.keys("processed"))
        if (!own.has(key)) await p.remove("processed", key);
      await rm(folder, { recursive: true });
    }
  };

  it("have the same where batches were compacted, whatever became of their own objects", async () => {
    const { skipped, left } = history;
    await withCompactions([8, left.batch], true, async (folder) => {
      for (const asOf of [1, 7, 8, 9, skipped, skipped + 3, undefined])
        expect(await contentIn(tables, { lake: folder }, asOf), `batch ${asOf}`).to.deep.equal(
          await contentIn(tables, scope, asOf),
        );
      const duckdb = await open(tables, { lake: folder });
      const kinds = await duckdb.runAndReadAll(
        "select kind, min(first_batch), max(last_batch) from etl_object where kind = 'compaction' or last_batch <= 9 group by all",
      );
      expect(kinds.getRowsJson()).to.deep.equal([["compaction", "1", String(left.batch)]]);
      duckdb.closeSync();
    });
  });

  const problemsIn = async (folder: string): Promise<unknown[][]> => {
    const duckdb = await open(tables, { lake: folder });
    const found = await duckdb.runAndReadAll(
      "select problem, batch from etl_problem order by batch",
    );
    duckdb.closeSync();
    return found.getRowsJson();
  };

  it("have the same where the manifest of an older compaction is gone, and say so", async () => {
    expect(history.skipped).to.be.greaterThan(12);
    await withCompactions([8, 12], false, async (folder) => {
      expect(await problemsIn(folder)).to.deep.equal([]);
      await rm(path.join(folder, "_compactions", "0000000008.json"));
      const content = await contentIn(tables, { lake: folder });
      expect(differences(await contentIn(tables, scope), content)).to.deep.equal([]);
      expect(await problemsIn(folder)).to.deep.equal([
        ["the compaction that ends with it is missing", "8"],
      ]);
    });
  });

  it("end before a batch whose manifest is missing, though a compaction has its rows", async () => {
    const { newest } = history;
    await withCompactions([8, 12], false, async (folder) => {
      for (const missing of [newest - 2, 5]) {
        await rm(path.join(folder, "_batches", fileOf(missing)));
        const expected = await contentIn(tables, scope, missing - 1);
        expect(expected).to.not.deep.equal(await contentIn(tables, scope));
        expect(await contentIn(tables, { lake: folder })).to.deep.equal(expected);
      }
      expect(await problemsIn(folder)).to.deep.equal([5, newest - 2].map(isMissing));
    });
  });

  describe("name as a problem what is missing", () => {
    const gaps: readonly (readonly [
      what: string,
      manifests: (history: LakeHistory) => number[],
      receipts: (history: LakeHistory) => number[],
      named: (history: LakeHistory) => number[],
      newest: (history: LakeHistory) => number,
    ])[] = [
      ["the first", () => [1], () => [1], () => [1], () => 0],
      ["some that follow one another", () => [5, 6, 7], () => [], () => [5, 6, 7], () => 4],
      [
        "the first and last of those whose receipts are gone, too",
        () => [5, 6, 7],
        () => [5, 6, 7],
        () => [5, 7],
        () => 4,
      ],
      [
        "the newest, which were loaded",
        ({ newest }) => [newest - 1, newest],
        () => [],
        ({ newest }) => [newest - 1, newest],
        ({ newest }) => newest - 2,
      ],
      [
        "the one before a batch that was skipped and has none",
        ({ skipped }) => [skipped - 1, skipped],
        () => [],
        ({ skipped }) => [skipped - 1],
        ({ skipped }) => skipped - 2,
      ],
      [
        "nothing of the newest where nobody has seen them",
        ({ newest }) => [newest],
        ({ newest }) => [newest],
        () => [],
        ({ newest }) => newest - 1,
      ],
    ];
    for (const [what, manifests, receipts, named, newest] of gaps)
      it(what, async () => {
        const folder = await mkdtemp(path.join(tmpdir(), "gaps-"));
        try {
          await cp(scope.lake, folder, { recursive: true });
          for (const batch of manifests(history))
            await rm(path.join(folder, "_batches", fileOf(batch)));
          for (const batch of receipts(history))
            await rm(path.join(folder, "_loads", fileOf(batch)));
          expect(await problemsIn(folder)).to.deep.equal(named(history).map(isMissing));
          const duckdb = await open(tables, { lake: folder });
          const found = await duckdb.runAndReadAll("select coalesce(max(batch), 0) from etl_batch");
          duckdb.closeSync();
          expect(found.getRowsJson()).to.deep.equal([[String(newest(history))]]);
        } finally {
          await rm(folder, { recursive: true });
        }
      });
  });

  it("are as of the batch that the script says last, or none", async () => {
    const duckdb = await open(tables, { ...scope, asOf: 5 });
    const newest = async () =>
      (await duckdb.runAndReadAll("select max(batch) from etl_batch")).getRowsJson();
    expect(await newest()).to.deep.equal([["5"]]);
    await duckdb.run(lakeScript("duckdb", tables, scope));
    expect(await newest()).to.deep.equal([[String(history.newest)]]);
    await duckdb.run(lakeScript("duckdb", tables, { ...scope, asOf: 99 }));
    expect(
      (await duckdb.runAndReadAll("select problem, batch from etl_problem")).getRowsJson(),
    ).to.deep.equal([["it is asked for and not there: what is shown ends before it", "99"]]);
    duckdb.closeSync();
  });

  it("show nothing of a compaction whose batches do not follow the others", async () => {
    await withCompactions([8, 12], false, async (folder) => {
      await rm(path.join(folder, "_compactions", "0000000008.json"));
      await rm(path.join(folder, "_batches", "0000000005.json"));
      expect(await contentIn(tables, { lake: folder })).to.deep.equal(
        await contentIn(tables, scope, 4),
      );
    });
  });

  it("leave out a batch that was skipped, though it is the last, or has no manifest", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "skipped-"));
    try {
      await cp(scope.lake, folder, { recursive: true });
      const expected = await contentIn(tables, scope);
      await rm(path.join(folder, "_batches", fileOf(history.skipped)));
      expect(await contentIn(tables, { lake: folder })).to.deep.equal(expected);
      expect(await problemsIn(folder)).to.deep.equal([]);
      for (let batch = history.skipped + 1; batch <= history.newest; batch++)
        await rm(path.join(folder, "_batches", fileOf(batch)));
      expect(await contentIn(tables, { lake: folder })).to.deep.equal(
        await contentIn(tables, scope, history.skipped - 1),
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
