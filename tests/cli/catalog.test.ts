// `totes catalog`, and the pages that are written from the same words.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { totes } from "../../cli/totes.ts";
import { allVerbs } from "../../cli/verbs.ts";
import { nameOf } from "../../cli/verb.ts";
import { pages, stalePages } from "../../scripts/docs.ts";
import { cataloguePage } from "../../scripts/docs/catalogue.ts";
import { commandsPage } from "../../scripts/docs/commands.ts";
import { catalogOf, type CatalogTable } from "../../src/operations/catalog.ts";
import {
  decimal,
  defineSource,
  defineTable,
  described,
  integer,
  key,
  references,
  serial,
} from "../../src/table.ts";
import { expect } from "../support/chai.ts";
import { tablesOf } from "../support/stages.ts";

const VERBS = await allVerbs();

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const [out, err] = [new PassThrough(), new PassThrough()];
  const said = Promise.all([text(out), text(err)]);
  const code = await totes(args, { out, err, isAnswered: false });
  out.end();
  err.end();
  const [answer, error] = await said;
  return { code, out: answer, err: error };
}

describe("totes catalog", () => {
  it("names every table with its grain", async () => {
    const { code, out } = await run("catalog");
    expect(code).to.equal(0);
    expect(out).to.match(/^Facts$.*^ {2}fact_payment$.*^Dimensions$.*^ {2}dim_staff$/ms);
    expect(out).to.include("One row per day that any fact refers to.");
  });

  it("tells of one table: its key, its rules, and each column's type, meaning and origin", async () => {
    const { code, out } = await run("catalog", "dim_staff");
    expect(code).to.equal(0);
    expect(out).to.match(/^ {2}key +staff_id$/m);
    expect(out).to.match(/^ {2}looks up +department by staff\.department_id$/m);
    const flat = out.replace(/\s+/g, " ");
    expect(flat).to.include(
      "staff_id integer, key Number of the member of staff. from staff.staff_id",
    );
    expect(flat).to.include(
      'location varchar Town in which the department is. "Unknown" where the source has none. from department.location',
    );
    expect(out).not.to.include("first_name\n\n");
  });

  it("gives all of it as JSON: of one table an object, of all a list", async () => {
    const one = JSON.parse((await run("catalog", "dim_design", "--json")).out) as CatalogTable;
    expect(one.columns[0]).to.deep.equal({
      name: "design_id",
      type: "integer",
      nullable: false,
      key: true,
      meaning: "Number of the design.",
      from: "design.design_id",
      isCarried: true,
    });
    const all = JSON.parse((await run("catalog", "--json")).out) as CatalogTable[];
    expect(all.map(({ kind }) => kind).slice(2, 4)).to.deep.equal(["fact", "dimension"]);
  });

  it("suggests the nearest table where there is none of that name", async () => {
    const { code, out, err } = await run("catalog", "fact_paymnt");
    expect([code, out]).to.deep.equal([2, ""]);
    expect(err).to.include("there is no table fact_paymnt; did you mean fact_payment?");
  });
});

describe("the generated pages", () => {
  it("are as the code says: else npm run docs writes them", async () => {
    expect(await stalePages(await pages())).to.deep.equal([]);
  });

  it("are stale where one is another, or not there", async () => {
    const root = await mkdtemp(path.join(tmpdir(), "pages-"));
    try {
      const wanted = { "a.md": "# A\n\n- one\n", "b.md": "# B\n", "c.md": "# C\n" };
      await writeFile(path.join(root, "a.md"), "# A\n\n- one\n");
      await writeFile(path.join(root, "b.md"), "# B, edited\n");
      expect(await stalePages(wanted, root)).to.deep.equal(["b.md", "c.md"]);
    } finally {
      await rm(root, { recursive: true });
    }
  });

  it("have every verb's help, as a terminal of 80 columns shows it", async () => {
    const page = await commandsPage(VERBS, "<!-- output: up -->\n\n```text\nwas pasted\n```\n");
    for (const verb of VERBS) {
      expect(page).to.include(`\n## ${nameOf(verb)}\n`);
      for (const [line] of verb.examples)
        expect(page).to.include(line.split(" ").slice(0, 2).join(" "));
    }
    expect(page.split("\n").filter((line) => /^ {2}/.test(line) && line.length > 80)).to.deep.equal(
      [],
    );
  });

  it("draw a fact with the tables it refers to, by the columns that do", () => {
    const shelf = defineSource("shelf", { shelf_id: key(integer) });
    const move = defineSource("move", {
      move_id: key(integer),
      old: integer,
      new: integer,
      cost: decimal(6, 2),
    });
    const dim_shelf = defineTable({
      name: "dim_shelf",
      description: "One row per shelf.",
      source: shelf,
      columns: { shelf_id: key(integer) },
      format: ({ shelf_id }) => ({ shelf_id }),
    });
    const fact_move = defineTable({
      name: "fact_move",
      description: "One row per version of a move.",
      source: move,
      columns: {
        move_record_id: serial,
        move_id: key(integer),
        from_id: references("dim_shelf", integer),
        to_id: references("dim_shelf", integer),
        cost: described("In pounds | pence.", decimal(6, 2)),
      },
      format: (move) => ({
        move_id: move.move_id,
        from_id: move.old,
        to_id: move.new,
        cost: move.cost,
      }),
    });
    const page = cataloguePage(catalogOf(tablesOf(dim_shelf, fact_move)));
    expect(page).to.include(`\`\`\`mermaid
erDiagram
  dim_shelf ||--o{ fact_move : "from_id, to_id"
  fact_move {
    serial move_record_id PK
    integer move_id "the record"
    integer from_id FK
    integer to_id FK
    numeric(6_2) cost
  }
  dim_shelf {
    integer shelf_id PK
  }
\`\`\``);
    expect(page).to.include("| `cost` | numeric(6, 2) | In pounds \\| pence. | `move.cost` |");
    expect(page).to.include("`fact_move/2026/11/22/0000000042-<run>.parquet`");
  });
});
