// Databases and roles come in any setting, passwords hold anything, and warehouses are prepared by others: the service
// depends on none of it.
import { setTimeout as delay } from "node:timers/promises";
import { compare, latestOf, problems, starOf } from "../../localstack/totesys/star.ts";
import { checkTables } from "../../src/check-tables.ts";
import { ingest, type IngestionSummary } from "../../src/ingestion/ingest.ts";
import { receiptKey } from "../../src/lake/keys.ts";
import type { LoadingSummary } from "../../src/loading/load.ts";
import { connectWith } from "../../src/postgres/connection.ts";
import {
  defineSource,
  defineTable,
  integer,
  key,
  text,
  timestamp,
  timestampOf,
  timestamptz,
} from "../../src/table.ts";
import { addRole, addSecret, callWith, type Role } from "../support/attack.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";

/** Texts that every escaping meets. */
const TRICKY = "O'Keefe \\ \\n \\N \" é 👜 \t| ; $1";

/** Calls all three functions with these secrets. */
async function runWith(
  p: TestPipeline,
  secrets: { SOURCE_SECRET?: string; WAREHOUSE_SECRET?: string },
): Promise<LoadingSummary> {
  await callWith(p, "ingestion", secrets);
  await callWith(p, "transformation", {});
  return (await callWith(p, "loading", secrets)) as LoadingSummary;
}

