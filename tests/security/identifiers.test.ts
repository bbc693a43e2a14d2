// Names that break out of SQL, of JSON, of keys and of formatting where they are not escaped: each arrives as what it is.
import {
  decimal,
  defineSource,
  defineTable,
  integer,
  key,
  lookup,
  references,
  serial,
  text,
  timestamp,
  timestampOf,
} from "../../src/table.ts";
import { getConnection } from "../../src/postgres/connection.ts";
import type { Key } from "../../src/ingestion/keyset.ts";
import { load } from "../../src/loading/load.ts";
import { skipBatch } from "../../src/loading/skip.ts";
import { quarantinedKeys } from "../../src/loading/quarantined-keys.ts";
import { codecNamed } from "../../src/parquet/codec.ts";
import { literal, name, names, qualified } from "../../src/postgres/sql.ts";
import {
  countQuarantine,
  listQuarantine,
  showQuarantined,
} from "../../src/quarantine/quarantine.ts";
import { claim } from "../../src/rebuild/place.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { ingestWith, tablesOf, transformWith } from "../support/stages.ts";

const HOSTILE = [
  `"; drop table victim; --`,
  `'); drop table victim; /* \\`,
  `$1 $1:raw \${key} $$ %s %I`,
  `\\" {"json":1},\t\n`,
  `select`,
  `UPPER Case`,
  `é 👜 Ω`,
  `../a/b`,
  `..`,
  "x".repeat(63),
  "é".repeat(31),
  `toString`,
  `_hints`,
];

/** Values that are SQL where anything takes them for that; several with the quote that ends an identifier. */
const VALUES = [`"; drop table victim; --`, `'; drop table victim; --`, `$1`, `\\'`, `{"x"}`];

