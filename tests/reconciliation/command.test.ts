// `npm run reconcile`, as a person or a script calls it.
import { UsageError } from "../../src/cli/options.ts";
import { readOptions } from "../../src/cli/reconcile-options.ts";
import { leavingOf, repairOf, type Difference } from "../../src/reconciliation/difference.ts";
import { defineSource, defineTable, integer, key, text } from "../../src/table.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { tablesOf } from "../support/stages.ts";
import { call as callWith } from "./command.ts";

describe("npm run reconcile", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 50 });
    await p.run();
  });
  after(closeAll);

  const call = (args: readonly string[], env: Record<string, string> = {}) =>
    callWith(p, args, env);

  it("says what there is with --help", async () => {
    const { code, out } = await call(["--help"]);
    expect(code).to.equal(0);
    for (const word of ["--table", "--since", "--sample", "--json", "--repair", "Exit code"])
      expect(out).to.include(word);
  });

  it("refuses an option that there is not, and a table, with 2", async () => {
    const option = await call(["--tables", "x"]);
    expect(option).to.include({ code: 2, out: "" });
    expect(option.err).to.include("Unknown option '--tables'; --help says what there is");
    const table = await call(["--table", "dim_stuff"]);
    expect(table).to.include({ code: 2, out: "" });
    expect(table.err).to.include("there is no table dim_stuff; there are dim_");
  });

  it("says with 2 where it cannot be told, without a password", async () => {
    const { code, err } = await call([], { SOURCE_SECRET: "no/such/secret" });
    expect(code).to.equal(2);
    expect(err).to.include("no/such/secret");
    expect(err).to.not.include(p.source.password);
  });

  it("gives 0 where there is no difference", async () => {
    const { code, out, err } = await call([]);
    expect(err).to.equal("");
    expect(out).to.include("No difference.");
    expect(out).to.match(/fact_sales_order +50 +1 +0 +0 +0 +0 +0/);
    expect(code).to.equal(0);
  });

  describe("where rows differ", () => {
    before(async () => {
      await p.star.none(`
        update dim_staff set first_name = 'Fo''rged "', last_name = last_name || ' ' where staff_id = 3;
        update dim_design set file_name = 'x';
        delete from fact_payment where payment_id = 5;
        insert into dim_currency values (99, 'XXX', 'None')`);
    });

    it("gives 1, and names them in words", async () => {
      const { code, out } = await call([
        "--table",
        "dim_staff,fact_payment",
        "--table",
        "dim_currency",
      ]);
      expect(code).to.equal(1);
      expect(out).to.match(
        /dim_staff staff_id 3: different; first_name: expected ".+", found "Fo'rged \\""; last_name/,
      );
      expect(out).to.include("fact_payment payment_id 5: missing");
      expect(out).to.include("dim_currency currency_id 99: extra; the lake never made it");
      expect(out).to.include("3 differences: 1 missing, 1 extra and 1 different.");
    });

    it("shows as many as it is asked to, and counts all", async () => {
      const { out } = await call(["--table", "dim_design", "--limit", "2"]);
      const { count } = await p.star.one<{ count: string }>("select count(*) from dim_design");
      expect(out.match(/dim_design design_id/g)).to.have.length(2);
      expect(out).to.include(`and ${Number(count) - 2} more`);
    });

    it("writes JSON lines with --json: a difference each, the report last, and nothing else", async () => {
      const { code, out } = await call(["--json", "--sample", "100%"]);
      expect(code).to.equal(1);
      const lines = out
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      const differences = lines.slice(0, -1).map((line) => line["difference"] as Difference);
      expect(differences.find(({ table }) => table === "dim_currency")).to.deep.equal({
        table: "dim_currency",
        kind: "extra",
        key: { currency_id: "99" },
        columns: [
          { column: "currency_code", found: "XXX" },
          { column: "currency_name", found: "None" },
        ],
        note: "the lake never made it",
        isGone: true,
        source: { table: "currency", key: { currency_id: "99" } },
      });
      expect(lines.at(-1)!["report"]).to.include({ batch: 1, differences: differences.length });
    });
  });
});

