import { expect } from "../support/chai.ts";
import { shapeOf } from "./sql-shape.ts";

describe("a statement's shape", () => {
  const shapes: [sql: string, shape: string][] = [
    ["commit", "commit"],
    ["begin isolation level repeatable read, read only", "begin isolation"],
    [
      `copy (select concat('{"from x":', "staff_id") from "public"."staff" s join "public"."department" d on true) to stdout`,
      "copy ( staff department",
    ],
    [
      "insert into etl.batch_load (batch, run)\n values (7, 'it''s from me')",
      "insert into etl.batch_load",
    ],
    [
      'create table if not exists "public"."dim_staff" ("staff_id" integer)',
      "create table dim_staff",
    ],
    ["update etl.batch_load set receipt_put = true where batch = 12", "update etl.batch_load"],
  ];
  for (const [sql, shape] of shapes)
    it(`is "${shape}" for ${sql.slice(0, 40).replace(/\s+/g, " ")}…`, () => {
      expect(shapeOf(sql)).to.equal(shape);
    });

  it("is the same whatever its values are", () => {
    expect(shapeOf("select * from a where b = 'x from c'")).to.equal(
      shapeOf("select * from a where b = 'another'"),
    );
  });
});
