// Bad secrets, databases, settings, sources and events: refused with a message that names the thing and says what to
// do, before anything is written; and the next good run makes it right. Damage in the buckets: damaged-lake.test.ts.
import { PutSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { checkTables } from "../../src/check-tables.ts";
import { ingest } from "../../src/ingestion/ingest.ts";
import { load } from "../../src/loading/load.ts";
import { manifestKey } from "../../src/lake/keys.ts";
import { codecNamed } from "../../src/parquet/codec.ts";
import { connectWith } from "../../src/postgres/connection.ts";
import {
  bigint,
  defineSource,
  defineTable,
  full,
  integer,
  key,
  text,
  type ChangeDetection,
  type Table,
} from "../../src/table.ts";
import { transform } from "../../src/transformation/transform.ts";
import {
  addRole,
  addSecret,
  callWith,
  everythingIn,
  refusal,
  stateOf,
  type Stage,
} from "../support/attack.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, queued, type TestPipeline } from "../support/pipeline.ts";
import { getStack } from "../support/stack.ts";

/** The two functions that open a database: by which variable they find its secret, and how the database is called here. */
const OPENERS = [
  { stage: "ingestion", variable: "SOURCE_SECRET", database: "source" },
  { stage: "loading", variable: "WAREHOUSE_SECRET", database: "warehouse" },
] as const;
const PLANTED = "hunter2/€'\\pass";
const EXPECTED = '; expected JSON like {"host","port","user","password","database"}';

describe("bad surroundings", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 10 });
    // So that each function would have something to do.
    await p.run();
    await p.shop.none("update staff set first_name = 'Waiting'");
    await p.ingest();
    await p.shop.none("update staff set first_name = 'New'");
  });
  after(closeAll);

  for (const { stage, variable, database } of OPENERS) {
    /** The refusal of a function whose secret is this. */
    const refused = async (value: object | string, message: string | RegExp): Promise<Error> => {
      const name = await addSecret(p, value);
      const whole = typeof message === "string" ? message.replace("NAME", name) : message;
      return refusal(p, () => callWith(p, stage, { [variable]: name }), whole);
    };

    describe(`${stage}'s secret`, () => {
      it("that is missing is named, with the variables that may be wrong", () =>
        refusal(
          p,
          () => callWith(p, stage, { [variable]: "no/such" }),
          /^cannot read secret no\/such: ResourceNotFoundException: .+; create it, or correct SOURCE_SECRET or WAREHOUSE_SECRET$/,
        ));

      it("that is not JSON is named, and not quoted", async () => {
        const error = await refused(
          `{"password": ${PLANTED}`,
          `secret NAME is not JSON${EXPECTED}`,
        );
        expect(everythingIn(error)).not.to.include("hunter2");
      });

      it("that is JSON and no object is named", () =>
        refused('["host"]', `secret NAME has no usable "host"${EXPECTED}`));

      for (const name of ["host", "user", "password", "database"] as const)
        it(`without ${name} is named, with the key`, async () => {
          const { [name]: _, ...rest } = { ...p[database], password: PLANTED };
          const error = await refused(
            rest,
            new RegExp(`^secret attack/\\d+ has no (usable )?"${name}"; `),
          );
          expect(error.message).to.include(EXPECTED);
          expect(everythingIn(error)).not.to.include("hunter2");
        });

      for (const name of ["host", "user", "database"] as const)
        it(`with an empty ${name} is refused: another one must not be guessed`, () =>
          refused(
            { ...p[database], [name]: "" },
            `secret NAME has no usable "${name}"${EXPECTED}`,
          ));

      for (const port of ["", "abc", 0, 70_000])
        it(`with port ${JSON.stringify(port)} is refused: another one must not be guessed`, () =>
          refused({ ...p[database], port }, `secret NAME has no usable "port"${EXPECTED}`));

      it("with a password that is no text is refused, and the password not shown", async () => {
        const error = await refused(
          { ...p[database], password: ["hunter2"] },
          'has no usable "password"',
        );
        expect(everythingIn(error)).not.to.include("hunter2");
      });

      it("as RDS writes it, with username, dbname and port as text, is understood", async () => {
        const { host, port, user, password, database: name } = p[database];
        const secret = await addSecret(p, {
          engine: "postgres",
          host,
          port: String(port),
          username: user,
          password,
          dbname: name,
          dbInstanceIdentifier: "totes",
        });
        await callWith(p, stage, { [variable]: secret });
      });
    });

    describe(`${stage}'s database`, () => {
      const cases: [what: string, change: object, message: RegExp][] = [
        [
          "that refuses the password",
          {},
          /^cannot connect to PostgreSQL \w+ on 127\.0\.0\.1:\d+ as postgres: password authentication failed .+; check user and password in secret \S+, and the server's pg_hba\.conf$/,
        ],
        [
          "whose port is closed",
          { port: 1 },
          /^cannot connect to PostgreSQL \w+ on 127\.0\.0\.1:1 as postgres: connect ECONNREFUSED 127\.0\.0\.1:1; check host and port in secret \S+, and that the server is up and lets this network in$/,
        ],
        [
          "whose host does not resolve",
          { host: "nowhere.invalid" },
          /^cannot connect to PostgreSQL \w+ on nowhere\.invalid:\d+ as postgres: getaddrinfo \w+ nowhere\.invalid; check host and port in secret \S+/,
        ],
        [
          "that does not speak TLS where the secret demands it",
          { sslmode: "require" },
          /^cannot connect to PostgreSQL .+ does not support SSL connections; check secret \S+, the server and its TLS \(sslmode and ca in the secret\)$/,
        ],
      ];
      for (const [what, change, message] of cases)
        it(`${what} is named, without the password`, async () => {
          const error = await refused({ ...p[database], password: PLANTED, ...change }, message);
          expect(everythingIn(error)).not.to.include("hunter2");
        });

      it("that does not exist is named, without the password", async () => {
        const role = await addRole(p, PLANTED);
        const error = await refused(
          { ...p[database], ...role, database: "elsewhere" },
          /^cannot connect to PostgreSQL elsewhere on .+: database "elsewhere" does not exist; check "database" in secret \S+$/,
        );
        expect(everythingIn(error)).not.to.include("hunter2");
      });

      it("whose password is rotated between two looks at the secret is entered with the new one", async () => {
        const role = await addRole(p, "the new one");
        await p.shop.none("alter role $1:name superuser", role.user);
        const secret = await addSecret(p, { ...p[database], ...role, password: "the old one" });
        const { aws } = await getStack();
        let looks = 0;
        const unhook = aws.onRequest(async ({ operation, key }) => {
          if (operation !== "GetSecretValue" || key !== secret || ++looks !== 2) return;
          await replaceSecret(p, secret, { ...p[database], ...role });
        });
        await callWith(p, stage, { [variable]: secret });
        unhook();
        expect(looks).to.equal(2);
      });
    });
  }

  describe("an environment variable", () => {
    const read: Record<Stage, string[]> = {
      ingestion: ["INGESTION_BUCKET", "SOURCE_SECRET"],
      transformation: ["INGESTION_BUCKET", "PROCESSED_BUCKET"],
      loading: ["PROCESSED_BUCKET", "WAREHOUSE_SECRET"],
    };
    for (const [stage, variables] of Object.entries(read) as [Stage, string[]][])
      for (const variable of variables)
        for (const [what, value, found] of [
          ["missing", undefined, "none"],
          ["empty", "", '""'],
        ] as const)
          it(`that is ${what} fails ${stage} by its name: ${variable}`, () =>
            refusal(
              p,
              () => callWith(p, stage, { [variable]: value }),
              `environment variable ${variable}: expected a value, found ${found}; serverless.yml sets it`,
            ));

    for (const stage of ["transformation", "loading"] as const)
      it(`that names no Parquet codec fails ${stage}, with the names there are`, () =>
        refusal(
          p,
          () => callWith(p, stage, { PARQUET_CODEC: "zstd" }),
          'environment variable PARQUET_CODEC: expected ("hyparquet" | "parquets"), found "zstd"; ',
        ));
  });

  describe("a bucket", () => {
    const read: [Stage, string][] = [
      ["ingestion", "INGESTION_BUCKET"],
      ["transformation", "INGESTION_BUCKET"],
      ["transformation", "PROCESSED_BUCKET"],
      ["loading", "PROCESSED_BUCKET"],
    ];
    for (const [stage, variable] of read)
      it(`that is missing fails ${stage} by its name: ${variable}`, async () => {
        const error = await refusal(
          p,
          () => callWith(p, stage, { [variable]: "no-such-bucket" }),
          /^cannot (read|list) s3:\/\/no-such-bucket\/\S+: NoSuchBucket: .+; create it \(deploying makes a stage's own\), or correct its name$/,
        );
        expect(error).to.have.property("name", "S3Error");
        expect(error.cause).to.have.property("name", "NoSuchBucket");
      });
  });

  describe("all put right", () => {
    it("the next run takes what waited", async () => {
      await p.run();
      await p.expectTrue();
    });
  });
});

