#!/usr/bin/env bash
# Deploys the operator to kubectl's current context, or removes it: scripts/deploy.sh apply|delete IMAGE
set -euo pipefail
cd "$(dirname "$0")/.."
usage() {
  echo "usage: scripts/deploy.sh apply|delete IMAGE" >&2
  exit 2
}
[[ $# == 2 && -n $2 ]] || usage

# All of it before the first request: half of the manifests would be worse than none.
manifests=$(GOFLAGS=-trimpath CGO_ENABLED=0 go run ./sandbox manifests --image="$2")

case $1 in
# The manifests are the truth about what is in them, also where the sandbox or an earlier tool wrote it.
apply) scripts/kubectl.sh apply --server-side --force-conflicts -f - <<<"$manifests" ;;
# The definitions are among them, so the Heads go too, and only an operator that is still there lets them go in order.
delete)
  scripts/uninstall.sh heads
  scripts/kubectl.sh delete --ignore-not-found -f - <<<"$manifests"
  ;;
*) usage ;;
esac
