import { dayOf, stamp } from "./calendar.ts";
import {
  CITIES,
  CONTACTS,
  COUNTERPARTIES,
  COUNTRIES,
  CURRENCIES,
  DEPARTMENTS,
  DESIGN_NAMES,
  DISTRICTS,
  FOLDERS,
  PAYMENT_TYPES,
  ROADS,
  ROAD_KINDS,
  SECOND_LINES,
  STAFF,
} from "./names.ts";
import type { Random } from "./random.ts";
import type { Cell, SourceTable } from "./source.ts";

/** The rows of one table, on their way into it. */
export interface TableRows {
  table: SourceTable;
  columns: readonly string[];
  rows: Cell[][];
}

const ADDRESSES = 30;
/** Designs there are on the shop's first day; the others come over the period. */
const FIRST_DESIGNS = 12;

/**
 * Everything that orders refer to, tables in the order of their foreign keys, ids counted from 1.
 * `openedAt` and `designDates` are milliseconds since 1970, UTC; `designDates` is when each design was made.
 */
export function referenceRows(
  random: Random,
  openedAt: number,
  designDates: readonly number[],
): TableRows[] {
  const opened = stamp(openedAt);
  const stamps = [opened, opened];

  return [
    {
      table: "address",
      columns: [
        "address_id",
        "address_line_1",
        "address_line_2",
        "district",
        "city",
        "postal_code",
        "country",
        "phone",
        "created_at",
        "last_updated",
      ],
      rows: Array.from({ length: ADDRESSES }, (_, i) => [
        i + 1,
        `${random.int(1, 9999)} ${random.pick(ROADS)} ${random.pick(ROAD_KINDS)}`,
        // The first few are told, not drawn, so that every shop has both kinds.
        i === 0 || (i > 1 && random.chance(0.35)) ? random.pick(SECOND_LINES) : null,
        i === 1 || (i > 2 && random.chance(0.5)) ? random.pick(DISTRICTS) : null,
        random.pick(CITIES),
        digits(random, 5) + (random.chance(0.5) ? `-${digits(random, 4)}` : ""),
        i === 0 ? COUNTRIES[0] : random.pick(COUNTRIES),
        `${digits(random, 4)} ${digits(random, 6)}`,
        ...stamps,
      ]),
    },
    {
      table: "currency",
      columns: ["currency_id", "currency_code", "created_at", "last_updated"],
      rows: CURRENCIES.map((code, i) => [i + 1, code, ...stamps]),
    },
    {
      table: "department",
      columns: [
        "department_id",
        "department_name",
        "location",
        "manager",
        "created_at",
        "last_updated",
      ],
      rows: DEPARTMENTS.map((department, i) => [i + 1, ...department, ...stamps]),
    },
    {
      table: "design",
      columns: [
        "design_id",
        "design_name",
        "file_location",
        "file_name",
        "created_at",
        "last_updated",
      ],
      rows: designDates.map((made, i) => [
        i + 1,
        ...design(random, made),
        stamp(made),
        stamp(made),
      ]),
    },
    {
      table: "payment_type",
      columns: ["payment_type_id", "payment_type_name", "created_at", "last_updated"],
      rows: PAYMENT_TYPES.map((name, i) => [i + 1, name, ...stamps]),
    },
    {
      table: "counterparty",
      columns: [
        "counterparty_id",
        "counterparty_legal_name",
        "legal_address_id",
        "commercial_contact",
        "delivery_contact",
        "created_at",
        "last_updated",
      ],
      rows: COUNTERPARTIES.map((name, i) => [
        i + 1,
        name,
        // The first lives at the first address, whose country holds an apostrophe.
        i === 0 ? 1 : random.int(1, ADDRESSES),
        random.chance(0.9) ? random.pick(CONTACTS) : null,
        random.chance(0.9) ? random.pick(CONTACTS) : null,
        ...stamps,
      ]),
    },
    {
      table: "staff",
      columns: [
        "staff_id",
        "first_name",
        "last_name",
        "department_id",
        "email_address",
        "created_at",
        "last_updated",
      ],
      rows: STAFF.map(([first, last], i) => [
        i + 1,
        first,
        last,
        // Everyone's department is drawn, but no department is left without anyone.
        i < DEPARTMENTS.length ? i + 1 : random.int(1, DEPARTMENTS.length),
        `${first}.${last}@totaltotes.example`.toLowerCase().replaceAll(" ", ""),
        ...stamps,
      ]),
    },
  ];
}

/** How many designs a shop has made by the time it has taken `orders`. */
export function designsFor(orders: number): number {
  return Math.min(250, FIRST_DESIGNS + Math.floor(orders / 25));
}

/** How many of `designs` there are when `part` (0 to 1) of the period has gone. */
export function designsBy(designs: number, part: number): number {
  const first = Math.min(designs, FIRST_DESIGNS);
  return Math.min(designs, first + Math.floor((designs - first) * part));
}

/** The part of the period (0 to 1) at which design `index`, counted from 0, is made. */
export function designMade(designs: number, index: number): number {
  if (index < FIRST_DESIGNS) return 0;
  return (index - FIRST_DESIGNS + 1) / (designs - FIRST_DESIGNS + 1);
}

function design(random: Random, made: number): [string, string, string] {
  // Squared, so that the first names are drawn more often: a shop has favourites.
  const name = DESIGN_NAMES[Math.floor(random.next() ** 2 * DESIGN_NAMES.length)] as string;
  const drawn = dayOf(made - random.int(30, 900) * 86_400_000).replaceAll("-", "");
  const suffix = Array.from({ length: 4 }, () => random.int(0, 35).toString(36)).join("");
  return [name, random.pick(FOLDERS), `${name.toLowerCase()}-${drawn}-${suffix}.json`];
}

function digits(random: Random, count: number): string {
  return Array.from({ length: count }, () => random.int(0, 9)).join("");
}