describe("a role's settings", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 10 });
    // Times that a time zone would move to another day or hour, money with its pennies, and text.
    await p.shop.none(
      `update sales_order set created_at = '2024-03-31 00:15:00.1', last_updated = '2024-10-27 23:59:59.999',
              agreed_delivery_date = '2024-02-03' where sales_order_id = 1;
       update staff set first_name = $1 where staff_id = 1`,
      [TRICKY],
    );
    // Columns that nobody declares lie in the lake all the same, in a form that no setting bends.
    await p.shop.none(
      `alter table staff add column f float8 default 0.1::float8 + 0.2::float8, add column b bytea default '\\x01ff',
         add column i interval default '1 day 02:03:04', add column d daterange default '[2024-02-03,2024-03-04)',
         add column z timestamptz default '2024-02-03 04:05:06+00'`,
    );
    // What a search path finds before PostgreSQL's own.
    await p.shop.none(
      `create schema evil;
       create function evil.to_json(text) returns json language sql as $$ select '"evil"'::json $$;
       create function evil.to_json(timestamp) returns json language sql as $$ select '"evil"'::json $$;
       create function evil.age(xid) returns int language sql as $$ select 2147483647 $$`,
    );
    await p.star.none(
      "create schema evil; create domain evil.date as text; create table evil.dim_staff (staff_id int)",
    );
  });
  after(closeAll);

  /** Each round is added to the ones before it. */
  const rounds: Readonly<Record<string, string>>[] = [
    {
      timezone: "Asia/Kathmandu",
      datestyle: "German",
      search_path: "nowhere",
      default_transaction_isolation: "serializable",
      default_transaction_read_only: "on",
      default_transaction_deferrable: "on",
      bytea_output: "escape",
      extra_float_digits: "-15",
    },
    { search_path: "evil, pg_catalog, public" },
    { statement_timeout: "1ms", lock_timeout: "1ms", idle_in_transaction_session_timeout: "10ms" },
    {
      client_encoding: "latin1",
      standard_conforming_strings: "off",
      backslash_quote: "off",
      transform_null_equals: "on",
      quote_all_identifiers: "on",
      array_nulls: "off",
      row_security: "on",
    },
    {
      timezone: "America/St_Johns",
      datestyle: "SQL, MDY",
      search_path: "",
      intervalstyle: "sql_standard",
      default_transaction_isolation: "repeatable read",
      lc_messages: "POSIX",
      lc_monetary: "POSIX",
      lc_numeric: "POSIX",
      lc_time: "POSIX",
    },
    {
      work_mem: "64kB",
      jit: "on",
      enable_hashjoin: "off",
      plan_cache_mode: "force_generic_plan",
      session_replication_role: "replica",
    },
  ];

  it("change nothing, alone or together, in the source or in the warehouse", async () => {
    const odd = await addRole(p);
    await p.shop.none("alter role $1:name superuser", odd.user);
    const secrets = {
      SOURCE_SECRET: await addSecret(p, { ...p.source, ...odd }),
      WAREHOUSE_SECRET: await addSecret(p, { ...p.warehouse, ...odd }),
    };
    for (const [round, settings] of rounds.entries()) {
      for (const [setting, value] of Object.entries(settings))
        await p.shop.none("alter role $1:name set $2:name to $3:csv", [
          odd.user,
          setting,
          value.split(", "),
        ]);
      await p.shop.none(
        `update sales_order set units_sold = $1 where sales_order_id = 1;
         update staff set last_name = $2 where staff_id = 1`,
        [round, `${TRICKY}${round}`],
      );
      const { loaded } = await runWith(p, secrets);
      expect(loaded.length, JSON.stringify(settings)).to.equal(1);
      await p.expectTrue();
      const [line] = await p.lines(round + 1, "staff");
      expect(line).to.include({
        f: 0.30000000000000004,
        b: "\\x01ff",
        i: "P1DT2H3M4S",
        d: "[2024-02-03,2024-03-04)",
        z: "2024-02-03T04:05:06+00:00",
      });
      const receipt = JSON.parse((await p.get("processed", receiptKey(round + 1))).toString()) as {
        loaded_at: string;
      };
      expect(receipt.loaded_at).to.match(/^\d{4}-\d\d-\d\dT[\d:.]+\+00:00$/);
    }
    const versions = await p.star.any<{ units_sold: number }>(
      "select units_sold from fact_sales_order where sales_order_id = 1 order by sales_record_id",
    );
    expect(versions.map((row) => row.units_sold)).to.deep.equal(rounds.map((_, round) => round));
    expect(
      await p.star.one(
        `select created_date::text, created_time::text, last_updated_date::text, last_updated_time::text, agreed_delivery_date::text
           from fact_sales_order where sales_order_id = 1 order by sales_record_id desc limit 1`,
      ),
    ).to.deep.equal({
      created_date: "2024-03-31",
      created_time: "00:15:00.1",
      last_updated_date: "2024-10-27",
      last_updated_time: "23:59:59.999",
      agreed_delivery_date: "2024-02-03",
    });
    expect(
      await p.star.one("select first_name, last_name from dim_staff where staff_id = 1"),
    ).to.deep.equal({ first_name: TRICKY, last_name: `${TRICKY}${rounds.length - 1}` });
  });

  it("that cut every statement off are overruled at each of many connections", async () => {
    const hasty = await addRole(p);
    await p.shop.none(
      "alter role $1:name superuser; alter role $1:name set statement_timeout to '1ms'; alter role $1:name set default_transaction_read_only to on",
      [hasty.user],
    );
    const SOURCE_SECRET = await addSecret(p, { ...p.source, ...hasty });
    for (let i = 0; i < 10; i++)
      expect(await callWith(p, "ingestion", { SOURCE_SECRET })).to.include({
        outcome: "unchanged",
      });
  });

  it("that wait for no lock are overruled: a table that is locked for a while is waited for", async () => {
    const hasty = await addRole(p);
    await p.shop.none(
      "alter role $1:name superuser; alter role $1:name set lock_timeout to '1ms'",
      [hasty.user],
    );
    const SOURCE_SECRET = await addSecret(p, { ...p.source, ...hasty });
    const migration = await p.shop.connect();
    await migration.none("begin; lock table design in access exclusive mode");
    const [summary] = await Promise.all([
      callWith(p, "ingestion", { SOURCE_SECRET }),
      delay(300).then(() => migration.none("commit")),
    ]);
    await migration.done();
    expect(summary).to.include({ outcome: "unchanged" });
  });

  it("that give backslashes a meaning do not reach the reason for a skipped batch", async () => {
    const odd = await addRole(p);
    await p.shop.none(
      "alter role $1:name superuser; alter role $1:name set standard_conforming_strings to off",
      [odd.user],
    );
    const SOURCE_SECRET = await addSecret(p, { ...p.source, ...odd });
    const WAREHOUSE_SECRET = await addSecret(p, { ...p.warehouse, ...odd });
    await p.shop.none("update staff set first_name = 'Skipped'");
    const { batch } = (await callWith(p, "ingestion", { SOURCE_SECRET })) as IngestionSummary;
    const why = "it\\'s bad: \\\\', null, null); drop table dim_staff cascade; --\\";
    await callWith(p, "loading", { WAREHOUSE_SECRET }, { skip: batch, why });
    expect(
      await p.star.any(
        "select batch, skipped_why from etl.batch_load where skipped_why is not null",
      ),
    ).to.deep.equal([{ batch: String(batch), skipped_why: why }]);
    await p.ingest({ resync: true });
    await runWith(p, { WAREHOUSE_SECRET });
    await p.expectTrue();
  });

  it("may be the database's own as well", async () => {
    // The tables are a superuser's, of the tests before.
    const WAREHOUSE_SECRET = await addSecret(p, p.warehouse);
    for (const [db, { database }] of [
      [p.shop, p.source],
      [p.star, p.warehouse],
    ] as const)
      for (const [setting, value] of [
        ["timezone", "Pacific/Chatham"],
        ["datestyle", "German"],
        ["search_path", "nowhere"],
        ["statement_timeout", "1ms"],
        ["default_transaction_read_only", "on"],
        ["standard_conforming_strings", "off"],
      ])
        await db.none("alter database $1:name set $2:name to $3", [database, setting, value]);
    await p.shop.none("update staff set first_name = 'Chatham'");
    await runWith(p, { WAREHOUSE_SECRET });
    await p.expectTrue();
  });
});

