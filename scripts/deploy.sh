#!/usr/bin/env bash
# Deploys the operator to kubectl's current context, or removes it: scripts/deploy.sh apply|delete IMAGE
set -euo pipefail
cd "$(dirname "$0")/.."
usage() {
  echo "usage: scripts/deploy.sh apply|delete IMAGE" >&2
  exit 2
}
[[ $# == 2 && -n $2 ]] || usage

# Render everything before the first request. Half of the manifests would be worse than none.
manifests=$(GOFLAGS=-trimpath CGO_ENABLED=0 go run ./sandbox manifests --image="$2")

case $1 in
# The manifests take precedence over fields that the sandbox or an earlier tool wrote.
apply) scripts/kubectl.sh apply --server-side --force-conflicts -f - <<<"$manifests" ;;
# The manifests contain the definitions, so the Heads are deleted, too. Only a running operator deletes them in order.
delete)
  scripts/uninstall.sh heads
  scripts/kubectl.sh delete --ignore-not-found -f - <<<"$manifests"
  ;;
*) usage ;;
esac
