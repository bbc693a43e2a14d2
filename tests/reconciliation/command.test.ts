// `totes reconcile`, as a person or a script calls it.
import { leavingOf, repairOf, type Difference } from "../../src/reconciliation/difference.ts";
import { defineSource, defineTable, integer, key, text } from "../../src/table.ts";
import { expect } from "../support/chai.ts";
import { closeAll, openPipeline, type TestPipeline } from "../support/pipeline.ts";
import { tablesOf } from "../support/stages.ts";
import { callTotes, spawnTotes } from "../support/totes.ts";

describe("totes reconcile", () => {
  let p: TestPipeline;
  before(async () => {
    p = await openPipeline({ orders: 50 });
    await p.run();
  });
  after(closeAll);

  const call = (args: readonly string[], env: Record<string, string> = {}) =>
    callTotes({ ...p.env, ...env }, ["reconcile", ...args]);

  it("says with 2 where it cannot be told, without a password", async () => {
    const { code, err } = await call([], { SOURCE_SECRET: "no/such/secret" });
    expect(code).to.equal(2);
    expect(err).to.include("no/such/secret");
    expect(err).to.not.include(p.source.password);
  });

  it("gives 0 where there is no difference", async () => {
    const { code, out, err } = await spawnTotes(p.env, ["reconcile"]);
    expect(err).to.equal("");
    expect(out).to.include("No difference.");
    expect(out).to.match(/^ +source rows +ranges +differences +s$/m);
    expect(out).to.match(/^ {2}fact_sales_order +50 +1 +0 +\d+\.\d$/m);
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

    it("compares what changed since a moment alone, and a share", async () => {
      const since = async (when: string) =>
        (await call(["--table", "fact_payment", "--since", when])).code;
      expect([await since("2099-01-01T06:00Z"), await since("1")]).to.deep.equal([0, 0]);
      const { out } = await call(["--table", "dim_design", "--sample", "10%", "--json"]);
      expect(JSON.parse(out.trimEnd().split("\n").at(-1)!)).to.have.nested.property(
        "report.isWhole",
      );
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

describe("the options of totes reconcile", () => {
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
    "there is no table dim_stuff; did you mean dim_staff?": ["--table", "dim_date,dim_stuff"],
    "there is no table xyz; there are dim_": ["--table", "dim_date", "--table", "xyz"],
  };
  for (const [message, args] of Object.entries(wrong))
    it(`are refused where they are ${args.join(" ")}`, async () => {
      const { code, out, err } = await callTotes({}, ["reconcile", ...args]);
      expect({ code, out }).to.deep.equal({ code: 2, out: "" });
      expect(err.startsWith(message), err).to.equal(true);
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