/** Rotates a secret. */
async function replaceSecret(
  { env }: TestPipeline,
  SecretId: string,
  value: object,
): Promise<void> {
  const client = new SecretsManagerClient({
    endpoint: env.AWS_ENDPOINT_URL,
    region: env.AWS_REGION,
    credentials: {
      accessKeyId: env.AWS_ACCESS_KEY_ID,
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
    },
  });
  await client.send(new PutSecretValueCommand({ SecretId, SecretString: JSON.stringify(value) }));
  client.destroy();
}

describe("a source", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 10 });
    await p.run();
    await p.shop.none("update design set file_name = 'changed.json' where design_id = 1");
  });
  after(closeAll);
  const THEN = ". Change tables/sources.ts, or the database, until they agree";

  const altered: [what: string, sql: string, undo: string, problem: string][] = [
    [
      "that lacks a declared column",
      "alter table staff rename column first_name to forename",
      "alter table staff rename column forename to first_name",
      "staff.first_name: expected text, found no such column",
    ],
    [
      "with a column of another type",
      "alter table sales_order alter column units_sold type bigint",
      "alter table sales_order alter column units_sold type integer",
      "sales_order.units_sold: expected integer, found bigint",
    ],
    [
      "with a timestamp that has a zone",
      "alter table payment alter column created_at type timestamptz(3)",
      "alter table payment alter column created_at type timestamp(3)",
      "payment.created_at: expected timestamp, found timestamp(3) with time zone",
    ],
    [
      "with floats for money",
      "alter table purchase_order alter column item_unit_price type float8",
      "alter table purchase_order alter column item_unit_price type numeric(10,2)",
      "purchase_order.item_unit_price: expected decimal, found double precision",
    ],
    [
      "that lacks a declared table",
      "alter table design rename to pattern",
      "alter table pattern rename to design",
      "table public.design is not there",
    ],
    [
      "whose table is a view now",
      "alter table design rename to pattern; create view design as select * from pattern",
      "drop view design; alter table pattern rename to design",
      "design is a view and has no xmin: declare its changes as full, or as timestampOf(column, { lag })",
    ],
  ];
  for (const [what, sql, undo, problem] of altered)
    it(`${what} is refused by name`, async () => {
      await p.shop.none(sql);
      await refusal(
        p,
        () => p.ingest(),
        `the source does not fit the declarations in tables/: ${problem}${THEN}`,
      );
      await p.shop.none(undo);
    });

  it("with several things wrong is told of all at once", async () => {
    await p.shop.none(
      "alter table staff rename column first_name to forename; alter table design rename to pattern",
    );
    await refusal(
      p,
      () => p.ingest(),
      /tables\/: (?=.*table public\.design is not there)(?=.*staff\.first_name: expected text, found no such column).*; /,
    );
    await p.shop.none(
      "alter table staff rename column forename to first_name; alter table pattern rename to design",
    );
  });

  it("that was refused is read again once it fits, and nothing was lost", async () => {
    expect((await p.ingest()).rows).to.include({ design: 1 });
    await p.run();
    await p.expectTrue();
  });

  it("with another column is read all the same: the lake has it, and it is noted", async () => {
    await p.shop.none("alter table currency add column symbol text default '¤'");
    await p.shop.none("update currency set symbol = '£' where currency_code = 'GBP'");
    const { undeclared, batch } = await p.ingest();
    expect(undeclared).to.deep.equal(["currency.symbol"]);
    expect(await p.lines(batch, "currency")).to.deep.include.members([
      { ...(await p.lines(1, "currency")).find((c) => c["currency_code"] === "GBP"), symbol: "£" },
    ]);
    await p.run();
    await p.expectTrue();
  });
});

