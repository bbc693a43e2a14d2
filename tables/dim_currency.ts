import { code } from "currency-codes";
import { defineTable, described, integer, key, text } from "../src/table.ts";
import { currency } from "./sources.ts";

export default defineTable({
  name: "dim_currency",
  description: "One row per currency, with its ISO 4217 name.",
  source: currency,
  columns: {
    currency_id: key(integer),
    currency_code: text,
    currency_name: described(
      "Name of the currency in ISO 4217; a code that is not there is quarantined.",
      text,
    ),
  },
  format: ({ currency_id, currency_code }) => {
    const known = code(currency_code);
    if (known?.code !== currency_code)
      throw new Error(`currency_code ${JSON.stringify(currency_code)} is not in ISO 4217`);
    return { currency_id, currency_code, currency_name: known.currency };
  },
});
