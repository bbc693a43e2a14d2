import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { BlobFolder, type Blob } from "./blobs.ts";
import { AwsError } from "./errors.ts";
import { Journal } from "./journal.ts";
import { SortedMap } from "./sorted-map.ts";

/** One version of an object, or a delete marker. Its bytes are on disk; this is what is known of them. */
export interface Version {
  /** `null` (the word) where the bucket does not keep versions, as S3 has it. */
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly marker?: true;
  readonly blobs: readonly Blob[];
  /** Bytes. */
  readonly size: number;
  /** Without its quotes. */
  readonly etag: string;
  /** Sent back as they came: content type, user metadata … */
  readonly headers: Readonly<Record<string, string>>;
  /** Algorithm in small letters to base64. */
  readonly checksums: Readonly<Record<string, string>>;
  readonly checksumType: "FULL_OBJECT" | "COMPOSITE";
  readonly encryption: string;
  /** The tag set as XML. */
  readonly tagging?: string;
}

/** A part of an upload that has arrived. */
export interface Part {
  readonly blob: Blob;
  readonly md5: Buffer;
  readonly checksums: Readonly<Record<string, string>>;
  readonly time: number;
}

/** A multipart upload under way. It does not survive a restart. */
export interface Upload {
  readonly id: string;
  readonly key: string;
  readonly time: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly encryption: string;
  readonly tagging?: string;
  readonly parts: Map<number, Part>;
}

/** A bucket and what is in it. */
export interface Bucket {
  readonly name: string;
  readonly time: number;
  /** The documents that were put for its sub-resources, as they came: `versioning`, `notification` … */
  readonly configuration: Map<string, string>;
  versioning: "Enabled" | "Suspended" | undefined;
  /** Versions by key, the newest last; never an empty list. */
  readonly objects: SortedMap<readonly Version[]>;
  readonly uploads: Map<string, Upload>;
}

type Entry =
  | { readonly do: "createBucket"; readonly bucket: string; readonly time: number }
  | { readonly do: "deleteBucket"; readonly bucket: string }
  | {
      readonly do: "configure";
      readonly bucket: string;
      readonly name: string;
      readonly document: string | null;
      readonly versioning?: Bucket["versioning"];
    }
  | { readonly do: "put"; readonly bucket: string; readonly key: string; readonly version: Version }
  | { readonly do: "delete"; readonly bucket: string; readonly key: string; readonly id: string }
  | {
      readonly do: "tag";
      readonly bucket: string;
      readonly key: string;
      readonly id: string;
      readonly tagging: string | null;
    };

/**
 * Buckets and objects: an index in memory, a journal of its changes and the objects' bytes on disk. Each change is one
 * synchronous call, so that a check and the change that depends on it cannot be parted: two conditional puts of one key
 * never both succeed.
 */
export class Store {
  readonly blobs: BlobFolder;
  readonly #buckets = new SortedMap<Bucket>();
  readonly #journal: Journal<Entry>;

  /** Opens the folder, or begins it, with all that was in it when the last process stopped or died. */
  static async open(folder: string): Promise<Store> {
    mkdirSync(folder, { recursive: true });
    const store = new Store(folder);
    const kept = [...store.#buckets.values()].flatMap((bucket) =>
      [...bucket.objects.values()].flat().flatMap(({ blobs }) => blobs.map(({ id }) => id)),
    );
    await store.blobs.sweep(new Set(kept));
    return store;
  }