describe("a high-water mark", () => {
  after(closeAll);

  it("is read as it was written, whatever DateStyle and time zone the role has by then", async () => {
    const p = await openPipeline({ orders: 0 });
    await p.shop.none(
      `create table event (id int primary key, label text not null, at timestamp not null, moment timestamptz not null);
       create table entry (id int primary key, label text not null, moment timestamptz not null);
       insert into event values (1, 'one', '2024-02-03 04:05:06.7', now());
       insert into entry values (1, 'one', '2024-02-03 23:30:00+00')`,
    );
    const columns = { id: key(integer), label: text };
    const lag = { lag: 0 };
    const star = { event_id: key(integer), label: text };
    const tables = checkTables({
      "dim_event.ts": {
        default: defineTable({
          name: "dim_event",
          description: "One row per event.",
          source: defineSource(
            "event",
            { ...columns, at: timestamp },
            { changes: timestampOf("at", lag) },
          ),
          columns: star,
          format: ({ id, label }) => ({ event_id: id, label }),
        }),
      },
      "dim_entry.ts": {
        default: defineTable({
          name: "dim_entry",
          description: "One row per entry.",
          source: defineSource(
            "entry",
            { ...columns, moment: timestamptz },
            { changes: timestampOf("moment", lag) },
          ),
          columns: star,
          format: ({ id, label }) => ({ event_id: id, label }),
        }),
      },
    });
    const role = await addRole(p);
    await p.shop.none("grant select on event, entry to $1:name", [role.user]);
    const secret = await addSecret(p, { ...p.source, ...role });
    Object.assign(process.env, p.env);
    const read = async (datestyle: string, zone: string): Promise<unknown> => {
      await p.shop.none(
        "alter role $1:name set datestyle to $2; alter role $1:name set timezone to $3",
        [role.user, datestyle, zone],
      );
      return (await ingest(() => connectWith(secret), p.env.INGESTION_BUCKET, tables)).rows;
    };
    expect(await read("German", "Asia/Kathmandu")).to.deep.equal({ event: 1, entry: 1 });
    expect((await p.ingested(1)).high_water).to.deep.equal({
      event: "2024-02-03 04:05:06.7",
      entry: "2024-02-03 23:30:00+00",
    });
    await p.shop.none(
      `insert into event values (2, 'before', '2024-02-03 04:05:06.6', now()), (3, 'after', '2024-02-03 04:05:06.8', now());
       insert into entry values (2, 'before', '2024-02-03 23:29:59+00'), (3, 'after', '2024-02-03 23:30:01+00')`,
    );
    // At the mark, and past it: the rows before it are what `timestamp` says it can miss.
    expect(await read("SQL, MDY", "America/St_Johns")).to.deep.equal({ event: 2, entry: 2 });
    expect((await p.ingested(2)).high_water).to.deep.equal({
      event: "2024-02-03 04:05:06.8",
      entry: "2024-02-03 23:30:01+00",
    });
  });
});

