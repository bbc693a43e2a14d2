// Somebody may write the lake: what the chain of manifests and the warehouse's ledger show of it, and up to which point.
import { manifestKey } from "../../src/lake/keys.ts";
import { sha256, type IngestionManifest } from "../../src/lake/manifest.ts";
import { refusal } from "../support/attack.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, queued, type TestPipeline } from "../support/pipeline.ts";

type Bucket = "ingestion" | "processed";

/** Another value of the same kind, as a forger would choose it; of nothing, a cursor. */
function forgedValue(value: unknown): unknown {
  if (typeof value === "number") return value + 1;
  if (typeof value === "string")
    return /^[0-9a-f]{64}$/.test(value) ? value.replace(/^./, "e") : `${value}0`;
  if (Array.isArray(value)) return value.slice(1);
  if (typeof value === "object" && value !== null) return { ...value, forged: "0" };
  return { table: "staff", after: null, key: "x", next: [], whole: [], marks: {} };
}

/** Every value in a manifest, by where it is: its own fields, and those of its first object. */
const PLACES = [
  "run",
  "kind",
  "previous_sha256",
  "started_at",
  "committed_at",
  "build",
  "system_identifier",
  "database_oid",
  "timeline",
  "server_started_at",
  "snapshot",
  "fence",
  "since",
  "high_water",
  "cursor",
  "fingerprints",
  "objects",
  "deleted",
  "objects.table",
  "objects.key",
  "objects.rows",
  "objects.bytes",
  "objects.sha256",
  "objects.driving_rows",
] as const;

function forge(manifest: IngestionManifest, place: (typeof PLACES)[number]): IngestionManifest {
  const [field, inner] = place.split(".") as [keyof IngestionManifest, string?];
  if (inner === undefined) {
    const of = { kind: "resync", since: "3", deleted: manifest.objects.slice(0, 1) }[
      field as string
    ];
    const value = of === undefined || of === manifest[field] ? forgedValue(manifest[field]) : of;
    return { ...manifest, [field]: value };
  }
  const [first, ...others] = manifest.objects;
  const value = forgedValue(first![inner as keyof typeof first]);
  return { ...manifest, objects: [{ ...first!, [inner]: value }, ...others] };
}

describe("somebody who may write the lake", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 10 });
    await p.run();
    for (const name of ["Two", "Three"]) {
      await p.shop.none("update staff set first_name = $1", [name]);
      await p.ingest();
    }
    await p.shop.none("update staff set first_name = 'Four'");
  });
  after(closeAll);

  /** Does `work` while these objects are others. */
  async function whileForged(
    bucket: Bucket,
    objects: Readonly<Record<string, Buffer | string>>,
    work: () => Promise<unknown>,
  ): Promise<void> {
    const before = new Map<string, Buffer | undefined>();
    for (const [at, body] of Object.entries(objects)) {
      before.set(at, await p.get(bucket, at).catch(() => undefined));
      await p.put(bucket, at, body);
    }
    try {
      await work();
    } finally {
      for (const [at, body] of before)
        await (body ? p.put(bucket, at, body) : p.remove(bucket, at));
    }
  }
  const event = (batch: number): object => ({
    Records: [
      { s3: { bucket: { name: p.env.INGESTION_BUCKET }, object: { key: manifestKey(batch) } } },
    ],
  });

  it("can forge no field that these tests do not try", async () => {
    const manifest = await p.ingested(2);
    const fields = [
      ...Object.keys(manifest),
      ...Object.keys(manifest.objects[0]!).map((field) => `objects.${field}`),
    ];
    expect(fields.filter((field) => field !== "batch")).to.have.members([...PLACES]);
  });

  for (const place of PLACES)
    it(`and forges ${place} of a batch that has a next one is found out by both who read that`, async () => {
      const manifest = await p.ingested(2);
      const forged = forge(manifest, place);
      expect(forged).not.to.deep.equal(manifest);
      await whileForged(
        "ingestion",
        { [manifestKey(2)]: `${JSON.stringify(forged)}\n` },
        async () => {
          for (const work of [() => p.ingest(), () => p.transform(event(3))])
            await refusal(
              p,
              work,
              /^the chain of manifests is broken at batch 3|: objects\.0|: kind/,
            );
        },
      );
    });

  it("and swaps two objects is found out by their hashes", async () => {
    const { objects } = await p.ingested(2);
    const [one, two] = objects as [(typeof objects)[0], (typeof objects)[0]];
    const [first, second] = await Promise.all([
      p.get("ingestion", one.key),
      p.get("ingestion", two.key),
    ]);
    await whileForged("ingestion", { [one.key]: second, [two.key]: first }, () =>
      refusal(p, () => p.transform(event(2)), /is not what was committed: expected \d+ bytes/),
    );
  });

  it("and replays an old manifest under its own number or another is found out", async () => {
    const two = await p.ingested(2);
    await whileForged(
      "ingestion",
      { [manifestKey(3)]: await p.get("ingestion", manifestKey(2)) },
      () => refusal(p, () => p.transform(event(3)), "says that it is batch 2"),
    );
    const replayed = `${JSON.stringify({ ...two, batch: 4 })}\n`;
    await whileForged("ingestion", { [manifestKey(4)]: replayed }, async () => {
      for (const work of [() => p.ingest(), () => p.transform(event(4))])
        await refusal(p, work, "the chain of manifests is broken at batch 4");
    });
  });

  it("and names an object of another place reads nothing but what its own bucket has", async () => {
    const two = await p.ingested(2);
    for (const key of [
      "../../etc/passwd",
      "/etc/passwd",
      "s3://other/staff.json.gz",
      "?x",
      "%2e%2e/a",
    ]) {
      const objects = two.objects.map((one) => ({ ...one, key }));
      const body = `${JSON.stringify({ ...two, objects })}\n`;
      await whileForged("ingestion", { [manifestKey(2)]: body }, () =>
        refusal(
          p,
          () => p.transform(event(2)),
          `s3://${p.env.INGESTION_BUCKET}/${key} is no object of`,
        ),
      );
    }
  });

  it("and rewrites a loaded batch and all that follow is found out by the warehouse's ledger", async () => {
    await p.transform();
    await p.load();
    const [two, three] = [await p.ingested(2), await p.ingested(3)];
    const second = `${JSON.stringify({ ...two, run: "forged" })}\n`;
    const third = `${JSON.stringify({ ...three, previous_sha256: sha256(Buffer.from(second)) })}\n`;
    await whileForged(
      "ingestion",
      { [manifestKey(2)]: second, [manifestKey(3)]: third },
      async () => {
        // Ingestion believes the chain, which is whole again: an unkeyed chain shows nothing more.
        expect(await p.ingest()).to.include({ outcome: "committed", batch: 4 });
        await p.transform(event(4));
        await refusal(
          p,
          () => p.load(),
          /^the chain of manifests is broken at batch 4 \(\S+\): it was made after a batch 3 with SHA-256 \w{64}, found \w{64}/,
        );
        // What was transformed before stays, and a transformation that is asked again says that it is of another lake.
        await refusal(p, () => p.transform(event(3)), /batch 3 of \S+ was made from another lake/);
      },
    );
  });
});

