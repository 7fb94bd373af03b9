#!/usr/bin/env bash
# Runs the tests that need no cluster, in every module that has some. Arguments go to `go test`; -race turns on cgo,
# which the race detector needs.
set -euo pipefail
cd "$(dirname "$0")/.."

export GOFLAGS=-trimpath CGO_ENABLED=0
for argument in "$@"; do
  [[ $argument == -race ]] && export CGO_ENABLED=1
done

source scripts/modules.sh
go test -short -timeout=10m "$@" "${packages[@]}" ./sandbox/source/node/...
# The launchers of cert-manager and kwok start no goroutines. Building their dependencies for the race detector would take
# minutes and find nothing.
CGO_ENABLED=0 go test -short -timeout=5m ./sandbox/source/certmanager/... ./sandbox/source/kwok/...
