// `totes rebuild`, as a user runs it.
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { listBatches } from "../../src/lake/manifest.ts";
import { addSecret, stateOf } from "../support/attack.ts";
import { expect } from "../support/chai.ts";
import { closeAll, connectTo, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { getStack } from "../support/stack.ts";
import { callTotes, spawnTotes, type Ran } from "../support/totes.ts";

describe("totes rebuild", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 15 });
    await p.run();
    await p.shop.none("update sales_order set units_sold = 4321 where sales_order_id = 1");
    await p.run();
    await p.shop.none("update currency set currency_code = 'QQQ' where currency_id = 1");
    await p.run();
  });
  after(closeAll);

  const run = (...args: string[]): Promise<Ran> => callTotes(p.env, ["rebuild", ...args]);
  const spawned = (...args: string[]): Promise<Ran> => spawnTotes(p.env, ["rebuild", ...args]);
  /** Runs it with --json. */
  const answerOf = async (...args: string[]) => {
    const { code, out } = await run(...args, "--json");
    return { code, answer: JSON.parse(out) as Record<string, Record<string, unknown>> };
  };

  it("makes the warehouse again in a schema of its own, says that it is the same, and goes on with it", async () => {
    const before = await stateOf(p);
    const { code, out, err } = await spawned("--schema", "again");
    expect(err).to.equal("");
    expect(out).to.match(/Loaded +up to batch 3, in \d+\.\d\d s\n/);
    expect(out).to.match(/\n {2}fact_sales_order +16 +0\n/);
    expect(out).to.match(/The same, row for row\.\n$/);
    expect(code).to.equal(0);
    expect((await run("--schema", "again")).out).to.match(
      /up to batch 3, 3 of them by an earlier try/,
    );
    await p.star.none("drop schema again cascade; drop schema again_etl cascade");
    expect(await stateOf(p)).to.deep.equal(before);
  });

  it("names differences, with exit code 1, in words and as JSON", async () => {
    await run("--schema", "other", "--no-compare");
    await p.star.none("update other.fact_sales_order set units_sold = 7 where units_sold = 4321");
    const { code, out } = await run("--schema", "other");
    expect(code).to.equal(1);
    expect(out).to.include(
      '  1 difference:\n  fact_sales_order, sales_order_id 1, version 2: units_sold rebuilt "7", live "4321"\n',
    );
    const { code: exit, out: json } = await spawned("--schema", "other", "--json");
    expect(exit).to.equal(1);
    const told = { answer: JSON.parse(json) as Record<string, Record<string, unknown>> };
    expect(told.answer).to.deep.include({ same: false });
    expect(told.answer["warehouse"]).to.deep.include({
      batch: 3,
      schema: "other",
      ledger: "other_etl",
      differing: { fact_sales_order: 1 },
      differences: 1,
    });
    expect((await run("--schema", "other", "--replace")).code).to.equal(0);
  });

  it("makes it as it was after a batch", async () => {
    const { code, answer } = await answerOf("--schema", "then", "--to", "1");
    expect(code).to.equal(0);
    expect(answer["warehouse"]).to.include({ batch: 1 });
    expect(
      await p.star.any('select 1 from "then".fact_sales_order where units_sold = 4321'),
    ).to.deep.equal([]);
    expect((await run("--schema", "then", "--to", "1")).out).to.match(/Compared +with nothing: /);
    expect(await run("--schema", "later", "--to", "9")).to.deep.include({
      code: 2,
      err: `RebuildError: there is no batch 9: the newest of ${p.env.PROCESSED_BUCKET} is 3\n`,
    });
  });

  it("makes it in an empty database, which a pipeline can go on with", async () => {
    const { postgres } = await getStack();
    const database = `${p.warehouse.database}_again`;
    const { WAREHOUSE_SECRET: live } = p.env;
    await postgres.createDatabase(database);
    const secret = await addSecret(p, { ...p.warehouse, database });
    const { code, answer } = await answerOf("--secret", secret);
    expect(code).to.equal(0);
    expect(answer["warehouse"]).to.include({ batch: 3, schema: "public", ledger: "etl" });
    const there = connectTo({ ...p.warehouse, database });
    expect(await there.one("select count(*)::int as rows from fact_sales_order")).to.deep.equal({
      rows: 16,
    });
    await p.shop.none("update sales_order set units_sold = 99 where sales_order_id = 2");
    await p.ingest();
    await p.transform();
    Object.assign(p.env, { WAREHOUSE_SECRET: secret });
    const { loaded } = await p.load();
    Object.assign(p.env, { WAREHOUSE_SECRET: live });
    expect(loaded!.map(({ batch }) => batch)).to.deep.equal([4]);
    expect(await there.any("select 1 from fact_sales_order where units_sold = 99")).to.have.length(
      1,
    );
    await p.load();
    // From now on it is a pipeline's, and stays.
    expect((await run("--secret", secret, "--replace")).err).to.match(
      /^RebuildError: schema "public" is the warehouse of a pipeline, which loads into it/,
    );
    // The live one itself is refused, by whatever secret.
    const again = await addSecret(p, p.warehouse);
    for (const more of [[], ["--replace"]]) {
      const refused = await run("--secret", again, ...more);
      expect(refused.code).to.equal(2);
      expect(refused.err).to.match(/^RebuildError: schema "public" is not empty, and no rebuild/);
    }
  });

  it("makes the processed bucket again, and the warehouse from that", async () => {
    const bucket = `${p.env.PROCESSED_BUCKET}-again`;
    const none = await run("--processed", bucket);
    expect([none.code, none.err]).to.deep.equal([
      2,
      `S3Error: cannot list s3://${bucket}/_loads/*: NoSuchBucket: The specified bucket does not exist; create it (deploying makes a stage's own), or correct its name\n`,
    ]);
    await p.s3.send(new CreateBucketCommand({ Bucket: bucket }));
    const { code, answer } = await answerOf("--processed", bucket, "--schema", "both");
    expect(code).to.equal(0);
    expect(answer["processed"]).to.deep.include({ bucket, newest: 4, differences: 0 });
    expect(answer["warehouse"]).to.deep.include({ batch: 4, differences: 0 });
    const live = await run("--processed", p.env.PROCESSED_BUCKET);
    expect([live.code, live.err]).to.deep.equal([
      2,
      `${p.env.PROCESSED_BUCKET} is the pipeline's own: name an empty bucket; \`totes rebuild --help\` says what there is\n`,
    ]);
  });

  it("makes some batches of the processed bucket again, then the others", async () => {
    const bucket = `${p.env.PROCESSED_BUCKET}-some`;
    await p.s3.send(new CreateBucketCommand({ Bucket: bucket }));
    const made = async (...args: string[]) => {
      const { code, answer } = await answerOf("--processed", bucket, ...args);
      const { newest, before, compared, differences } = answer["processed"]!;
      const { batches } = compared as { batches: number };
      const numbers = await listBatches(bucket, 0);
      return { code, newest, before, batches, differences, numbers };
    };
    expect(await made("--from", "2", "--to", "3")).to.deep.equal({
      code: 0,
      newest: 3,
      before: 0,
      batches: 2,
      differences: 0,
      numbers: [2, 3],
    });
    expect(await made("--to", "3")).to.deep.equal({
      code: 0,
      newest: 3,
      before: 2,
      batches: 3,
      differences: 0,
      numbers: [1, 2, 3],
    });
    expect(await made("--from", "3")).to.deep.equal({
      code: 0,
      newest: 4,
      before: 1,
      batches: 2,
      differences: 0,
      numbers: [1, 2, 3, 4],
    });
    for (const option of ["--from", "--to"])
      expect((await run("--processed", bucket, option, "5")).err).to.equal(
        `RebuildError: there is no batch 5: the newest of ${p.env.INGESTION_BUCKET} is 4\n`,
      );
  });

  it("makes the processed bucket and the warehouse again when both are lost", async () => {
    const bucket = `${p.env.PROCESSED_BUCKET}-anew`;
    await p.s3.send(new CreateBucketCommand({ Bucket: bucket }));
    const env = { ...p.env };
    Object.assign(p.env, { PROCESSED_BUCKET: "lost" });
    try {
      const { postgres } = await getStack();
      const database = `${p.warehouse.database}_anew`;
      await postgres.createDatabase(database);
      const secret = await addSecret(p, { ...p.warehouse, database });
      Object.assign(p.env, { WAREHOUSE_SECRET: "lost too" });
      const args = ["--processed", bucket, "--secret", secret, "--no-compare"];
      expect(await run(...args)).to.include({ code: 0, err: "" });
      const there = connectTo({ ...p.warehouse, database });
      expect(await there.one("select count(*)::int as rows from fact_sales_order")).to.deep.equal({
        rows: 17,
      });
    } finally {
      Object.assign(p.env, env);
    }
  });

  it("says whether the lake is whole", async () => {
    const whole = await run("--verify");
    expect(whole.out).to.match(/Read +4 batches, 4 of them transformed; \d+ objects, /);
    expect(whole.out).to.match(/It is whole: each hash is what its manifest says\.\n$/);
    expect(whole.code).to.equal(0);
    const [object] = (await p.ingested(2)).objects;
    const bytes = await p.get("ingestion", object!.key);
    await p.remove("ingestion", object!.key);
    try {
      const { code, out } = await run("--verify");
      expect(code).to.equal(1);
      expect(out).to.match(/ {2}1 problem:\n {2}batch 2 +s3:/);
      const told = await answerOf("--verify");
      expect(told.code).to.equal(1);
      expect(told.answer["verified"]!["problems"]).to.deep.equal([
        {
          bucket: p.env.INGESTION_BUCKET,
          batch: 2,
          kind: "object",
          message: `s3://${p.env.INGESTION_BUCKET}/${object!.key} is gone, though a manifest names it; restore it from its version`,
        },
      ]);
    } finally {
      await p.put("ingestion", object!.key, bytes);
    }
  });

  it("makes both up to a batch that was skipped", async () => {
    const bucket = `${p.env.PROCESSED_BUCKET}-skipped`;
    await p.s3.send(new CreateBucketCommand({ Bucket: bucket }));
    await p.shop.none("update staff set first_name = 'Bea' where staff_id = 1");
    const { batch } = await p.ingest();
    await p.load({ skip: batch, why: "a test" });
    const to = ["--to", String(batch)];
    const { code, answer } = await answerOf("--processed", bucket, "--schema", "left", ...to);
    expect(code).to.equal(0);
    const skipped = [{ batch, why: "a test" }];
    expect(answer["processed"]).to.deep.include({ newest: batch, differences: 0, skipped });
    expect(answer["warehouse"]).to.deep.include({ batch, skipped });
  });

  it("is told what it asks for, or asked again", async () => {
    const refused: [string[], string][] = [
      [[], "say what: --schema NAME, --secret NAME, --processed BUCKET, --fan-out or --verify"],
      [
        ["--processed", "a", "--fan-out"],
        "--fan-out has a bucket of its own: it goes without --processed",
      ],
      [["--verify", "--schema", "a"], "--verify goes alone"],
      [["--verify", "--no-compare"], "--verify goes alone"],
      [["--verify", "--to", "4"], "--verify goes alone"],
      [
        ["--to", "4"],
        "say what: --schema NAME, --secret NAME, --processed BUCKET, --fan-out or --verify",
      ],
      [
        ["--schema", "a", "--from", "4"],
        "--from is of the processed bucket: a warehouse begins at batch 1",
      ],
      [["--processed", "a", "--from", "5", "--to", "4"], "--from 5 is after --to 4"],
      [
        ["--processed", "a", "--replace"],
        "--replace is of the warehouse: it goes with --schema or --secret",
      ],
      [["--schema", "a", "--to", "0"], '--to takes a whole number from 1 to 9999999999, not "0"'],
      [
        ["--schema", "pg_a"],
        '--schema takes a name of 1 to 59 bytes that does not begin with pg_, not "pg_a"',
      ],
      [
        ["--schema", ""],
        '--schema takes a name of 1 to 59 bytes that does not begin with pg_, not ""',
      ],
      [
        ["--schema", "é".repeat(30)],
        `--schema takes a name of 1 to 59 bytes that does not begin with pg_, not "${"é".repeat(30)}"`,
      ],
    ];
    for (const [args, message] of refused)
      expect(await run(...args)).to.deep.equal({
        code: 2,
        out: "",
        err: `${message}; \`totes rebuild --help\` says what there is\n`,
      });
  });
});
