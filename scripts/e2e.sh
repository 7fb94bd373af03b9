#!/usr/bin/env bash
# Runs the tests on a kind cluster: those of the traces on the sandbox that is up, or on one that they make and remove, and
# those that break sandboxes on ones of their own. One package at a time: two clusters at once would only be slow.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-trimpath CGO_ENABLED=0
exec go test -p=1 -count=1 -timeout=25m -v ./e2e/... "$@"
