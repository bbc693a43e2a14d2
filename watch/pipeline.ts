/** The page's answers, of a pipeline that is there. */
import { batch } from "../src/operations/batch.ts";
import { batches } from "../src/operations/batches.ts";
import { overview } from "../src/operations/overview.ts";
import type { Places } from "../src/operations/places.ts";
import { quarantineGroups } from "../src/operations/quarantine.ts";
import { table, tables } from "../src/operations/tables.ts";
import { atMostEvery, type Answers } from "./answers.ts";
import { business } from "./business.ts";

/** However many pages are open, the pipeline is looked at once in so many milliseconds. */
const AT_MOST_EVERY = {
  overview: 500,
  tables: 5_000,
  quarantine: 5_000,
  business: 60_000,
} as const;

export const answersOf = (places: Places): Answers => ({
  overview: atMostEvery(AT_MOST_EVERY.overview, () => overview(places)),
  batches: (page) => batches(places, page),
  batch: (number) => batch(places, number),
  tables: atMostEvery(AT_MOST_EVERY.tables, () => tables(places)),
  table: (name) => table(places, name),
  quarantine: atMostEvery(AT_MOST_EVERY.quarantine, () => quarantineGroups(places)),
  business: atMostEvery(AT_MOST_EVERY.business, () => business(places)),
});
