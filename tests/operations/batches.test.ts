import { createHash } from "node:crypto";
import { isWell } from "../../cli/verbs/batch.ts";
import { batch } from "../../src/operations/batch.ts";
import { batches } from "../../src/operations/batches.ts";
import { quarantineGroups } from "../../src/operations/quarantine.ts";
import type { Places } from "../../src/operations/places.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { callTotes } from "../support/totes.ts";
import { placesOf } from "./support.ts";

/** Batch 1 the shop; 2 a change; 3 a row that does not fit; 4 left out; 5 on its way. */
describe("the batches of a pipeline", () => {
  let p: TestPipeline;
  let places: Places;
  before(async () => {
    p = await openPipeline({ orders: 10 });
    await p.run();
    await p.shop.none("update staff set first_name = 'Ada' where staff_id = 1");
    await p.run();
    await p.shop.none(
      "update sales_order set agreed_payment_date = 'soon' where sales_order_id = 3",
    );
    await p.run();
    await p.shop.none("update staff set first_name = 'Bea' where staff_id = 1");
    await p.ingest();
    await p.load({ skip: 4, why: "a test" });
    await p.shop.none("update staff set first_name = 'Cleo' where staff_id = 1");
    await p.ingest();
    places = await placesOf(p);
  });
  after(closeAll);

  it("come a page at a time, the newest first", async () => {
    const first = await batches(places, { limit: 2 });
    expect(first.total).to.equal(5);
    expect(first.batches.map((one) => [one.batch, one.status])).to.deep.equal([
      [5, "waiting"],
      [4, "skipped"],
    ]);
    expect(first.trail.first).to.equal(1);
    expect(first.trail.ms.map((ms) => ms === null)).to.deep.equal([
      false,
      false,
      false,
      true,
      true,
    ]);
    const rest = await batches(places, { before: 4, limit: 50 });
    expect(rest.batches.map((one) => [one.batch, one.kind, one.quarantined])).to.deep.equal([
      [3, "changes", 1],
      [2, "changes", 0],
      [1, "backfill", 0],
    ]);
    expect(rest.batches[1]).to.include({ tables: 2, status: "loaded" });
    expect((await batches(places, { before: 1 })).batches).to.deep.equal([]);
  });

  it("can be those alone with rows that did not fit, or those that are not loaded", async () => {
    const numbers = async (only: "quarantined" | "unfinished") => {
      const page = await batches(places, { only });
      return [page.total, page.batches.map((one) => one.batch), page.trail.first];
    };
    expect(await numbers("quarantined")).to.deep.equal([1, [3], 3]);
    expect(await numbers("unfinished")).to.deep.equal([2, [5, 4], 4]);
  });

  it("each show what they held, where it is, and what they did", async () => {
    const found = await batch(places, 2);
    const sha = async (n: number) =>
      createHash("sha256")
        .update(await p.get("ingestion", `_batches/000000000${n}.json`))
        .digest("hex");
    expect(found).to.include({
      status: "loaded",
      sha256: await sha(2),
      previous_sha256: await sha(1),
      chain: "equal",
      fence: (await p.ingested(2)).fence,
    });
    expect(
      found!.objects.map(({ bucket, table, verified }) => [bucket, table, verified]),
    ).to.have.deep.members([
      ["ingestion", "department", true],
      ["ingestion", "staff", true],
      ["processed", "dim_staff", true],
    ]);
    expect(found!.effects).to.deep.equal([
      { table: "dim_staff", added: 0, changed: 1, equal: 0, versions: 0, quarantined: 0 },
    ]);
    expect(found!.steps.map(({ stage }) => stage)).to.deep.equal([
      "ingestion",
      "queue",
      "transformation",
      "queue",
      "loading",
    ]);
    const times = found!.steps.flatMap((step) => [step.start_ms, step.end_ms]);
    expect(times).to.deep.equal(times.toSorted((a, b) => a - b));
    expect((await batch(places, 4))!.error).to.equal("skipped: a test");
    expect(await batch(places, 6)).to.equal(undefined);
  });

  it("count versions where a table keeps them, and what did not fit", async () => {
    const [, ...rest] = (await batch(places, 3))!.effects.toSorted((a, b) =>
      a.table < b.table ? -1 : 1,
    );
    expect(rest.find(({ table }) => table === "fact_sales_order")).to.deep.equal({
      table: "fact_sales_order",
      added: 0,
      changed: 0,
      equal: 0,
      versions: 0,
      quarantined: 1,
    });
    const first = (await batch(places, 1))!.effects.find(
      ({ table }) => table === "fact_sales_order",
    );
    expect(first).to.include({ added: 10, versions: 10, changed: 0, equal: 0 });
  });

  it("are believed by their bytes alone: an object or a manifest that was altered shows", async () => {
    const { objects } = await p.ingested(5);
    const staff = objects.find(({ table }) => table === "staff")!;
    const whole = await p.get("ingestion", staff.key);
    await p.put("ingestion", staff.key, "other bytes");
    const damaged = await batch(places, 5);
    expect(damaged!.objects.find(({ key }) => key === staff.key)!.verified).to.equal(false);
    expect(damaged).to.include({ status: "failed", chain: "equal" });
    expect(damaged!.error).to.match(/is not what was committed/);
    await p.put("ingestion", staff.key, whole);

    const four = await p.get("ingestion", "_batches/0000000004.json");
    await p.put("ingestion", "_batches/0000000004.json", `${four.toString().trimEnd()} \n`);
    expect((await batch(places, 5))!.chain).to.equal("broken");
    await p.put("ingestion", "_batches/0000000004.json", four);
    expect((await batch(places, 5))!.chain).to.equal("equal");
  });

  it("are not well where a manifest is gone that was there", async () => {
    const key = "_batches/0000000002.json";
    const { PROCESSED_BUCKET: processed, INGESTION_BUCKET: ingestion } = p.env;
    for (const bucket of ["processed", "ingestion"] as const) {
      const manifest = await p.get(bucket, key);
      await p.remove(bucket, key);
      try {
        if (bucket === "processed")
          expect(await batch(places, 2)).to.include({
            status: "loaded",
            error: `s3://${processed}/${key} is not there, and its batch was loaded; restore the version of the object that was written first (the bucket keeps them)`,
          });
        const { code, out, err } = await callTotes(p.env, ["batch", "2"]);
        expect(code).to.equal(bucket === "processed" ? 1 : 2);
        expect((out + err).replaceAll(/\s+/g, " ")).to.include(
          bucket === "processed"
            ? `s3://${processed}/${key} is not there, and its batch was loaded; restore`
            : `s3://${ingestion}/${key} is not there, and later ones, or what was made of it, are; restore`,
        );
        const doctor = await callTotes(p.env, ["doctor"]);
        expect(doctor.code).to.equal(1);
        expect(doctor.out.replaceAll(/\s+/g, " ")).to.include(
          `✗ Lake: s3://${bucket === "processed" ? processed : ingestion}/${key} is not there, `,
        );
      } finally {
        await p.put(bucket, key, manifest);
      }
      expect((await callTotes(p.env, ["batch", "2"])).code).to.equal(0);
    }
    // One that was skipped before it was transformed has none.
    expect(await p.keys("processed", "_batches/")).to.not.include("_batches/0000000004.json");
    expect((await callTotes(p.env, ["doctor"])).out.replaceAll(/\s+/g, " ")).to.match(
      /✓ Lake: batch \d+ is the newest, follows the one before it, and no manifest is missing /,
    );
  });

  it("are not well where they are given up, whether or not the cause can be told", async () => {
    const loaded = (await batch(places, 2))!;
    const skipped = (await batch(places, 4))!;
    expect([skipped.status, skipped.error]).to.deep.equal(["skipped", "skipped: a test"]);
    for (const [found, expected] of [
      [loaded, true],
      [skipped, true],
      [{ ...loaded, status: "waiting" }, true],
      [{ ...loaded, status: "failed" }, false],
      [{ ...loaded, error: "a manifest is gone" }, false],
      [{ ...loaded, chain: "broken" }, false],
      [{ ...skipped, chain: "broken" }, false],
      [{ ...loaded, objects: [{ ...loaded.objects[0]!, verified: false }] }, false],
    ] as const)
      expect(isWell(found), JSON.stringify(found).slice(0, 200)).to.equal(expected);
  });

  it("leave their rows in quarantine by reason, with the column and the statement that mends it", async () => {
    const [group, ...more] = await quarantineGroups(places);
    expect(more).to.deep.equal([]);
    expect(group).to.deep.include({
      reason: "agreed_payment_date: … is not a date (YYYY-MM-DD)",
      table: "fact_sales_order",
      source: "sales_order",
      column: "agreed_payment_date",
    });
    expect(group!.steps.map(({ command }) => command)).to.deep.equal([
      `UPDATE "public"."sales_order" SET "agreed_payment_date" = '…' WHERE "sales_order_id" IN ('3');`,
      "npx totes quarantine retry --table fact_sales_order",
    ]);
    expect(group!.rows.map(({ key, batch }) => [key, batch])).to.deep.equal([["3", 3]]);
    expect(group!.rows[0]!.row["agreed_payment_date"]).to.equal("soon");
  });
});
