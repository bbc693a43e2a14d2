// Objects, manifests and warehouses that are not what was committed: the whole batch is refused by name and nothing of
// it is half-done; when the object is restored, everything arrives.
import { gzipSync } from "node:zlib";
import { manifestKey } from "../../src/lake/keys.ts";
import { sha256 } from "../../src/lake/manifest.ts";
import { addRole, addSecret, callWith, refusal, stateOf, type Stage } from "../support/attack.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, queued, type TestPipeline } from "../support/pipeline.ts";
import { getStack } from "../support/stack.ts";

type Bucket = "ingestion" | "processed";
const RESTORE = "restore the version of the object that was written first (the bucket keeps them)";

/** Does `work` while an object is what `damage` makes of it; undefined: gone. */
async function damaged(
  p: TestPipeline,
  bucket: Bucket,
  key: string,
  damage: (bytes: Buffer) => Buffer | string | undefined,
  work: () => Promise<unknown>,
): Promise<void> {
  const bytes = await p.get(bucket, key);
  const made = damage(bytes);
  if (made === undefined) await p.remove(bucket, key);
  else await p.put(bucket, key, made);
  try {
    await work();
  } finally {
    await p.put(bucket, key, bytes);
  }
}

const gone = (): undefined => undefined;
const truncated = (bytes: Buffer): Buffer => bytes.subarray(0, bytes.length - 9);
/** Flips one bit near the middle. */
const flipped = (bytes: Buffer): Buffer => {
  const copy = Buffer.from(bytes);
  const at = copy.length >> 1;
  copy[at] = copy[at]! ^ 1;
  return copy;
};
const notGzip = (): string => "not gzip";
const empty = (): Buffer => Buffer.alloc(0);
const edited = (bytes: Buffer): string => bytes.toString().replace(/"run":"./, '"run":"x');

describe("a data object", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 10 });
    await p.run();
    await p.shop.none(
      "update sales_order set units_sold = 4321; update staff set first_name = 'Two'",
    );
    await p.ingest();
  });
  after(closeAll);
  const objectOf = async (bucket: Bucket, table: string) => {
    const { objects } = bucket === "ingestion" ? await p.ingested(2) : await p.processed(2);
    return objects.find((object) => object.table === table)!;
  };

  const cases: [what: string, damage: (bytes: Buffer) => Buffer | string | undefined][] = [
    ["gone", gone],
    ["truncated", truncated],
    ["empty", empty],
    ["one bit different", flipped],
    ["something else", notGzip],
  ];
  /** What is said of an object that is not what its manifest says. */
  const altered = (
    { env }: TestPipeline,
    bucket: Bucket,
    { key, bytes, sha256: hash }: { key: string; bytes: number; sha256: string },
    found: Buffer | string | undefined,
  ): string => {
    const where = `s3://${bucket === "ingestion" ? env.INGESTION_BUCKET : env.PROCESSED_BUCKET}/${key}`;
    if (found === undefined)
      return `${where} is gone, though a manifest names it; restore it from its version`;
    const body = Buffer.from(found);
    return (
      `${where} is not what was committed: expected ${bytes} bytes with SHA-256 ${hash}, ` +
      `found ${body.length} with ${sha256(body)}; restore the version that was written first`
    );
  };

  // A table's own rows, and rows that are only looked up.
  for (const table of ["sales_order", "department"])
    for (const [what, damage] of cases)
      it(`of the ingestion bucket that is ${what} fails its batch: ${table}`, async () => {
        const object = await objectOf("ingestion", table);
        const found = damage(await p.get("ingestion", object.key));
        await damaged(p, "ingestion", object.key, damage, () =>
          refusal(p, () => p.transform(), altered(p, "ingestion", object, found)),
        );
      });

  // The manifest is forged along: its hash says that all is well.
  const line = (row: unknown): string => `${JSON.stringify(row)}\n`;
  const forged: [what: string, body: Buffer | string, rows: number, reason: RegExp][] = [
    ["is not gzip", "not gzip", 1, / cannot be read: incorrect header check$/],
    [
      "is half of a gzip",
      gzipSync("x".repeat(99)).subarray(0, 20),
      1,
      / cannot be read: unexpected end of file$/,
    ],
    ["is not JSON lines", gzipSync('{"sales_order_id":1}\n{"sales\n'), 2, /, line 2: .*JSON/],
    [
      "is one JSON array",
      gzipSync(line([{ sales_order_id: 1 }])),
      1,
      /, line 1: expected a JSON object, found an array$/,
    ],
    [
      "holds a null among its rows",
      gzipSync(`${line({ sales_order_id: 1 })}null\n`),
      2,
      /, line 2: expected a JSON object, found null$/,
    ],
    [
      "holds numbers for rows",
      gzipSync("1\n2\n"),
      2,
      /, line 1: expected a JSON object, found a number$/,
    ],
    [
      "holds texts for rows",
      gzipSync('"a"\n'),
      1,
      /, line 1: expected a JSON object, found a string$/,
    ],
    [
      "holds an empty line",
      gzipSync(`${line({ sales_order_id: 1 })}\n${line({ sales_order_id: 2 })}`),
      3,
      /line 2: /,
    ],
    [
      "is not UTF-8",
      gzipSync(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d, 10])),
      1,
      / cannot be read: .*utf-8/,
    ],
    [
      "is not UTF-8 in a last line without an end",
      gzipSync(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])),
      1,
      / cannot be read: .*utf-8/,
    ],
    ["has fewer rows than its manifest says", gzipSync(""), 10, /: expected 10 rows, found 0$/],
    [
      "has more rows than its manifest says",
      gzipSync(line({ sales_order_id: 1 }).repeat(3)),
      2,
      /: expected 2 rows, found 3$/,
    ],
  ];
  for (const [what, body, rows, reason] of forged)
    it(`that ${what}, under a manifest that was forged to fit, fails its batch`, async () => {
      const object = await objectOf("ingestion", "sales_order");
      const bytes = Buffer.from(body);
      const forge = (manifest: Buffer): string => {
        const { objects, ...rest } = JSON.parse(manifest.toString()) as Awaited<
          ReturnType<typeof p.ingested>
        >;
        return JSON.stringify({
          ...rest,
          objects: objects.map((one) =>
            one.table === "sales_order"
              ? { ...one, rows, driving_rows: rows, bytes: bytes.length, sha256: sha256(bytes) }
              : one,
          ),
        });
      };
      await damaged(
        p,
        "ingestion",
        object.key,
        () => bytes,
        () =>
          damaged(p, "ingestion", manifestKey(2), forge, async () => {
            const error = await refusal(p, () => p.transform(), reason);
            expect(error).to.have.property("name", "ObjectError");
            expect(error.message).to.include(`s3://${p.env.INGESTION_BUCKET}/${object.key}`);
          }),
      );
    });

  it("that was restored is transformed as if nothing had been", async () => {
    await p.transform();
    expect((await p.processed(2)).rejected_rows).to.equal(0);
  });

  for (const [what, damage] of cases)
    it(`of the processed bucket that is ${what} fails its batch`, async () => {
      const object = await objectOf("processed", "fact_sales_order");
      const found = damage(await p.get("processed", object.key));
      await damaged(p, "processed", object.key, damage, () =>
        refusal(p, () => p.load(), altered(p, "processed", object, found)),
      );
    });

  const files: [
    what: string,
    damage: (bytes: Buffer) => Buffer | string,
    rows: number,
    reason: RegExp,
  ][] = [
    ["is no Parquet", () => "PAR1 but no more", 10, /: .+/],
    ["is half of a Parquet file", (bytes) => bytes.subarray(0, bytes.length >> 1), 10, /: .+/],
    ["has a bit flipped in a page", flipped, 10, /(damaged|column)/],
    [
      "has fewer rows than its manifest says",
      (bytes) => bytes,
      11,
      /: expected 11 rows, found 10$/,
    ],
  ];
  for (const [what, damage, rows, reason] of files)
    it(`that ${what}, under a manifest that was forged to fit, fails its batch`, async () => {
      const object = await objectOf("processed", "fact_sales_order");
      const bytes = Buffer.from(damage(await p.get("processed", object.key)));
      const forge = (manifest: Buffer): string => {
        const { objects, ...rest } = JSON.parse(manifest.toString()) as Awaited<
          ReturnType<typeof p.processed>
        >;
        return JSON.stringify({
          ...rest,
          objects: objects.map((one) =>
            one.table === "fact_sales_order"
              ? { ...one, rows, bytes: bytes.length, sha256: sha256(bytes) }
              : one,
          ),
        });
      };
      await damaged(
        p,
        "processed",
        object.key,
        () => bytes,
        () =>
          damaged(p, "processed", manifestKey(2), forge, async () => {
            const error = await refusal(p, () => p.load(), reason);
            expect(error).to.have.property("name", "ParquetError");
            expect(error.message).to.include(`s3://${p.env.PROCESSED_BUCKET}/${object.key}: `);
          }),
      );
    });

  it("that was restored is loaded as if nothing had been", async () => {
    await p.load();
    await p.expectTrue();
  });
});