describe("somebody who may write the processed bucket", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 10 });
    await p.run();
    await p.shop.none("update staff set first_name = 'Two'");
    await p.ingest();
    await p.transform();
  });
  after(closeAll);

  const forgedTo = async (change: object, reason: string | RegExp): Promise<void> => {
    const at = manifestKey(2);
    const before = await p.get("processed", at);
    const manifest = await p.processed(2);
    await p.put("processed", at, `${JSON.stringify({ ...manifest, ...change })}\n`);
    try {
      await refusal(p, () => p.load(), reason);
      expect((await failureAnswer()).batchItemFailures).to.deep.equal([{ itemIdentifier: "m2" }]);
    } finally {
      await p.put("processed", at, before);
    }
  };
  const failureAnswer = () => p.load(queued(p.env.PROCESSED_BUCKET, 2));

  it("and puts a batch of another history there is found out by the ledger", () =>
    forgedTo({ previous_sha256: "0".repeat(64) }, /chain of manifests is broken at batch 2/));

  it("and claims rows beyond all bounds is found out by the file", async () => {
    const { objects } = await p.processed(2);
    for (const rows of [2 ** 31, Number.MAX_SAFE_INTEGER])
      await forgedTo({ objects: objects.map((one) => ({ ...one, rows })) }, /expected \d+ rows/);
  });

  it("and names one object for another's table is found out by its key, and by the columns that it lacks", async () => {
    const { objects } = await p.processed(2);
    const staff = objects.find(({ table }) => table === "dim_staff")!;
    const claimed = { ...staff, table: "fact_sales_order" };
    await forgedTo({ objects: [claimed] }, "is no object of fact_sales_order, though a manifest");
    const key = staff.key.replace("dim_staff", "fact_sales_order");
    await p.put("processed", key, await p.get("processed", staff.key));
    await forgedTo(
      { objects: [{ ...claimed, key }] },
      'column "sales_order_id": it is part of the key, and the file has no such column',
    );
  });

  it("and writes a batch that fits is not found out by the loader: reconcile and a rebuild show it", async () => {
    const at = manifestKey(2);
    const manifest = await p.processed(2);
    await p.put("processed", at, `${JSON.stringify({ ...manifest, objects: [] })}\n`);
    expect((await p.load()).newest).to.equal(2);
    await expect(p.expectTrue()).to.be.rejected;
  });
});
