// Quarantined rows come first when their table's module has changed, and when somebody asks for them.
import { HINTS } from "../../src/lake/keys.ts";
import { readQuarantined } from "../../src/lake/quarantined.ts";
import { connectWith } from "../../src/postgres/connection.ts";
import { retryQuarantined } from "../../src/quarantine/retry.ts";
import {
  defineSource,
  defineTable,
  integer,
  key,
  lookup,
  serial,
  text,
  type Table,
} from "../../src/table.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, startAnew, type TestPipeline } from "../support/pipeline.ts";
import { ingestWith, loadWith, runWith, tablesOf, transformWith } from "../support/stages.ts";

const kind = defineSource("kind", { code: key(text), word: text });
const thing = defineSource("thing", { id: key(integer), kind_code: text });
const visit = defineSource("visit", { place: key(text), number: key(integer) });

/** The tables as they are first, and with formatters that take more. */
const tablesThatRefuse = (words: readonly string[], version = 1): readonly Table[] => {
  const refuse = (word: string): void => {
    if (words.includes(word)) throw new Error(`refused: "${word}"`);
  };
  return tablesOf(
    defineTable({
      name: "fact_thing",
      description: "One row per version of a thing.",
      source: thing,
      lookups: { kind: lookup(kind, "kind_code") },
      version,
      columns: { record_id: serial, id: key(integer), word: text },
      format: ({ id }, found) => {
        refuse(found.kind.word);
        return { id, word: found.kind.word };
      },
    }),
    defineTable({
      name: "fact_visit",
      description: "One row per version of a visit.",
      source: visit,
      version,
      columns: { record_id: serial, place: key(text), number: key(integer) },
      format: ({ place, number }) => {
        refuse(place);
        return { place, number };
      },
    }),
  );
};
const old = tablesThatRefuse(["bad", `it's "bad"`]);
const mended = tablesThatRefuse(["bad"], 2);

const held = async ({ star }: TestPipeline): Promise<string[]> =>
  (
    await star.any<{ one: string }>(
      "select table_name || ' ' || key as one from etl.quarantine order by 1",
    )
  ).map(({ one }) => one);

