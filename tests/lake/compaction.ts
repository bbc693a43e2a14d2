// A compaction of a copy of the lake, as its contract has it: few objects in place of many, and a manifest that says so.
import { DuckDBInstance } from "@duckdb/node-api";
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { sha256, type LakeObject, type ProcessedManifest } from "../../src/lake/manifest.ts";
import { literal } from "../../src/postgres/sql.ts";

/** Compacts batches `from` to `to` of the lake in `folder`; their own objects are gone then. */
export async function compact(
  folder: string,
  number: number,
  from: number,
  to: number,
): Promise<void> {
  const duckdb = await (await DuckDBInstance.create(":memory:")).connect();
  const last = String(to).padStart(10, "0");
  const manifests: Buffer[] = [];
  for (const file of (await readdir(path.join(folder, "_batches"))).sort().slice(from - 1, to))
    manifests.push(await readFile(path.join(folder, "_batches", file)));
  const batches = manifests.map((bytes) => JSON.parse(bytes.toString()) as ProcessedManifest);

  const merged = async (list: "objects" | "deleted"): Promise<object[]> => {
    const objects = batches.flatMap((batch) =>
      batch[list].map((object) => ({ ...object, batch: batch.batch })),
    );
    const made: object[] = [];
    for (const table of new Set(objects.map((object) => object.table))) {
      const own: (LakeObject & { batch: number })[] = [];
      for (const object of objects.filter((one) => one.table === table))
        if (await isThere(path.join(folder, object.key))) own.push(object);
      const key = `${list === "deleted" ? "_deleted/" : ""}${table}/2026/12/01/${last}-c0mpac7i0n00.parquet`;
      const file = path.join(folder, key);
      await mkdir(path.dirname(file), { recursive: true });
      const files = own.map((object) => literal(path.join(folder, object.key))).join(", ");
      await duckdb.run(
        `copy (select * from read_parquet([${files}], union_by_name = true) order by _batch) to ${literal(file)} (format parquet)`,
      );
      for (const object of own) await rm(path.join(folder, object.key));
      const bytes = await readFile(file);
      made.push({
        table,
        key,
        rows: own.reduce((sum, { rows }) => sum + rows, 0),
        bytes: bytes.length,
        sha256: sha256(bytes),
        batches: own.map(({ batch, rows }) => ({ batch, rows })),
      });
    }
    return made;
  };
  const manifest = {
    compaction: number,
    from,
    to,
    kind: "compaction",
    run: "c0mpac7i0n00",
    previous_sha256: null,
    committed_at: new Date().toISOString(),
    manifests: manifests.map(sha256),
    objects: await merged("objects"),
    deleted: await merged("deleted"),
  };
  duckdb.closeSync();
  await mkdir(path.join(folder, "_compactions"), { recursive: true });
  await writeFile(
    path.join(folder, "_compactions", `${last}.json`),
    `${JSON.stringify(manifest)}\n`,
  );
}

const isThere = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );
