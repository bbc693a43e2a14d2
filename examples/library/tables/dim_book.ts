import { decimal, defineTable, key, lookup, text } from "../../../src/table.ts";
import { author, book } from "./sources.ts";

export default defineTable({
  name: "dim_book",
  description: "One row per book, with its author folded in.",
  source: book,
  lookups: { author: lookup(author, "author_id") },
  columns: {
    isbn: key(text),
    title: text,
    author: text,
    shelf: text,
    price: decimal(8, 2),
  },
  format: (book, { author }) => ({
    isbn: book.isbn,
    title: book.title,
    author: author.full_name,
    shelf: book.shelf,
    price: book.price,
  }),
});
