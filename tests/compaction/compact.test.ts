// A compaction is there whole or not at all, once, whoever else is at it; and what is wrong with one is named.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { compactionKey, manifestKey, rangeKey, receiptKey } from "../../src/lake/keys.ts";
import type { CompactedObject, Compaction } from "../../src/lake/compactions.ts";
import { sha256 } from "../../src/lake/manifest.ts";
import { Compacted } from "../../src/compaction/compacted.ts";
import { retire } from "../../src/compaction/retire.ts";
import { copyLake } from "../../src/lake-sql/copy.ts";
import { codecNamed } from "../../src/parquet/codec.ts";
import { BATCH_COLUMN, fileColumns } from "../../src/parquet/schema.ts";
import { verify, type LakeProblem } from "../../src/rebuild/verify.ts";
import { getTables } from "../../src/registry.ts";
import { cut } from "../../src/vectors.ts";
import { failureOf, stateOf } from "../support/attack.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { getStack } from "../support/stack.ts";
import { compactWith, ownObjects, readCompactionOf } from "./support.ts";

const BATCHES = 6;

async function shopWithBatches(): Promise<TestPipeline> {
  const p = await openPipeline({ orders: 12 });
  for (let batch = 1; batch <= BATCHES; batch++) {
    await p.run();
    await p.shop.none("update sales_order set units_sold = $1 where sales_order_id = 1", [batch]);
    await p.shop.none("update staff set first_name = $1 where staff_id = 1", [`Name ${batch}`]);
  }
  return p;
}