describe("quarantined rows", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 0 });
  });
  beforeEach(async () => {
    await startAnew(p);
    await p.shop.none(
      `drop table if exists kind, thing, visit;
       create table kind (code text primary key, word text not null);
       create table thing (id int primary key, kind_code text not null);
       create table visit (place text, number int, primary key (place, number));
       insert into kind values ('g', 'good'), ('b', 'bad'), ('q', $1);
       insert into thing select n, case when n % 100 = 7 then 'b' when n % 100 = 8 then 'q' else 'g' end from generate_series(1, 400) n;
       insert into visit values ('here', 1), ($1, 1), ($1, 2), ('bad', 1)`,
      [`it's "bad"`],
    );
    await runWith(p, old);
  });
  after(closeAll);

  const hint = () => {
    Object.assign(process.env, p.env);
    return readQuarantined(p.env.PROCESSED_BUCKET);
  };
  const withHint = { quarantined: hint };

  it("are named by a hint, by their primary keys", async () => {
    const { thing: things, visit: visits } = await hint();
    expect(things).to.have.deep.members(
      [7, 8, 107, 108, 207, 208, 307, 308].map((id) => ({ id: String(id) })),
    );
    expect(visits).to.have.deep.members([
      { place: `it's "bad"`, number: "1" },
      { place: `it's "bad"`, number: "2" },
      { place: "bad", number: "1" },
    ]);
  });

  it("are named anew only when others are in quarantine", async () => {
    const touch = () => p.put("processed", HINTS.quarantined, "{}");
    await touch();
    await p.shop.none(
      "update thing set kind_code = 'g' where id = 1; update thing set kind_code = 'q' where id = 7",
    );
    await runWith(p, old);
    expect(await hint()).to.deep.equal({});
    await p.shop.none("update thing set kind_code = 'g' where id = 8");
    await runWith(p, old);
    expect((await hint())["thing"]).to.have.length(7);
    await p.shop.none(
      "update thing set kind_code = 'g'; delete from visit; update kind set word = word",
    );
    await runWith(p, old);
    expect(Object.keys(await hint())).to.deep.equal(["visit"]);
  });

  it("come in the first batch once the version of their module is raised, with what they look up, and leave", async () => {
    const summary = await ingestWith(p, mended, withHint);
    expect(summary.kind).to.equal("backfill");
    expect(summary.reasons).to.deep.equal(["fact_thing has changed", "fact_visit has changed"]);
    expect(summary.batches).to.equal(2);
    const first = await p.ingested(2);
    expect(first.kind).to.equal("backfill");
    expect(first.cursor).to.not.equal(null);
    expect((await p.lines(2, "thing")).map(({ id }) => id)).to.deep.equal([
      7, 8, 107, 108, 207, 208, 307, 308,
    ]);
    expect((await p.lines(2, "kind")).map(({ code }) => code)).to.deep.equal(["b", "q"]);
    expect(await p.lines(2, "visit")).to.have.length(3);
    expect(await p.lines(3, "thing")).to.have.length(400);
    await transformWith(p, mended);
    await loadWith(p, mended);
    expect(await held(p)).to.deep.equal([
      "fact_thing 107",
      "fact_thing 207",
      "fact_thing 307",
      "fact_thing 7",
      'fact_visit ["bad","1"]',
    ]);
    expect(
      await p.star.one("select count(*)::int as n, count(distinct id)::int as ids from fact_thing"),
    ).to.deep.equal({ n: 396, ids: 396 });
  });

  it("come first also where time is up after them, and the next invocation goes on with the rest", async () => {
    const summary = await ingestWith(p, mended, { ...withHint, goOn: () => false });
    expect(summary).to.include({ batches: 1, unfinished: true });
    await runWith(p, mended);
    expect(await p.lines(3, "thing")).to.have.length(400);
    expect(await held(p)).to.have.length(5);
  });

  it("come first in as many batches as they need", async () => {
    const { batches } = await ingestWith(p, mended, {
      ...withHint,
      limits: { rows: 3, bytes: 1 << 20 },
      goOn: () => true,
    });
    expect(batches).to.be.greaterThan(4);
    const firsts = (await Promise.all([2, 3, 4].map((batch) => p.lines(batch, "thing")))).flat();
    expect(firsts.map(({ id }) => id)).to.include.members([7, 8, 107, 108]);
  });

  const isWithout = async (): Promise<void> => {
    const { kind: of, batches } = await ingestWith(p, mended, withHint);
    expect(of).to.equal("backfill");
    expect(batches).to.equal(1);
    expect(await p.lines(2, "thing")).to.have.length(400);
    await transformWith(p, mended);
    await loadWith(p, mended);
    expect(await held(p)).to.have.length(5);
    expect(await p.star.one("select count(*)::int as n from fact_thing")).to.deep.equal({ n: 396 });
  };
  const HINTS_THAT_ARE_NONE: [what: string, body: string | undefined][] = [
    ["missing", undefined],
    ["empty", ""],
    ["no JSON", "{"],
    ["a list", "[]"],
    ["null", "null"],
    ["of another shape", '{"thing":[7]}'],
    ["of a column that is no key", '{"thing":[{"kind_code":"b"}]}'],
    ["of a key that is half", '{"visit":[{"place":"bad"}]}'],
    ["of a value that the source cannot read", '{"thing":[{"id":"7"},{"id":"seven"}]}'],
    ["of a number that is too large", '{"thing":[{"id":"99999999999999999999"}]}'],
    ["of SQL", JSON.stringify({ thing: [{ id: "7'); drop table thing; --" }] })],
    ["of a byte of zero", JSON.stringify({ visit: [{ place: "a\0b", number: "1" }] })],
    ["of another source", '{"kind":[{"code":"b"}],"nowhere":[{"id":"1"}]}'],
    ["of a prototype", '{"__proto__":[{"id":"7"}],"constructor":[{"id":"7"}]}'],
    ["of rows that are not there", '{"thing":[{"id":"7000"}],"visit":[]}'],
    [
      "of more rows than a hint has",
      JSON.stringify({ thing: Array.from({ length: 10_001 }, (_, id) => ({ id: String(id) })) }),
    ],
  ];
  for (const [what, body] of HINTS_THAT_ARE_NONE)
    it(`are read in their turn, and all else is the same, where the hint is ${what}`, async () => {
      if (body === undefined) await p.remove("processed", HINTS.quarantined);
      else await p.put("processed", HINTS.quarantined, body);
      await isWithout();
    });

  it("are read in their turn where the bucket cannot be read", async () => {
    Object.assign(process.env, p.env);
    expect(await readQuarantined("no-such-bucket")).to.deep.equal({});
  });

  it("are not asked for where no module has changed", async () => {
    let asked = 0;
    const quarantined = () => {
      asked++;
      return Promise.resolve({});
    };
    await p.shop.none("insert into thing values (1000, 'g')");
    await ingestWith(p, old, { quarantined });
    await ingestWith(p, old, { quarantined, resync: true });
    expect(asked).to.equal(0);
    await ingestWith(p, mended, { quarantined });
    expect(asked).to.equal(1);
  });

  it("that are gone from the source are no deletion because a hint names them", async () => {
    await p.shop.none("delete from thing where id = 8");
    await ingestWith(p, mended, withHint);
    expect((await p.ingested(2)).deleted).to.deep.equal([]);
    expect((await p.ingested(3)).deleted).to.deep.equal([]);
  });

  describe("tried again", () => {
    const retry = async (tables: readonly Table[], filter = {}) => {
      Object.assign(process.env, p.env);
      const warehouse = await connectWith(p.env.WAREHOUSE_SECRET);
      try {
        return await retryQuarantined(
          warehouse,
          () => connectWith(p.env.SOURCE_SECRET),
          p.env.INGESTION_BUCKET,
          tables,
          filter,
        );
      } finally {
        await warehouse.close();
      }
    };

    it("leave where they fit by now, though nobody changed them, and the others stay", async () => {
      // As a formatter that was mended without a new version.
      const silently = tablesThatRefuse(["bad"]);
      const summary = await retry(silently);
      expect(summary).to.deep.include({ named: { thing: 8, visit: 3 }, deleted: {} });
      await transformWith(p, silently);
      await loadWith(p, silently);
      expect(await held(p)).to.have.length(5);
      const [row] = await p.star.any(
        "select batch, first_batch from etl.quarantine where key = '7'",
      );
      expect(row).to.deep.equal({ batch: "2", first_batch: "1" });
    });

    it("are those of a table, and of a reason", async () => {
      expect(await retry(old, { table: "fact_visit" })).to.deep.include({ named: { visit: 3 } });
      expect(await retry(old, { reason: "IT'S" })).to.deep.include({
        named: { thing: 4, visit: 2 },
      });
      expect(await retry(old, { table: "fact_nothing" })).to.equal(undefined);
    });

    it("leave where the source has them no more", async () => {
      await p.shop.none(
        "delete from thing where id in (7, 108); delete from visit where place = 'bad'",
      );
      const summary = await retry(old);
      expect(summary).to.deep.include({
        named: { thing: 6, visit: 2 },
        deleted: { thing: 2, visit: 1 },
      });
      await transformWith(p, old);
      await loadWith(p, old);
      const left = await held(p);
      expect(left).to.have.length(8);
      expect(left).to.not.include.members(["fact_thing 7"]);
      expect(left).to.not.include.members(["fact_thing 108"]);
    });
  });
});

describe("an ingestion without a processed bucket in its environment", () => {
  after(closeAll);
  it("works", async () => {
    const p = await openPipeline({ orders: 5 });
    await p.run();
    Object.assign(process.env, p.env);
    delete process.env["PROCESSED_BUCKET"];
    const { handler } = await import("../../src/handlers/ingestion.ts");
    expect((await handler({})).outcome).to.equal("unchanged");
  });
});
