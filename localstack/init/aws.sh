#!/bin/bash
# Makes in LocalStack what stack.ts makes in the embedded stack: the buckets, queues, notifications and secrets of
# stage local. LocalStack runs it, in its container, when it is ready; compose.yml says with which variables.
set -euo pipefail

region=${AWS_DEFAULT_REGION:-eu-west-2}

# arn_of URL: the ARN of a queue.
arn_of() {
  awslocal sqs get-queue-attributes --queue-url "$1" --attribute-names QueueArn \
    --query Attributes.QueueArn --output text
}

# make_queue NAME: makes a queue that gives a message up after five deliveries, and prints its ARN.
make_queue() {
  local name=$1 dead_url dead_arn url
  dead_url=$(awslocal sqs create-queue --queue-name "$name-dead-letters" --query QueueUrl --output text)
  dead_arn=$(arn_of "$dead_url")
  # The policy is JSON within JSON.
  url=$(awslocal sqs create-queue --queue-name "$name" --query QueueUrl --output text --attributes "{
    \"VisibilityTimeout\": \"30\",
    \"RedrivePolicy\": \"{\\\"deadLetterTargetArn\\\": \\\"$dead_arn\\\", \\\"maxReceiveCount\\\": \\\"5\\\"}\"
  }")
  arn_of "$url"
}

# make_bucket NAME QUEUE_ARN: makes a bucket that tells the queue of each new manifest.
make_bucket() {
  local bucket=$1 queue_arn=$2
  awslocal s3api create-bucket --bucket "$bucket" \
    --create-bucket-configuration "LocationConstraint=$region" >/dev/null
  awslocal s3api put-bucket-versioning --bucket "$bucket" --versioning-configuration Status=Enabled
  awslocal s3api put-bucket-notification-configuration --bucket "$bucket" --skip-destination-validation \
    --notification-configuration "{
      \"QueueConfigurations\": [{
        \"Id\": \"manifests\",
        \"QueueArn\": \"$queue_arn\",
        \"Events\": [\"s3:ObjectCreated:*\"],
        \"Filter\": { \"Key\": { \"FilterRules\": [
          { \"Name\": \"prefix\", \"Value\": \"_batches/\" },
          { \"Name\": \"suffix\", \"Value\": \".json\" }
        ] } }
      }]
    }"
}

# make_secret NAME HOST PORT DATABASE. By Python, for a password may hold what JSON must escape.
make_secret() {
  local name=$1 secret
  secret=$(
    python3 - "$2" "$3" "$4" <<'PYTHON'
import json, os, sys

host, port, database = sys.argv[1:]
print(json.dumps({
    "host": host,
    "port": int(port),
    "user": "postgres",
    "password": os.environ.get("DATABASE_PASSWORD", "postgres"),
    "database": database,
    "sslmode": "disable",
}))
PYTHON
  )
  awslocal secretsmanager create-secret --name "$name" --secret-string "$secret" >/dev/null
}

make_secret totes/local/source "${SOURCE_HOST:-totesys}" "${SOURCE_PORT:-5432}" totesys
make_secret totes/local/warehouse "${WAREHOUSE_HOST:-warehouse}" "${WAREHOUSE_PORT:-5432}" warehouse
if [[ ${PROVISION:-all} == secrets ]]; then
  echo "The secrets of stage local are made. Next: npx sls deploy --stage local"
  exit 0
fi

# In variables first: a failure within an argument would be overlooked.
transformation=$(make_queue transformation)
loading=$(make_queue loading)
make_bucket totes-ingestion-local "$transformation"
make_bucket totes-processed-local "$loading"

echo "The buckets, queues, notifications and secrets of stage local are made."