describe("a manifest", () => {
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
  /** The event of batch 3, so that it is tried alone. */
  const wake = (): object => ({
    Records: [
      { s3: { bucket: { name: p.env.INGESTION_BUCKET }, object: { key: manifestKey(3) } } },
    ],
  });
  const where = (bucket: Bucket, batch: number): string =>
    `s3://${bucket === "ingestion" ? p.env.INGESTION_BUCKET : p.env.PROCESSED_BUCKET}/${manifestKey(batch)}`;

  const cases: [what: string, damage: (bytes: Buffer) => Buffer | string, problem: string][] = [
    ["not JSON", () => "{", " is not JSON; "],
    ["empty", empty, " is not JSON; "],
    ["JSON and no manifest", () => "{}", ": batch: "],
    ["a list", () => "[]", ": batch: "],
    [
      "another batch's",
      (bytes) => bytes.toString().replace(/"batch":\d+/, '"batch":7'),
      " says that it is batch 7; ",
    ],
    [
      "without a hash",
      (bytes) => bytes.toString().replace(/"sha256":"[0-9a-f]+"/, '"sha256":""'),
      ": objects.0.sha256: ",
    ],
    [
      "with a negative count",
      (bytes) => bytes.toString().replace(/"rows":\d+/, '"rows":-1'),
      ": objects.0.rows: ",
    ],
  ];
  for (const [what, damage, problem] of cases) {
    it(`that is ${what} fails the next ingestion and its own transformation`, () =>
      damaged(p, "ingestion", manifestKey(3), damage, async () => {
        for (const work of [() => p.ingest(), () => p.transform(wake())]) {
          const { name, message } = await refusal(p, work, where("ingestion", 3) + problem);
          expect(name).to.equal("ManifestError");
          expect(message.endsWith(RESTORE), message).to.equal(true);
        }
      }));

    it(`that is ${what} has an event that is reported to its queue`, () =>
      damaged(p, "ingestion", manifestKey(3), damage, async () => {
        const before = await stateOf(p);
        const failing = queued(p.env.INGESTION_BUCKET, 3);
        expect((await p.transform(failing)).batchItemFailures).to.deep.equal([
          { itemIdentifier: "m3" },
        ]);
        expect(await stateOf(p)).to.deep.equal(before);
      }));
  }

  it("whose predecessor was edited fails the next ingestion and its own transformation", () =>
    damaged(p, "ingestion", manifestKey(2), edited, async () => {
      for (const work of [() => p.ingest(), () => p.transform(wake())])
        await refusal(
          p,
          work,
          /^the chain of manifests is broken at batch 3 \(\S+\): it was made after a batch 2 with SHA-256 \w{64}, found \w{64}; restore the version/,
        );
    }));

  it("whose predecessor was deleted fails the next ingestion and its own transformation", () =>
    damaged(p, "ingestion", manifestKey(2), gone, async () => {
      for (const work of [() => p.ingest(), () => p.transform(wake())])
        await refusal(
          p,
          work,
          `the chain of manifests is broken: ${where("ingestion", 2)} is gone; ${RESTORE}`,
        );
    }));

  it("that was restored is followed by the next, and by its own transformation", async () => {
    expect(await p.ingest()).to.include({ outcome: "committed", batch: 4 });
    const { batches } = await p.transform();
    expect(batches.map(({ batch }) => batch)).to.deep.equal([2, 3, 4]);
  });

  for (const [what, damage, problem] of cases)
    it(`of the processed bucket that is ${what} stops the loader there`, () =>
      damaged(p, "processed", manifestKey(2), damage, async () => {
        const { message } = await refusal(p, () => p.load(), where("processed", 2) + problem);
        expect(message.endsWith(RESTORE), message).to.equal(true);
      }));

  it("of the processed bucket that was made of another ingestion stops the loader there", () =>
    damaged(
      p,
      "processed",
      manifestKey(2),
      (bytes) =>
        bytes
          .toString()
          .replace(/"previous_sha256":"\w+"/, `"previous_sha256":"${"0".repeat(64)}"`),
      () =>
        refusal(
          p,
          () => p.load(),
          /^the chain of manifests is broken at batch 2 \(\S+\): it was made after a batch 1 with SHA-256 0{64}, found \w{64}; /,
        ),
    ));

  it("of the processed bucket that was restored is loaded, and those after it", async () => {
    const { loaded } = await p.load();
    expect(loaded!.map(({ batch }) => batch)).to.deep.equal([2, 3, 4]);
    await p.expectTrue();
  });
});

