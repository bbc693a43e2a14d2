// What the catalogue says of tables, and how it finds out where their columns come from.
import { catalogOf, columnsInWords } from "../../src/operations/catalog.ts";
import { lineageOf } from "../../src/lineage.ts";
import { getTables } from "../../src/registry.ts";
import {
  boolean,
  decimal,
  defineSource,
  defineTable,
  deletedAt,
  described,
  full,
  integer,
  key,
  lookup,
  nullable,
  references,
  serial,
  text,
  timestamp,
  type Table,
} from "../../src/table.ts";
import { tablesOf } from "../support/stages.ts";
import { expect } from "../support/chai.ts";

const shelf = defineSource("shelf", {
  shelf_id: key(integer),
  floor: described("Storey of the shelf, 0 at the street.", nullable(integer)),
});
const book = defineSource("book", {
  book_id: key(integer),
  shelf_id: integer,
  title: described("Title as printed.", text),
  genre: described("What kind of book.", text, "novel", "poems"),
  subtitle: nullable(text),
  price: decimal(6, 2),
  lent: boolean,
  seen_at: described("When it was seen last.", timestamp),
  weight: integer,
});
const GENRES: Readonly<Record<string, string>> = { novel: "N", poems: "P" };
const dim_book = defineTable({
  name: "dim_book",
  description: "One row per book.",
  source: book,
  lookups: { shelf: lookup(shelf, "shelf_id") },
  columns: {
    book_id: key(integer),
    title: text,
    genre: described("First letter of the genre.", text),
    full_title: described("Title and subtitle.", text),
    price: decimal(6, 2),
    lent: boolean,
    worth: described("Its price, its weight while it is lent.", text),
    seen_on: text,
    floor: integer,
    maker: described("Always the same.", text),
  },
  format: (book, { shelf }) => {
    const genre = GENRES[book.genre];
    if (genre === undefined) throw new Error("no such genre");
    return {
      book_id: book.book_id,
      title: book.title,
      genre,
      full_title: book.subtitle === null ? book.title : `${book.title}: ${book.subtitle}`,
      price: book.price,
      lent: book.lent,
      worth: book.lent ? String(book.weight) : book.price,
      seen_on: book.seen_at.slice(0, 10),
      floor: shelf.floor ?? -1,
      maker: "us",
    };
  },
});
const [books] = tablesOf(dim_book) as [Table];

describe("the lineage of a column", () => {
  const lineage = lineageOf(books);

  it("is the source column that it hands on", () => {
    expect(lineage.get("title")).to.deep.equal({ from: ["book.title"], isCarried: true });
    expect(lineage.get("price")).to.deep.equal({ from: ["book.price"], isCarried: true });
    expect(lineage.get("lent")).to.deep.equal({ from: ["book.lent"], isCarried: true });
  });

  it("is each source column that it is made from", () => {
    expect(lineage.get("seen_on")).to.deep.equal({ from: ["book.seen_at"], isCarried: false });
    expect(lineage.get("full_title")).to.deep.equal({
      from: ["book.title", "book.subtitle"],
      isCarried: false,
    });
  });

  it("is each source column that counts only where another says so", () => {
    expect(lineage.get("worth")).to.deep.equal({
      from: ["book.price", "book.lent", "book.weight"],
      isCarried: false,
    });
  });

  it("is found for a formatter that refuses most texts, by the source column's examples", () => {
    expect(lineage.get("genre")).to.deep.equal({ from: ["book.genre"], isCarried: false });
  });

  it("leads to the source that is looked up, and says what stands for its null", () => {
    expect(lineage.get("floor")).to.deep.equal({
      from: ["shelf.floor"],
      isCarried: true,
      whenNull: -1,
    });
  });

  it("is empty of a constant, and of all that a formatter makes that refuses every specimen", () => {
    expect(lineage.get("maker")).to.deep.equal({ from: [], isCarried: false });
    const refusing = {
      ...books,
      format: () => {
        throw new Error("no");
      },
    };
    for (const { from } of lineageOf(refusing).values()) expect(from).to.deep.equal([]);
  });

  it("is of every driving source, where there are several rows or none", () => {
    const days = { ...books, sources: [book, shelf], lookups: {}, columns: { n: key(integer) } };
    const format: Table["format"] = (row) =>
      "weight" in row
        ? [{ n: row["weight"] }, { n: row["book_id"] }]
        : row["floor"] === null
          ? []
          : { n: 1 };
    expect(lineageOf({ ...days, format }).get("n")).to.deep.equal({
      from: ["book.book_id", "book.weight", "shelf.floor"],
      isCarried: false,
    });
  });
});

