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
import { compact } from "./compaction.ts";
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

describe("the views over the lake", function () {
  this.timeout(180_000);
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

  it("have the same where batches were compacted, once and again, whatever became of their own objects", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "compacted-"));
    const compacted = { ...scope, lake: folder };
    try {
      await cp(scope.lake, folder, { recursive: true });
      await compact(folder, 1, 1, 8);
      const isSame = async (asOf?: number): Promise<void> => {
        expect(await contentIn(tables, compacted, asOf), `batch ${asOf}`).to.deep.equal(
          await contentIn(tables, scope, asOf),
        );
      };
      await isSame();
      await compact(folder, 2, 9, history.left.batch);
      for (const batch of [1, 7, 8, 9, history.skipped, history.skipped + 3]) await isSame(batch);
      await isSame();
      const duckdb = await open(tables, compacted);
      const kinds = await duckdb.runAndReadAll(
        "select kind, min(first_batch), max(last_batch) from etl_object where kind = 'compaction' or last_batch <= 9 group by all",
      );
      expect(kinds.getRowsJson()).to.deep.equal([["compaction", "1", String(history.left.batch)]]);
      duckdb.closeSync();
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  /** The lake with the first 12 batches compacted, in two parts, their own objects beside that. */
  const withCompactions = async (work: (folder: string) => Promise<void>): Promise<void> => {
    const folder = await mkdtemp(path.join(tmpdir(), "compacted-"));
    try {
      await cp(scope.lake, folder, { recursive: true });
      await compact(folder, 1, 1, 8);
      await compact(folder, 2, 9, 12);
      await cp(scope.lake, folder, { recursive: true });
      await work(folder);
    } finally {
      await rm(folder, { recursive: true });
    }
  };
  const problemsIn = async (folder: string): Promise<unknown[][]> => {
    const duckdb = await open(tables, { lake: folder });
    const found = await duckdb.runAndReadAll("select problem, batch from etl_problem");
    duckdb.closeSync();
    return found.getRowsJson();
  };

  it("have the same where the manifest of an older compaction is gone, and say so", async () => {
    expect(history.skipped).to.be.greaterThan(12);
    await withCompactions(async (folder) => {
      expect(await problemsIn(folder)).to.deep.equal([]);
      await rm(path.join(folder, "_compactions", "0000000008.json"));
      const content = await contentIn(tables, { lake: folder });
      expect(differences(await contentIn(tables, scope), content)).to.deep.equal([]);
      expect(await problemsIn(folder)).to.deep.equal([
        ["the compaction that ends with it is missing", "8"],
      ]);
    });
  });

  it("end before a batch whose manifest is missing, and say so", async () => {
    await withCompactions(async (folder) => {
      const missing = history.newest - 2;
      await rm(path.join(folder, "_batches", `00000000${missing}.json`));
      const expected = await contentIn(tables, scope, missing - 1);
      expect(expected).to.not.deep.equal(await contentIn(tables, scope));
      expect(await contentIn(tables, { lake: folder })).to.deep.equal(expected);
      expect(await problemsIn(folder)).to.deep.equal([
        ["its manifest is missing", String(missing)],
      ]);
    });
  });

  it("show nothing of a compaction whose batches do not follow the others", async () => {
    await withCompactions(async (folder) => {
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
      await rm(path.join(folder, "_batches", `00000000${history.skipped}.json`));
      expect(await contentIn(tables, { lake: folder })).to.deep.equal(expected);
      expect(await problemsIn(folder)).to.deep.equal([]);
      for (let batch = history.skipped + 1; batch <= history.newest; batch++)
        await rm(path.join(folder, "_batches", `00000000${batch}.json`));
      expect(await contentIn(tables, { lake: folder })).to.deep.equal(
        await contentIn(tables, scope, history.skipped - 1),
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