describe("a password", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 5 });
    await p.run();
  });
  after(closeAll);

  for (const password of [
    'it\'s "quoted"',
    "a@b:c/d?e=f#g&h",
    "100%25 %41 %",
    "élan ß Ω 👜",
    " spaces  inside and at the ends ",
    "back\\slash\\\\n\\'",
    '{"json":"yes"} $1 ${x}',
    "SCRAM-SHA-256$4096:x",
    "x".repeat(500),
    "\u00a0\ufb01 e\u0301",
  ])
    it(`opens both databases: ${JSON.stringify(password.slice(0, 30))}`, async () => {
      const role = await addRole(p, password);
      await p.shop.none("alter role $1:name superuser", role.user);
      const SOURCE_SECRET = await addSecret(p, { ...p.source, ...role });
      const WAREHOUSE_SECRET = await addSecret(p, { ...p.warehouse, ...role });
      expect(await callWith(p, "ingestion", { SOURCE_SECRET })).to.include({
        outcome: "unchanged",
      });
      expect(await callWith(p, "loading", { WAREHOUSE_SECRET })).to.include({ newest: 1 });
    });
});

describe("a warehouse's schema", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 5 });
  });
  after(closeAll);

  for (const schema of ['O\'Brien "x" €.y', "select"])
    it(`is the secret's: ${schema}`, async () => {
      await p.star.none("create schema $1:name; drop schema if exists etl cascade", [schema]);
      const WAREHOUSE_SECRET = await addSecret(p, { ...p.warehouse, schema });
      await p.shop.none("update staff set first_name = $1", [schema]);
      await runWith(p, { WAREHOUSE_SECRET });
      expect(problems(compare(await starOf(p.shop), await latestOf(p.star, schema)))).to.deep.equal(
        [],
      );
      expect(
        await p.star.any("select tablename from pg_tables where schemaname = 'public'"),
      ).to.deep.equal([]);
      // A second run knows its tables again.
      await p.shop.none("update sales_order set units_sold = units_sold + 1");
      expect((await runWith(p, { WAREHOUSE_SECRET })).prepared).to.deep.equal([]);
      expect(
        problems(
          compare(await starOf(p.shop), await latestOf(p.star, schema), { allowExtraDates: true }),
        ),
      ).to.deep.equal([]);
    });

  it("that is not there is named", async () => {
    const WAREHOUSE_SECRET = await addSecret(p, { ...p.warehouse, schema: "nowhere" });
    await expect(callWith(p, "loading", { WAREHOUSE_SECRET })).to.be.rejectedWith(
      /^cannot prepare nowhere\.dim_\w+: schema "nowhere" does not exist; /,
    );
  });
});

/** How a warehouse's builder may have written what TOTESYS.md leaves open. */
interface Dialect {
  readonly int: string;
  readonly text: string;
  readonly money: string;
  readonly record: string;
}
const DIALECTS: Readonly<Record<string, Dialect>> = {
  "serial, integer and varchar": {
    int: "integer",
    text: "varchar",
    money: "numeric(10,2)",
    record: "serial",
  },
  "an identity by default, bigint, text and wider money": {
    int: "bigint",
    text: "text",
    money: "numeric(14,4)",
    record: "integer generated by default as identity",
  },
  "an identity always, varchar(500) and money of any size": {
    int: "integer",
    text: "varchar(500)",
    money: "numeric",
    record: "bigint generated always as identity",
  },
};

