#!/usr/bin/env bash
# Runs the tests of the traces on the sandbox that is up, or on one that they make and remove. With SANDBOX_CLUSTER=kind it
# also runs those that break sandboxes on kind, on ones of their own (scripts/faults.sh has more of them), and those with another
# operator. One package at a time: two clusters at once would only be slow.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-trimpath CGO_ENABLED=0
packages=(./e2e)
if [[ ${SANDBOX_CLUSTER:-} == kind ]]; then packages+=(./e2e/faults ./e2e/adopted); fi
exec go test -p=1 -count=1 -timeout=25m -v "${packages[@]}" "$@"
