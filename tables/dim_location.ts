import { defineTable, integer, key, nullable, text } from "../src/table.ts";
import { address } from "./sources.ts";

export default defineTable({
  name: "dim_location",
  description: "One row per address that goods are delivered to.",
  source: address,
  columns: {
    location_id: key(integer),
    address_line_1: text,
    address_line_2: nullable(text),
    district: nullable(text),
    city: text,
    postal_code: text,
    country: text,
    phone: text,
  },
  format: (address) => ({
    location_id: address.address_id,
    address_line_1: address.address_line_1,
    address_line_2: address.address_line_2,
    district: address.district,
    city: address.city,
    postal_code: address.postal_code,
    country: address.country,
    phone: address.phone,
  }),
});
