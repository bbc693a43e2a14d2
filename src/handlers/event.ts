import { joined } from "../errors.ts";
import { isObject } from "../json.ts";
import { batchOf } from "../lake/keys.ts";

/** An event that must not come here. */
export class EventError extends Error {
  override readonly name = "EventError";
}

/** One reason to wake up. */
export interface Wake {
  /** The queue message's id, where there is one: a failure is reported under it. */
  readonly id?: string;
  /**
   * `batch`: a manifest was put. `tick`: the schedule, or a person. `ignored`: nothing for us, and why.
   * `refused`: nothing that may come here, and why.
   */
  readonly reason:
    | { readonly batch: number }
    | { readonly tick: true }
    | { readonly ignored: string }
    | { readonly refused: string };
}

const recordsOf = (event: unknown): readonly unknown[] | undefined =>
  isObject(event) && Array.isArray(event["Records"]) ? event["Records"] : undefined;

/**
 * Takes an event apart: S3's direct or wrapped in SQS messages, several records in one, `s3:TestEvent` bare or
 * wrapped, the schedule's, or none.
 * @param bucket the bucket whose manifests this function waits for
 */
export function parseEvent(event: unknown, bucket: string): Wake[] {
  const records = recordsOf(event);
  if (!records) return [{ reason: withoutRecords(event) }];
  return records.flatMap((record): Wake[] => {
    if (!isObject(record)) return [{ reason: { refused: `a record that is ${printed(record)}` } }];
    const { body, messageId } = record;
    if (typeof body !== "string") return [{ reason: s3Reason(record, bucket) }];
    const id = printed(messageId);
    let message: unknown;
    try {
      message = JSON.parse(body);
    } catch (error) {
      return [
        { id, reason: { refused: `message ${id} is not JSON: ${(error as Error).message}` } },
      ];
    }
    const wrapped = recordsOf(message);
    if (!wrapped) return [{ id, reason: withoutRecords(message) }];
    return wrapped.map((inner) => ({ id, reason: s3Reason(inner, bucket) }));
  });
}

/** A text of anything that came through JSON, or is not there: an object's own `toString` may be none. */
const printed = (value: unknown): string =>
  typeof value === "string" ? value : `${JSON.stringify(value)}`;

const withoutRecords = (event: unknown): Wake["reason"] =>
  isObject(event) && event["Event"] === "s3:TestEvent"
    ? { ignored: "s3:TestEvent" }
    : { tick: true };

function s3Reason(record: unknown, bucket: string): Wake["reason"] {
  const s3 = isObject(record) ? record["s3"] : undefined;
  const name = isObject(s3) && isObject(s3["bucket"]) ? s3["bucket"]["name"] : undefined;
  const encoded = isObject(s3) && isObject(s3["object"]) ? s3["object"]["key"] : undefined;
  if (typeof name !== "string" || typeof encoded !== "string")
    return { refused: `a record that is neither S3's nor SQS's: ${JSON.stringify(record)}` };
  let key: string;
  try {
    key = decodeURIComponent(encoded.replace(/\+/g, " "));
  } catch {
    return { refused: `a key that is not URL-encoded: ${encoded}` };
  }
  if (name !== bucket)
    return {
      refused: `an event of bucket ${name} (key ${key}); this function waits for ${bucket} alone`,
    };
  const batch = batchOf(key);
  return batch === undefined ? { ignored: `${key} is no manifest` } : { batch };
}

/** What Lambda reads from the answer to a queue: the messages to deliver again. */
export interface QueueAnswer {
  readonly batchItemFailures: { readonly itemIdentifier: string }[];
}

/**
 * Does `work` for each wake-up of an event that is for us. A queue's message that failed is reported, and logged by
 * `onFailure`; any other failure is thrown once all were tried.
 * @throws EventError, or the one error that there was
 */
export async function answer(
  event: unknown,
  bucket: string,
  work: (reason: { batch: number } | { tick: true }) => Promise<void>,
  log: { ignored: (why: string) => void; failed: (error: Error) => void },
): Promise<QueueAnswer> {
  const failed = new Set<string>();
  const errors: Error[] = [];
  for (const { id, reason } of parseEvent(event, bucket)) {
    try {
      if ("ignored" in reason) log.ignored(reason.ignored);
      else if ("refused" in reason) throw new EventError(`refused: ${reason.refused}`);
      else await work(reason);
    } catch (error) {
      if (id === undefined) errors.push(error as Error);
      else {
        failed.add(id);
        log.failed(error as Error);
      }
    }
  }
  if (errors.length > 0) throw joined(errors);
  return { batchItemFailures: [...failed].map((itemIdentifier) => ({ itemIdentifier })) };
}
