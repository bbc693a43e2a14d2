/** What there is to know of a bucket itself, for people who look whether it is set up as it should be. */
import {
  GetBucketNotificationConfigurationCommand,
  GetBucketVersioningCommand,
  ListObjectsV2Command,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import { getClient, S3Error } from "./s3.ts";

export interface BucketSetup {
  /** undefined where these credentials may not ask. */
  readonly isVersioned: boolean | undefined;
  /** Prefixes whose puts a queue or a function is told of; undefined where these credentials may not ask. */
  readonly notifies: readonly string[] | undefined;
}

/** @throws S3Error where it is not there, cannot be reached or cannot be listed */
export async function lookAtBucket(bucket: string): Promise<BucketSetup> {
  try {
    await getClient().send(new ListObjectsV2Command({ Bucket: bucket, MaxKeys: 1 }));
    const versioning = await ifAllowed(
      getClient().send(new GetBucketVersioningCommand({ Bucket: bucket })),
    );
    const notification = await ifAllowed(
      getClient().send(new GetBucketNotificationConfigurationCommand({ Bucket: bucket })),
    );
    return {
      isVersioned: versioning && versioning.Status === "Enabled",
      notifies:
        notification &&
        [
          ...(notification.QueueConfigurations ?? []),
          ...(notification.LambdaFunctionConfigurations ?? []),
        ].map(
          ({ Filter }) =>
            Filter?.Key?.FilterRules?.find(({ Name }) => Name?.toLowerCase() === "prefix")?.Value ??
            "",
        ),
    };
  } catch (error) {
    throw new S3Error("look at", bucket, "", error);
  }
}

async function ifAllowed<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof S3ServiceException && error.name === "AccessDenied") return undefined;
    throw error;
  }
}

/**
 * How far S3's clock is ahead of this machine's, in milliseconds; undefined where it does not say.
 * @throws S3Error where nothing answers
 */
export async function s3ClockSkew(): Promise<number | undefined> {
  const endpoint = await endpointOf();
  try {
    const asked = Date.now();
    // Nothing is asked for: the refusal has the date too.
    const { headers } = await fetch(endpoint, { method: "HEAD", redirect: "manual" });
    const date = headers.get("date");
    // Whole seconds, of a moment between question and answer.
    return date === null ? undefined : Date.parse(date) + 500 - (asked + Date.now()) / 2;
  } catch (error) {
    throw new S3Error("ask the time of", endpoint, "", error);
  }
}

async function endpointOf(): Promise<string> {
  const own = process.env["AWS_ENDPOINT_URL_S3"] ?? process.env["AWS_ENDPOINT_URL"];
  return own ?? `https://s3.${await getClient().config.region()}.amazonaws.com`;
}
