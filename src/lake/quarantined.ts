/** The hint that says which rows of the sources are in quarantine: those that are worth reading first, once a module has changed. */
import * as v from "valibot";
import { getObject, overwrite } from "../aws/s3.ts";
import { HINTS } from "./keys.ts";

/** Primary keys of source rows, by source: each column's value as text. */
export type SourceKeys = Readonly<Record<string, readonly Readonly<Record<string, string>>[]>>;

/** Keys that a hint has at most. */
export const HINTED = 10_000;

/** A hint of more bytes is none of ours. */
const MOST_BYTES = 16 << 20;

const shape = v.pipe(
  v.record(v.string(), v.array(v.record(v.string(), v.string()))),
  v.check((keys) => Object.values(keys).reduce((sum, of) => sum + of.length, 0) <= HINTED),
);

/** @throws S3Error */
export const writeQuarantined = (bucket: string, keys: SourceKeys): Promise<void> =>
  overwrite(bucket, HINTS.quarantined, JSON.stringify(keys));

/** @returns no keys where there is no hint, and where it cannot be read or is no hint: nothing depends on it */
export async function readQuarantined(bucket: string): Promise<SourceKeys> {
  try {
    const bytes = await getObject(bucket, HINTS.quarantined, MOST_BYTES);
    return v.parse(shape, JSON.parse(bytes?.toString() ?? "{}"));
  } catch {
    return {};
  }
}
