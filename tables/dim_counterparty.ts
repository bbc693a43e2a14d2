import { defineTable, integer, key, lookup, nullable, text } from "../src/table.ts";
import { address, counterparty } from "./sources.ts";

export default defineTable({
  name: "dim_counterparty",
  description: "One row per counterparty, with its legal address folded in.",
  source: counterparty,
  lookups: { address: lookup(address, "legal_address_id") },
  columns: {
    counterparty_id: key(integer),
    counterparty_legal_name: text,
    counterparty_legal_address_line_1: text,
    counterparty_legal_address_line_2: nullable(text),
    counterparty_legal_district: nullable(text),
    counterparty_legal_city: text,
    counterparty_legal_postal_code: text,
    counterparty_legal_country: text,
    counterparty_legal_phone_number: text,
  },
  format: (counterparty, { address }) => ({
    counterparty_id: counterparty.counterparty_id,
    counterparty_legal_name: counterparty.counterparty_legal_name,
    counterparty_legal_address_line_1: address.address_line_1,
    counterparty_legal_address_line_2: address.address_line_2,
    counterparty_legal_district: address.district,
    counterparty_legal_city: address.city,
    counterparty_legal_postal_code: address.postal_code,
    counterparty_legal_country: address.country,
    counterparty_legal_phone_number: address.phone,
  }),
});