const DECLARED = [
  "address",
  "counterparty",
  "currency",
  "department",
  "design",
  "payment",
  "payment_type",
  "purchase_order",
  "sales_order",
  "staff",
  "transaction",
];

describe("a source's user", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 10 });
  });
  after(closeAll);
  /** A pipeline's ingestion as a role that these statements have given rights; `$1:name` is its name. */
  const as = async (...grants: string[]): Promise<() => Promise<unknown>> => {
    const role = await addRole(p);
    for (const grant of grants) await p.shop.none(grant, role.user);
    const SOURCE_SECRET = await addSecret(p, { ...p.source, ...role });
    return () => callWith(p, "ingestion", { SOURCE_SECRET });
  };
  const change = (name: string): Promise<null> =>
    p.shop.none("update staff set last_name = $1 where staff_id = 2", [name]);

  it("needs SELECT on the declared tables, and nothing else", async () => {
    const run = await as(`grant select on ${DECLARED.join(", ")} to $1:name`);
    expect(await run()).to.include({ outcome: "committed" });
    expect(await run()).to.include({ outcome: "unchanged" });
    await change("Granted");
    expect(await run()).to.deep.include({
      outcome: "committed",
      rows: { staff: 1, department: 1 },
    });
    await p.run();
    await p.expectTrue();
  });

  it("without any right is told of each table", async () => {
    const run = await as();
    await refusal(
      p,
      run,
      "staff.staff_id: this user may not SELECT it; staff.first_name: this user",
    );
  });

  it("who may not SELECT one declared column is told which", async () => {
    await change("Withheld");
    const columns =
      "staff_id, first_name, last_name, department_id, created_at, last_updated, xmin";
    const run = await as(
      `grant select on ${DECLARED.filter((name) => name !== "staff").join(", ")} to $1:name`,
      `grant select (${columns}) on staff to $1:name`,
    );
    await refusal(p, run, "tables/: staff.email_address: this user may not SELECT it. Change");
  });

  it("who may SELECT every column but xmin is told so, and with it reads the changes", async () => {
    const columns =
      "staff_id, first_name, last_name, department_id, email_address, created_at, last_updated";
    const grants = [
      `grant select on ${DECLARED.filter((name) => name !== "staff").join(", ")} to $1:name`,
      `grant select (${columns}) on staff to $1:name`,
    ];
    await refusal(
      p,
      await as(...grants),
      "staff.xmin: this user may not SELECT it, and changes are found by it",
    );
    const run = await as(...grants, "grant select (xmin) on staff to $1:name");
    expect(await run()).to.deep.include({
      outcome: "committed",
      rows: { staff: 1, department: 1 },
    });
    await p.run();
    await p.expectTrue();
  });

  it("from whom row level security would hide rows is refused, not served less", async () => {
    const run = await as(`grant select on ${DECLARED.join(", ")} to $1:name`);
    await change("Hidden");
    await p.shop.none(`alter table staff enable row level security;
                       create policy not_two on staff using (staff_id <> 2)`);
    await refusal(p, run, /\bstaff\b.*row.level security.*BYPASSRLS/);
    await p.shop.none("drop policy not_two on staff; alter table staff disable row level security");
    expect(await run()).to.deep.include({ rows: { staff: 1, department: 1 } });
    await p.run();
    await p.expectTrue();
  });
});

