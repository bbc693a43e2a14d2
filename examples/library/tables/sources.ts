// The tables of a lending library: `totes sources pull` wrote them.
import {
  bigint,
  boolean,
  date,
  decimal,
  defineSource,
  integer,
  key,
  nullable,
  text,
  timestamptz,
} from "../../../src/table.ts";

export const author = defineSource("author", {
  author_id: key(bigint),
  full_name: text,
  born: nullable(date),
});

export const book = defineSource("book", {
  isbn: key(text),
  title: text,
  author_id: bigint,
  shelf: text,
  price: decimal(8, 2),
  // left out: cover, of type bytea
});

export const loan = defineSource("loan", {
  loan_id: key(bigint),
  isbn: text,
  member_id: integer,
  lent_at: timestamptz,
  due: date,
  returned_at: nullable(timestamptz),
  fine: decimal(6, 2),
});

export const member = defineSource("member", {
  member_id: key(integer),
  name: text,
  joined: date,
  is_child: boolean,
});
