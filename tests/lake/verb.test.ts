// `totes lake`: what it prints, what it answers, and what it says where it cannot.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { openLake } from "../../cli/lake/duckdb.ts";
import { copyLake } from "../../src/lake-sql/copy.ts";
import { lakeStatements } from "../../src/lake-sql/lake-sql.ts";
import { getTables } from "../../src/registry.ts";
import { integer, key, nullable, text, type Table } from "../../src/table.ts";
import { failureOf } from "../support/attack.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { getStack } from "../support/stack.ts";
import { compactWith } from "../compaction/support.ts";
import { callTotes } from "../support/totes.ts";

const COPIES = path.join(import.meta.dirname, "..", "..", ".local", "lake");

describe("totes lake", () => {
  let p: TestPipeline;
  const call = (...args: string[]) => callTotes(p.env, ["lake", ...args]);
  const copy = (): string => path.join(COPIES, p.env.PROCESSED_BUCKET);
  before(async () => {
    p = await openPipeline({ orders: 10 });
    await p.run();
    await p.shop.none("update staff set first_name = 'Ada' where staff_id = 1");
    await p.run();
    await rm(copy(), { recursive: true, force: true });
  });
  after(async () => {
    await rm(copy(), { recursive: true, force: true });
    await closeAll();
  });

  it("shows tables and columns that were declared after all files: empty, and null or the placeholder", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "lake-"));
    try {
      Object.assign(process.env, p.env);
      await copyLake(p.env.PROCESSED_BUCKET, folder);
      const [staff] = (await getTables()).filter(({ name }) => name === "dim_staff");
      const tables: Table[] = [
        {
          ...staff!,
          columns: { ...staff!.columns, note: nullable(text), age: integer, word: text },
        },
        { ...staff!, name: "dim_new", columns: { new_id: key(integer), word: text } },
      ];
      const duckdb = await openLake(tables, { lake: folder });
      const rows = async (sql: string) => (await duckdb.runAndReadAll(sql)).getRowsJson();
      expect(await rows("select distinct note, age, word from dim_staff")).to.deep.equal([
        [null, 0, "unknown"],
      ]);
      expect(await rows("select new_id, word from dim_new")).to.deep.equal([]);
      expect(await rows("from etl_problem")).to.deep.equal([]);
      await rm(path.join(folder, "_batches", "0000000001.json"));
      const again = await openLake(tables, { lake: folder });
      expect((await again.runAndReadAll("from etl_problem")).getRowsJson()).to.deep.equal([
        ["its manifest is missing", "1", ""],
      ]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  describe("query", () => {
    it("answers with a table, and says how many rows there are", async () => {
      const { code, out, err } = await call(
        "query",
        "select staff_id, first_name, null as nothing from dim_staff where staff_id = 1",
      );
      expect({ code, err }).to.deep.equal({ code: 0, err: "" });
      const lines = out.split("\n").map((line) => line.trim().split(/\s+/).join(" "));
      expect(lines).to.include.members(["staff_id first_name nothing", "1 Ada null", "1 row"]);
    });

    it("answers as of a batch", async () => {
      const { out, err } = await call(
        "query",
        "select first_name from dim_staff where staff_id = 1",
        "--as-of",
        "1",
        "--json",
      );
      expect(err).to.equal("  1 row\n");
      const [{ first_name }] = JSON.parse(out) as [{ first_name: string }];
      expect(first_name).to.not.equal("Ada");
    });

    it("shows as many rows as it is asked for, of a question in a file", async () => {
      const file = path.join(copy(), "question.sql");
      await writeFile(file, "select n from range(5) as t(n) order by n");
      const { out } = await call("query", file, "--limit", "2");
      expect(out).to.include("the first 2 rows; --limit shows more");
      expect(JSON.parse((await call("query", file, "--json")).out)).to.deep.equal(
        ["0", "1", "2", "3", "4"].map((n) => ({ n })),
      );
    });

    it("reads what another bucket of that name left as what it is: nothing", async () => {
      const manifest = path.join(copy(), "_batches", "0000000001.json");
      await writeFile(manifest, (await readFile(manifest, "utf8")).replace("backfill", "changes"));
      const { out } = await call("query", "select kind from etl_batch where batch = 1", "--json");
      expect(JSON.parse(out)).to.deep.equal([{ kind: "backfill" }]);
    });

    const refused: readonly (readonly [args: readonly string[], said: string])[] = [
      [["query"], 'say what to ask: totes lake query "select …"'],
      [["query", "no/such.sql"], "no/such.sql cannot be read: ENOENT"],
      [["query", "select * from dim_stuff"], "LakeError: Catalog Error: Table with name dim_stuff"],
      [["query", "select 1; select 2"], "LakeError: expected one statement, found 2"],
      [
        ["query", "select 1", "--as-of", "3"],
        "LakeError: there is no batch 3: the newest of s3://",
      ],
      [["query", "select 1", "--as-of", "0"], "--as-of takes a whole number from 1 to"],
      [["sql"], "say for which engine: --dialect duckdb|spark|athena|clickhouse;"],
      [
        ["sql", "--dialect", "sparc"],
        'dialect is one of duckdb, spark, athena and clickhouse, not "sparc"; did you mean spark?',
      ],
      [["sql", "select 1", "--dialect", "spark"], '"select 1" is a word too many;'],
      [["sqll"], 'action is one of sql, query, compact and retire, not "sqll"; did you mean sql?'],
    ];
    for (const [args, said] of refused)
      it(`says what is wrong with: ${args.join(" ")}`, async () => {
        const { code, out, err } = await call(...args);
        expect({ code, out }).to.deep.equal({ code: 2, out: "" });
        expect(err.slice(0, said.length)).to.equal(said);
      });

    it("says that a bucket has no batch", async () => {
      const empty = await openPipeline({ orders: 0 });
      const { code, err } = await callTotes(empty.env, ["lake", "query", "select 1"]);
      expect(code).to.equal(2);
      expect(err).to.match(
        /^LakeError: s3:\/\/processed-\d+ has no batch yet: run the pipeline first/,
      );
    });

    it("says so where a batch is missing between others, and answers as of the one before", async () => {
      const manifest = await p.processed(2);
      const key = "_batches/0000000004.json";
      await p.put("processed", key, JSON.stringify({ ...manifest, batch: 4 }));
      const asked = "select max(batch) as newest from etl_batch";
      const { code, out } = await call("query", asked);
      expect(code).to.equal(0);
      expect(out.replaceAll(/\s+/g, " ")).to.match(
        / 2 1 row As of batch 2: batch 3 is not transformed yet\. What follows it waits for that\. $/,
      );
      expect((await call("query", asked, "--as-of", "4")).err).to.equal(
        `LakeError: there is no batch 4: the newest of s3://${p.env.PROCESSED_BUCKET} is 2, as batch 3 is not transformed yet\n`,
      );
      await p.remove("processed", key);
      expect((await call("query", asked)).out).to.not.include("As of");
      // Behind one that was skipped there is none that waits.
      const skipped = "_loads/0000000003.json";
      await p.put("processed", skipped, '{"batch":3,"skipped_why":"a test"}\n');
      expect((await call("query", asked)).out).to.not.include("As of");
      await p.remove("processed", skipped);
      // One that was loaded was there.
      const second = "_batches/0000000002.json";
      const body = await p.get("processed", second);
      await p.remove("processed", second);
      const older = await call("query", asked);
      expect(older.code).to.equal(1);
      expect(older.out.replaceAll(/\s+/g, " ")).to.include(
        `As of batch 1: the manifest of batch 2 is gone: restore s3://${p.env.PROCESSED_BUCKET}/${second} from its version.`,
      );
      expect((await call("query", asked, "--as-of", "1")).code).to.equal(0);
      await p.put("processed", second, body);
    });

    it("answers two at once that both find no copy", async () => {
      await rm(copy(), { recursive: true });
      const asked = ["query", 'select count(*) as "rows" from dim_date', "--json"];
      const answers = await Promise.all([call(...asked), call(...asked)]);
      expect(answers[0]).to.deep.equal(answers[1]);
      expect(JSON.parse(answers[0].out)).to.deep.equal(
        await p.star.any('select count(*) as "rows" from dim_date'),
      );
    });

    it("names the object that is gone, though a manifest names it", async () => {
      const { objects } = await p.processed(2);
      const { key: gone } = objects[0]!;
      const body = await p.get("processed", gone);
      await rm(path.join(copy(), gone), { force: true });
      await p.remove("processed", gone);
      const { err } = await call("query", "select 1");
      expect(err).to.equal(
        `ObjectError: s3://${p.env.PROCESSED_BUCKET}/${gone} is gone, though a manifest names it; restore it from its version\n`,
      );
      await p.put("processed", gone, body);
    });

    it("says so where credentials may list and not read", async () => {
      const unhook = (await getStack()).aws.onRequest(({ operation, bucket }) =>
        operation === "GetObject" && bucket === p.env.PROCESSED_BUCKET
          ? { status: 403, code: "AccessDenied" }
          : undefined,
      );
      await rm(copy(), { recursive: true });
      try {
        const { code, err } = await call("query", "select 1");
        expect(code).to.equal(2);
        expect(err).to.match(
          /^S3Error: cannot read s3:\/\/processed-\d+\/_batches\/\d+\.json: AccessDenied: .*; the role, or whoever runs this, lacks the permission\n$/,
        );
      } finally {
        unhook();
      }
    });

    it("reads compacted batches from the compaction, though their own objects are gone", async () => {
      const counts =
        "select (select count(*) from fact_payment), (select count(*) from dim_date), (select min(kind) from etl_object)";
      const before = JSON.parse((await call("query", counts, "--json")).out) as object[];
      await compactWith(p, { to: 2 });
      for (const batch of [1, 2])
        for (const { key } of (await p.processed(batch)).objects) await p.remove("processed", key);
      await rm(copy(), { recursive: true });
      const { code, out, err } = await call("query", counts, "--json");
      expect({ code, err }).to.deep.include({ code: 0 });
      const [compacted] = JSON.parse(out) as Record<string, unknown>[];
      expect(Object.values(compacted!)).to.deep.equal([
        ...Object.values(before[0]!).slice(0, 2),
        "compaction",
      ]);
    });

    it("names a compaction that is none", async () => {
      await p.put("processed", "_compactions/0000000002.json", '{"from": 1}');
      await rm(copy(), { recursive: true });
      const { code, err } = await call("query", "select 1");
      expect(code).to.equal(2);
      expect(err).to.match(
        /^ManifestError: s3:\/\/processed-\d+\/_compactions\/0000000002\.json: \w+: .*; restore/,
      );
    });

    it("says what to install where DuckDB is not", async () => {
      const lake = openLake([], { lake: "/nowhere" }, () =>
        Promise.reject(new Error("Cannot find package")),
      );
      expect((await failureOf(lake)).message).to.match(
        /^this needs DuckDB: `npm install --no-save @duckdb/,
      );
    });

    it("says where no manifests are, of a folder", async () => {
      const lake = openLake([], { lake: "/nowhere" });
      expect((await failureOf(lake)).message).to.include("no manifests in /nowhere/_batches/");
    });
  });

  describe("sql", () => {
    for (const dialect of ["duckdb", "spark", "athena", "clickhouse"] as const)
      it(`prints the statements for ${dialect}, or gives them one by one`, async () => {
        const args = ["sql", "--dialect", dialect, "--lake", "s3://lake/", "--as-of", "2"];
        const wanted = lakeStatements(dialect, await getTables(), {
          lake: "s3://lake",
          asOf: 2,
        });
        expect((await call(...args)).out).to.equal(wanted.map((one) => `${one};\n\n`).join(""));
        expect(JSON.parse((await call(...args, "--json")).out)).to.deep.equal(wanted);
      });

    it("is over the bucket of the stage, or a folder, unless another place is named", async () => {
      const { out } = await call("sql", "--dialect", "spark");
      expect(out).to.include(`location 's3://${p.env.PROCESSED_BUCKET}/_batches'`);
      const there = await call("sql", "--dialect", "spark", "--lake", "lake");
      expect(there.out).to.include(`location '${path.resolve("lake")}/_batches'`);
    });
  });
});