/** Takes compactions out of the lake, with all that they put. */
async function undo(p: TestPipeline): Promise<void> {
  const named = new Set(
    (await Promise.all(Array.from({ length: BATCHES }, (_, i) => p.processed(i + 1)))).map(
      ({ run }) => run,
    ),
  );
  for (const key of await p.keys("processed")) {
    const run = /-([0-9a-f]{12})\./.exec(key)?.[1];
    const isOurs = run !== undefined && !named.has(run);
    if (isOurs || /^_(compactions|ranges)\//.test(key)) await p.remove("processed", key);
  }
}

async function problemsOf(p: TestPipeline): Promise<readonly LakeProblem[]> {
  Object.assign(process.env, p.env);
  const { INGESTION_BUCKET: ingestion, PROCESSED_BUCKET: processed } = p.env;
  return (await verify({ ingestion, processed }, await codecNamed())).problems;
}

describe("a compaction", () => {
  let p: TestPipeline;
  before(async () => {
    p = await shopWithBatches();
  });
  afterEach(() => undo(p));
  after(closeAll);

  it("is a pure function of the batches: made twice, each object has the same bytes", async () => {
    const hashes: string[][] = [];
    for (let i = 0; i < 2; i++) {
      await compactWith(p, { to: BATCHES });
      const { objects, deleted } = await readCompactionOf(p, BATCHES);
      hashes.push([...objects, ...deleted].map(({ table, sha256: hash }) => `${table} ${hash}`));
      await undo(p);
    }
    expect(hashes[0]).to.have.length.greaterThan(5);
    expect(hashes[1]).to.deep.equal(hashes[0]);
  });

  it("leaves every object that was there as it was", async () => {
    const before = (await stateOf(p)) as { processed: string[] };
    await compactWith(p, { to: BATCHES });
    const after = (await stateOf(p)) as { processed: string[] };
    expect(after.processed).to.include.members(before.processed);
  });

  it("takes loaded batches alone, leaves the newest, and waits until there are enough", async () => {
    expect(await compactWith(p, { keep: 2, least: 5 })).to.deep.equal([]);
    const [done, ...more] = await compactWith(p, { keep: 2, least: 4 });
    expect(more).to.deep.equal([]);
    expect(done).to.include({ from: 1, to: 4, outcome: "committed" });
    // The next begins where it ended.
    expect(await compactWith(p, { keep: 1, least: 2 })).to.deep.equal([]);
    expect((await compactWith(p, {}))[0]).to.include({ from: 5, to: 6 });
    expect((await readCompactionOf(p, 6)).compaction).to.equal(2);
    expect(await compactWith(p, {})).to.deep.equal([]);
  });

  it("stops before a batch without a receipt, and says so to whoever asks for more", async () => {
    const receipt = await p.get("processed", receiptKey(4));
    await p.remove("processed", receiptKey(4));
    const error = await failureOf(compactWith(p, { to: 5 }));
    expect(`${error}`).to.equal(
      "CompactionError: batch 5 cannot be compacted: the newest with a receipt is 3; a batch is compacted once it is loaded",
    );
    expect((await compactWith(p, {}))[0]).to.include({ from: 1, to: 3 });
    await p.put("processed", receiptKey(4), receipt);
  });

  it("writes nothing where it is only asked what it would do", async () => {
    const before = await stateOf(p);
    const [would] = await compactWith(p, { to: 4, dry: true });
    const own = await ownObjects(p, 4);
    expect(would).to.deep.include({
      from: 1,
      to: 4,
      outcome: "dry",
      before: {
        objects: own.length,
        rows: own.reduce((sum, { rows }) => sum + rows, 0),
        bytes: own.reduce((sum, { bytes }) => sum + bytes, 0),
      },
    });
    expect(await stateOf(p)).to.deep.equal(before);
  });

  it("of which two are made at once is committed once, of the same batches, whatever each was asked for", async () => {
    const stack = await getStack();
    // Both have written their objects before either may commit.
    let arrived = 0;
    const unhook = stack.aws.onRequest(async ({ operation, bucket, key }) => {
      const isCommit = operation === "PutObject" && key.startsWith("_compactions/");
      if (!isCommit || bucket !== p.env.PROCESSED_BUCKET) return;
      arrived++;
      for (let i = 0; arrived < 2 && i < 500; i++) await new Promise((r) => setTimeout(r, 10));
    });
    const both = await Promise.all([
      compactWith(p, { to: 3, goOn: () => false }),
      compactWith(p, { to: 5, goOn: () => false }),
    ]);
    unhook();
    expect(arrived).to.equal(2);
    const outcomes = both.map(([one]) => one!.outcome);
    expect(outcomes).to.have.members(["committed", "lost the race"]);
    const [first, second] = both.map(([one]) => `${one!.from} to ${one!.to}`);
    expect(first).to.equal(second);
    expect(await p.keys("processed", "_compactions/")).to.have.length(1);
    expect(await problemsOf(p)).to.deep.equal([]);
  });

  it("that dies at any put leaves nothing half-done, and the next goes on with the same batches", async () => {
    const { aws } = await getStack();
    const puts: string[] = [];
    const watching = aws.onRequest(({ operation, key }) => {
      if (operation === "PutObject") puts.push(key);
    });
    await compactWith(p, { to: 4 });
    watching();
    await undo(p);
    expect(puts.at(-1)).to.equal(compactionKey(4));
    for (const when of ["before", "after"] as const)
      for (let at = when === "before" ? 1 : puts.length - 1; at <= puts.length; at++) {
        let count = 0;
        const unhook = aws.onRequest(({ operation }) =>
          operation === "PutObject" && ++count === at
            ? { status: 403, code: "AccessDenied", when }
            : undefined,
        );
        await failureOf(compactWith(p, { to: 4 }));
        unhook();
        const isCommitted = when === "after" && at === puts.length;
        expect(await p.keys("processed", "_compactions/")).to.have.length(isCommitted ? 1 : 0);
        expect(await problemsOf(p), `${when} put ${at}`).to.deep.equal([]);
        // Asked for other batches, it finishes what was agreed on, where that was.
        const [next] = await compactWith(p, { to: 5, goOn: () => false });
        const isAgreed = at > 1 || when === "after";
        expect(next).to.include(
          isCommitted ? { from: 5, to: 5 } : { from: 1, to: isAgreed ? 4 : 5 },
        );
        await undo(p);
      }
  });

  it("that loses a race which nobody has won yet leaves what follows to the next run", async () => {
    const { aws } = await getStack();
    await p.put("processed", rangeKey(1), '{"from":1,"to":3}');
    const unhook = aws.onRequest(({ operation, key }) =>
      operation === "PutObject" && key === compactionKey(3)
        ? { status: 409, code: "ConditionalRequestConflict" }
        : undefined,
    );
    const lost = await compactWith(p, { to: 6 });
    unhook();
    expect(lost.map(({ to, outcome }) => [to, outcome])).to.deep.equal([[3, "lost the race"]]);
    expect(await p.keys("processed", "_compactions/")).to.deep.equal([]);
    const next = await compactWith(p, { to: 6 });
    expect(next.map(({ to, outcome }) => [to, outcome])).to.deep.equal([
      [3, "committed"],
      [6, "committed"],
    ]);
    expect(await problemsOf(p)).to.deep.equal([]);
  });

  it("of a batch whose object is damaged names it, and commits nothing", async () => {
    const [object] = (await p.processed(3)).objects;
    const bytes = await p.get("processed", object!.key);
    await p.put("processed", object!.key, bytes.subarray(1));
    const error = await failureOf(compactWith(p, { to: 4 }));
    expect(`${error}`).to.include(`${object!.key} is not what was committed`);
    await p.remove("processed", object!.key);
    expect(`${await failureOf(compactWith(p, { to: 4 }))}`).to.include(`${object!.key} is gone`);
    await p.put("processed", object!.key, bytes);
    expect(await p.keys("processed", "_compactions/")).to.deep.equal([]);
  });

  describe("that is there", () => {
    let manifest: Compaction;
    beforeEach(async () => {
      await compactWith(p, { to: 3 });
      await compactWith(p, { to: 5 });
      manifest = await readCompactionOf(p, 5);
    });
    const found = async (): Promise<string[]> =>
      (await problemsOf(p)).map(({ kind, batch, message }) => `${kind} ${batch}: ${message}`);
    const edit = async (to: number, change: object): Promise<void> => {
      const edited = { ...(await readCompactionOf(p, to)), ...change };
      await p.put("processed", compactionKey(to), `${JSON.stringify(edited)}\n`);
    };

    it("is named by its last batch where an object is damaged, and not its batches, which are whole", async () => {
      const [object] = manifest.objects;
      const bytes = await p.get("processed", object!.key);
      bytes[bytes.length >> 1]! ^= 1;
      await p.put("processed", object!.key, bytes);
      const problems = await found();
      expect(problems).to.have.length(1);
      expect(problems[0]).to.match(/^compaction 5: .+ is not what was committed/);
      expect(problems[0]).to.include(object!.key);
      // Whoever needs it is told, too.
      const compacted = new Compacted(p.env.PROCESSED_BUCKET, await codecNamed());
      const batch = object!.batches[0]!.batch;
      const made = await p.processed(batch);
      const of = { batch, sha256: sha256(await p.get("processed", manifestKey(batch))) };
      const own = made.objects.find(({ table }) => table === object!.table)!;
      expect(`${await failureOf(compacted.rowsOf(of, own))}`).to.include(
        `${object!.key} is not what was committed`,
      );
      await p.remove("processed", own.key);
      expect((await found()).join("\n")).to.include(
        `object ${batch}: s3://${p.env.PROCESSED_BUCKET}/${own.key} is gone`,
      );
      await p.put("processed", own.key, await restored(own.key));
    });

    /** What an object was, from a version that the local bucket keeps. */
    const restored = async (key: string): Promise<Buffer> => kept.get(key)!;
    const kept = new Map<string, Buffer>();
    before(async () => {
      for (const { key } of await ownObjects(p, BATCHES))
        kept.set(key, await p.get("processed", key));
    });

    it("is named where it holds other rows than the batches' own, by row and column", async () => {
      const codec = await codecNamed();
      const object = manifest.objects.find(({ table }) => table === "fact_sales_order")!;
      const columns = await codec.columnsOf(await p.get("processed", object.key));
      const vectors = await codec.read(await p.get("processed", object.key), columns);
      const at = columns.findIndex(({ name }) => name === "units_sold");
      (vectors[at]!.values as Int32Array)[0] = 4711;
      const body = await codec.write(columns, vectors);
      await p.put("processed", object.key, body);
      const forged = { ...object, bytes: body.length, sha256: sha256(body) };
      await edit(5, { objects: manifest.objects.map((one) => (one === object ? forged : one)) });
      const problems = await found();
      expect(problems).to.have.length(1);
      const batch = object.batches[0]!.batch;
      const own = (await p.processed(batch)).objects.find(({ table }) => table === object.table)!;
      expect(problems[0]).to.include(
        `${object.key} does not hold the rows of s3://${p.env.PROCESSED_BUCKET}/${own.key}`,
      );
      expect(problems[0]).to.match(/row 0 of batch 4, units_sold: expected \d+, found 4711$/);
    });

    it("is named where the one before is gone, or is another", async () => {
      await edit(3, { run: "another" });
      expect(await found()).to.satisfy(
        ([one, ...more]: string[]) =>
          more.length === 0 &&
          /^compaction 5: the chain of compactions is broken at .+0000000005\.json/.test(one!),
      );
      await p.put("processed", compactionKey(3), "{");
      const [third, fifth, ...more] = await found();
      expect(more).to.deep.equal([]);
      expect(third).to.match(/^compaction 3: .+ is not JSON/);
      expect(fifth).to.match(
        /^compaction 5: .+ is compaction 2 from batch 4, expected 1 from batch 1: one before it is gone, or altered$/,
      );
      await p.remove("processed", compactionKey(3));
      expect((await found())[0]).to.match(
        /^compaction 5: .+0000000003\.json is not there, and .+0000000005\.json was made after it; restore/,
      );
    });

    it("is what is missed where an object of its batches is gone, and its own manifest is lost", async () => {
      const { PROCESSED_BUCKET: bucket } = p.env;
      for (const [batch, from, to] of [
        [2, 1, 3],
        [5, 4, 5],
      ] as const) {
        const [own] = (await p.processed(batch)).objects;
        const of = { batch, sha256: sha256(await p.get("processed", manifestKey(batch))) };
        await p.remove("processed", own!.key);
        await p.remove("processed", compactionKey(to));
        const gone = `${own!.key} is gone, though a manifest names it; `;
        const said =
          `${gone}batches ${from} to ${to} were to be compacted, and s3://${bucket}/${compactionKey(to)} ` +
          "is not there: restore that";
        const compacted = new Compacted(bucket, await codecNamed());
        expect(`${await failureOf(compacted.rowsOf(of, own!))}`)
          .to.match(/^ObjectError/)
          .and.include(said);
        expect((await found()).join("\n"))
          .to.include(`object ${batch}: `)
          .and.include(said);
        const copy = mkdtempSync(path.join(tmpdir(), "lost-compaction-test-"));
        expect(`${await failureOf(copyLake(bucket, copy))}`).to.include(said);
        rmSync(copy, { recursive: true });
        if (from === 4) expect(`${await failureOf(compactWith(p, { to: 6 }))}`).to.include(said);
        // What was agreed on is a hint here, and no more: neither of these batches, nor of others.
        const agreed = await p.get("processed", rangeKey(from));
        await p.put("processed", rangeKey(from), "{");
        expect((await found()).join("\n")).to.include(`${gone}restore it from its version`);
        await p.put("processed", rangeKey(from), agreed);
        await p.put("processed", own!.key, await restored(own!.key));
      }
      await p.put("processed", rangeKey(1), "{");
      const [later] = (await p.processed(6)).objects;
      await p.remove("processed", later!.key);
      expect((await found()).join("\n")).to.include(
        `object 6: s3://${bucket}/${later!.key} is gone, though a manifest names it; restore it`,
      );
      await p.put("processed", later!.key, await restored(later!.key));
    });

    it("has the rows of its batches though it does not follow the one before, and names what it cannot have", async () => {
      const [own] = (await p.processed(5)).objects;
      await p.remove("processed", own!.key);
      await p.remove("processed", compactionKey(3));
      const broken = await found();
      expect(broken).to.have.length(1);
      expect(broken[0]).to.match(/^compaction 5: /);
      await p.put("processed", compactionKey(5), "{");
      expect((await found()).join("\n"))
        .to.match(/^compaction 5: .+ is not JSON/)
        .and.include(
          `object 5: s3://${p.env.PROCESSED_BUCKET}/${own!.key} is gone, though a manifest names it; restore it`,
        );
      await p.put("processed", own!.key, await restored(own!.key));
    });

    it("is named where it is no JSON, or says something else than its key", async () => {
      await edit(5, { to: 6 });
      expect((await found())[0]).to.match(/^compaction 5: .+ says that it ends at batch 6/);
      await edit(5, { to: 5, manifests: [] });
      expect((await found())[0]).to.match(/stands for batches 4 to 5, and names 0 manifests/);
      await p.put("processed", compactionKey(5), "{");
      expect((await found())[0]).to.match(/^compaction 5: .+ is not JSON/);
    });

    it("is named once where it stands for another manifest of a batch, and is not read for that", async () => {
      const { manifests } = manifest;
      const other = "0".repeat(64);
      await edit(5, { manifests: [other, manifests[1]!] });
      const problems = await found();
      expect(problems).to.have.length(1);
      expect(problems[0]).to.match(
        new RegExp(
          `^compaction 5: .+ stands for a batch 4 with SHA-256 ${other}, found ${manifests[0]}`,
        ),
      );
    });

    it("is named where its rows are of other batches than it says", async () => {
      const swapped = manifest.objects.map((object) => ({
        ...object,
        batches: object.batches.map(({ batch, rows }) => ({ batch: 9 - batch, rows })),
      }));
      await edit(5, { objects: swapped });
      expect((await found()).join("\n")).to.match(/row 0 is of batch 4, expected of 5/);
    });

    it("is named where it holds rows that no batch has, and nothing is marked", async () => {
      const codec = await codecNamed();
      const object = manifest.objects.find(({ table }) => table === "fact_sales_order")!;
      const { rows } = object.batches[0]!;
      const columns = await codec.columnsOf(await p.get("processed", object.key));
      /** The rows of its first batch once more, said to be of another batch, or table. */
      const more = async (batch: number, table = object.table): Promise<CompactedObject> => {
        const vectors = (await codec.read(await p.get("processed", object.key), columns)).map(
          (vector) => cut(vector, { from: 0, to: rows }),
        );
        const at = columns.findIndex(({ name }) => name === BATCH_COLUMN);
        (vectors[at]!.values as bigint[]).fill(BigInt(batch));
        const body = await codec.write(columns, vectors);
        const key = object.key.replaceAll(object.table, table).replace("-", `-${batch}`);
        await p.put("processed", key, body);
        const size = { rows, bytes: body.length, sha256: sha256(body) };
        return { table, key, ...size, batches: [{ batch, rows }] };
      };
      const cases: readonly (readonly [more: CompactedObject, said: string])[] = [
        [
          await more(6),
          "objects/fact_sales_order has batch 6 after 5, expected each of 4 to 5 once",
        ],
        [
          await more(4),
          "objects/fact_sales_order has batch 4 after 5, expected each of 4 to 5 once",
        ],
        [await more(5, "dim_design"), "expected 0 rows of objects/dim_design of batch 5, found "],
      ];
      for (const [one, said] of cases) {
        await edit(5, { objects: [...manifest.objects, one] });
        expect((await found()).join("\n"))
          .to.match(/^compaction 5: /)
          .and.include(said);
        const error = await failureOf(retire(p.env.PROCESSED_BUCKET, codec, { dry: true }));
        expect(`${error}`)
          .to.match(/^CompactionError: nothing is marked/)
          .and.include(said);
      }
      await edit(5, { objects: manifest.objects });
      expect(await found()).to.deep.equal([]);
    });

    it("is not marked for where it is committed while others are read, and so was not", async () => {
      const later = `${JSON.stringify(manifest)}\n`;
      await p.remove("processed", compactionKey(5));
      const { aws } = await getStack();
      let isThere = false;
      const unhook = aws.onRequest(({ operation, key }) => {
        if (operation !== "GetObject" || key !== compactionKey(3) || isThere) return undefined;
        isThere = true;
        void p.put("processed", compactionKey(5), later);
        return undefined;
      });
      const retired = await retire(p.env.PROCESSED_BUCKET, await codecNamed(), { dry: true });
      unhook();
      expect([isThere, retired.to, retired.compactions]).to.deep.equal([true, 3, 1]);
      const again = await retire(p.env.PROCESSED_BUCKET, await codecNamed(), { dry: true });
      expect([again.to, again.compactions]).to.deep.equal([5, 2]);
    });

    it("is named where it lacks rows that a batch has", async () => {
      await edit(5, { objects: manifest.objects.slice(1) });
      const { table } = manifest.objects[0]!;
      expect((await found()).join("\n")).to.match(
        new RegExp(`compaction 5: .+ has none of the \\d+ rows of ${table} of batch [45]`),
      );
    });

    it("gives rows of any table and batch, forwards, backwards and at random", async () => {
      const codec = await codecNamed();
      const tables = await getTables();
      const own = await ownObjects(p, 5);
      for (const order of [
        own,
        own.toReversed(),
        own.toSorted((a, b) => (a.sha256 < b.sha256 ? -1 : 1)),
      ]) {
        const compacted = new Compacted(p.env.PROCESSED_BUCKET, codec);
        for (const object of order) {
          const columns = fileColumns(tables.find(({ name }) => name === object.table)!.columns);
          const of = {
            batch: object.batch,
            sha256: sha256(await p.get("processed", manifestKey(object.batch))),
          };
          const rows = await compacted.rowsOf(of, object);
          const expected = await codec.read(await p.get("processed", object.key), columns);
          const plain = (vectors: typeof expected): unknown =>
            vectors.map(({ values, nulls }) => [[...values], nulls && [...nulls].includes(1)]);
          expect(plain(await rows.read(columns))).to.deep.equal(plain(expected));
        }
        expect(compacted.read.size).to.equal(5);
        const later = await failureOf(compacted.rowsOf({ batch: 6, sha256: "" }, own[0]!));
        expect(`${later}`).to.match(/^ObjectError: .+ is gone/);
      }
    });

    it("is what was agreed on when it was begun, and a damaged agreement is named", async () => {
      await undo(p);
      await p.put("processed", rangeKey(1), '{"from":2,"to":3}');
      expect(`${await failureOf(compactWith(p, { to: 4 }))}`).to.match(
        /_ranges\/0000000001\.json does not say where the compaction from batch 1 ends/,
      );
    });
  });
});