describe("a view", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 0 });
    await p.shop.none(
      `create table thing (id int primary key, label text not null);
       create view things as select id, label, id::bigint * 10000000000 as big from thing;
       create materialized view kept_things as select * from things;
       insert into thing values (1, 'one'), (2, 'two')`,
    );
  });
  after(closeAll);

  /** A star of one dimension that shows the view. */
  const showing = (name: string, changes?: ChangeDetection): readonly Table[] => {
    const source = defineSource(
      name,
      { id: key(integer), label: text, big: bigint },
      changes ? { changes } : {},
    );
    const table = defineTable({
      name: "dim_thing",
      description: "One row per thing.",
      source,
      columns: { thing_id: key(integer), label: text, big: bigint },
      format: ({ id, label, big }) => ({ thing_id: id, label, big }),
    });
    return checkTables({ "dim_thing.ts": { default: table } });
  };
  const run = async (tables: readonly Table[]): Promise<unknown> => {
    const { INGESTION_BUCKET: ingestion, PROCESSED_BUCKET: processed } = p.env;
    const codec = await codecNamed();
    const summary = await ingest(() => connectWith(p.env.SOURCE_SECRET), ingestion, tables);
    if (summary.outcome === "committed")
      await transform({ ingestion, processed }, tables, codec, summary.batch);
    const warehouse = await connectWith(p.env.WAREHOUSE_SECRET);
    await load(warehouse, processed, tables, codec);
    await warehouse.close();
    return summary;
  };
  const loaded = (): Promise<object[]> =>
    p.star.any("select thing_id, label, big from dim_thing order by 1");

  it("that is declared as snapshot is refused, with what to declare instead", () =>
    refusal(
      p,
      () => run(showing("things")),
      "things is a view and has no xmin: declare its changes as full, or as timestampOf(column, { lag })",
    ));

  it("that is declared as full shows each of its changes", async () => {
    await run(showing("things", full));
    expect(await loaded()).to.deep.equal([
      { thing_id: 1, label: "one", big: "10000000000" },
      { thing_id: 2, label: "two", big: "20000000000" },
    ]);
    await p.shop.none(
      "update thing set label = 'TWO' where id = 2; insert into thing values (3, '')",
    );
    await run(showing("things", full));
    expect(await loaded()).to.deep.equal([
      { thing_id: 1, label: "one", big: "10000000000" },
      { thing_id: 2, label: "TWO", big: "20000000000" },
      { thing_id: 3, label: "", big: "30000000000" },
    ]);
  });

  it("that is declared as full and has not changed makes no batch", async () => {
    const before = await stateOf(p);
    expect(await run(showing("things", full))).to.include({ outcome: "unchanged" });
    expect(await stateOf(p)).to.deep.equal(before);
  });
});

