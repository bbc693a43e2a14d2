import {
  GetObjectCommand,
  paginateListObjectsV2,
  type S3Client,
  type _Object,
} from "@aws-sdk/client-s3";
import { gunzipSync } from "node:zlib";
import { manifestKey } from "../../src/lake/keys.ts";
import type { ProcessedManifest } from "../../src/lake/manifest.ts";
import type { Rejected } from "../../src/transformation/star-rows.ts";
import { counted, size, type Terminal } from "../../cli/terminal.ts";

/** The rows of a batch that went to quarantine, each with its reason. */
export async function readQuarantine(
  s3: S3Client,
  bucket: string,
  batch: number,
): Promise<Rejected[]> {
  const get = async (Key: string): Promise<Buffer> => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }));
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  };
  const manifest = JSON.parse((await get(manifestKey(batch))).toString()) as ProcessedManifest;
  const rows: Rejected[] = [];
  for (const { key } of manifest.rejected) {
    const lines = gunzipSync(await get(key)).toString();
    for (const line of lines.trimEnd().split("\n")) rows.push(JSON.parse(line) as Rejected);
  }
  return rows;
}

/** Says what a bucket holds: how much, and one key of each kind. */
export async function showBucket(terminal: Terminal, s3: S3Client, bucket: string): Promise<void> {
  const objects: _Object[] = [];
  for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket: bucket }))
    objects.push(...(page.Contents ?? []));
  const bytes = objects.reduce((sum, { Size = 0 }) => sum + Size, 0);
  const batches = objects.filter(({ Key = "" }) => Key.startsWith("_batches/")).length;

  terminal.line(`  s3://${bucket}`);
  terminal.line(
    `    ${counted(batches, "batch", "batches")}, ${counted(objects.length, "object")}, ${size(bytes)}, like`,
  );
  for (const { Key = "", Size = 0 } of samples(objects))
    terminal.line(`  ${size(Size).padStart(8)} ${Key}`);
}

/** The greatest data object, and the first one under each prefix that is no table's. */
function samples(objects: readonly _Object[]): _Object[] {
  const ofKind = new Map<string, _Object>();
  for (const object of objects) {
    const [prefix = ""] = (object.Key ?? "").split("/");
    const kind = prefix.startsWith("_") ? prefix : "";
    const present = ofKind.get(kind);
    const isGreater = kind === "" && (object.Size ?? 0) > (present?.Size ?? 0);
    if (!present || isGreater) ofKind.set(kind, object);
  }
  return [...ofKind.values()];
}
