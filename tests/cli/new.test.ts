// `totes new`, in a copy of the checkout: what it writes is run.
import { spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { readSchema } from "../../cli/declare/database.ts";
import { writeTable } from "../../cli/declare/new-table.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";

const ROOT = path.join(import.meta.dirname, "..", "..");

describe("a table that is written from a source's columns", () => {
  let p: TestPipeline;
  let root: string;
  before(async () => {
    p = await openPipeline({ orders: 0 });
    mkdirSync(path.join(ROOT, ".local"), { recursive: true });
    root = mkdtempSync(path.join(ROOT, ".local", "new-"));
    for (const part of [
      "src",
      "tables",
      "tests/support",
      ".mocharc.json",
      "package.json",
      "tsconfig.json",
    ])
      cpSync(path.join(ROOT, part), path.join(root, part), { recursive: true });
    symlinkSync(path.join(ROOT, "node_modules"), path.join(root, "node_modules"), "junction");
    writeFileSync(
      path.join(root, "tsconfig.tables.json"),
      JSON.stringify({ extends: "./tsconfig.json", include: ["tables", "tests/tables"] }),
    );
    await p.shop.none(
      `create table "re view" (
         review_id integer primary key, design_id integer not null references design, stars smallint not null,
         "what they said" text, sum numeric not null, seen timestamptz, created_at timestamp not null,
         last_updated timestamp not null, "where" point)`,
    );
  });
  after(async () => {
    rmSync(root, { recursive: true, force: true });
    await closeAll();
  });

  /** Runs a program of node_modules in the copy. */
  const node = (...args: string[]): { status: number | null; output: string } => {
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      cwd: root,
      encoding: "utf8",
    });
    return { status, output: stdout + stderr };
  };

  it("is refused where its source has no key, and nothing of it is written", async () => {
    await p.shop.none("create view days as select distinct created_at::date as day from design");
    const found = await p.shop.task((db) => readSchema(db, "public"));
    await expect(writeTable(root, "dim_day", found.get("days")!)).to.be.rejectedWith(
      "days has no primary key: say in tables/sources.ts which columns are its key(…)",
    );
    expect(() => readFileSync(path.join(root, "tables", "dim_day.ts"))).to.throw("ENOENT");
    expect(readFileSync(path.join(root, "tables", "sources.ts"), "utf8")).to.include(
      "changes: full",
    );
  });

  it("is refused where its test is there already, and its source is not declared for it", async () => {
    const test = path.join(root, "tests", "tables", "fact_review.test.ts");
    mkdirSync(path.dirname(test), { recursive: true });
    writeFileSync(test, "");
    const found = await p.shop.task((db) => readSchema(db, "public"));
    await expect(writeTable(root, "fact_review", found.get("re view")!)).to.be.rejectedWith(
      "there is a file tests/tables/fact_review.test.ts already: nothing is overwritten",
    );
    const sources = readFileSync(path.join(root, "tables", "sources.ts"), "utf8");
    expect(sources).to.not.include("re view");
    rmSync(test);
  });

  it("has its declaration, a module that compiles, and a test that passes", async () => {
    const found = await p.shop.task((db) => readSchema(db, "public"));
    expect(await writeTable(root, "fact_review", found.get("re view")!)).to.deep.equal({
      module: "tables/fact_review.ts",
      test: "tests/tables/fact_review.test.ts",
      declared: true,
    });
    const sources = readFileSync(path.join(root, "tables", "sources.ts"), "utf8");
    expect(sources).to.include('export const re_view = defineSource("re view", {');
    expect(sources).to.include("// left out: where, of type point");
    const module = readFileSync(path.join(root, "tables", "fact_review.ts"), "utf8");
    expect(module).to.include('design_id: references("dim_design", integer)');
    expect(module).to.include("review_record_id: serial");
    expect(module).to.include("...stampColumns");

    writeFileSync(
      path.join(root, "tests", "tables", "other.test.ts"),
      'throw new Error("nobody asked for this test");',
    );
    const test = path.join("tests", "tables", "fact_review.test.ts");
    const { status, output } = node(path.join("node_modules", "mocha", "bin", "mocha.js"), test);
    expect(status, output).to.equal(0);
    expect(output).to.include("2 passing");

    const tsc = path.join("node_modules", "typescript", "bin", "tsc");
    const compiled = node(tsc, "--noEmit", "-p", "tsconfig.tables.json");
    expect(compiled.status, compiled.output).to.equal(0);
  });
});
