#!/usr/bin/env bash
# The smoke check of a commit, out of its checkout: scripts/smoke-check.sh FOLDER. What it says goes to the job's summary too.
set -euo pipefail
: "${STAGE:?}" "${AWS_REGION:?}"
cd "$1"
report() {
  local status=0
  echo '```'
  npm run --silent smoke -- --stage "$STAGE" --region "$AWS_REGION" --timeout 600 2>&1 || status=$?
  echo '```'
  return "$status"
}
report | tee -a "${GITHUB_STEP_SUMMARY:-/dev/null}"
