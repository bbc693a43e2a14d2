import { readDocument } from "./body.ts";
import { AwsError } from "./errors.ts";
import {
  headerOf,
  type Answer,
  type Operation,
  type S3Context,
  type S3Request,
} from "./request.ts";
import type { Bucket } from "./store.ts";
import { element, parseXml, s3Document, textElement, textOf } from "./xml.ts";

/** A sub-resource of a bucket: a document that is put, got and deleted as it is. */
interface SubResource {
  /** What operations are named after: `BucketEncryption` as in `PutBucketEncryption`. */
  readonly operation: string;
  /** What a GET of it says where none was put: a document, or the error's code (404). */
  readonly absent: { readonly document: string } | { readonly code: string };
}

/** By the query parameter that names them. */
export const subResources: Readonly<Record<string, SubResource>> = {
  versioning: {
    operation: "BucketVersioning",
    absent: { document: s3Document("VersioningConfiguration") },
  },
  notification: {
    operation: "BucketNotificationConfiguration",
    absent: { document: s3Document("NotificationConfiguration") },
  },
  encryption: {
    operation: "BucketEncryption",
    absent: { code: "ServerSideEncryptionConfigurationNotFoundError" },
  },
  lifecycle: {
    operation: "BucketLifecycleConfiguration",
    absent: { code: "NoSuchLifecycleConfiguration" },
  },
  publicAccessBlock: {
    operation: "PublicAccessBlock",
    absent: { code: "NoSuchPublicAccessBlockConfiguration" },
  },
  ownershipControls: {
    operation: "BucketOwnershipControls",
    absent: { code: "OwnershipControlsNotFoundError" },
  },
  policy: { operation: "BucketPolicy", absent: { code: "NoSuchBucketPolicy" } },
  tagging: { operation: "BucketTagging", absent: { code: "NoSuchTagSet" } },
  cors: { operation: "BucketCors", absent: { code: "NoSuchCORSConfiguration" } },
};

/** The operations on buckets themselves. What their documents ask for is kept, and done for versioning and notifications. */
export const bucketOperations: Readonly<Record<string, Operation>> = {
  ListBuckets({ store }) {
    const buckets = [...store.buckets()].map(({ name, time }) =>
      element(
        "Bucket",
        textElement("Name", name),
        textElement("CreationDate", new Date(time).toISOString()),
      ),
    );
    return { body: s3Document("ListAllMyBucketsResult", element("Buckets", ...buckets)) };
  },

  CreateBucket({ store }, { bucket }) {
    if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket))
      throw new AwsError(400, "InvalidBucketName", "The specified bucket is not valid.");
    if (store.hasBucket(bucket))
      throw new AwsError(
        409,
        "BucketAlreadyOwnedByYou",
        "Your previous request to create the named bucket succeeded and you already own it.",
      );
    store.createBucket(bucket);
    return { headers: { Location: `/${bucket}` } };
  },

  HeadBucket({ store, region }, { bucket }) {
    store.bucket(bucket);
    return { headers: { "x-amz-bucket-region": region } };
  },

  GetBucketLocation({ store, region }, { bucket }) {
    store.bucket(bucket);
    // The first region of all has no name here.
    return { body: s3Document("LocationConstraint", region === "us-east-1" ? "" : region) };
  },

  DeleteBucket({ store }, { bucket }) {
    if (store.bucket(bucket).objects.size > 0)
      throw new AwsError(409, "BucketNotEmpty", "The bucket you tried to delete is not empty");
    store.deleteBucket(bucket);
    return { status: 204 };
  },

  ...Object.fromEntries(
    Object.entries(subResources).flatMap(([name, { operation, absent }]) => [
      [`Put${operation}`, put(name)],
      [`Get${operation}`, get(name, absent)],
      [`Delete${operation}`, remove(name)],
    ]),
  ),
};

function put(name: string): Operation {
  return async (context, request) => {
    const bucket = context.store.bucket(request.bucket);
    const document = (await readDocument(request.message)).toString();
    if (name !== "policy") parseXml(document);
    if (name === "versioning") setVersioning(context, bucket, document);
    else context.store.configure(bucket, name, document);
    if (name === "notification" && !skipsTest(request)) context.notifier.test(bucket);
    return {};
  };
}

function get(name: string, absent: SubResource["absent"]): Operation {
  return ({ store }, request): Answer => {
    const document = store.bucket(request.bucket).configuration.get(name);
    if (document !== undefined) return { body: document };
    if ("document" in absent) return { body: absent.document };
    throw new AwsError(404, absent.code, `The bucket has no ${name} configuration`);
  };
}

function remove(name: string): Operation {
  return ({ store }, request) => {
    store.configure(store.bucket(request.bucket), name, null);
    return { status: 204 };
  };
}

function setVersioning({ store }: S3Context, bucket: Bucket, document: string): void {
  const status = textOf(parseXml(document), "Status");
  if (status !== "Enabled" && status !== "Suspended")
    throw new AwsError(400, "IllegalVersioningConfigurationException", "Status is missing");
  store.setVersioning(bucket, status, document);
}

function skipsTest(request: S3Request): boolean {
  return headerOf(request, "x-amz-skip-destination-validation") === "true";
}
