// What every fact has: the days and times at which it was created and last updated.
import { date, described, references, time } from "../src/table.ts";

/** A day, to be found in dim_date. */
export const day = references("dim_date", date);

/** The four columns that say when a fact was created and last updated: {@link dateOf} and {@link timeOf} its stamps. */
export const stampColumns = {
  created_date: described("The day on which it was made.", day),
  created_time: described("The time of that day, to the millisecond.", time),
  last_updated_date: described(
    "The day on which the shop says that it changed last; some changes leave it alone.",
    day,
  ),
  last_updated_time: described("The time of that day, to the millisecond.", time),
};

/** The day of `YYYY-MM-DDTHH:MM:SS.fff`. */
export const dateOf = (stamp: string): string => stamp.slice(0, 10);

/** The time of `YYYY-MM-DDTHH:MM:SS.fff`, milliseconds kept. */
export const timeOf = (stamp: string): string => stamp.slice(11);