describe("hostile identifiers", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 0 });
    for (const db of [p.shop, p.star]) await db.none("create table victim (id int)");
  });
  after(closeAll);

  for (const hostile of HOSTILE)
    it(`name schema, tables and columns, from the source to the warehouse: ${JSON.stringify(hostile.slice(0, 30))}`, async () => {
      // Two names that differ, both with the hostile part in them wherever that fits.
      const other = hostile.length > 60 ? hostile.replace(/^./, "y") : `${hostile}'`;
      const schema = hostile;
      await p.shop.none(
        `create schema ${name(schema)};
         create table ${qualified(schema, hostile)} (${name(hostile)} text primary key, ${name(other)} varchar not null);
         create table ${qualified(schema, other)} (
           ${name(other)} int primary key, ${name(hostile)} text not null, extra text, seen timestamp not null default now());
         insert into ${qualified(schema, hostile)} values ${VALUES.map((value) => `(${literal(value)}, ${literal(value)})`).join(", ")};
         insert into ${qualified(schema, other)} values
           ${VALUES.map((value, id) => `(${id}, ${literal(value)}, ${literal(value)})`).join(", ")}`,
      );
      const kind = defineSource(hostile, { [hostile]: key(text), [other]: text }, { schema });
      const thing = defineSource(
        other,
        { [other]: key(integer), [hostile]: text, seen: timestamp },
        { schema, changes: timestampOf("seen", { lag: 60 }) },
      );
      const tables = tablesOf(
        defineTable({
          name: "dim_kind",
          description: `One row per kind: ${hostile}`,
          source: kind,
          deleted: "remove",
          columns: { [hostile]: key(text), [other]: text },
          format: (row) => row,
        }),
        defineTable({
          name: "fact_thing",
          description: `One row per thing: ${hostile}`,
          source: thing,
          deleted: "mark",
          lookups: { [hostile]: lookup(kind, hostile) },
          columns: {
            record: serial,
            [other]: key(integer),
            [hostile]: references("dim_kind", text),
            price: decimal(10, 2),
          },
          format: (row, found) => {
            if (row[other] === 99) throw new Error("does not fit");
            return {
              [other]: row[other] as number,
              [hostile]: row[other] === 0 ? "'\") $1 gone" : String(found[hostile]![hostile]),
              price: "1.50",
            };
          },
        }),
      );
      await p.star.none("drop schema if exists etl cascade; create schema $1:name", [schema]);
      for (const bucket of ["ingestion", "processed"] as const)
        for (const found of await p.keys(bucket)) await p.remove(bucket, found);
      const open = async () => ({
        ...(await getConnection({ ...p.users.loader, schema })),
        ledger: other,
      });
      const run = async (named?: ReadonlyMap<string, readonly Key[]>): Promise<void> => {
        const limits = { rows: 4, bytes: 1 << 20 };
        await ingestWith(p, tables, { limits, ...(named ? { named, repair: false } : {}) });
        await transformWith(p, tables);
        const connection = await open();
        try {
          await load(connection, p.env.PROCESSED_BUCKET, tables, await codecNamed());
        } finally {
          await connection.close();
        }
      };
      await run();
      // Rows that meet those that are there go by the staging table and the merge.
      await p.shop.none(
        `update ${qualified(schema, hostile)} set ${name(other)} = ${name(other)} || '!';
         update ${qualified(schema, other)} set seen = now() + interval '1 second'`,
      );
      await run();

      expect(
        await p.star.any(
          `select ${names([hostile, other])} from ${qualified(schema, "dim_kind")} order by ${name(hostile)} collate "C"`,
        ),
      ).to.deep.equal(
        [...VALUES.map((value) => [value, `${value}!`]), ["'\") $1 gone", "unknown"]]
          .sort(([a], [b]) => (a! < b! ? -1 : 1))
          .map(([id, word]) => ({ [hostile]: id, [other]: word })),
      );
      expect(
        await p.star.any(
          `select ${names([other, hostile])} from ${qualified(schema, "fact_thing")} order by 1`,
        ),
      ).to.deep.equal(
        VALUES.map((value, id) => ({ [other]: id, [hostile]: id === 0 ? "'\") $1 gone" : value })),
      );
      expect(await p.rejected()).to.deep.equal([]);
      const connection = await open();
      try {
        await p.shop.none(
          `insert into ${qualified(schema, other)} values (99, ${literal(VALUES[0]!)}, '', now() + interval '2 seconds');
           insert into ${qualified(schema, hostile)} values ('lonely', '')`,
        );
        await run();
        expect(await countQuarantine(connection)).to.have.length(1);
        expect(await listQuarantine(connection, { reason: "FIT" }, 9)).to.have.length(1);
        expect(await showQuarantined(connection, "fact_thing", "99")).to.have.length(1);
        expect(await quarantinedKeys(connection, tables, { limit: 9 })).to.deep.equal({
          keys: { [other]: [{ [other]: "99" }] },
          leftOut: 0,
        });
        // The kind that a marked fact refers to becomes an inferred member, the other leaves.
        await p.shop.none(
          `delete from ${qualified(schema, other)} where ${name(other)} in (4, 99);
           delete from ${qualified(schema, hostile)} where ${name(hostile)} in ('lonely', ${literal(VALUES[4]!)})`,
        );
        await run(
          new Map([
            [other, [{ [other]: "4" }, { [other]: "99" }]],
            [hostile, ["lonely", VALUES[4]!].map((value) => ({ [hostile]: value }))],
          ]),
        );
        expect(await countQuarantine(connection)).to.deep.equal([]);
        const gone = await p.star.any(
          `select ${name(other)} as id from ${qualified(schema, "fact_thing")} where deleted_at is not null`,
        );
        expect(gone).to.deep.equal([{ id: 4 }]);
        const kinds = await p.star.any<{ id: string; word: string }>(
          `select ${name(hostile)} as id, ${name(other)} as word from ${qualified(schema, "dim_kind")}`,
        );
        expect(kinds.map(({ id }) => id)).to.have.members([...VALUES, "'\") $1 gone"]);
        expect(kinds.find(({ id }) => id === VALUES[4])?.word).to.equal("unknown");
        await skipBatch(connection, p.env.PROCESSED_BUCKET, {
          batch: (await p.keys("processed", "_loads/")).length + 1,
          why: hostile,
        });
        const again = {
          ...connection,
          schema: `${hostile.slice(1, 20)}+`,
          ledger: `${hostile.slice(1, 20)}*`,
        };
        await claim(again, { bucket: hostile, tables }, false);
        await claim(again, { bucket: hostile, tables }, true);
      } finally {
        await connection.close();
      }
      expect(
        await p.star.any("select obj_description(to_regclass($1)) as text", [
          qualified(schema, "fact_thing"),
        ]),
      ).to.deep.equal([{ text: `One row per thing: ${hostile}` }]);
      for (const db of [p.shop, p.star])
        expect(await db.one("select to_regclass('victim') is not null as there")).to.deep.equal({
          there: true,
        });
    });

  for (const reserved of ["__proto__", "prototype", "constructor"])
    it(`that every object has are refused, not left out in silence: ${reserved}`, () => {
      const declared = (source: string, column: string, star: string, by: string) =>
        tablesOf(
          defineTable({
            name: "dim_thing",
            description: "One row per thing.",
            source: defineSource(source, { id: key(integer), [column]: integer }),
            lookups: { [by]: lookup(defineSource("other", { id: key(integer) }), "id") },
            columns: { id: key(integer), [star]: integer },
            format: ({ id }) => ({ id, [star]: id }),
          }),
        );
      expect(declared("thing", "a", "a", "other")).to.have.length(1);
      const why = `"${reserved}" cannot be a name here; give the table or the column another, by a view in the source`;
      expect(() => declared(reserved, "a", "a", "other")).to.throw(
        `tables/dim_thing.ts: source ${reserved}: ${why}`,
      );
      expect(() => declared("thing", reserved, "a", "other")).to.throw(
        `tables/dim_thing.ts: source thing: ${why}`,
      );
      expect(() => declared("thing", "a", reserved, "other")).to.throw(
        `tables/dim_thing.ts: columns.${reserved}: ${why}`,
      );
      expect(() => declared("thing", "a", "a", reserved)).to.throw(
        `tables/dim_thing.ts: lookups.${reserved}: ${why}`,
      );
    });
});