/** The eleven tables as TOTESYS.md writes them, by hand. */
const starSql = ({ int, text, money, record }: Dialect): string => `
  create table dim_date (
    date_id date primary key, year ${int} not null, month ${int} not null, day ${int} not null,
    day_of_week ${int} not null, day_name ${text} not null, month_name ${text} not null, quarter ${int} not null);
  create table dim_staff (
    staff_id ${int} primary key, first_name ${text} not null, last_name ${text} not null,
    department_name ${text} not null, location ${text} not null, email_address ${text} not null);
  create table dim_location (
    location_id ${int} primary key, address_line_1 ${text} not null, address_line_2 ${text}, district ${text},
    city ${text} not null, postal_code ${text} not null, country ${text} not null, phone ${text} not null);
  create table dim_currency (
    currency_id ${int} primary key, currency_code ${text} not null, currency_name ${text} not null);
  create table dim_design (
    design_id ${int} primary key, design_name ${text} not null, file_location ${text} not null, file_name ${text} not null);
  create table dim_counterparty (
    counterparty_id ${int} primary key, counterparty_legal_name ${text} not null,
    counterparty_legal_address_line_1 ${text} not null, counterparty_legal_address_line_2 ${text},
    counterparty_legal_district ${text}, counterparty_legal_city ${text} not null,
    counterparty_legal_postal_code ${text} not null, counterparty_legal_country ${text} not null,
    counterparty_legal_phone_number ${text} not null);
  create table dim_payment_type (payment_type_id ${int} primary key, payment_type_name ${text} not null);
  create table dim_transaction (
    transaction_id ${int} primary key, transaction_type ${text} not null, sales_order_id ${int}, purchase_order_id ${int});
  create table fact_sales_order (
    sales_record_id ${record} primary key, sales_order_id ${int} not null,
    created_date date not null references dim_date, created_time time not null,
    last_updated_date date not null references dim_date, last_updated_time time not null,
    sales_staff_id ${int} not null references dim_staff, counterparty_id ${int} not null references dim_counterparty,
    units_sold ${int} not null, unit_price ${money} not null, currency_id ${int} not null references dim_currency,
    design_id ${int} not null references dim_design, agreed_payment_date date not null references dim_date,
    agreed_delivery_date date not null references dim_date,
    agreed_delivery_location_id ${int} not null references dim_location);
  create table fact_purchase_order (
    purchase_record_id ${record} primary key, purchase_order_id ${int} not null,
    created_date date not null references dim_date, created_time time not null,
    last_updated_date date not null references dim_date, last_updated_time time not null,
    staff_id ${int} not null references dim_staff, counterparty_id ${int} not null references dim_counterparty,
    item_code ${text} not null, item_quantity ${int} not null, item_unit_price ${money} not null,
    currency_id ${int} not null references dim_currency, agreed_delivery_date date not null references dim_date,
    agreed_payment_date date not null references dim_date,
    agreed_delivery_location_id ${int} not null references dim_location);
  create table fact_payment (
    payment_record_id ${record} primary key, payment_id ${int} not null,
    created_date date not null references dim_date, created_time time not null,
    last_updated_date date not null references dim_date, last_updated_time time not null,
    transaction_id ${int} not null references dim_transaction, counterparty_id ${int} not null references dim_counterparty,
    payment_amount ${money} not null, currency_id ${int} not null references dim_currency,
    payment_type_id ${int} not null references dim_payment_type, paid boolean not null,
    payment_date date not null references dim_date);`;