describe("a column in words", () => {
  const words = new Map(
    columnsInWords(books).map(({ name, meaning, from }) => [name, [meaning, from]]),
  );

  it("means what its source column means, where it hands that on", () => {
    expect(words.get("title")).to.deep.equal(["Title as printed.", "book.title"]);
    expect(words.get("floor")).to.deep.equal([
      "Storey of the shelf, 0 at the street. -1 where the source has none.",
      "shelf.floor",
    ]);
  });

  it("means what it says itself, where it says something", () => {
    expect(words.get("genre")).to.deep.equal(["First letter of the genre.", "book.genre"]);
    expect(words.get("full_title")).to.deep.equal([
      "Title and subtitle.",
      "book.title, book.subtitle",
    ]);
  });

  it("means nothing where nobody said anything: what it is made from may mean something else", () => {
    expect(words.get("seen_on")).to.deep.equal(["", "book.seen_at"]);
  });

  it("is the loader's or the pipeline's where no formatter fills it", () => {
    const columns = { copy_id: serial, book_id: key(integer), deleted_at: deletedAt };
    const found = columnsInWords({ ...books, columns });
    expect(found.map(({ name, type, from }) => [name, type, from])).to.deep.equal([
      ["copy_id", "serial", "the loader"],
      ["book_id", "integer", "book.book_id"],
      ["deleted_at", "timestamptz", "the pipeline"],
    ]);
  });
});

describe("a table in words", () => {
  const fact_loan = defineTable({
    name: "fact_loan",
    description: "One row per version of a loan.",
    source: defineSource(
      "loan",
      { loan_id: key(integer), book_id: integer },
      { schema: "desk", changes: full },
    ),
    columns: {
      loan_record_id: serial,
      loan_id: key(integer),
      book_id: references("dim_book", integer),
    },
    format: ({ loan_id, book_id }) => ({ loan_id, book_id }),
  });

  it("says its grain, its key, what it is made of, and the rules that hold", () => {
    const [loans, found] = catalogOf(tablesOf(dim_book, fact_loan));
    expect({ ...loans, columns: [] }).to.deep.equal({
      name: "fact_loan",
      kind: "fact",
      grain: "One row per version of a loan.",
      key: ["loan_id"],
      keepsVersions: true,
      version: 1,
      sources: ["desk.loan"],
      lookups: [],
      rules: [
        "A row is added when a record is not as its latest version was. The newest version of a loan_id is the one with the highest loan_record_id.",
        "Refers to dim_book; a row that is not there yet is stood in for by an inferred member.",
        "loan is read whole at each run.",
        "A row that is gone from the source stays.",
      ],
      columns: [],
    });
    expect(found!.lookups).to.deep.equal(["shelf by book.shelf_id"]);
    expect(found!.rules.slice(0, 2)).to.deep.equal([
      "Merged by book_id: a row is as the source has it now.",
      "When a row of shelf changes, every row that shows it is made again. A shelf_id that is not found there quarantines the row.",
    ]);
  });
});

describe("every table's catalogue", () => {
  it("says of each column what it means and where it comes from", async () => {
    for (const { name: table, columns } of catalogOf(await getTables()))
      for (const { name, meaning, from } of columns) {
        const wanted = `${table}.${name}: say it with described(…), there or of its source column, with examples where a text is not just any`;
        expect(meaning, wanted).to.match(/^\S.*\.$/);
        expect(from, wanted).to.match(/^\S/);
      }
  });

  it("leads to each source column that a formatter reads", async () => {
    for (const table of await getTables()) {
      const read = new Set<string>();
      const watched: Table = {
        ...table,
        format: (row, found) =>
          table.format(
            seen(row, (column) => read.add(`${sourceOf(table, row)}.${column}`)),
            Object.fromEntries(
              Object.entries(found).map(([name, one]) => [
                name,
                one &&
                  seen(one, (column) => read.add(`${table.lookups[name]!.source.name}.${column}`)),
              ]),
            ),
          ),
      };
      const told = [...lineageOf(watched).values()].flatMap(({ from }) => from);
      expect([...new Set(told)].sort(), table.name).to.deep.equal([...read].sort());
    }
  });
});

/** Tells each column that is read of a row. */
const seen = <R extends object>(row: R, tell: (column: string) => void): R =>
  new Proxy(row, {
    get: (of, column) => {
      tell(String(column));
      return Reflect.get(of, column) as unknown;
    },
  });

/** The driving source whose columns a row has. */
const sourceOf = ({ sources }: Table, row: object): string =>
  sources.find(({ columns }) => Object.keys(columns).join() === Object.keys(row).join())!.name;
