#!/usr/bin/env bash
# Runs the operator on this machine against the sandbox: the one in the cluster is paused, so that two don't write the
# same objects, and comes back when this one ends.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-trimpath CGO_ENABLED=0

status=$(go run ./sandbox status -o json) || { echo "the sandbox is not up: run \`make sandbox-up\`" >&2; exit 1; }
read_json() { go run ./scripts/internal/jsonpath "$1" <<<"$status"; }
KUBECONFIG=$(read_json kubeconfig)
export KUBECONFIG OTEL_EXPORTER_OTLP_ENDPOINT="http://$(read_json jaeger.otlpGRPC)" OTEL_BSP_SCHEDULE_DELAY=200

deployment=(deployment/operator-tracing-controller-manager --namespace=operator-tracing-system)
kubectl scale "${deployment[@]}" --replicas=0
trap 'kubectl scale "${deployment[@]}" --replicas=1' EXIT
go run ./operator --enable-webhooks=false "$@"