describe("a warehouse that somebody else prepared", () => {
  after(closeAll);

  /** Everything that a builder would see changed: columns, defaults, constraints, indexes, owners, comments, rights. */
  const definition = ({ star }: TestPipeline): Promise<object> =>
    star.any(
      `select c.relname, c.relkind, pg_get_userbyid(c.relowner) as owner, c.relacl::text, obj_description(c.oid) as comment,
              (select json_agg(json_build_array(a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
                               pg_get_expr(d.adbin, d.adrelid)) order by a.attnum)
                 from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
                where a.attrelid = c.oid and a.attnum > 0) as columns,
              (select json_agg(pg_get_constraintdef(k.oid) order by k.conname) from pg_constraint k where k.conrelid = c.oid) as constraints
         from pg_class c where c.relnamespace = 'public'::regnamespace order by 1`,
    );

  /** The owner's tables, and a loader that may just do its work on them. */
  async function prepare(p: TestPipeline, dialect: Dialect, rights: string): Promise<Role> {
    const owner = await addRole(p);
    const loader = await addRole(p);
    const { database } = p.warehouse;
    await p.star.none(
      `revoke all on database $1:name from public; revoke all on schema public from public;
       grant connect, create, temporary on database $1:name to $3:name;
       grant usage on schema public to $3:name; grant usage, create on schema public to $2:name`,
      [database, owner.user, loader.user],
    );
    await p.star.none(
      `set role $1:name; ${starSql(dialect)} grant ${rights} on all tables in schema public to $2:name;
       grant usage on all sequences in schema public to $2:name; reset role`,
      [owner.user, loader.user],
    );
    return loader;
  }

  for (const [name, dialect] of Object.entries(DIALECTS))
    it(`is used as it is, without a right to its schema: ${name}`, async () => {
      const p = await openPipeline({ orders: 6 });
      await p.shop.none("update staff set first_name = $1 where staff_id = 1", [TRICKY]);
      const loader = await prepare(p, dialect, "select, insert, update");
      const before = await definition(p);
      const WAREHOUSE_SECRET = await addSecret(p, { ...p.warehouse, ...loader });
      expect((await runWith(p, { WAREHOUSE_SECRET })).prepared).to.deep.equal([]);
      await p.shop.none(
        `update sales_order set unit_price = unit_price + 0.01; update payment set paid = not paid;
         update department set location = 'Moved'; update purchase_order set item_code = 'X' where purchase_order_id = 1`,
      );
      await runWith(p, { WAREHOUSE_SECRET });
      await p.expectTrue();
      expect(await p.star.one("select count(*) n from fact_sales_order")).to.deep.equal({
        n: "12",
      });

      // Everything once more: no version is doubled, whatever the columns' types are.
      await p.ingest({ resync: true });
      await runWith(p, { WAREHOUSE_SECRET });
      await p.expectTrue();
      expect(await p.star.one("select count(*) n from fact_sales_order")).to.deep.equal({
        n: "12",
      });
      expect(await definition(p)).to.deep.equal(before);
    });

  it("where the loader may not write is told what to grant, and nothing is loaded", async () => {
    const p = await openPipeline({ orders: 5 });
    const loader = await prepare(p, DIALECTS["serial, integer and varchar"]!, "select");
    const WAREHOUSE_SECRET = await addSecret(p, { ...p.warehouse, ...loader });
    await expect(runWith(p, { WAREHOUSE_SECRET })).to.be.rejectedWith(
      /^dim_\w+: permission denied for table dim_\w+; GRANT SELECT, INSERT, UPDATE on it, and USAGE on its sequence, to this user$/,
    );
    expect(await p.star.one("select count(*) n from etl.batch_load")).to.deep.equal({ n: "0" });
    await p.star.none("grant insert, update on all tables in schema public to $1:name", [
      loader.user,
    ]);
    await runWith(p, { WAREHOUSE_SECRET });
    await p.expectTrue();
  });

  it("without one of its tables is told that, and what to grant", async () => {
    const p = await openPipeline({ orders: 5 });
    const loader = await prepare(
      p,
      DIALECTS["serial, integer and varchar"]!,
      "select, insert, update",
    );
    await p.star.none("drop table fact_payment");
    const WAREHOUSE_SECRET = await addSecret(p, { ...p.warehouse, ...loader });
    await expect(runWith(p, { WAREHOUSE_SECRET })).to.be.rejectedWith(
      "cannot prepare public.fact_payment: permission denied for schema public; GRANT CREATE ON SCHEMA to this user, or let the tables' owner do it",
    );
    await p.star.none(
      "grant create on schema public to $1:name; grant references on all tables in schema public to $1:name",
      [loader.user],
    );
    expect((await runWith(p, { WAREHOUSE_SECRET })).prepared).to.deep.equal([
      "created fact_payment",
    ]);
    await p.expectTrue();
  });
});
