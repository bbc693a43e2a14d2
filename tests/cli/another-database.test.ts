// docs/another-database.md, done: declarations pulled from a database that is not totesys, tables written from them, and the
// pipeline run on it; and the same with the modules of examples/library.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { readSchema, type FoundTable } from "../../cli/declare/database.ts";
import { writeTable } from "../../cli/declare/new-table.ts";
import { declaredSources } from "../../cli/declare/sources-file.ts";
import { totes } from "../../cli/totes.ts";
import { readTables } from "../../src/registry.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { runWith } from "../support/stages.ts";

const ROOT = path.join(import.meta.dirname, "..", "..");
const LIBRARY = path.join(ROOT, "examples", "library");
const sink = { write: () => true } as unknown as NodeJS.WriteStream;

/** A pipeline whose shop is a library. */
async function openLibrary(): Promise<TestPipeline> {
  const p = await openPipeline({ orders: 0 });
  await p.shop.none(
    "drop schema public cascade; create schema public; grant usage on schema public to public",
  );
  await p.shop.none(readFileSync(path.join(LIBRARY, "schema.sql"), "utf8"));
  await p.shop.none("grant select on all tables in schema public to $1:name", [
    p.users.reader.user,
  ]);
  return p;
}

/** Fails where the star has other loans than the library, by SQL over both. */
async function expectLoans(p: TestPipeline): Promise<void> {
  const expected = await p.shop.any(
    "select loan_id, isbn, member_id, lent_at, due::text, returned_at, fine from loan order by loan_id",
  );
  const loans = await p.star.any(
    `select distinct on (loan_id) loan_id, isbn, member_id, lent_at, due::text, returned_at, fine
       from fact_loan order by loan_id, loan_record_id desc`,
  );
  expect(loans).to.deep.equal(expected);
  expect(await p.rejected()).to.deep.equal([]);
}

describe("a database that is not totesys", () => {
  let p: TestPipeline;
  let root: string;
  let sources: string;
  let found: ReadonlyMap<string, FoundTable>;

  const run = (...args: string[]): Promise<number> => {
    Object.assign(process.env, p.env);
    return totes(args, { out: sink, err: sink, isAnswered: false });
  };

  before(async () => {
    p = await openLibrary();
    found = await p.shop.task((db) => readSchema(db, "public"));
    mkdirSync(path.join(ROOT, ".local"), { recursive: true });
    root = mkdtempSync(path.join(ROOT, ".local", "another-"));
    mkdirSync(path.join(root, "tables"));
    symlinkSync(path.join(ROOT, "src"), path.join(root, "src"), "junction");
    sources = path.join(root, "tables", "sources.ts");
    writeFileSync(sources, "// A lending library.\n");
  });
  after(async () => {
    rmSync(root, { recursive: true, force: true });
    await closeAll();
  });

  it("is declared as it is: keys, nulls, enums, money; what no column can hold is left out", async () => {
    expect(await run("sources", "pull", "--file", sources)).to.equal(0);
    const pulled = await declaredSources(sources);
    const declared = await declaredSources(path.join(LIBRARY, "tables", "sources.ts"));
    expect(Object.fromEntries(pulled)).to.deep.equal(Object.fromEntries(declared));
    const text = readFileSync(sources, "utf8");
    expect(text)
      .to.match(/^import \{/)
      .and.to.include("// left out: cover, of type bytea");
    expect(text).to.include("// A lending library.");
  });

  it("is found to be what is declared, until it is not", async () => {
    expect(await run("sources", "check", "--file", sources)).to.equal(0);
    await p.shop.none("alter table member rename column joined to since");
    expect(await run("sources", "check", "--file", sources)).to.equal(1);
    await p.shop.none("alter table member rename column since to joined");
  });

  it("is pulled once: a second time adds nothing", async () => {
    const before_ = readFileSync(sources, "utf8");
    expect(await run("sources", "pull", "--file", sources)).to.equal(0);
    expect(readFileSync(sources, "utf8")).to.equal(before_);
  });

  it("declares tables of any name: words of the declarations, another schema's, two that are one as constants", async () => {
    await p.shop.none(
      `create schema odd; create table odd.date (id int primary key, date date); create table odd.book (id int primary key);
       create table odd."b-k" (id int primary key); create table odd."b k" (id int primary key); create table odd.key (id int primary key)`,
    );
    const before_ = await declaredSources(sources);
    expect(await run("sources", "pull", "--file", sources, "--schema", "odd")).to.equal(0);
    const pulled = [...(await declaredSources(sources))].filter(([name]) => !before_.has(name));
    expect(Object.fromEntries(pulled.map(([name, source]) => [name, source.name]))).to.deep.equal({
      _date: "date",
      _key: "key",
      b_k: "b k",
      odd_b_k: "b-k",
      odd_book: "book",
    });
    expect(await run("sources", "check", "--file", sources)).to.equal(0);
    const date = (await p.shop.task((db) => readSchema(db, "odd"))).get("date")!;
    await writeTable(root, "dim_day", date);
    const tables = await readTables(path.join(root, "tables"));
    expect(Object.keys(tables.find(({ name }) => name === "dim_day")!.columns)).to.deep.equal([
      "id",
      "date",
    ]);
    rmSync(path.join(root, "tables", "dim_day.ts"));
  });

  it("has a star at once, of tables that were written from its columns", async () => {
    for (const [name, source] of [
      ["dim_book", "book"],
      ["dim_member", "member"],
      ["fact_loan", "loan"],
    ] as const)
      await writeTable(root, name, found.get(source)!);
    const tables = await readTables(path.join(root, "tables"));
    const loan = tables.find(({ name }) => name === "fact_loan")!;
    expect(loan.columns["isbn"]).to.include({ type: "text", references: "dim_book" });
    expect(loan.columns["member_id"]).to.include({ references: "dim_member" });
    expect(loan.columns["loan_id"]).to.include({ type: "bigint", key: true });
    await runWith(p, tables);
    await expectLoans(p);
    expect(await p.star.any("select isbn, title, price from dim_book order by 1")).to.deep.equal([
      { isbn: "978-0-14-044919-8", title: "Gilgamesh", price: "8.00" },
      { isbn: "978-0-19-279361-1", title: "Pippi Longstocking", price: "7.99" },
      { isbn: "978-0-261-10235-4", title: "The Dispossessed", price: "9.49" },
    ]);
  });

  it("never has a table overwritten", async () => {
    await expect(writeTable(root, "fact_loan", found.get("loan")!)).to.be.rejectedWith(
      "there is a table fact_loan already: tables/fact_loan.ts",
    );
  });

  it("has the star of examples/library, which follows it", async () => {
    const p = await openLibrary();
    const tables = await readTables(path.join(LIBRARY, "tables"));
    await runWith(p, tables);
    await expectLoans(p);
    await p.shop.none(
      `update loan set returned_at = '2025-03-20 09:00+00', fine = 1.25 where loan_id = 2;
       update author set full_name = 'A. Lindgren' where author_id = 1`,
    );
    await runWith(p, tables);
    await expectLoans(p);
    expect(
      await p.star.any("select author from dim_book where isbn = '978-0-19-279361-1'"),
    ).to.deep.equal([{ author: "A. Lindgren" }]);
    expect(
      await p.star.any("select fine from fact_loan where loan_id = 2 order by loan_record_id"),
    ).to.deep.equal([{ fine: "0.00" }, { fine: "1.25" }]);
  });
});