describe("the options of npm run reconcile", () => {
  const read = (...args: string[]) => readOptions(args, false);

  it("are read as they are written", () => {
    expect(read("--table", "a,b", "--table", "c", "--since", "41", "--sample", "10%")).to.include({
      since: 41,
      sample: 0.1,
      limit: 100,
      json: false,
    });
    expect(read("--table", "a,b", "--table", "c")!.only).to.deep.equal(["a", "b", "c"]);
    expect(read("--since", "2026-11-25")!.since).to.deep.equal(new Date("2026-11-25T00:00:00Z"));
    expect(read("--sample", ".5")!.sample).to.equal(0.5);
    expect(read("--help")).to.equal(undefined);
    expect(readOptions(["--repair"], true)).to.include({ repair: true, yes: false });
  });

  const wrong: Readonly<Record<string, readonly string[]>> = {
    '--since takes a batch\'s number or a date (2026-11-25), not "yesterday"': [
      "--since",
      "yesterday",
    ],
    '--since takes a batch\'s number or a date (2026-11-25), not "2026-02-31T"': [
      "--since",
      "2026-02-31T",
    ],
    '--since takes a whole number from 1 to 9999999999, not "0"': ["--since", "0"],
    '--sample takes a share, 0.1 or 10%, not "0"': ["--sample", "0"],
    '--sample takes a share, 0.1 or 10%, not "110%"': ["--sample", "110%"],
    '--limit takes a whole number from 0 to 1000000, not "x"': ["--limit", "x"],
    "--repair asks before it does: add --yes where nobody can answer": ["--repair"],
  };
  for (const [message, args] of Object.entries(wrong))
    it(`are refused where they are ${args.join(" ")}`, () => {
      expect(() => read(...args)).to.throw(UsageError, message);
    });
});

describe("a repair", () => {
  const difference = (id: string, more: Partial<Difference> = {}): Difference => ({
    table: "dim_staff",
    kind: "stale",
    key: { staff_id: id },
    columns: [],
    source: { table: "staff", key: { staff_id: id } },
    ...more,
  });

  it("names each source row once, whichever tables it makes", () => {
    const differences = [difference("1"), difference("2"), difference("1", { table: "dim_boss" })];
    expect(repairOf(differences)).to.deep.equal({
      named: new Map([["staff", [{ staff_id: "1" }, { staff_id: "2" }]]]),
      rows: 2,
      left: [],
    });
  });

  it("leaves what reading again does not put right", () => {
    const { source: _, ...unknown } = difference("1");
    const left = [
      unknown,
      difference("2", { kind: "extra", recordId: "7" }),
      difference("3", { source: { table: "staff", key: { staff_id: null } } }),
    ];
    expect(repairOf(left)).to.deep.equal({ named: new Map(), rows: 0, left });
  });

  describe("of rows that are gone from their source", () => {
    const staff = defineSource("staff", { staff_id: key(integer), name: text });
    const dim = <const N extends `dim_${string}`>(name: N) =>
      defineTable({
        name,
        description: "One row per member of staff.",
        source: staff,
        columns: { id: key(integer), name: text },
        format: ({ staff_id, name: of }) => ({ id: staff_id, name: of }),
      });
    const tables = tablesOf(dim("dim_staff"), dim("dim_boss"));
    const gone = (count: number): Difference[] =>
      Array.from({ length: count }, (_, at) =>
        difference(String(at), { kind: "extra", isGone: true }),
      );
    const leaving = (rows: number, left: number) =>
      leavingOf(gone(rows), tables, [{ table: "dim_staff", rows: left }]);

    it("has them leave each table that is keyed by it, compared or not", () => {
      expect(leaving(3, 10)).to.have.deep.members([
        { table: "dim_staff", rows: 3, isDoubted: false },
        { table: "dim_boss", rows: 3, isDoubted: false },
      ]);
      const others = [difference("1"), difference("2", { kind: "extra" })];
      expect(leavingOf(others, tables, [])).to.deep.equal([]);
    });

    it("counts a row once that several tables have", () => {
      const both = [...gone(2), ...gone(2).map((one) => ({ ...one, table: "dim_boss" }))];
      const compared = [{ table: "dim_staff", rows: 5 }];
      expect(leavingOf(both, tables, compared).map(({ rows }) => rows)).to.deep.equal([2, 2]);
    });

    for (const [rows, left, isDoubted] of [
      [100, 1, false],
      [101, 1, true],
      [101, 909, false],
      [101, 908, true],
      [1, 0, true],
    ] as const)
      it(`${isDoubted ? "doubts" : "believes"} that ${rows} are gone where ${left} are left`, () => {
        expect(leaving(rows, left).map((one) => one.isDoubted)).to.deep.equal([
          isDoubted,
          isDoubted,
        ]);
      });
  });
});
