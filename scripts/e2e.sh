#!/usr/bin/env bash
# Runs the tests on a kind cluster: on the sandbox that is up, or on one that they make and remove.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-trimpath CGO_ENABLED=0
exec go test -timeout=25m -v ./e2e/... "$@"
