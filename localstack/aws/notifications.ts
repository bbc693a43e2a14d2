import { randomUUID } from "node:crypto";
import type { Bucket } from "./store.ts";
import { childrenOf, parseXml, textOf } from "./xml.ts";

/** Where a bucket's events are to go. */
export interface Destination {
  readonly kind: "queue" | "function" | "topic";
  readonly arn: string;
}

/** An event as S3 sends it, here always of one record. */
export interface S3Notification {
  readonly Records: readonly [S3NotificationRecord];
}

/** What happened to one object. Its key is encoded as in a form: `+` for a blank, `%XX` for the rest. */
export interface S3NotificationRecord {
  readonly eventVersion: string;
  readonly eventSource: "aws:s3";
  readonly awsRegion: string;
  readonly eventTime: string;
  readonly eventName: string;
  readonly userIdentity: { readonly principalId: string };
  readonly requestParameters: { readonly sourceIPAddress: string };
  readonly responseElements: Readonly<Record<string, string>>;
  readonly s3: {
    readonly s3SchemaVersion: string;
    readonly configurationId: string;
    readonly bucket: {
      readonly name: string;
      readonly ownerIdentity: { readonly principalId: string };
      readonly arn: string;
    };
    readonly object: {
      readonly key: string;
      readonly size?: number;
      readonly eTag?: string;
      readonly versionId?: string;
      readonly sequencer: string;
    };
  };
}

/** What S3 sends when notifications are set up, to see whether they arrive. */
export interface S3TestNotification {
  readonly Service: "Amazon S3";
  readonly Event: "s3:TestEvent";
  readonly Time: string;
  readonly Bucket: string;
  readonly RequestId: string;
  readonly HostId: string;
}

/** Takes a bucket's events. It is called after the answer was sent or is being sent, never within the request. */
export type EventListener = (
  destination: Destination,
  event: S3Notification | S3TestNotification,
) => void;

/** What an event says of the object. A deleted one has no size and no ETag. */
export interface Happening {
  /** Without `s3:`, like `ObjectCreated:Put`. */
  readonly name: string;
  readonly key: string;
  readonly time: number;
  readonly size?: number;
  readonly etag?: string;
  readonly versionId?: string;
}

interface Rule extends Destination {
  readonly id: string;
  readonly events: readonly string[];
  readonly prefix: string;
  readonly suffix: string;
}

const kinds = [
  ["queue", "QueueConfiguration", "Queue"],
  ["function", "CloudFunctionConfiguration", "CloudFunction"],
  ["topic", "TopicConfiguration", "Topic"],
] as const;

/** Tells listeners what happens in buckets, as far as the buckets' notification configurations ask for it. */
export class Notifier {
  readonly #region: string;
  readonly #listeners = new Set<EventListener>();
  #sequence = 0;

  constructor(region: string) {
    this.#region = region;
  }

  /** Adds a listener, and gives what removes it. */
  listen(listener: EventListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Sends an event to each destination whose events, prefix and suffix match. */
  tell(bucket: Bucket, happening: Happening): void {
    const document = bucket.configuration.get("notification");
    if (document === undefined) return;
    for (const rule of rulesOf(document)) {
      const { key, name } = happening;
      if (!rule.events.some((event) => covers(event, `s3:${name}`))) continue;
      if (!key.startsWith(rule.prefix) || !key.endsWith(rule.suffix)) continue;
      this.#send(rule, { Records: [this.#record(bucket, rule, happening)] });
    }
  }

  /** Sends the test event to each destination of a configuration. */
  test(bucket: Bucket): void {
    for (const rule of rulesOf(bucket.configuration.get("notification") ?? "<None/>")) {
      this.#send(rule, {
        Service: "Amazon S3",
        Event: "s3:TestEvent",
        Time: new Date().toISOString(),
        Bucket: bucket.name,
        RequestId: randomUUID(),
        HostId: randomUUID(),
      });
    }
  }

  #send({ kind, arn }: Destination, event: S3Notification | S3TestNotification): void {
    setImmediate(() => {
      for (const listener of this.#listeners) listener({ kind, arn }, event);
    });
  }

  #record(bucket: Bucket, rule: Rule, happening: Happening): S3NotificationRecord {
    const { size, etag, versionId } = happening;
    return {
      eventVersion: "2.1",
      eventSource: "aws:s3",
      awsRegion: this.#region,
      eventTime: new Date(happening.time).toISOString(),
      eventName: happening.name,
      userIdentity: { principalId: "LOCAL" },
      requestParameters: { sourceIPAddress: "127.0.0.1" },
      responseElements: { "x-amz-request-id": randomUUID(), "x-amz-id-2": randomUUID() },
      s3: {
        s3SchemaVersion: "1.0",
        configurationId: rule.id,
        bucket: {
          name: bucket.name,
          ownerIdentity: { principalId: "LOCAL" },
          arn: `arn:aws:s3:::${bucket.name}`,
        },
        object: {
          key: formEncode(happening.key),
          ...(size === undefined ? {} : { size }),
          ...(etag === undefined ? {} : { eTag: etag }),
          ...(versionId === undefined ? {} : { versionId }),
          sequencer: (++this.#sequence).toString(16).toUpperCase().padStart(18, "0"),
        },
      },
    };
  }
}

function rulesOf(document: string): Rule[] {
  const root = parseXml(document);
  return kinds.flatMap(([kind, list, target]) =>
    childrenOf(root, list).map((configuration) => {
      const filters = childrenOf(configuration, "Filter")
        .flatMap((filter) => childrenOf(filter, "S3Key"))
        .flatMap((key) => childrenOf(key, "FilterRule"));
      const filter = (name: string): string =>
        textOf(filters.find((f) => textOf(f, "Name")?.toLowerCase() === name) ?? "", "Value") ?? "";
      return {
        kind,
        arn: textOf(configuration, target) ?? "",
        id: textOf(configuration, "Id") ?? "",
        events: childrenOf(configuration, "Event").map(String),
        prefix: filter("prefix"),
        suffix: filter("suffix"),
      };
    }),
  );
}

function covers(pattern: string, event: string): boolean {
  return pattern.endsWith("*") ? event.startsWith(pattern.slice(0, -1)) : event === pattern;
}

function formEncode(key: string): string {
  return encodeURIComponent(key)
    .replace(/[!'()~]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+")
    .replaceAll("%2F", "/");
}
