#!/usr/bin/env bash
# Deploys one commit to the stage STAGE in AWS_REGION, out of a new checkout: scripts/deploy-commit.sh COMMIT FOLDER
# DEPLOY_PARAMS holds stage parameters, one name=value a line; empty lines and lines with # in front are left out.
#
# A checkout of its own, so that it is that commit alone, with its own dependencies; and so that its files, and with them
# its bundles, are newer than any deployed before, also where the commit is older (docs/decisions/0006).
set -euo pipefail
: "${STAGE:?}" "${AWS_REGION:?}"
commit=$1 folder=$2

params=(--param "commit=$commit")
while IFS= read -r line; do
  line=${line%$'\r'}
  if [[ -z $line || $line == '#'* ]]; then continue; fi
  if [[ ! $line =~ ^[A-Za-z][A-Za-z0-9]*=.+$ ]]; then
    echo "DEPLOY_PARAMS has a line that is not name=value: $line" >&2
    exit 1
  fi
  params+=(--param "$line")
done <<< "${DEPLOY_PARAMS:-}"

git worktree add --quiet --detach "$folder" "$commit"
cd "$folder"
npm ci --ignore-scripts --no-audit
npx sls deploy --stage "$STAGE" --region "$AWS_REGION" "${params[@]}"
