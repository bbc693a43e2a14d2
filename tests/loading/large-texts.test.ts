// Large texts are read while they are copied, a stretch of rows after the other: the loader never holds them all.
import { load } from "../../src/loading/load.ts";
import { codecNamed, ParquetError, type ParquetCodec } from "../../src/parquet/codec.ts";
import { getConnection } from "../../src/postgres/connection.ts";
import { getTables } from "../../src/registry.ts";
import type { Stretch } from "../../src/vectors.ts";
import { failureOf } from "../support/attack.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";

const DESIGNS = 21;

describe("texts of a megabyte", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 5 });
    await p.run();
    await p.shop.none(
      `insert into design (design_id, created_at, design_name, file_location, file_name, last_updated)
       select g, now(), 'tote ' || g, '/usr', repeat(chr(1071) || g, 200000), now()
         from generate_series(1001, 1000 + ${DESIGNS}) g`,
    );
    await p.ingest();
    await p.transform();
  });
  after(closeAll);

  /** Loads by that codec. @returns the stretches that texts were read in */
  async function loadBy(change: Partial<ParquetCodec> = {}): Promise<Stretch[]> {
    Object.assign(process.env, p.env);
    const real = await codecNamed();
    const stretches: Stretch[] = [];
    const codec: ParquetCodec = {
      ...real,
      read(bytes, columns, stretch) {
        if (stretch) stretches.push(stretch);
        return (stretch && change.read ? change : real).read!(bytes, columns, stretch);
      },
    };
    const connection = await getConnection({ ...p.warehouse, schema: "public" });
    try {
      await load(connection, p.env.PROCESSED_BUCKET, await getTables(), codec);
    } finally {
      await connection.close();
    }
    return stretches;
  }

  it("that cannot be read are their batch's error, and nothing of it stays", async () => {
    const before = await p.star.one("select count(*) from dim_design");
    let reads = 0;
    const error = await failureOf(
      loadBy({
        read: async (bytes, columns, stretch) => {
          if (++reads === 3) throw new ParquetError("a page's checksum is wrong");
          return (await codecNamed()).read(bytes, columns, stretch);
        },
      }),
    );
    expect(error).to.be.instanceOf(ParquetError);
    expect(error.message).to.match(/^s3:.*dim_design.*: a page's checksum is wrong$/);
    expect(await p.star.one("select count(*) from dim_design")).to.deep.equal(before);
  });

  it("are read in stretches of some megabytes, each row once", async () => {
    const stretches = await loadBy();
    expect(stretches.length).to.be.within(3, DESIGNS);
    expect(stretches[0]!.from).to.equal(0);
    for (const [i, { from }] of stretches.entries())
      if (i > 0) expect(from).to.equal(stretches[i - 1]!.to);
    await p.expectTrue({ allowExtraDates: true });
  });

  it("are merged with those that are there", async () => {
    await p.shop.none(
      "update design set file_name = 'x' || file_name where design_id % 2 = 0 and design_id > 1000",
    );
    await p.ingest({ resync: true });
    await p.transform();
    expect(await loadBy()).not.to.have.length(0);
    const { changed } = await p.star.one<{ changed: number }>(
      "select (receipt->'tables'->'dim_design'->>'changed')::int as changed from etl.batch_load order by batch desc limit 1",
    );
    expect(changed).to.equal(Math.floor(DESIGNS / 2));
    await p.expectTrue({ allowExtraDates: true });
  });
});
