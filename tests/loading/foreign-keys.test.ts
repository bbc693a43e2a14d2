// Foreign keys are seen to as sets, and their triggers left out where nothing else would be: both ways end the same, and
// whatever somebody else put on a table goes on working.
import { load } from "../../src/loading/load.ts";
import { whyTriggersRun } from "../../src/loading/triggers.ts";
import { getConnection, type Connection } from "../../src/postgres/connection.ts";
import { codecNamed } from "../../src/parquet/codec.ts";
import {
  date,
  defineSource,
  defineTable,
  integer,
  key,
  nullable,
  references,
  serial,
  text,
} from "../../src/table.ts";
import { addRole, failureOf, type Role } from "../support/attack.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { ingestWith, tablesOf, transformWith } from "../support/stages.ts";

const kind = defineSource("kind", { id: key(integer), word: text });
const thing = defineSource("thing", {
  id: key(integer),
  kind_id: integer,
  other_id: nullable(integer),
  day: date,
  code: text,
});
const tables = tablesOf(
  defineTable({
    name: "dim_kind",
    description: "One row per kind.",
    source: kind,
    columns: { id: key(integer), word: text },
    format: (row) => row,
  }),
  defineTable({
    name: "dim_code",
    description: "One row per code of a thing with a known kind.",
    source: kind,
    columns: { code: key(text), word: text },
    format: ({ word }) => ({ code: word, word }),
  }),
  defineTable({
    name: "dim_date",
    description: "One row per day.",
    source: kind,
    columns: { date_id: key(date), year: integer },
    format: () => [],
  }),
  defineTable({
    name: "fact_thing",
    description: "One row per version of a thing.",
    source: thing,
    columns: {
      record_id: serial,
      id: key(integer),
      kind_id: references("dim_kind", integer),
      other_id: references("dim_kind", nullable(integer)),
      day: references("dim_date", date),
      code: references("dim_code", text),
    },
    format: ({ id, kind_id, other_id, day, code }) => ({ id, kind_id, other_id, day, code }),
  }),
);
const byName = new Map(tables.map((table) => [table.name, table]));
const fact = byName.get("fact_thing")!;

/** A shop of kinds and things: some refer to kinds, days and codes that nobody has. */
async function openThings(): Promise<TestPipeline> {
  const p = await openPipeline({ orders: 0 });
  await p.shop.none(
    `create table kind (id int primary key, word text not null);
     create table thing (id int primary key, kind_id int not null, other_id int, day date not null, code text not null);
     insert into kind values (7, 'a'), (8, 'it''s {"b"} \\ , é');
     insert into thing values (1, 7, null, '2024-02-29', 'a'), (2, 8, 7, '0001-01-01', 'it''s {"b"} \\ , é'),
       (3, -9, 9, '9999-12-31', ''), (4, 9, 9, '2024-02-29', 'NULL'), (5, 7, 8, '1969-12-31', '$1 "')`,
  );
  return p;
}

async function connectAs(p: TestPipeline, role: Partial<Role> = {}): Promise<Connection> {
  return getConnection({ ...p.warehouse, ...role, schema: "public" });
}

/** A tick, whose loader has that role. */
async function run(p: TestPipeline, role: Partial<Role> = {}): ReturnType<typeof load> {
  await ingestWith(p, tables);
  await transformWith(p, tables);
  const connection = await connectAs(p, role);
  try {
    return await load(connection, p.env.PROCESSED_BUCKET, tables, await codecNamed());
  } finally {
    await connection.close();
  }
}

const why = async (p: TestPipeline, role: Partial<Role> = {}): Promise<string | undefined> => {
  const connection = await connectAs(p, role);
  try {
    return await whyTriggersRun(connection.db, "public", fact, byName);
  } finally {
    await connection.close();
  }
};

/** A role that may make the tables of an empty warehouse. */
async function addLoader(p: TestPipeline): Promise<Role> {
  const role = await addRole(p);
  await p.star.none(
    "grant create, temporary on database $1:name to $2:name; grant create, usage on schema public to $2:name",
    [p.warehouse.database, role.user],
  );
  return role;
}