describe("a warehouse that was filled from another lake", () => {
  let p: TestPipeline;
  let other: TestPipeline;
  before(async () => {
    [p, other] = await Promise.all([openPipeline({ orders: 5 }), openPipeline({ orders: 6 })]);
    await Promise.all([p.run(), other.run()]);
    await p.shop.none("update staff set first_name = 'Two'");
    await p.run();
  });
  after(closeAll);
  const load = (of: TestPipeline): Promise<unknown> =>
    callWith(p, "loading", { PROCESSED_BUCKET: of.env.PROCESSED_BUCKET });

  it("is refused where that one has fewer batches than it has loaded", () =>
    refusal(
      p,
      () => load(other),
      `the warehouse has loaded batch 2, and ${other.env.PROCESSED_BUCKET} has no such batch: it was filled from another lake`,
    ));

  it("is refused where that one has more", async () => {
    for (const first of ["Zwei", "Drei"]) {
      await other.shop.none("update staff set first_name = $1", [first]);
      await other.ingest();
    }
    await other.transform();
    await refusal(p, () => load(other), /^the chain of manifests is broken at batch 3 /);
  });

  it("goes on with its own", async () => {
    await p.shop.none("update staff set first_name = 'Three'");
    await p.run();
    await p.expectTrue();
  });
});

