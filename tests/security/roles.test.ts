// The SQL that docs/roles.md gives: it runs as it is written, what it grants is enough, and nothing more.
import { readdir } from "node:fs/promises";
import { roleSql, type Names } from "../../localstack/users.ts";
import { allSources } from "../../src/check-tables.ts";
import { getTables } from "../../src/registry.ts";
import { addSecret, callWith, failureOf } from "../support/attack.ts";
import { expect } from "../support/chai.ts";
import {
  closeAll,
  connectTo,
  openPipeline,
  type Database,
  type TestPipeline,
} from "../support/pipeline.ts";

let count = 0;

/** Runs a file of infrastructure/sql in both of its databases' places, under names that break what does not quote them. */
function names(p: TestPipeline): Required<Names> {
  count++;
  return {
    totes_reader: `reader "${count}"; --`,
    totesys: p.source.database,
    totes_loader: `loader '${count}' $1`,
    warehouse: p.warehouse.database,
  };
}

const password = "let me in";

/** A role that a file made, with its password, as a secret. */
async function secretOf(
  p: TestPipeline,
  db: Database,
  side: "source" | "warehouse",
  user: string,
): Promise<string> {
  await db.none("alter role $1:name password $2", [user, password]);
  return addSecret(p, { ...p[side], user, password });
}

/** What a role may not do, as statements and the error that each must end in. */
async function expectRefused(
  role: Database,
  refused: readonly [statement: string, error: RegExp][],
): Promise<void> {
  for (const [statement, error] of refused)
    expect((await failureOf(role.none(statement))).message, statement).to.match(error);
}

const attributes = (db: Database, user: string): Promise<object> =>
  db.one(
    `select rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,
            (select count(*)::int from pg_auth_members where member = r.oid) as memberships
       from pg_roles r where rolname = $1`,
    [user],
  );
const NOBODY = {
  rolsuper: false,
  rolcreaterole: false,
  rolcreatedb: false,
  rolreplication: false,
  rolbypassrls: false,
  memberships: 0,
};

describe("the reader's SQL", () => {
  let p: TestPipeline;
  let one: Required<Names>;
  before(async () => {
    p = await openPipeline({ orders: 8 });
    // What PostgreSQL gives to everybody, taken back, so that each right is one that was granted.
    await p.shop.none("revoke all on database $1:name from public", [p.source.database]);
    await p.shop.none("revoke all on schema public from public");
    one = names(p);
    await p.shop.none(await roleSql("source-role.sql", one));
  });
  after(closeAll);

  it("names the tables that tables/ declares, and no others", async () => {
    const granted = await p.shop.any<{ table_name: string }>(
      "select table_name from information_schema.role_table_grants where grantee = $1 order by 1",
      [one.totes_reader],
    );
    expect(granted.map(({ table_name }) => table_name)).to.deep.equal(
      allSources(await getTables())
        .map(({ name }) => name)
        .sort(),
    );
  });

  it("is enough for ingestion, and the warehouse is filled from what it read", async () => {
    const SOURCE_SECRET = await secretOf(p, p.shop, "source", one.totes_reader);
    expect(await callWith(p, "ingestion", { SOURCE_SECRET })).to.include({ outcome: "committed" });
    await p.transform();
    await p.load();
    await p.expectTrue();
  });

  it("gives a user who can do nothing else", async () => {
    expect(await attributes(p.shop, one.totes_reader)).to.deep.equal(NOBODY);
    const role = connectTo({ ...p.source, user: one.totes_reader, password });
    await expectRefused(role, [
      ["insert into department values (99, 'x')", /permission denied for table department/],
      ["update staff set first_name = 'x'", /permission denied for table staff/],
      ["delete from staff", /permission denied for table staff/],
      ["truncate staff", /permission denied for table staff/],
      ["select from staff for update", /permission denied for table staff/],
      ["drop table staff", /must be owner of table staff/],
      ["select from _prisma_migrations", /permission denied for table _prisma_migrations/],
      ["create table mine (id int)", /permission denied for schema public/],
      ["create temporary table mine (id int)", /permission denied to create temporary tables/],
      ["create schema mine", /permission denied for database/],
      ["set session_replication_role to replica", /permission denied to set parameter/],
      ["copy staff to program 'cat'", /permission denied to COPY to or from an external program/],
      ["select pg_read_file('postgresql.conf')", /permission denied for function pg_read_file/],
      ["create role mine", /permission denied to create role/],
    ]);
  });

  it("does not let the reader see tables that come later, unless that is granted", async () => {
    await p.shop.none("create table before (id int)");
    await p.shop.none(await roleSql("source-role-later-tables.sql", one));
    await p.shop.none("create table later (id int)");
    const role = connectTo({ ...p.source, user: one.totes_reader, password });
    await expectRefused(role, [["select from before", /permission denied for table before/]]);
    expect(await role.any("select from later")).to.deep.equal([]);
  });

  it("says what a hardened server's administrator grants besides", async () => {
    const functions =
      "pg_catalog.pg_control_system(), pg_catalog.pg_control_checkpoint(), pg_catalog.pg_control_recovery()";
    await p.shop.none(`revoke execute on function ${functions} from public`);
    const SOURCE_SECRET = await secretOf(p, p.shop, "source", one.totes_reader);
    await expect(callWith(p, "ingestion", { SOURCE_SECRET })).to.be.rejectedWith(
      "permission denied for function pg_control_",
    );
    await p.shop.none(await roleSql("source-role-hardened.sql", one));
    expect(await callWith(p, "ingestion", { SOURCE_SECRET })).to.include({ outcome: "unchanged" });
  });
});

