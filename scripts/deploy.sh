#!/usr/bin/env bash
# Deploys the operator to kubectl's current context, or removes it: scripts/deploy.sh apply|delete IMAGE
set -euo pipefail
cd "$(dirname "$0")/.."
action=${1:?usage: scripts/deploy.sh apply|delete IMAGE}
image=${2:?usage: scripts/deploy.sh apply|delete IMAGE}

render() { GOFLAGS=-trimpath CGO_ENABLED=0 go run ./sandbox manifests --image="$image"; }

case "$action" in
apply) render | kubectl apply --server-side -f - ;;
delete) render | kubectl delete --ignore-not-found -f - ;;
*) echo "usage: scripts/deploy.sh apply|delete IMAGE" >&2; exit 2 ;;
esac