describe("an empty source", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 0 });
  });
  after(closeAll);

  it("writes nothing, makes the warehouse's tables, and is no error", async () => {
    expect(await p.ingest()).to.include({ outcome: "unchanged", batch: 0 });
    expect((await p.transform()).batches).to.deep.equal([]);
    expect(await p.load()).to.deep.include({ loaded: [], newest: 0 });
    expect(await p.keys("ingestion")).to.deep.equal([]);
    expect(await p.keys("processed")).to.deep.equal([]);
    await p.expectTrue();
  });

  it("is followed by the rows that come, tables without a row left out", async () => {
    await p.shop.none(
      `insert into design (design_id, design_name, file_location, file_name, last_updated)
       values (1, 'First', '/f', 'f.json', now())`,
    );
    await p.run();
    const { kind, objects } = await p.ingested(1);
    expect(kind).to.equal("backfill");
    expect(objects.map(({ table }) => table)).to.deep.equal(["design"]);
    expect((await p.processed(1)).objects.map(({ table }) => table)).to.deep.equal(["dim_design"]);
    await p.expectTrue();
  });

  it("fills the tables that were without rows as these come", async () => {
    await p.shop.none(
      `insert into department (department_id, department_name, last_updated) values (1, 'Sales', now());
       insert into staff (staff_id, first_name, last_name, department_id, email_address, last_updated)
       values (1, 'Ada', 'L', 1, 'a@x', now())`,
    );
    await p.run();
    await p.expectTrue();
    expect(await p.star.one("select location from dim_staff")).to.deep.equal({
      location: "Unknown",
    });
  });
});