describe("the loader's SQL", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 8 });
    await p.ingest();
    await p.transform();
  });
  after(closeAll);
  /** Another database for another loader. */
  async function begin(file: string): Promise<{ user: string; secret: string }> {
    const one = names(p);
    await p.star.none(await roleSql(file, one));
    const user = one.totes_loader;
    return { user, secret: await secretOf(p, p.star, "warehouse", user) };
  }
  const anew = async (): Promise<void> => {
    await p.star.none(
      "drop schema if exists etl cascade; drop schema public cascade; create schema public",
    );
    await p.star.none("revoke all on database $1:name from public", [p.warehouse.database]);
    for (const key of await p.keys("processed", "_loads/")) await p.remove("processed", key);
  };

  it("is enough to make the star and to fill it, twice", async () => {
    await anew();
    const { secret } = await begin("warehouse-role.sql");
    await callWith(p, "loading", { WAREHOUSE_SECRET: secret });
    await p.expectTrue();
    await p.shop.none("update payment set paid = not paid");
    await p.ingest();
    await p.transform();
    expect(await callWith(p, "loading", { WAREHOUSE_SECRET: secret })).to.include({ newest: 2 });
    await p.expectTrue();
  });

  it("gives a user who can do nothing else", async () => {
    await anew();
    await p.star.none(
      "create table of_somebody_else (id int); revoke all on of_somebody_else from public",
    );
    await p.star.none("revoke all on of_somebody_else from $1:name", [p.users.loader.user]);
    const { user } = await begin("warehouse-role.sql");
    expect(await attributes(p.star, user)).to.deep.equal(NOBODY);
    await expectRefused(connectTo({ ...p.warehouse, user, password }), [
      ["select from of_somebody_else", /permission denied for table of_somebody_else/],
      ["drop table of_somebody_else", /must be owner of table of_somebody_else/],
      ["set session_replication_role to replica", /permission denied to set parameter/],
      [
        "copy (select 1) to program 'cat'",
        /permission denied to COPY to or from an external program/,
      ],
      ["create role mine", /permission denied to create role/],
      ["create database mine", /permission denied to create database/],
    ]);
  });

  it("is enough for tables that are somebody else's, and leaves them theirs", async () => {
    await anew();
    const maker = await begin("warehouse-role.sql");
    const { newest } = (await callWith(p, "loading", { WAREHOUSE_SECRET: maker.secret })) as {
      newest: number;
    };
    // The tables stay, empty; what was loaded is forgotten.
    await p.star.none(
      `drop schema etl cascade;
       truncate fact_sales_order, fact_purchase_order, fact_payment, dim_date, dim_staff, dim_location, dim_currency,
                dim_design, dim_counterparty, dim_payment_type, dim_transaction`,
    );
    const { user, secret } = await begin("warehouse-role-prepared.sql");
    expect(await callWith(p, "loading", { WAREHOUSE_SECRET: secret })).to.deep.include({
      newest,
      prepared: [],
    });
    await p.expectTrue();
    await expectRefused(connectTo({ ...p.warehouse, user, password }), [
      ["create table mine (id int)", /permission denied for schema public/],
      ["delete from dim_staff", /permission denied for table dim_staff/],
      ["truncate dim_staff", /permission denied for table dim_staff/],
      ["alter table dim_staff add column x int", /must be owner of table dim_staff/],
    ]);
  });

  it("says what a second loader lacks, where the first one's ledger is there", async () => {
    await anew();
    const first = await begin("warehouse-role.sql");
    await callWith(p, "loading", { WAREHOUSE_SECRET: first.secret });
    const second = await begin("warehouse-role.sql");
    await expect(callWith(p, "loading", { WAREHOUSE_SECRET: second.secret })).to.be.rejectedWith(
      "permission denied for etl.batch_load, where loaded batches are counted: another user made it; REASSIGN OWNED BY",
    );
    await p.star.none("reassign owned by $1:name to $2:name", [first.user, second.user]);
    await p.shop.none("update staff set first_name = 'Second'");
    await p.ingest();
    await p.transform();
    await callWith(p, "loading", { WAREHOUSE_SECRET: second.secret });
    await p.expectTrue({ allowExtraDates: true });
  });

  it("says which one grant more has triggers left out", async () => {
    await anew();
    const { user } = await begin("warehouse-role.sql");
    const { may } = await p.star.one<{ may: boolean }>(
      "select has_parameter_privilege($1, 'session_replication_role', 'set') as may",
      [user],
    );
    expect(may).to.equal(false);
    await p.star.none(await roleSql("warehouse-role-faster.sql", { totes_loader: user }));
    const role = connectTo({ ...p.warehouse, user, password });
    await role.none("set session_replication_role to replica");
  });
});

describe("the pipelines of these tests", () => {
  after(closeAll);

  it("enter their databases as those users, not as a superuser", async () => {
    const p = await openPipeline({ orders: 5 });
    await p.run();
    for (const user of [p.users.reader.user, p.users.loader.user])
      expect(await attributes(p.star, user)).to.deep.equal(NOBODY);
    const owners = await p.star.any(
      "select distinct tableowner as owner from pg_tables where schemaname in ('public', 'etl')",
    );
    expect(owners).to.deep.equal([{ owner: p.users.loader.user }]);
  });
});

describe("infrastructure/sql", () => {
  it("has no file that docs/roles.md does not speak of", async () => {
    const { readFile } = await import("node:fs/promises");
    const page = await readFile(new URL("../../docs/roles.md", import.meta.url), "utf8");
    for (const file of await readdir(new URL("../../infrastructure/sql/", import.meta.url)))
      expect(page).to.include(`../infrastructure/sql/${file}`);
  });
});
