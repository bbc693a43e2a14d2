// What rows refer to, before PostgreSQL is asked; and whose error it is where it refuses.
import {
  boolean,
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
import { ObjectError } from "../../src/lake/objects.ts";
import { about } from "../../src/loading/merge.ts";
import { distinctOf, referencedKeys } from "../../src/loading/references.ts";
import { WarehouseError } from "../../src/loading/warehouse.ts";
import { ParquetError } from "../../src/parquet/codec.ts";
import { store, type Stored } from "../../src/values.ts";
import { vectorOf, type Vector } from "../../src/vectors.ts";
import { failureOf } from "../support/attack.ts";
import { expect } from "../support/chai.ts";
import { tablesOf } from "../support/stages.ts";

const source = defineSource("any", { id: key(integer) });
const common = { source, format: () => [] };
const tables = tablesOf(
  defineTable({
    ...common,
    name: "dim_kind",
    description: "One row per kind.",
    columns: { kind_id: key(integer), word: text },
  }),
  defineTable({
    ...common,
    name: "dim_code",
    description: "One row per code.",
    columns: { code: key(text), word: text },
  }),
  defineTable({
    ...common,
    name: "dim_date",
    description: "One row per day.",
    columns: { date_id: key(date) },
  }),
  defineTable({
    ...common,
    name: "fact_thing",
    description: "One row per version of a thing.",
    columns: {
      record_id: serial,
      id: key(integer),
      kind_id: references("dim_kind", integer),
      other_id: references("dim_kind", nullable(integer)),
      code: references("dim_code", nullable(text)),
      day: references("dim_date", nullable(date)),
    },
  }),
);
const byName = new Map(tables.map((table) => [table.name, table]));
const fact = byName.get("fact_thing")!;

describe("the distinct values of a column", () => {
  const distinct = (vector: Vector): Stored[] => [...distinctOf(vector)];

  it("are those that there are, each once, without null", () => {
    expect(distinct(vectorOf(integer, [3, 1, 3]))).to.deep.equal([3, 1]);
    expect(distinct(vectorOf(integer, [3, null, 0, 3]))).to.deep.equal([3, 0]);
    expect(distinct(vectorOf(text, ["a", null, ""]))).to.deep.equal(["a", ""]);
    expect(distinct(vectorOf(boolean, [true, true]))).to.deep.equal([true]);
    expect(distinct(vectorOf(boolean, [false, null]))).to.deep.equal([false]);
    expect(distinct(vectorOf(integer, []))).to.deep.equal([]);
  });

  it("are the file's dictionary where there is one: no row is looked at", () => {
    const none = new Int32Array(2);
    const known: Vector = {
      layout: "int32",
      values: none,
      nulls: undefined,
      distinct: Int32Array.of(7, 8),
    };
    expect(distinct(known)).to.deep.equal([7, 8]);
  });
});

describe("what a table's rows refer to", () => {
  const refer = (rows: Readonly<Record<string, unknown>>[]) =>
    referencedKeys(
      fact,
      new Map(
        ["kind_id", "other_id", "code", "day"].map((name) => [
          name,
          vectorOf(
            fact.columns[name]!,
            rows.map((row) => store(fact.columns[name]!, row[name])),
          ),
        ]),
      ),
      byName,
    ).map(({ dimension, ...of }) => ({ ...of, dimension: dimension.name }));

  it("is, of each dimension, the keys of all columns that refer to it and the range that they are in", () => {
    expect(
      refer([
        { kind_id: 7, other_id: null, code: "b", day: null },
        { kind_id: 9, other_id: 12, code: null, day: null },
        { kind_id: 7, other_id: 9, code: "a", day: null },
      ]),
    ).to.deep.equal([
      {
        dimension: "dim_kind",
        keys: '{"7","9","12"}',
        type: "integer",
        count: 3,
        within:
          `d."kind_id" between least('7'::integer, '9'::integer) ` +
          `and greatest('9'::integer, '12'::integer)`,
      },
      // PostgreSQL may order texts otherwise: no range.
      { dimension: "dim_code", keys: '{"b","a"}', type: "varchar", count: 2, within: "true" },
    ]);
  });

  it("is nothing of no rows", () => {
    expect(refer([])).to.deep.equal([]);
  });
});

describe("an error of the warehouse", () => {
  const because = (error: unknown): Promise<Error> =>
    failureOf(about(fact, "GRANT it", Promise.reject(error as Error)));

  it("says which table it is about", async () => {
    const cause = Object.assign(new Error("value too long"), { code: "22001" });
    const error = await because(cause);
    expect(error).to.be.instanceOf(WarehouseError);
    expect(error.message).to.equal("fact_thing: value too long");
    expect(error.cause).to.equal(cause);
  });

  it("says what to do where a right is missing", async () => {
    const error = await because(Object.assign(new Error("permission denied"), { code: "42501" }));
    expect(error.message).to.equal("fact_thing: permission denied; GRANT it");
  });

  it("is left as it is where it says so already, or is the lake's", async () => {
    for (const one of [new WarehouseError("a"), new ParquetError("b"), new ObjectError("c")])
      expect(await because(one)).to.equal(one);
  });

  it("is none where there is none", async () => {
    expect(await about(fact, "GRANT it", Promise.resolve(7))).to.equal(7);
  });
});
