// Is the lake whole? Each damage is named, and none stands in for another.
import { gzipSync } from "node:zlib";
import { manifestKey, receiptKey } from "../../src/lake/keys.ts";
import { allObjectsOf, sha256 } from "../../src/lake/manifest.ts";
import { skipBatch } from "../../src/loading/skip.ts";
import { codecNamed } from "../../src/parquet/codec.ts";
import { verify, type Verification } from "../../src/rebuild/verify.ts";
import { stateOf } from "../support/attack.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { openLive } from "./history.ts";

type Bucket = "ingestion" | "processed";
type Damage = (bytes: Buffer) => Buffer | string | undefined;

describe("verify", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 10 });
    await p.run();
    for (const name of ["One", "Two", "Three"]) {
      await p.shop.none("update staff set first_name = $1 where staff_id = 1", [name]);
      await p.shop.none("update currency set currency_code = 'QQQ' where currency_id = 1");
      await p.run();
    }
  });
  after(closeAll);

  const verified = async (): Promise<Verification> => {
    Object.assign(process.env, p.env);
    const buckets = { ingestion: p.env.INGESTION_BUCKET, processed: p.env.PROCESSED_BUCKET };
    return verify(buckets, await codecNamed());
  };
  /** What is found while objects are what `damages` make of them: bucket, batch, kind, message. */
  async function found(
    ...damages: [bucket: Bucket, key: string, damage: Damage][]
  ): Promise<[Bucket, number, string, string][]> {
    const before = await Promise.all(
      damages.map(async ([bucket, key]) =>
        (await p.keys(bucket)).includes(key) ? p.get(bucket, key) : undefined,
      ),
    );
    for (const [i, [bucket, key, damage]] of damages.entries()) {
      const made = damage(before[i] ?? Buffer.alloc(0));
      if (made === undefined) await p.remove(bucket, key);
      else await p.put(bucket, key, made);
    }
    try {
      const { problems } = await verified();
      return problems.map(({ bucket, batch, kind, message }) => [
        bucket === p.env.INGESTION_BUCKET ? "ingestion" : "processed",
        batch,
        kind,
        message,
      ]);
    } finally {
      for (const [i, [bucket, key]] of damages.entries())
        if (before[i]) await p.put(bucket, key, before[i]);
        else await p.remove(bucket, key);
    }
  }
  /** The same, one damage and one problem. */
  async function onlyFound(...damage: Parameters<typeof found>[0]) {
    const problems = await found(damage);
    expect(problems).to.have.length(1);
    return problems[0]!;
  }
  const gone: Damage = () => undefined;
  const edited: Damage = (bytes) => bytes.toString().replace(/"run":"./, '"run":"x');

  it("finds nothing in a lake that is whole, counts what there is, and writes nothing", async () => {
    const before = await stateOf(p);
    const { problems, ...counts } = await verified();
    expect(problems).to.deep.equal([]);
    const manifests = await Promise.all(
      [1, 2, 3, 4].flatMap((batch) => [p.ingested(batch), p.processed(batch)]),
    );
    const objects = manifests.flatMap(allObjectsOf);
    // Rows in quarantine, and others.
    expect(objects.some(({ key }) => key.startsWith("_rejected/"))).to.equal(true);
    expect(counts).to.deep.equal({
      batches: 4,
      processed: 4,
      objects: objects.length,
      bytes: objects.reduce((sum, { bytes }) => sum + bytes, 0),
      orphans: 0,
      compactions: 0,
      compacted: 0,
    });
    expect(await stateOf(p)).to.deep.equal(before);
  });

  it("names each object that is gone, shorter or altered, of whichever list and bucket", async () => {
    const { objects } = await p.ingested(2);
    const { objects: made, rejected } = await p.processed(2);
    const flipped: Damage = (bytes) => {
      const copy = Buffer.from(bytes);
      copy[copy.length >> 1]! ^= 1;
      return copy;
    };
    expect(rejected).to.have.length(1);
    const problems = await found(
      ["ingestion", objects[0]!.key, gone],
      ["ingestion", objects[1]!.key, (bytes) => bytes.subarray(1)],
      ["processed", made[0]!.key, flipped],
      ["processed", rejected[0]!.key, gone],
    );
    expect(problems.map(([bucket, batch, kind]) => [bucket, batch, kind])).to.have.deep.members([
      ["ingestion", 2, "object"],
      ["ingestion", 2, "object"],
      ["processed", 2, "object"],
      ["processed", 2, "object"],
    ]);
    const messages = problems.map(([, , , message]) => message).join("\n");
    for (const { key } of [objects[0]!, rejected[0]!])
      expect(messages).to.include(`${key} is gone, though a manifest names it`);
    for (const { key } of [objects[1]!, made[0]!])
      expect(messages).to.include(`${key} is not what was committed`);
  });

  it("names a manifest that is gone, of the ingestion bucket: in the middle, and at the end", async () => {
    for (const batch of [1, 2, 4]) {
      const [bucket, found, kind, message] = await onlyFound("ingestion", manifestKey(batch), gone);
      expect([bucket, found, kind]).to.deep.equal(["ingestion", batch, "gap"]);
      expect(message).to.include(`${manifestKey(batch)} is not there`);
    }
  });

  it("names a manifest that is gone, of the processed bucket, with and without its receipt", async () => {
    const [bucket, batch, kind, message] = await onlyFound("processed", manifestKey(4), gone);
    expect([bucket, batch, kind]).to.deep.equal(["processed", 4, "receipt"]);
    expect(message).to.include(
      `${manifestKey(4)} is not there, though ${receiptKey(4)} is a receipt of it; restore`,
    );
    expect(
      (await found(["processed", manifestKey(2), gone], ["processed", receiptKey(2), gone])).map(
        ([where, number, what]) => [where, number, what],
      ),
    ).to.deep.equal([["processed", 2, "gap"]]);
  });

  it("takes batches that are not transformed or loaded yet for what they are", async () => {
    const damages = ["processed", manifestKey(4), gone] as const;
    expect(await found([...damages], ["processed", receiptKey(4), gone])).to.deep.equal([]);
    expect(
      await found(
        [...damages],
        ["processed", receiptKey(4), gone],
        ["processed", receiptKey(3), gone],
      ),
    ).to.deep.equal([]);
  });

  it("names a manifest that is not what its successor says, or not what was made of it", async () => {
    const problems = await found(["ingestion", manifestKey(2), edited]);
    expect(problems.map(([bucket, batch, kind]) => [bucket, batch, kind])).to.deep.equal([
      ["processed", 2, "chain"],
      ["ingestion", 3, "chain"],
    ]);
    expect(problems[0]![3]).to.match(
      /0000000002\.json was made from an ingestion manifest with SHA-256/,
    );
    expect(problems[1]![3]).to.match(/broken at batch 3: it was made after a batch 2 with SHA-256/);
  });

  it("names a processed manifest that was made after another batch than its ingestion manifest", async () => {
    const other = `"previous_sha256":"${"0".repeat(64)}"`;
    const [bucket, batch, kind, message] = await onlyFound("processed", manifestKey(3), (bytes) =>
      bytes.toString().replace(/"previous_sha256":"\w+"/, other),
    );
    expect([bucket, batch, kind]).to.deep.equal(["processed", 3, "chain"]);
    expect(message).to.match(/0000000003\.json was made from an ingestion manifest with SHA-256/);
  });

  it("names a first manifest that says it is not the first", async () => {
    const later: Damage = (bytes) =>
      bytes.toString().replace('"previous_sha256":null', `"previous_sha256":"${"0".repeat(64)}"`);
    const problems = await found(["ingestion", manifestKey(1), later]);
    expect(problems.map(([bucket, batch, kind]) => [bucket, batch, kind])).to.have.deep.members([
      ["ingestion", 1, "chain"],
      ["processed", 1, "chain"],
      ["ingestion", 2, "chain"],
    ]);
  });

  it("names a processed manifest that was put in place of another: its receipt says so", async () => {
    const [bucket, batch, kind, message] = await onlyFound("processed", manifestKey(3), edited);
    expect([bucket, batch, kind]).to.deep.equal(["processed", 3, "receipt"]);
    expect(message).to.match(/0000000003\.json says that run \w+ was loaded, found run x/);
  });

  it("names manifests and receipts that cannot be read, or are another batch's", async () => {
    for (const [key, what, kind] of [
      [manifestKey(3), "not JSON", "manifest"],
      [manifestKey(3), "{}", "manifest"],
      [receiptKey(3), "not JSON", "receipt"],
      [receiptKey(3), '{"batch":2,"run":"a"}', "receipt"],
    ] as const) {
      const [bucket, batch, found] = await onlyFound("processed", key, () => what);
      expect([bucket, batch, found], what).to.deep.equal(["processed", 3, kind]);
    }
  });

  it("names an object whose rows are not as many as its manifest says, also where the hash is forged along", async () => {
    const forge =
      (list: "objects" | "rejected", change: object): Damage =>
      (bytes) => {
        const manifest = JSON.parse(bytes.toString()) as Record<string, object[]>;
        const [first, ...rest] = manifest[list]!;
        return JSON.stringify({ ...manifest, [list]: [{ ...first, ...change }, ...rest] });
      };
    for (const list of ["objects", "rejected"] as const) {
      const [bucket, batch, kind, message] = await onlyFound(
        "processed",
        manifestKey(4),
        forge(list, { rows: 7 }),
      );
      expect([bucket, batch, kind]).to.deep.equal(["processed", 4, "object"]);
      expect(message).to.match(/expected 7 rows, found 1$/);
    }
    const { rejected } = await p.processed(4);
    const body = gzipSync("not JSON\n");
    const problems = await found(
      ["processed", rejected[0]!.key, () => body],
      [
        "processed",
        manifestKey(4),
        forge("rejected", { bytes: body.length, sha256: sha256(body) }),
      ],
    );
    expect(problems).to.have.length(1);
    expect(problems[0]![3]).to.match(/\.json\.gz, line 1: /);
  });

  it("covers every list of objects that a manifest may have", async () => {
    const one = { table: "t", key: "k", rows: 1, bytes: 1, sha256: "0".repeat(64) };
    const two = { ...one, key: "l" };
    const manifest = { ...(await p.processed(2)), objects: [one], rejected: [], deleted: [two] };
    expect(allObjectsOf(manifest)).to.deep.equal([one, two]);
  });

  it("counts objects that no manifest names, and takes them for no problem", async () => {
    await p.put("ingestion", "staff/2026/01/01/0000000009-lost.json.gz", "lost a race");
    await p.put("processed", "dim_staff/2026/01/01/0000000009-lost.parquet", "lost a race");
    const { orphans, problems } = await verified();
    expect(problems).to.deep.equal([]);
    expect(orphans).to.equal(2);
  });

  it("says of a skipped batch's problems that they are known", async () => {
    await p.shop.none("update staff set first_name = 'Skipped' where staff_id = 1");
    await p.ingest();
    await p.transform();
    await p.remove("processed", (await p.processed(5)).objects[0]!.key);
    const connection = await openLive(p);
    await skipBatch(connection, p.env.PROCESSED_BUCKET, { batch: 5, why: "its object is gone" });
    await connection.close();
    const { problems } = await verified();
    expect(problems.map(({ batch, kind, skipped }) => [batch, kind, skipped])).to.deep.equal([
      [5, "object", "its object is gone"],
    ]);
  });
});
