// What every fact has: the days and times at which it was created and last updated.
import { date, references, time } from "../src/table.ts";

/** A day, to be found in dim_date. */
export const day = references("dim_date", date);

/** The four columns that say when a fact was created and last updated; {@link stampsOf} fills them. */
export const stampColumns = {
  created_date: day,
  created_time: time,
  last_updated_date: day,
  last_updated_time: time,
};

/** Takes `YYYY-MM-DDTHH:MM:SS.fff` apart, milliseconds kept. */
export const stampsOf = (row: { created_at: string; last_updated: string }) => ({
  created_date: row.created_at.slice(0, 10),
  created_time: row.created_at.slice(11),
  last_updated_date: row.last_updated.slice(0, 10),
  last_updated_time: row.last_updated.slice(11),
});
