import { allSources } from "../src/check-tables.ts";
import type { Connection } from "../src/postgres/connection.ts";
import { readCatalogue } from "../src/postgres/catalogue.ts";
import type { Sides } from "../src/reconciliation/reconcile.ts";
import { same } from "../src/reconciliation/settle.ts";
import { format, idOf, keyPlaces, SourceReader } from "../src/reconciliation/source-rows.ts";
import type { Texts } from "../src/reconciliation/texts.ts";
import { WarehouseReader } from "../src/reconciliation/warehouse-rows.ts";

/**
 * What reconciling is held against: reads both sides whole, and compares them in Node row by row, with the same readers. Holds
 * a whole table in memory, and does not say what a difference means. Gives how many rows differ.
 */
export async function extractAndCompare({
  source,
  warehouse,
  tables,
}: Pick<Sides, "source" | "warehouse" | "tables">): Promise<number> {
  const opened: Connection[] = [];
  const open = async (connect: () => Promise<Connection>): Promise<Connection> => {
    const connection = await connect();
    opened.push(connection);
    await connection.db.none("begin");
    return connection;
  };
  try {
    const [first, second] = [await open(source), await open(source)];
    const catalogue = await readCatalogue(first.db, allSources(tables));
    const theirs = new SourceReader(first, second, catalogue);
    const ours = await WarehouseReader.open(await open(warehouse), tables);
    let differing = 0;
    for (const table of tables) {
      const places = keyPlaces(table);
      const id = (texts: Texts): string => idOf(places.map((at) => texts[at]!));
      const expected = new Map<string, Texts>();
      for (const one of table.sources)
        for await (const rows of theirs.rows(one, "true")) {
          const found = await theirs.look([table], one, rows);
          for (const texts of format(table, one, rows, found).texts) expected.set(id(texts), texts);
        }
      for await (const rows of ours.rows(table, "true"))
        for (const { texts } of rows) {
          const row = expected.get(id(texts));
          if (!row || !same(row, texts)) differing++;
          expected.delete(id(texts));
        }
      differing += expected.size;
    }
    return differing;
  } finally {
    await Promise.all(opened.map((connection) => connection.close()));
  }
}
