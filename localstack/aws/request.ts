import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import type { Notifier } from "./notifications.ts";
import type { Store } from "./store.ts";

/** A request to S3, taken apart. `bucket` and `key` are empty where the path has none. */
export interface S3Request {
  readonly method: string;
  readonly bucket: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** The body, not read yet. */
  readonly message: IncomingMessage;
}

/** What is sent back. A body that is a stream says its size, for it may not be sent at all (HEAD). */
export interface Answer {
  /** 200 unless said. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | { readonly size: number; readonly stream: Readable };
}

/** What the operations work on. */
export interface S3Context {
  readonly store: Store;
  readonly region: string;
  readonly notifier: Notifier;
}

/** One operation of S3, under the name that AWS gives it. Throws AwsError. */
export type Operation = (context: S3Context, request: S3Request) => Answer | Promise<Answer>;

/** One header's value. */
export function headerOf(request: S3Request, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(",") : value;
}