describe("an event", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 5 });
    for (let i = 0; i < 4; i++) {
      await p.shop.none("update design set file_name = $1 where design_id = 1", [`${i}.json`]);
      await p.ingest();
    }
    await p.transform();
    await p.load();
  });
  after(closeAll);

  /** The functions that take S3's events, and the bucket that each waits for. */
  const takers = [
    { stage: "transform", bucket: "INGESTION_BUCKET", other: "PROCESSED_BUCKET" },
    { stage: "load", bucket: "PROCESSED_BUCKET", other: "INGESTION_BUCKET" },
  ] as const;
  const s3Record = (bucket: string, key: string): object => ({
    eventSource: "aws:s3",
    s3: { bucket: { name: bucket }, object: { key } },
  });
  const s3 = (bucket: string, ...keys: string[]): object => ({
    Records: keys.map((key) => s3Record(bucket, key)),
  });
  const sqs = (...bodies: (object | string)[]): object => ({
    Records: bodies.map((body, i) => ({
      messageId: `m${i + 1}`,
      body: typeof body === "string" ? body : JSON.stringify(body),
      eventSource: "aws:sqs",
    })),
  });
  const failures = (...ids: string[]): { itemIdentifier: string }[] =>
    ids.map((itemIdentifier) => ({ itemIdentifier }));
  const testEvent = { Service: "Amazon S3", Event: "s3:TestEvent", Bucket: "lake" };

  for (const { stage, bucket, other } of takers) {
    it(`of another bucket is refused by ${stage}, with both names`, async () => {
      const [mine, theirs] = [p.env[bucket], p.env[other]];
      await refusal(
        p,
        () => p[stage](s3(theirs, manifestKey(1))),
        `refused: an event of bucket ${theirs} (key _batches/0000000001.json); this function waits for ${mine} alone`,
      );
      const { batchItemFailures } = await p[stage](queued(theirs, 1));
      expect(batchItemFailures).to.deep.equal(failures("m1"));
    });

    it(`whose key is no manifest is left alone by ${stage}`, async () => {
      const before = await stateOf(p);
      for (const key of [
        "_batches/",
        "_batches/1.json",
        "_batches/0000000000.json",
        "_hints/newest.json",
        "staff/2026/11/22/0000000001-x.json.gz",
        "%00",
        "_batches%2F..%2F0000000001.json",
      ]) {
        expect(await p[stage](s3(p.env[bucket], key))).to.deep.include({ batchItemFailures: [] });
        expect(await p[stage](sqs(s3(p.env[bucket], key)))).to.deep.include({
          batchItemFailures: [],
        });
      }
      expect(await stateOf(p)).to.deep.equal(before);
    });

    it(`that S3 sends as a test, bare or wrapped, is left alone by ${stage}`, async () => {
      const before = await stateOf(p);
      expect(await p[stage](testEvent)).to.deep.include({ batchItemFailures: [] });
      expect(await p[stage](sqs(testEvent))).to.deep.include({ batchItemFailures: [] });
      expect(await stateOf(p)).to.deep.equal(before);
    });

    it(`that cannot be read fails ${stage}'s message, not its neighbours`, async () => {
      const bad = [
        "{",
        s3(p.env[bucket], "%E0%A4%A"),
        { Records: [null] },
        { Records: [{ s3: {} }] },
      ];
      const { batchItemFailures } = await p[stage](
        sqs(s3(p.env[bucket], manifestKey(1)), ...bad, testEvent),
      );
      expect(batchItemFailures).to.deep.equal(failures("m2", "m3", "m4", "m5"));
      await expect(p[stage]({ Records: [null] })).to.be.rejectedWith(
        "refused: a record that is null",
      );
      await expect(p[stage](s3(p.env[bucket], "%E0%A4%A"))).to.be.rejectedWith(
        "refused: a key that is not URL-encoded: %E0%A4%A",
      );
    });

    it(`without records wakes ${stage} as the schedule does`, async () => {
      for (const event of [undefined, {}, { source: "aws.events", detail: {} }]) {
        await next();
        if (stage === "load") await p.transform();
        const batch = await newest();
        const answer = await p[stage](event);
        expect(batchesOf(answer), JSON.stringify(event)).to.deep.equal([batch]);
      }
    });

    it(`with an empty list of records is no error to ${stage}`, async () => {
      expect(await p[stage]({ Records: [] })).to.deep.include({ batchItemFailures: [] });
    });

    const forms: [string, (bucket: string, batch: number) => object][] = [
      ["as S3 sends it", (name, batch) => s3(name, manifestKey(batch))],
      [
        "with its key URL-encoded",
        (name, batch) => s3(name, encodeURIComponent(manifestKey(batch))),
      ],
      [
        "among several records",
        (name, batch) => s3(name, "_hints/x", manifestKey(batch), manifestKey(batch), "a+b"),
      ],
      [
        "among several messages",
        (name, batch) => sqs(testEvent, s3(name, "_hints/x", manifestKey(batch)), testEvent),
      ],
    ];
    for (const [form, make] of forms)
      it(`of a manifest, ${form}, has ${stage} do its batch`, async () => {
        await next();
        const batch = await newest();
        if (stage === "load") await p.transform();
        const answer = await p[stage](make(p.env[bucket], batch));
        expect(answer.batchItemFailures).to.deep.equal([]);
        expect(batchesOf(answer)).to.include(batch);
      });
  }

  it("for a batch that does not exist fails the transformation by the manifest's name", async () => {
    await refusal(
      p,
      () => p.transform(s3(p.env.INGESTION_BUCKET, manifestKey(999))),
      `s3://${p.env.INGESTION_BUCKET}/_batches/0000000999.json is not there; restore the version`,
    );
    const { batchItemFailures } = await p.transform(queued(p.env.INGESTION_BUCKET, 999));
    expect(batchItemFailures).to.deep.equal(failures("m999"));
  });

  it("for a batch that does not exist is a wake-up call to the loader like any other", async () => {
    await next();
    await p.transform();
    const answer = await p.load(queued(p.env.PROCESSED_BUCKET, 999));
    expect(answer.batchItemFailures).to.deep.equal([]);
    expect(batchesOf(answer)).to.deep.equal([await newest()]);
  });

  it("of any kind leaves the warehouse true", async () => {
    await p.run();
    await p.expectTrue();
  });

  /** One more batch of the ingestion bucket. */
  let units = 0;
  async function next(): Promise<void> {
    await p.shop.none("update sales_order set units_sold = $1 where sales_order_id = 1", [++units]);
    await p.ingest();
  }
  const newest = async (): Promise<number> => (await p.keys("ingestion", "_batches/")).length;
  const batchesOf = (answer: object): number[] =>
    (
      ("batches" in answer ? answer.batches : "loaded" in answer ? answer.loaded : []) as {
        batch: number;
        outcome?: string;
      }[]
    )
      .filter(({ outcome }) => outcome !== "done already")
      .map(({ batch }) => batch);
});