describe("a warehouse", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 5 });
    await p.run();
    await p.shop.none("update staff set first_name = 'Waiting'");
    await p.ingest();
    await p.transform();
  });
  after(closeAll);
  const DIFFERS = "the warehouse differs from the declarations in tables/: ";
  const AGREE = ". Alter the warehouse, or the declaration, until they agree";

  const altered: [what: string, sql: string, undo: string, problem: string][] = [
    [
      "with a column of another type",
      "alter table dim_transaction alter column transaction_type type bytea using ''",
      "alter table dim_transaction alter column transaction_type type varchar using 'x'; update dim_transaction set transaction_type = 'SALE'",
      "dim_transaction.transaction_type: expected varchar, found bytea",
    ],
    [
      "with money that holds less",
      "alter table fact_sales_order alter column unit_price type numeric(9,2)",
      "alter table fact_sales_order alter column unit_price type numeric(10,2)",
      "fact_sales_order.unit_price: expected numeric(10, 2), found numeric(9,2)",
    ],
    [
      "with times that keep no milliseconds",
      "alter table fact_payment alter column created_time type time(0)",
      "alter table fact_payment alter column created_time type time",
      "fact_payment.created_time: expected time, found time(0) without time zone",
    ],
    [
      "with smaller integers",
      "alter table fact_purchase_order alter column item_quantity type smallint using 1",
      "alter table fact_purchase_order alter column item_quantity type integer",
      "fact_purchase_order.item_quantity: expected integer, found smallint",
    ],
    [
      "without the key's unique index",
      "alter table dim_payment_type drop constraint dim_payment_type_pkey cascade",
      "alter table dim_payment_type add primary key (payment_type_id)",
      "dim_payment_type: expected a primary key or unique index on (payment_type_id)",
    ],
    [
      "whose unique index is partial",
      "alter table dim_payment_type drop constraint dim_payment_type_pkey cascade; create unique index half on dim_payment_type (payment_type_id) where payment_type_id > 1",
      "drop index half; alter table dim_payment_type add primary key (payment_type_id)",
      "dim_payment_type: expected a primary key or unique index on (payment_type_id)",
    ],
    [
      "that allows no null where there may be one",
      "update dim_location set district = ''; alter table dim_location alter column district set not null",
      "alter table dim_location alter column district drop not null",
      "dim_location.district: expected to allow null, found not null",
    ],
    [
      "with a column more that nobody would fill",
      "alter table dim_design add column colour text not null default 'x'; alter table dim_design alter column colour drop default",
      "alter table dim_design drop column colour",
      "dim_design.colour: is not declared, not null and without a default: drop the column or its NOT NULL, or declare it",
    ],
    [
      "without a record id",
      "alter table fact_payment drop column payment_record_id",
      "alter table fact_payment add column payment_record_id serial primary key",
      "fact_payment.payment_record_id: expected a serial record id, found no such column",
    ],
    [
      "whose record id nobody fills",
      "alter table fact_payment alter column payment_record_id drop default",
      "alter table fact_payment alter column payment_record_id set default nextval('fact_payment_payment_record_id_seq')",
      "fact_payment.payment_record_id: expected serial or identity, found no default",
    ],
    [
      "with a view for a table",
      "alter table dim_currency rename to hidden; create view dim_currency as select * from hidden",
      "drop view dim_currency; alter table hidden rename to dim_currency",
      "dim_currency is not a table",
    ],
  ];
  for (const [what, sql, undo, problem] of altered)
    it(`${what} is refused by name`, async () => {
      await p.star.none(sql);
      await refusal(p, () => p.load(), DIFFERS + problem + AGREE);
      await p.star.none(undo);
    });

  it("with several differences is told of all at once", async () => {
    await p.star.none(
      "alter table dim_staff alter column location type bytea using ''; alter table dim_design alter column design_id type numeric",
    );
    await refusal(
      p,
      () => p.load(),
      /(?=.*dim_staff\.location: expected varchar, found bytea)(?=.*dim_design\.design_id: expected integer, found numeric)/,
    );
    await p.star.none(
      "alter table dim_staff alter column location type varchar using 'x'; alter table dim_design alter column design_id type integer",
    );
  });

  it("with a column more that may stay empty is used as it is", async () => {
    await p.star.none(
      "alter table dim_staff add column note text; alter table dim_staff add column seen timestamptz not null default now()",
    );
    await p.load();
  });

  it("that agrees again takes what waited, and every row that was altered by hand, when all is read again", async () => {
    await p.ingest({ resync: true });
    await p.transform();
    await p.load();
    await p.expectTrue();
  });

  it("whose column is too narrow for a value takes nothing of that batch, and all of it once it is wider", async () => {
    await p.shop.none(
      "update design set design_name = repeat('x', 200) where design_id = 1; update staff set first_name = 'Wide'",
    );
    await p.ingest();
    await p.transform();
    await p.star.none("alter table dim_design alter column design_name type varchar(100)");
    await refusal(p, () => p.load(), "dim_design: value too long for type character varying(100)");
    await p.star.none("alter table dim_design alter column design_name type varchar");
    await p.load();
    await p.expectTrue();
  });
});

