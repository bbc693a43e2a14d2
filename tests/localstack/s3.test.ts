import { startAws, type AwsServer } from "../../localstack/aws/server.ts";
import { s3Contract } from "../contracts/s3.ts";

describe("the local AWS", () => {
  let aws: AwsServer;
  before(async () => {
    aws = await startAws();
  });
  after(() => aws.stop());

  s3Contract("the embedded S3", () => ({
    endpoint: aws.endpoint,
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  }));
});

// LocalStack, ministack, MinIO … or S3 itself, where a person names one.
const endpoint = process.env["S3_CONTRACT_ENDPOINT"];
if (endpoint !== undefined) {
  s3Contract(endpoint, () => ({
    endpoint,
    credentials: {
      accessKeyId: process.env["AWS_ACCESS_KEY_ID"] ?? "test",
      secretAccessKey: process.env["AWS_SECRET_ACCESS_KEY"] ?? "test",
    },
  }));
}