/** Fails unless every key is there: an anti-join a key, and PostgreSQL's own look at each. */
async function expectValidKeys(p: TestPipeline): Promise<void> {
  for (const [column, dimension, dimensionKey] of [
    ["kind_id", "dim_kind", "id"],
    ["other_id", "dim_kind", "id"],
    ["day", "dim_date", "date_id"],
    ["code", "dim_code", "code"],
  ]) {
    const missing = await p.star.any(
      `select from fact_thing f where $1:name is not null
          and not exists (select from $2:name d where d.$3:name = f.$1:name)`,
      [column, dimension, dimensionKey],
    );
    expect(missing, column).to.deep.equal([]);
    await p.star.none(
      `alter table fact_thing add constraint again foreign key ($1:name) references $2:name;
       alter table fact_thing drop constraint again`,
      [column, dimension],
    );
  }
}

/** Notes, for each row, whether triggers slept: one that always fires is in nobody's way. */
const WITNESS = `
  create table witness (role text, id int);
  create function note() returns trigger language plpgsql security definer as $$ begin
    insert into public.witness values (current_setting('session_replication_role'), new.id); return null; end $$;
  create trigger witness after insert on fact_thing for each row execute function note();
  alter table fact_thing enable always trigger witness;`;
const seen = ({ star }: TestPipeline): Promise<object[]> =>
  star.any("select role, count(*)::int as rows from witness group by 1 order by 1");

describe("references", () => {
  after(closeAll);

  it("end the same with and without the triggers", async () => {
    const warehouses: object[] = [];
    for (const granted of [true, false]) {
      const p = await openThings();
      const role = await addLoader(p);
      if (granted)
        await p.star.none("grant set on parameter session_replication_role to $1:name", role.user);
      const summaries = [await run(p, role)];
      await p.star.none(WITNESS);
      // New things, one of them of a kind that nobody knows, go straight into the table.
      await p.shop.none(
        `insert into thing select i, case i when 15 then 77 else 7 end, null, '2024-01-01', 'a' from generate_series(10, 20) i`,
      );
      summaries.push(await run(p, role));
      // These meet older versions.
      await p.shop.none(
        "update thing set kind_id = 66, code = code || '!' where id in (1, 3); insert into thing values (2000, 8, 65, '2000-01-01', 'a')",
      );
      summaries.push(await run(p, role));
      expect(await seen(p)).to.deep.equal([{ role: granted ? "replica" : "origin", rows: 14 }]);
      await expectValidKeys(p);
      const told = summaries.flatMap(({ loaded }) =>
        loaded.map(({ tables: done, inferred }) => ({ done, inferred })),
      );
      expect(told[0]).to.deep.equal({
        done: {
          dim_kind: { rows: 2, changed: 2 },
          dim_code: { rows: 2, changed: 2 },
          fact_thing: { rows: 5, changed: 5 },
        },
        inferred: { dim_kind: 2, dim_date: 4, dim_code: 3 },
      });
      warehouses.push([
        told,
        await p.star.any("select * from fact_thing order by record_id"),
        await p.star.any("select * from dim_kind order by 1"),
        await p.star.any("select * from dim_code order by 1"),
        await p.star.any("select * from dim_date order by 1"),
      ]);
    }
    expect(warehouses[0]).to.deep.equal(warehouses[1]);
  });

  it("are held: a row that is referred to cannot be deleted before the batch is there, nor after", async () => {
    const p = await openThings();
    await run(p);
    await p.star.none(
      `create function wait() returns trigger language plpgsql as $$ begin
         perform pg_advisory_xact_lock(42); return null; end $$;
       create trigger wait after insert on fact_thing for each statement execute function wait();
       alter table fact_thing enable always trigger wait;
       delete from fact_thing where 8 in (kind_id, other_id)`,
    );
    await p.shop.none("insert into thing values (100, 8, null, '2024-02-29', 'a')");
    const gate = await p.star.connect();
    await gate.any("select pg_advisory_lock(42)");
    const running = run(p);
    for (let waiting = "0"; waiting === "0";)
      ({ waiting } = await gate.one<{ waiting: string }>(
        "select count(*) as waiting from pg_locks where locktype = 'advisory' and not granted",
      ));
    const deleting = failureOf(
      p.star.tx((t) =>
        t.none("set local lock_timeout to '100ms'; delete from dim_kind where id = 8"),
      ),
    );
    expect((await deleting).message).to.match(/lock timeout/);
    await gate.any("select pg_advisory_unlock(42)");
    await gate.done();
    await running;
    await expect(p.star.none("delete from dim_kind where id = 8")).to.be.rejectedWith(
      /violates foreign key constraint/,
    );
    await expectValidKeys(p);
  });

  it("to a row that is gone again stop the batch", async () => {
    const p = await openThings();
    await run(p);
    await p.star.none(
      `create function eat() returns trigger language plpgsql as $$ begin
         delete from public.dim_kind where id = new.id; return null; end $$;
       create trigger eat after insert on dim_kind for each row execute function eat()`,
    );
    await p.shop.none("insert into thing values (100, 555, 7, '2024-02-29', 'a')");
    await expect(run(p)).to.be.rejectedWith(
      "dim_kind: rows that are referred to were deleted by somebody else just now, or not inserted as they were given (1); the batch is tried again",
    );
    expect(await p.star.any("select from fact_thing where id = 100")).to.deep.equal([]);
    await p.star.none("drop trigger eat on dim_kind");
    await run(p);
    await expectValidKeys(p);
  });
});

