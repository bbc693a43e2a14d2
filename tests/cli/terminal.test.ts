// What a person reads, in terminals of any width.
import { Terminal } from "../../cli/terminal.ts";
import { expect } from "../support/chai.ts";
import { Paper } from "../support/totes.ts";

/** What is said in a terminal of so many columns, without colours; 0 is a pipe. */
function said(columns: number, say: (terminal: Terminal) => void): string {
  const paper = new Paper(columns);
  say(new Terminal(paper, { isPlain: true }));
  return paper.text;
}

describe("a terminal", () => {
  const table = (terminal: Terminal): void =>
    terminal.table(
      ["table", "rows", "of the last batch"],
      [
        ["dim_staff", "20", "1"],
        ["fact_sales_order", "12,345", "678"],
      ],
    );
  const asTable =
    "  table                rows   of the last batch\n" +
    "  dim_staff              20                   1\n" +
    "  fact_sales_order   12,345                 678\n";

  it("shows a table where it fits", () => {
    expect(said(80, table)).to.equal(asTable);
    expect(said(47, table)).to.equal(asTable);
  });

  it("moves its columns together where that is enough", () => {
    const asNarrow =
      "  table               rows  of the last batch\n" +
      "  dim_staff             20                  1\n" +
      "  fact_sales_order  12,345                678\n";
    expect(said(46, table)).to.equal(asNarrow);
    expect(said(45, table)).to.equal(asNarrow);
  });

  it("shows it row by row where it does not, with the names of the columns", () => {
    expect(said(44, table)).to.equal(
      "  dim_staff\n" +
        "    rows              20\n" +
        "    of the last batch 1\n" +
        "  fact_sales_order\n" +
        "    rows              12,345\n" +
        "    of the last batch 678\n",
    );
  });

  it("gives a pipe the table, however wide it is", () => {
    const wide = said(0, (terminal) => terminal.table(["a", "b"], [["x".repeat(90), "1"]]));
    expect(wide).to.equal(`  a${" ".repeat(92)}b\n  ${"x".repeat(90)}   1\n`);
  });

  const text = "one two three four five six seven eight nine ten eleven twelve thirteen";

  it("wraps text at its own width, at 40 columns at least and at 100 at most", () => {
    const paragraph = (terminal: Terminal): void => terminal.paragraph("a ".repeat(200).trim());
    const widest = (columns: number): number =>
      Math.max(
        ...said(columns, paragraph)
          .split("\n")
          .map((line) => line.length),
      );
    expect([0, 30, 40, 60, 200].map(widest)).to.deep.equal([79, 39, 39, 59, 99]);
  });

  it("wraps one of many below where it began; on a pipe it stays a line", () => {
    const item = (terminal: Terminal): void => terminal.item(text, "7 ");
    expect(said(40, item)).to.equal(
      "  7 one two three four five six seven\n" +
        "    eight nine ten eleven twelve\n" +
        "    thirteen\n",
    );
    expect(said(40, (terminal) => terminal.item('found "a  b "'))).to.equal('  found "a  b "\n');
    expect(said(0, (terminal) => terminal.item(`${text} ${text}`))).to.equal(`  ${text} ${text}\n`);
  });

  it("wraps what a field says below where it began", () => {
    expect(said(40, (terminal) => terminal.field("since", text))).to.equal(
      "  since       one two three four five\n" +
        "              six seven eight nine ten\n" +
        "              eleven twelve thirteen\n",
    );
  });

  it("shows of hostile text what a terminal would obey, or show backwards, as a stain", () => {
    const evil = "a\x1b[2Jb\x9b31mc\rd\u202ee";
    const stained = "a\ufffd[2Jb\ufffd31mc d\ufffde";
    const lines = (say: (terminal: Terminal) => void): string[] => said(60, say).trim().split("\n");
    for (const say of [
      (terminal: Terminal): void => terminal.heading(evil),
      (terminal: Terminal): void => terminal.paragraph(evil),
      (terminal: Terminal): void => terminal.alarm(evil),
      (terminal: Terminal): void => terminal.item(evil),
    ])
      expect(lines(say)).to.deep.equal([stained]);
    const asLine = stained.replace(" ", "\ufffd");
    expect(lines((terminal) => terminal.line(evil))).to.deep.equal([asLine]);
    expect(lines((terminal) => terminal.field(evil, evil))).to.deep.equal([`${asLine} ${stained}`]);
    expect(lines((terminal) => terminal.table(["x"], [[evil]]))[1]).to.equal(`  ${asLine}`);
    const narrow = lines((terminal) => terminal.table(["x", "y".repeat(60)], [[evil, evil]]));
    expect(narrow.join()).to.not.match(/[\p{Cc}\u202e]/u);
  });
});
