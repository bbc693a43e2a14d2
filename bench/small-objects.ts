/** A processed bucket of many batches, each with a few rows of one table: as ten-minute ticks leave it. */
import { eachOf } from "../src/at-once.ts";
import { getObjectPath, receiptKey } from "../src/lake/keys.ts";
import { commitManifest, sha256, type ProcessedManifest } from "../src/lake/manifest.ts";
import { writeFileToS3 } from "../src/lake/objects.ts";
import type { ParquetCodec } from "../src/parquet/codec.ts";
import { fileColumns, PARQUET, type FileColumn } from "../src/parquet/schema.ts";
import type { Table } from "../src/table.ts";
import type { Stored } from "../src/values.ts";
import { layoutOf, vectorOf } from "../src/vectors.ts";

const DAY = 86_400_000_000;

/** Some value that a column can hold, the same for the same row. */
function valueOf(column: FileColumn, row: number): Stored {
  switch (column.type) {
    case "boolean":
      return row % 2 === 0;
    case "text":
      return `text ${row % 997}`;
    case "time":
      return (row * 61_001_003) % DAY;
    case "date":
      return 19_000 + (row % 1_000);
    default:
      return layoutOf(column) === "bigint" ? BigInt(row) : (row * 7) % 30_000;
  }
}

/** Fills an empty bucket: so many batches, each with so many rows of `table`, and a receipt. */
export async function fillWithBatches(
  bucket: string,
  table: Table,
  codec: ParquetCodec,
  { batches, rows }: { readonly batches: number; readonly rows: number },
): Promise<void> {
  const columns = fileColumns(table.columns);
  const numbers = Array.from({ length: batches }, (_, i) => i + 1);
  await eachOf(numbers, 8, async (batch) => {
    const vectors = columns.map((column, c) =>
      vectorOf(
        column,
        Array.from({ length: rows }, (_, row) =>
          c === columns.length - 1 ? BigInt(batch) : valueOf(column, (batch - 1) * rows + row),
        ),
      ),
    );
    const body = await codec.write(columns, vectors);
    const at = new Date(Date.UTC(2026, 0, 1) + batch * 600_000);
    const key = getObjectPath(table.name, { at, batch, run: "0123456789ab" }, "parquet");
    await writeFileToS3(bucket, key, body, PARQUET);
    const manifest: ProcessedManifest = {
      batch,
      run: "0123456789ab",
      kind: "changes",
      previous_sha256: batch === 1 ? null : sha256(Buffer.from(String(batch - 1))),
      ingestion_sha256: sha256(Buffer.from(String(batch))),
      ingested_at: at.toISOString(),
      committed_at: at.toISOString(),
      build: 0,
      fingerprints: {},
      objects: [{ table: table.name, key, rows, bytes: body.length, sha256: sha256(body) }],
      deleted: [],
      rejected: [],
      rejected_rows: 0,
      driven: [],
      gone: [],
    };
    await commitManifest(bucket, manifest);
    const receipt = Buffer.from(`${JSON.stringify({ batch, run: manifest.run })}\n`);
    await writeFileToS3(bucket, receiptKey(batch), receipt, "application/json");
  });
}