  private constructor(folder: string) {
    this.blobs = new BlobFolder(path.join(folder, "blobs"));
    this.#journal = new Journal(path.join(folder, "s3.jsonl"));
    for (const entry of this.#journal.past) this.#apply(entry);
  }

  /** All buckets, by name. */
  *buckets(): Generator<Bucket> {
    for (const [, bucket] of this.#buckets.from("")) yield bucket;
  }

  /** @throws AwsError NoSuchBucket (404) */
  bucket(name: string): Bucket {
    const bucket = this.#buckets.get(name);
    if (!bucket) throw new AwsError(404, "NoSuchBucket", "The specified bucket does not exist");
    return bucket;
  }

  hasBucket(name: string): boolean {
    return this.#buckets.get(name) !== undefined;
  }

  createBucket(name: string): void {
    this.#commit({ do: "createBucket", bucket: name, time: Date.now() });
  }

  deleteBucket(name: string): void {
    this.#commit({ do: "deleteBucket", bucket: name });
  }

  /** Keeps a sub-resource's document, or forgets it. */
  configure(bucket: Bucket, name: string, document: string | null): void {
    this.#commit({ do: "configure", bucket: bucket.name, name, document });
  }

  /** Turns versioning on or off, with the document that said so. */
  setVersioning(bucket: Bucket, versioning: Bucket["versioning"], document: string): void {
    this.#commit({
      do: "configure",
      bucket: bucket.name,
      name: "versioning",
      document,
      versioning,
    });
  }

  /** Makes a version the newest of its key. Where the bucket keeps no versions it takes the old one's place. */
  put(bucket: Bucket, key: string, content: Omit<Version, "id" | "time">): Version {
    const id = bucket.versioning === "Enabled" ? randomUUID().replaceAll("-", "") : "null";
    const version = { ...content, id, time: Date.now() };
    this.#commit({ do: "put", bucket: bucket.name, key, version });
    return version;
  }

  deleteVersion(bucket: Bucket, key: string, id: string): void {
    this.#commit({ do: "delete", bucket: bucket.name, key, id });
  }

  tag(bucket: Bucket, key: string, id: string, tagging: string | null): void {
    this.#commit({ do: "tag", bucket: bucket.name, key, id, tagging });
  }

  close(): void {
    this.#journal.close();
  }

  #commit(entry: Entry): void {
    this.#journal.append(entry);
    const dropped = this.#apply(entry).flatMap(({ blobs }) => blobs);
    // Nothing refers to these any more; a file that cannot be removed now is swept at the next start.
    if (dropped.length > 0) this.blobs.remove(dropped).catch(reportLeftover);
  }

  /** Changes the index and gives the versions that are no longer in it. */
  #apply(entry: Entry): readonly Version[] {
    switch (entry.do) {
      case "createBucket":
        this.#buckets.set(entry.bucket, {
          name: entry.bucket,
          time: entry.time,
          configuration: new Map(),
          versioning: undefined,
          objects: new SortedMap(),
          uploads: new Map(),
        });
        return [];
      case "deleteBucket":
        this.#buckets.delete(entry.bucket);
        return [];
      case "configure": {
        const bucket = this.bucket(entry.bucket);
        if (entry.document === null) bucket.configuration.delete(entry.name);
        else bucket.configuration.set(entry.name, entry.document);
        if (entry.versioning) bucket.versioning = entry.versioning;
        return [];
      }
      case "put":
        return this.#replace(entry.bucket, entry.key, (versions) => [
          ...versions.filter(({ id }) => id !== entry.version.id),
          entry.version,
        ]);
      case "delete":
        return this.#replace(entry.bucket, entry.key, (versions) =>
          versions.filter(({ id }) => id !== entry.id),
        );
      case "tag": {
        const { tagging } = entry;
        this.#replace(entry.bucket, entry.key, (versions) =>
          versions.map((version) => {
            if (version.id !== entry.id) return version;
            const { tagging: _old, ...rest } = version;
            return tagging === null ? rest : { ...rest, tagging };
          }),
        );
        return [];
      }
    }
  }

  #replace(
    bucketName: string,
    key: string,
    change: (versions: readonly Version[]) => readonly Version[],
  ): readonly Version[] {
    const { objects } = this.bucket(bucketName);
    const before = objects.get(key) ?? [];
    const after = change(before);
    if (after.length > 0) objects.set(key, after);
    else objects.delete(key);
    return before.filter((version) => !after.includes(version));
  }
}

/** The version that a plain GET gives: the newest, unless that is a delete marker. */
export function current(bucket: Bucket, key: string): Version | undefined {
  const newest = bucket.objects.get(key)?.at(-1);
  return newest?.marker ? undefined : newest;
}

function reportLeftover(error: unknown): void {
  console.error("An object's file could not be removed:", error);
}
