#!/usr/bin/env bash
# Prints the commit that a stage runs, as its stack says; nothing where there is no stack, or where it does not say.
set -euo pipefail
: "${STAGE:?}" "${AWS_REGION:?}"
error=$(mktemp)
trap 'rm -f "$error"' EXIT
if ! commit=$(aws cloudformation describe-stacks --stack-name "totes-warehouse-$STAGE" --region "$AWS_REGION" \
  --query "Stacks[0].Outputs[?OutputKey=='Commit'].OutputValue" --output text 2> "$error"); then
  grep -q "does not exist" "$error" && exit 0
  cat "$error" >&2
  exit 1
fi
# A deploy by hand may have named none, or one that is not here: there is no way back to that.
git rev-parse --verify --quiet --end-of-options "$commit^{commit}" || true
