import type { Database } from "./source.ts";
import { STAR_TABLES, calendarSql, canonical } from "./star-shape.ts";
import type { Star, StarRow } from "./star-shape.ts";

/**
 * What the warehouse holds, in one snapshot: the dimensions, and of each fact's record the latest version (the
 * one of the highest record id), every value as canonical text, as `starOf` gives it. dim_date's `allowed`
 * holds each day that any version of a fact refers to. Throws what PostgreSQL throws, as of a missing column.
 */
export async function latestOf(warehouse: Database, schema = "public"): Promise<Star> {
  return warehouse.tx(async (tx) => {
    await tx.none("set transaction isolation level repeatable read, read only");
    const star: Star = new Map();
    const days: string[] = [];

    for (const [name, { columns, kinds, key, record }] of STAR_TABLES) {
      const texts = columns.map((column, i) => canonical(column, kinds[i] ?? "text")).join(", ");
      const from = record
        ? `(select distinct on ($(key:name)) * from $(schema:name).$(name:name)
             order by $(key:name), $(record:name) desc) as latest`
        : "$(schema:name).$(name:name)";
      const found = await tx.any<Record<string, string | null>>(`select ${texts} from ${from}`, {
        schema,
        name,
        key,
        record,
      });
      const rows = found.map((row) => columns.map((column) => row[column] ?? null));
      star.set(name, { columns, key, rows, quarantined: [], allowed: [] });

      if (record) {
        const dated = columns.filter((_, i) => kinds[i] === "date").join(", ");
        days.push(`select unnest(array[${dated}]) as day from $(schema:name).${name}`);
      }
    }

    const calendar = star.get("dim_date");
    if (calendar) {
      const found = await tx.any<Record<string, string>>(
        `select ${calendarSql("day")} from (${days.join(" union ")}) as referred`,
        { schema },
      );
      calendar.allowed = found.map((row): StarRow => calendar.columns.map((c) => row[c] ?? null));
    }
    return star;
  });
}