describe("a warehouse's user", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 5 });
    await p.ingest();
    await p.transform();
    // What PostgreSQL gives to everybody, taken back, so that each right is one that was granted.
    await p.star.none("revoke all on database $1:name from public", [p.warehouse.database]);
  });
  after(closeAll);
  const as = async (rights: string, schemaRights?: string): Promise<() => Promise<unknown>> => {
    const role = await addRole(p);
    await p.star.none(`grant ${rights} on database $1:name to $2:name`, [
      p.warehouse.database,
      role.user,
    ]);
    if (schemaRights !== undefined)
      await p.star.none(`grant ${schemaRights} on schema public to $1:name`, [role.user]);
    const WAREHOUSE_SECRET = await addSecret(p, { ...p.warehouse, ...role });
    return () => callWith(p, "loading", { WAREHOUSE_SECRET });
  };

  it("who may not create in the database is told what to grant", async () => {
    await refusal(
      p,
      await as("connect, temporary"),
      /^cannot create etl\.batch_load, where loaded batches are counted: permission denied for database \w+; GRANT CREATE ON DATABASE to this user$/,
    );
  });

  it("who may not create in the schema, where tables are missing, is told what to grant", async () => {
    const run = await as("connect, create, temporary", "usage");
    await expect(run()).to.be.rejectedWith(
      /^cannot prepare public\.dim_\w+: permission denied for schema public; GRANT CREATE ON SCHEMA to this user, or let the tables' owner do it$/,
    );
    // The loader's own table was made; of the star there is nothing.
    expect(
      await p.star.any("select tablename from pg_tables where schemaname = 'public'"),
    ).to.deep.equal([]);
    await p.star.none("drop schema etl cascade");
  });

  it("who may not make temporary tables is told what to grant, and nothing is loaded", async () => {
    const run = await as("connect, create", "usage, create");
    await expect(run()).to.be.rejectedWith(
      /permission denied to create temporary tables in database "\w+"; GRANT TEMPORARY ON DATABASE to this user$/,
    );
    expect(await p.star.one("select count(*) as n from dim_staff")).to.deep.equal({ n: "0" });
    expect(await p.star.one("select count(*) as n from etl.batch_load")).to.deep.equal({ n: "0" });
    await p.star.none("drop schema etl cascade; drop schema public cascade; create schema public");
  });

  it("who may do these three things and is no superuser needs no more", async () => {
    const run = await as("connect, create, temporary", "usage, create");
    await run();
    await p.expectTrue();
  });
});

