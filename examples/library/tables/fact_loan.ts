import {
  bigint,
  date,
  decimal,
  defineTable,
  integer,
  key,
  nullable,
  references,
  serial,
  text,
  timestamptz,
} from "../../../src/table.ts";
import { loan } from "./sources.ts";

export default defineTable({
  name: "fact_loan",
  description: "One row per version of a loan: one that is returned adds a row.",
  source: loan,
  columns: {
    loan_record_id: serial,
    loan_id: key(bigint),
    isbn: references("dim_book", text),
    member_id: references("dim_member", integer),
    lent_at: timestamptz,
    due: date,
    returned_at: nullable(timestamptz),
    fine: decimal(6, 2),
  },
  format: (loan) => ({
    loan_id: loan.loan_id,
    isbn: loan.isbn,
    member_id: loan.member_id,
    lent_at: loan.lent_at,
    due: loan.due,
    returned_at: loan.returned_at,
    fine: loan.fine,
  }),
});