describe("what somebody else put on a fact table", () => {
  let p: TestPipeline;
  let next = 1000;
  before(async () => {
    p = await openThings();
    await run(p);
    await p.star.none(
      `${WITNESS}
       create table log (id int);
       create table extra (id int primary key); insert into extra select generate_series(-9, 9);
       create function log() returns trigger language plpgsql as $$ begin
         insert into public.log values (new.id); return new; end $$;
       create trigger off before insert on fact_thing for each row execute function log();
       alter table fact_thing disable trigger off;
       alter table dim_kind add column tag int unique, add unique (id, word)`,
    );
  });
  after(closeAll);

  /** A new thing, and an old one that changed. */
  async function trade(): Promise<number> {
    const id = ++next;
    await p.shop.none(
      `insert into thing values ($1, 7, null, '2024-02-29', 'a');
       update thing set other_id = coalesce(other_id, 0) + 1 where id = 1`,
      id,
    );
    return id;
  }

  it("leaves the fast way open where nothing would sleep but the declared keys", async () => {
    expect(await why(p)).to.equal(undefined);
    await p.star.none(
      `alter table fact_thing add foreign key (kind_id) references dim_kind deferrable initially deferred;
       alter table fact_thing add foreign key (other_id) references dim_kind not valid`,
    );
    expect(await why(p)).to.equal(undefined);
    await trade();
    await run(p);
    await expectValidKeys(p);
  });

  it("is told of, as is a missing grant", async () => {
    const role = await addRole(p);
    expect(await why(p, role)).to.match(/GRANT SET ON PARAMETER session_replication_role/);
    await p.star.none("grant set on parameter session_replication_role to $1:name", role.user);
    expect(await why(p, role)).to.equal(undefined);
  });

  const inTheWay: [what: string, sql: string, undo: string, reason: RegExp][] = [
    [
      "a trigger",
      "create trigger mine before insert on fact_thing for each row execute function log()",
      "drop trigger mine on fact_thing",
      /^public\.fact_thing has a trigger: mine$/,
    ],
    [
      "a trigger for replicas alone",
      `create trigger mine before insert on fact_thing for each row execute function log();
       alter table fact_thing enable replica trigger mine`,
      "drop trigger mine on fact_thing",
      /has a trigger: mine$/,
    ],
    [
      "a further foreign key",
      "alter table fact_thing add constraint mine foreign key (id) references extra not valid",
      "alter table fact_thing drop constraint mine",
      /^public\.fact_thing has a foreign key that tables\/ does not declare: mine$/,
    ],
    [
      "a declared column's further key, to another table",
      "alter table fact_thing add constraint mine foreign key (kind_id) references extra not valid",
      "alter table fact_thing drop constraint mine",
      /does not declare: mine$/,
    ],
    [
      "a declared column's further key, to another column",
      "alter table fact_thing add constraint mine foreign key (kind_id) references dim_kind (tag) not valid",
      "alter table fact_thing drop constraint mine",
      /does not declare: mine$/,
    ],
    [
      "a key of two columns",
      "alter table fact_thing add constraint mine foreign key (kind_id, code) references dim_kind (id, word) not valid",
      "alter table fact_thing drop constraint mine",
      /does not declare: mine$/,
    ],
    [
      "a constraint that is checked late",
      "alter table fact_thing add constraint mine unique (record_id, id) deferrable",
      "alter table fact_thing drop constraint mine",
      /has a constraint that is checked late: mine$/,
    ],
    [
      "a rule",
      "create rule mine as on insert to fact_thing do also insert into log values (new.id)",
      "drop rule mine on fact_thing",
      /has a rule: mine$/,
    ],
  ];
  for (const [what, sql, undo, reason] of inTheWay)
    it(`keeps the triggers awake: ${what}`, async () => {
      await p.star.none(sql);
      expect(await why(p)).to.match(reason);
      await p.star.none(undo);
      expect(await why(p)).to.equal(undefined);
    });

  it("fires as ever: a trigger, for new rows and for new versions", async () => {
    await p.star.none(
      "create trigger mine before insert on fact_thing for each row execute function log(); truncate log, witness",
    );
    const id = await trade();
    await run(p);
    expect(await p.star.any("select id from log order by 1")).to.deep.equal([{ id: 1 }, { id }]);
    expect(await seen(p)).to.deep.equal([{ role: "origin", rows: 2 }]);
    await p.star.none("drop trigger mine on fact_thing");
  });

  it("fires as ever: a rule, which COPY would pass by", async () => {
    await p.star.none(
      `create rule mine as on insert to fact_thing do instead insert into log values (new.id); truncate log`,
    );
    const id = ++next;
    await p.shop.none("insert into thing values ($1, 7, null, '2024-02-29', 'a')", id);
    await run(p);
    expect(await p.star.any("select id from log")).to.deep.equal([{ id }]);
    await p.star.none("drop rule mine on fact_thing");
  });

  it("refuses as ever: a further foreign key, and nothing of the batch is loaded", async () => {
    await p.star.none(
      "alter table fact_thing add constraint mine foreign key (id) references extra not valid",
    );
    const id = await trade();
    await expect(run(p)).to.be.rejectedWith(
      /^fact_thing: insert or update on table "fact_thing" violates foreign key constraint "mine"/,
    );
    expect(await p.star.any("select from fact_thing where id = $1", [id])).to.deep.equal([]);
    await p.star.none("alter table fact_thing drop constraint mine");
    await run(p);
    expect(await p.star.any("select from fact_thing where id = $1", [id])).to.have.length(1);
    await expectValidKeys(p);
  });

  it("is seen in a partition, too", async () => {
    await p.star.none(
      `create schema parted;
       create table parted.dim_kind (id int primary key, word varchar not null);
       create table parted.dim_code (code varchar primary key, word varchar not null);
       create table parted.dim_date (date_id date primary key, year int not null) partition by range (date_id);
       create table parted.dim_date_all partition of parted.dim_date default;
       create table parted.fact_thing (record_id serial, id int not null, kind_id int not null references parted.dim_kind,
         other_id int references parted.dim_kind, day date not null references parted.dim_date,
         code varchar not null references parted.dim_code) partition by range (id);
       create table parted.low partition of parted.fact_thing for values from (minvalue) to (3);
       create table parted.high partition of parted.fact_thing for values from (3) to (maxvalue) partition by list (id);
       create table parted.highest partition of parted.high default;
       create index on parted.fact_thing (id)`,
    );
    const connection = await connectAs(p);
    const parted = () => whyTriggersRun(connection.db, "parted", fact, byName);
    expect(await parted()).to.equal(undefined);
    for (const [sql, undo, reason] of [
      [
        "create trigger mine before insert on parted.highest for each row execute function log()",
        "drop trigger mine on parted.highest",
        "parted.highest has a trigger: mine",
      ],
      [
        "alter table parted.high add constraint mine foreign key (id) references extra",
        "alter table parted.high drop constraint mine",
        "parted.high has a foreign key that tables/ does not declare: mine",
      ],
      [
        "alter table parted.low add constraint mine foreign key (kind_id) references dim_kind",
        "alter table parted.low drop constraint mine",
        "parted.low has a foreign key that tables/ does not declare: mine",
      ],
    ] as const) {
      await p.star.none(sql);
      expect(await parted()).to.equal(reason);
      await p.star.none(undo);
    }
    // The whole of the lake, into this one; but for the row that the rule above took away.
    await p.star.none("drop schema etl cascade");
    await load(
      { ...connection, schema: "parted" },
      p.env.PROCESSED_BUCKET,
      tables,
      await codecNamed(),
    );
    await connection.close();
    expect(
      await p.star.any(
        "select id, kind_id, other_id, day, code from parted.fact_thing where id in (select id from fact_thing) order by 1, 2, 3",
      ),
    ).to.deep.equal(
      await p.star.any("select id, kind_id, other_id, day, code from fact_thing order by 1, 2, 3"),
    );
  });
});