describe("S3 and Secrets Manager", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 5 });
  });
  after(closeAll);

  for (const [what, fault] of [
    [
      "answer once that they are too busy",
      { status: 503, code: "ServiceUnavailable", message: "Try again." },
    ],
    ["break a connection once", "reset"],
    ["lose an answer once", { reset: true, when: "after" }],
  ] as const)
    it(`may ${what}, at each kind of request, and the run goes on`, async () => {
      await p.shop.none("update staff set first_name = $1", [what]);
      const { aws } = await getStack();
      let failed = new Set<string>();
      const unhook = aws.onRequest(({ operation, bucket, key }) => {
        const mine = [p.env.INGESTION_BUCKET, p.env.PROCESSED_BUCKET].includes(bucket);
        if (!mine && !key.startsWith("test/")) return undefined;
        if (failed.has(operation)) return undefined;
        failed.add(operation);
        return fault;
      });
      const all: string[][] = [];
      for (const stage of ["ingest", "transform", "load"] as const) {
        failed = new Set();
        await p[stage]();
        all.push([...failed].sort((a, b) => (a < b ? -1 : 1)));
      }
      unhook();
      expect(all).to.deep.equal([
        ["GetObject", "GetSecretValue", "ListObjectsV2", "PutObject"],
        ["GetObject", "ListObjectsV2", "PutObject"],
        ["GetObject", "GetSecretValue", "ListObjectsV2", "PutObject"],
      ]);
      await p.expectTrue();
      expect(await p.keys("processed", "_loads/")).to.have.length(
        (await p.keys("ingestion", "_batches/")).length,
      );
    });

  it("that go on refusing fail the run by name, and the next one makes it right", async () => {
    await p.shop.none("update staff set first_name = 'Refused'");
    const { aws } = await getStack();
    for (const stage of ["ingestion", "transformation", "loading"] satisfies Stage[]) {
      const unhook = aws.onRequest(({ bucket, operation }) =>
        operation === (stage === "loading" ? "GetObject" : "PutObject") &&
        [p.env.INGESTION_BUCKET, p.env.PROCESSED_BUCKET].includes(bucket)
          ? { status: 403, code: "AccessDenied", message: "Access Denied" }
          : undefined,
      );
      await refusal(
        p,
        () => callWith(p, stage, {}),
        /^cannot (read|write) s3:\/\/\S+: AccessDenied: Access Denied; the role, or whoever runs this, lacks the permission$/,
      );
      unhook();
      await callWith(p, stage, {});
    }
    await p.expectTrue();
  });
});

