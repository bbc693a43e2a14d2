// `totes lake compact` and `totes lake retire`, as a user runs them; the function, as the schedule does.
import { GetObjectTaggingCommand } from "@aws-sdk/client-s3";
import { handler } from "../../src/handlers/compaction.ts";
import { failureOf, stateOf } from "../support/attack.ts";
import { expect } from "../support/chai.ts";
import { withEnvironment } from "../support/environment.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { callTotes, type Ran } from "../support/totes.ts";
import { ownObjects } from "./support.ts";

describe("totes lake", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 12 });
    for (let batch = 1; batch <= 8; batch++) {
      await p.run();
      await p.shop.none("update staff set first_name = $1 where staff_id = 1", [`Name ${batch}`]);
    }
  });
  after(closeAll);

  const run = (...args: string[]): Promise<Ran> => callTotes(p.env, ["lake", ...args]);
  const tagsOf = async (key: string): Promise<unknown> => {
    const { TagSet } = await p.s3.send(
      new GetObjectTaggingCommand({ Bucket: p.env.PROCESSED_BUCKET, Key: key }),
    );
    return TagSet;
  };

  it("has nothing to compact where all batches are new, and nothing to mark", async () => {
    const before = await stateOf(p);
    expect(await run("compact")).to.deep.include({ code: 0, err: "" });
    expect((await run("compact")).out).to.include(
      "Nothing to compact: the newest 144 batches are left as they are",
    );
    expect((await run("retire")).out).to.include("There is no compaction: nothing is marked.");
    expect(await stateOf(p)).to.deep.equal(before);
  });

  it("says what it would compact, and then does it", async () => {
    const own = await ownObjects(p, 3);
    const dry = await run("compact", "--to", "3", "--dry-run", "--json");
    expect(dry.code).to.equal(0);
    const [would] = JSON.parse(dry.out) as Record<string, unknown>[];
    expect(would).to.deep.include({ from: 1, to: 3, outcome: "dry" });
    expect(would!["before"]).to.include({ objects: own.length });
    const { code, out } = await run("compact", "--to", "3");
    expect(code).to.equal(0);
    expect(out).to.match(
      /Batches 1 to 3: committed\n +before +\d+ objects, \d+ rows, .+\n +after +\d+ objects of \d+ tables, /,
    );
    expect((await run("compact", "--to", "3")).out).to.include("a compaction has batch 3 already");
    expect((await run("compact", "--keep", "2")).out).to.include("Batches 4 to 6: committed");
  });

  it("refuses what cannot be", async () => {
    expect(await run("compact", "--to", "9")).to.include({
      code: 2,
      err: "CompactionError: batch 9 cannot be compacted: the newest with a receipt is 8; a batch is compacted once it is loaded\n",
    });
    for (const [args, message] of [
      [["compact", "--to", "x"], /--to takes a whole number from 1 to/],
      [["compact", "--to", "3", "--keep", "1"], /one of them/],
      [["retire", "--to", "3"], /^--to is of compact alone, not of retire/],
      [["compact", "--as-of", "3"], /^--as-of is of sql and query alone, not of compact/],
      [["compct"], /^action is one of .*compact.*, not "compct"/],
    ] as const) {
      const { code, err } = await run(...args);
      expect(code).to.equal(2);
      expect(err).to.match(message);
    }
  });

  it("marks nothing where a compaction is not whole, and names it", async () => {
    const key = (await p.keys("processed", "dim_staff/")).find((one) =>
      one.includes("0000000002-"),
    )!;
    const bytes = await p.get("processed", key);
    const damaged = Buffer.from(bytes);
    damaged[damaged.length >> 1]! ^= 1;
    await p.put("processed", key, damaged);
    const { code, err } = await run("retire");
    expect(code).to.equal(2);
    expect(err).to.match(
      /^CompactionError: nothing is marked of what is not compacted whole: .+ is not what was committed/,
    );
    expect(err).to.include(key);
    for (const object of await ownObjects(p, 6)) expect(await tagsOf(object.key)).to.deep.equal([]);
    await p.put("processed", key, bytes);
  });

  it("marks the objects that compactions stand for, and no others", async () => {
    const own = await ownObjects(p, 8);
    const old = own.filter(({ batch }) => batch <= 6);
    const dry = await run("retire", "--dry-run", "--json");
    expect(JSON.parse(dry.out)).to.deep.include({
      to: 6,
      compactions: 2,
      objects: old.length,
      gone: 0,
    });
    expect(await tagsOf(old[0]!.key)).to.deep.equal([]);
    expect((await run("retire")).out).to.match(new RegExp(`marked +${old.length} objects`));
    const marked = [{ Key: "compacted", Value: "true" }];
    const keys = new Set(old.map(({ key }) => key));
    for (const key of await p.keys("processed"))
      expect(await tagsOf(key), key).to.deep.equal(keys.has(key) ? marked : []);
  });

  it("has batches, once their objects are gone, read from compactions by batch, rebuild and rebuild --verify", async () => {
    const own = await ownObjects(p, 6);
    for (const { key } of own) await p.remove("processed", key);
    const batch = await callTotes(p.env, ["batch", "2"]);
    expect(batch.code).to.equal(0);
    expect(batch.out.replaceAll(/\s+/g, " ")).to.match(
      / compacted dim_staff\/\S+ \([^)]+\): it is gone, its rows are in dim_staff\/\S+0000000003-/,
    );
    const verified = await callTotes(p.env, ["rebuild", "--verify"]);
    expect(verified.code).to.equal(0);
    expect(verified.out.replaceAll(/\s+/g, " ")).to.include(
      `Compactions 2; ${own.length} objects of the batches are gone, and read there`,
    );
    const rebuilt = await callTotes(p.env, ["rebuild", "--schema", "again"]);
    expect(rebuilt.code).to.equal(0);
    expect(rebuilt.out).to.match(
      /Compacted +6 batches read from compactions: their own objects are gone/,
    );
    expect(rebuilt.out).to.match(/The same, row for row\.\n$/);
    expect((await run("retire")).out.replaceAll(/\s+/g, " ")).to.match(
      new RegExp(`objects that are there, 0 of ${own.length}: they are the same marked 0 objects`),
    );
  });

  it("is missed where its manifest is lost, by batch and rebuild --verify, whatever became of the batches' objects", async () => {
    const newest = (await p.keys("processed", "_compactions/")).at(-1)!;
    expect(newest).to.equal("_compactions/0000000006.json");
    const manifest = await p.get("processed", newest);
    await p.remove("processed", newest);
    const plain = ({ out }: Ran): string => out.replaceAll(/\s+/g, " ");
    const begun = `Begun a compaction of batches 4 to 6 that is not there: it is at work, or died and the next one ends it; or ${newest} is lost: restore it`;
    const verified = await callTotes(p.env, ["rebuild", "--verify"]);
    expect(verified.code).to.equal(1);
    expect(plain(verified)).to.include(begun);
    const batch = await callTotes(p.env, ["batch", "5"]);
    expect(batch.code).to.equal(1);
    expect(plain(batch)).to.match(
      /DAMAGED dim_staff\/\S+ \([^)]+\): \S+ is gone, though a manifest names it; batches 4 to 6 were to be compacted, and \S+0000000006\.json is not there: restore that/,
    );
    await p.put("processed", newest, manifest);
    expect(plain(await callTotes(p.env, ["rebuild", "--verify"]))).to.not.include("Begun");
  });

  it("as a function compacts what is due, and says what it cannot take", async () => {
    const call = (event?: unknown) => withEnvironment(p.env, () => handler(event));
    expect(await call()).to.deep.equal({ compactions: [] });
    expect(`${await failureOf(call({ to: "7" }))}`).to.include('send { "to": 3000 }');
    const { compactions } = await call({ to: 8 });
    expect(compactions).to.have.length(1);
    expect(compactions[0]).to.include({ from: 7, to: 8, outcome: "committed" });
  });
});
