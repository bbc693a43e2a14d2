import { batch } from "../../src/operations/batch.ts";
import { batches } from "../../src/operations/batches.ts";
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { PATIENCE } from "../../src/operations/look.ts";
import { overview as look } from "../../src/operations/overview.ts";
import type { Check, Overview } from "../../src/operations/types.ts";
import { connectWith } from "../../src/postgres/connection.ts";
import { expect } from "../support/chai.ts";
import { closeAll, connectTo, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { refusalOf } from "../support/totes.ts";
import { placesOf } from "./support.ts";

const check = (of: Overview, id: string): Check => of.checks.find((one) => one.id === id)!;
const commands = ({ verdict }: Overview): (string | undefined)[] =>
  verdict.steps.map((step) => step.command);

/** An overview that tells nothing to type that the command line refuses. */
async function overview(...of: Parameters<typeof look>): Promise<Overview> {
  const seen = await look(...of);
  const steps = [seen.verdict, ...seen.checks].flatMap((one) => one.steps ?? []);
  for (const { command: line } of steps)
    if (line?.startsWith("npx totes")) expect(await refusalOf(line), line).to.equal("");
  return seen;
}

describe("an overview of a pipeline", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 10 });
  });
  after(closeAll);

  it("that has no batch says so, and how to make one", async () => {
    const seen = await overview(await placesOf(p, {}));
    expect(seen.verdict).to.include({ status: "idle", short: "Empty" });
    expect(commands(seen)).to.deep.equal(["npx totes run", "npx totes trade"]);
    expect(seen).to.deep.include({ batches: 0, lag: [], rows: [], recent: [], moving: [] });
    expect(seen.stations.map(({ id }) => id)).to.deep.equal([
      "source",
      "ingestion",
      "ingestion_bucket",
      "transformation",
      "processed_bucket",
      "loading",
      "warehouse",
    ]);
    expect(seen.stations[6]!.lines).to.deep.equal(["no batch yet", "0 rows"]);
  });

  it("that has loaded all is healthy, and says how long ago and how long it took", async () => {
    await p.run();
    const seen = await overview(await placesOf(p, {}));
    expect(seen.verdict).to.include({ status: "ok", short: "All loaded" });
    expect(seen.verdict.text).to.match(
      /^Batch 1 is the newest: read \d\.\d\d s ago, in the warehouse \d\.\d\d s later\.$/,
    );
    expect(seen.checks.every(({ status }) => status === "ok")).to.equal(true);
    expect(seen.lag).to.have.length(60);
    const { rows } = await p.star.one<{ rows: number }>("select rows::int from etl.batch_load");
    expect(seen.rows.at(-1)!.value).to.equal(rows);
    const [batch] = seen.recent;
    expect(batch).to.include({ batch: 1, kind: "backfill", status: "loaded", attempts: 1 });
    const { ingestion, transformation, loading } = batch!.stages;
    expect(ingestion.start_ms).to.equal(0);
    const times = [ingestion, transformation!, loading!].flatMap((of) => [of.start_ms, of.end_ms]);
    expect(times).to.deep.equal(times.toSorted((a, b) => a - b));
  });

  it("with a batch on the way is at work, and shows where it is", async () => {
    await p.shop.none("update staff set first_name = 'Ada' where staff_id = 1");
    await p.ingest();
    const read = await overview(await placesOf(p, { transformation: { inFlight: 1 } }));
    expect(read.verdict).to.include({ status: "busy", short: "1 batch on the way" });
    expect(read.moving).to.deep.equal([{ label: "2", at: 3, status: "busy" }]);
    await p.transform();
    const made = await overview(await placesOf(p));
    expect(made.moving).to.deep.equal([{ label: "2", at: 4.5, status: "busy" }]);
    expect(check(made, "queues").status).to.equal("idle");
    expect(made.recent.map(({ batch, status }) => [batch, status])).to.deep.equal([
      [2, "waiting"],
      [1, "loaded"],
    ]);
  });

  it("does not take dead letters of batches before for the next one's: it had no time to fail five times", async () => {
    const depths = { dead: 1, visibilityTimeout: 3600 };
    const places = await placesOf(p, { loading: depths });
    const seen = await overview(places);
    expect(seen.verdict).to.include({ status: "busy", short: "1 batch on the way" });
    expect(seen.recent[0]).to.include({ batch: 2, status: "waiting", attempts: 1 });
    expect(check(seen, "queues").status).to.equal("bad");
    const [newest] = (await batches(places)).batches;
    expect(newest).to.include({ batch: 2, status: "waiting" });
    expect(await batch(places, 2)).to.include({ batch: 2, status: "waiting", attempts: 1 });
  });

  it("whose line stands names the column that differs, what waits, and each step", async () => {
    await p.shop.none("update staff set first_name = 'Bea' where staff_id = 1");
    await p.ingest();
    await p.transform();
    await p.star.none("alter table dim_design alter column design_name type int using 1");
    const seen = await overview(await placesOf(p, { loading: { dead: 1 } }));
    expect(seen.verdict).to.include({
      status: "bad",
      short: "Stopped at 2",
      title: "Stopped at batch 2: loading failed five times. 1 later batch waits.",
    });
    expect(seen.verdict.text).to.match(
      /^Nothing is lost: .*Batch 3 waits behind it\. The warehouse stays as it was at \d\d:\d\d:\d\d UTC, after batch 1\.$/,
    );
    expect(seen.verdict.error!.raw).to.match(
      /^WarehouseError: .*dim_design\.design_name: expected varchar, found integer/,
    );
    expect(commands(seen)).to.deep.equal([
      "npx totes doctor",
      "npx totes redrive --queue loading",
      "npx totes reconcile",
      'npx totes skip 2 --why "…"',
    ]);
    expect(check(seen, "alarms").text).to.match(/: loading-errors and loading-dead-letters\.$/);
    expect(seen.checks[0]!.status).to.equal("bad");
    expect(seen.moving).to.deep.equal([{ label: "2–3", at: 4.5, status: "warn" }]);
    expect(seen.recent.map(({ status, attempts }) => [status, attempts])).to.deep.equal([
      ["waiting", 1],
      ["failed", 5],
      ["loaded", 1],
    ]);
    // Without queues it is known too, once the batch has waited for a while.
    const later = await overview(await placesOf(p), { ...PATIENCE, waits: 0 });
    expect(later.verdict.short).to.equal("Stopped at 2");
    expect(commands(later)[1]).to.equal("npx totes replay 2");
    await p.star.none("alter table dim_design alter column design_name type varchar using 'x'");
    await p.load();
  });

  it("of a pipeline that left dead letters behind says that their work is done", async () => {
    const seen = await overview(await placesOf(p, { loading: { dead: 2 } }));
    expect(seen.verdict).to.include({ status: "warn", short: "Dead letters" });
    expect(commands(seen)).to.deep.equal(["npx totes redrive --queue loading"]);
  });

  it("names the transaction that holds the fence back, as far as the user may see it", async () => {
    const holding = connectTo(p.source);
    const open = await holding.connect();
    try {
      await open.none("set application_name to 'month end'");
      await open.none("begin; update staff set first_name = 'Cleo' where staff_id = 2");
      await p.shop.none("update staff set first_name = 'Dan' where staff_id = 3");
      await p.run();
      await p.shop.none("update staff set first_name = 'Eve' where staff_id = 3");
      const patience = { ...PATIENCE, held: 0.001 };
      const unseen = await overview(await placesOf(p), patience);
      expect(unseen.verdict).to.include({ status: "warn", short: "Fence held" });
      const { pid } = await open.one<{ pid: number }>("select pg_backend_pid() as pid");
      expect(check(unseen, "fence").text).to.match(
        new RegExp(`^Held by pid ${pid}: user .*, open for \\d\\.\\d\\d s or longer\\.$`),
      );
      await p.shop.none("grant pg_read_all_stats to $1:name", [p.users.reader.user]);
      const seen = await overview(await placesOf(p), patience);
      expect(check(seen, "fence").text).to.match(
        new RegExp(
          `^Held by pid ${pid}: user \\S+, application month end, idle in transaction for \\d\\.\\d\\d s\\.$`,
        ),
      );
      expect(commands(seen)).to.deep.equal([undefined, `SELECT pg_terminate_backend(${pid});`]);
      expect((await overview(await placesOf(p))).verdict.status).to.equal("ok");
    } finally {
      await open.none("rollback");
      await open.done();
    }
  });

  it("of a source that has changed shape says which column, and that nothing was written", async () => {
    await p.shop.none("alter table design rename column design_name to title");
    const seen = await overview(await placesOf(p));
    expect(seen.verdict).to.include({ status: "bad", short: "Source refused" });
    expect(seen.verdict.error!.raw).to.match(
      /^ContractError: .*design\.design_name: expected text, found no such column/,
    );
    expect(seen.stations[0]!.out).to.equal("broken");
    await p.shop.none("alter table design rename column title to design_name");
  });

  it("tells that the source has changed and nobody reads it", async () => {
    const patience = { ...PATIENCE, silent: 0 };
    await p.run();
    expect((await overview(await placesOf(p), patience)).verdict.status).to.equal("ok");
    await p.shop.none("update staff set first_name = 'Fay' where staff_id = 4");
    const seen = await overview(await placesOf(p), patience);
    expect(seen.verdict).to.include({ status: "bad", short: "Not read" });
    expect(check(seen, "alarms").text).to.include("reading");
    await p.run();
  });

  it("counts what is in quarantine", async () => {
    await p.shop.none(
      "insert into currency (currency_id, currency_code, last_updated) values (7, 'XQZ', now())",
    );
    await p.run();
    const seen = await overview(await placesOf(p));
    expect(seen.verdict).to.include({
      status: "ok",
      title: "Working. All that was read is in the warehouse, but 1 row in quarantine.",
    });
    expect(commands(seen)).to.deep.equal(["npx totes quarantine list"]);
    expect(seen.quarantined).to.equal(1);
    expect(check(seen, "quarantine")).to.include({ status: "warn", value: "1 row" });
    expect(check(seen, "alarms")).to.include({ status: "warn", value: "1 on" });
  });

  it("without a source, a warehouse or a lake tells the rest", async () => {
    const places = await placesOf(p);
    const lost = () => connectWith("no/such/secret");
    const newest = (await overview(places)).batches;
    const noSource = await overview({ ...places, source: lost });
    expect(noSource.verdict).to.include({ status: "bad", short: "Source unreachable" });
    expect(noSource.verdict.error!.raw).to.match(/^SecretError: .*no\/such\/secret/);
    expect(noSource.batches).to.equal(newest);
    const noWarehouse = await overview({ ...places, warehouse: lost });
    expect(noWarehouse.verdict).to.include({ status: "bad", short: "Warehouse unreachable" });
    expect(noWarehouse.recent[0]).to.include({ batch: newest, status: "loaded" });
    const noLake = await overview({ ...places, buckets: { ingestion: "gone", processed: "gone" } });
    expect(noLake.verdict).to.include({ status: "bad", short: "Lake unreachable" });
    expect(noLake.quarantined).to.equal(1);
  });

  it("of another lake than the warehouse was filled from says so, whichever bucket it is", async () => {
    const places = await placesOf(p, {});
    await p.s3.send(new CreateBucketCommand({ Bucket: "empty" }));
    for (const buckets of [
      { ...places.buckets, ingestion: "empty" },
      { ...places.buckets, processed: "empty" },
      { ingestion: "empty", processed: "empty" },
    ]) {
      const { verdict, batches: newest, checks } = await overview({ ...places, buckets });
      expect(verdict, JSON.stringify([buckets, newest])).to.include({
        status: "bad",
        short: "Another lake",
      });
      expect(verdict.error!.text).to.match(/has loaded batch \d+, and empty has no such batch/);
      expect(checks.find(({ id }) => id === "chain")!.status).to.equal("bad");
    }
  });
});