describe("a batch that fails", () => {
  let p: TestPipeline;
  let good: Buffer;
  let key: string;
  const name = (first_name: string) =>
    p.shop.none("update staff set first_name = $1", [first_name]);
  const direct = (bucket: string, batch: number): object => ({
    Records: [{ s3: { bucket: { name: bucket }, object: { key: manifestKey(batch) } } }],
  });
  const failures = (...ids: string[]) => ids.map((itemIdentifier) => ({ itemIdentifier }));
  const shown = async (): Promise<unknown> =>
    (await p.star.any<{ first_name: string }>("select distinct first_name from dim_staff")).map(
      (row) => row.first_name,
    );

  before(async () => {
    p = await openPipeline({ orders: 5 });
    await p.run();
    for (const first of ["Two", "Three", "Four"]) {
      await name(first);
      await p.ingest();
    }
  });
  after(closeAll);

  it("in the transformation is reported to its queue by its message, and thrown to whoever calls directly", async () => {
    key = (await p.ingested(2)).objects.find(({ table }) => table === "staff")!.key;
    good = await p.get("ingestion", key);
    await p.put("ingestion", key, flipped(good));
    const before = await stateOf(p);
    const bucket = p.env.INGESTION_BUCKET;
    expect((await p.transform(queued(bucket, 2, "the message"))).batchItemFailures).to.deep.equal(
      failures("the message"),
    );
    await expect(p.transform(direct(bucket, 2))).to.be.rejectedWith(
      `${key} is not what was committed`,
    );
    expect(await stateOf(p)).to.deep.equal(before);
  });

  it("in the transformation keeps no other batch from being made, and later ones from being loaded", async () => {
    const { batches, batchItemFailures } = await p.transform(queued(p.env.INGESTION_BUCKET, 4));
    expect(batches.map(({ batch }) => batch)).to.deep.equal([4, 3]);
    expect(batchItemFailures).to.deep.equal([]);
    expect(await p.load(queued(p.env.PROCESSED_BUCKET, 4))).to.deep.include({
      batchItemFailures: [],
      loaded: [],
      newest: 1,
      waitingFor: 2,
    });
  });

  it("in the transformation fails every tick until its object is restored", async () => {
    await expect(p.transform()).to.be.rejectedWith(`${key} is not what was committed`);
    await p.put("ingestion", key, good);
    expect((await p.transform()).batches.map(({ batch }) => batch)).to.deep.equal([2]);
  });

  it("in the loader stops the line, is reported to its queue, and thrown to whoever calls directly", async () => {
    key = (await p.processed(3)).objects.find(({ table }) => table === "dim_staff")!.key;
    good = await p.get("processed", key);
    await p.remove("processed", key);
    const bucket = p.env.PROCESSED_BUCKET;
    const event = {
      Records: [2, 3, 4].flatMap(
        (batch) => (queued(bucket, batch) as { Records: object[] }).Records,
      ),
    };
    // One drain serves all three: what it could load is loaded, and the queue brings all of them again.
    expect((await p.load(event)).batchItemFailures).to.deep.equal(failures("m2", "m3", "m4"));
    expect(await shown()).to.deep.equal(["Two"]);
    await expect(p.load(direct(bucket, 4))).to.be.rejectedWith(`${key} is gone`);
    await expect(p.load()).to.be.rejectedWith(`${key} is gone`);
    expect(await shown()).to.deep.equal(["Two"]);
  });

  it("in the loader is loaded once its object is restored, and all that waited for it", async () => {
    await p.put("processed", key, good);
    const { loaded, batchItemFailures } = await p.load(queued(p.env.PROCESSED_BUCKET, 3));
    expect(batchItemFailures).to.deep.equal([]);
    expect(loaded!.map(({ batch }) => batch)).to.deep.equal([3, 4]);
    expect(await shown()).to.deep.equal(["Four"]);
    await p.expectTrue();
  });
});

describe("a currency whose code nobody knows", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 5 });
    await p.shop.none("update currency set currency_code = 'ZZZ' where currency_code = 'GBP'");
  });
  after(closeAll);

  it("is quarantined with its reason and its row, and the facts keep a place for it", async () => {
    await p.run();
    const { currency_id: id, ...row } = await p.shop.one<{ currency_id: number }>(
      "select to_jsonb(c) - 'created_at' - 'last_updated' as row, currency_id from currency c where currency_code = 'ZZZ'",
    );
    const rejected = await p.rejected();
    expect(rejected).to.have.length(1);
    expect(rejected[0]).to.deep.include({
      table: "dim_currency",
      key: id,
      reason: 'currency_code "ZZZ" is not in ISO 4217',
    });
    expect(rejected[0]!.row).to.deep.include((row as { row: object }).row);
    expect((await p.processed(1)).rejected_rows).to.equal(1);
    expect(
      await p.star.any("select * from dim_currency where currency_id = $1", [id]),
    ).to.deep.equal([{ currency_id: id, currency_code: "unknown", currency_name: "unknown" }]);
    await p.expectTrue({ allowQuarantined: true });
  });

  it("takes its place once it is known", async () => {
    await p.shop.none("update currency set currency_code = 'JPY' where currency_code = 'ZZZ'");
    await p.run();
    expect(
      await p.star.any("select currency_name from dim_currency where currency_code = 'JPY'"),
    ).to.deep.equal([{ currency_name: "Yen" }]);
    await p.expectTrue();
  });
});
