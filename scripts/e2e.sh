#!/usr/bin/env bash
# Runs the tests of the traces on the sandbox that is up, or on one that they make and remove. With SANDBOX_CLUSTER=kind it
# also runs those with another operator, on a cluster of their own; scripts/faults.sh has those that break sandboxes. One package at
# a time: two clusters at once would only be slow. JUNIT names a file for a JUnit report.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-trimpath CGO_ENABLED=0
packages=(./e2e)
if [[ ${SANDBOX_CLUSTER:-} == kind ]]; then packages+=(./e2e/adopted); fi
test=(go test)
if [[ -n ${JUNIT:-} ]]; then
  mkdir -p "$(dirname "$JUNIT")"
  export NO_COLOR=1 # no escape sequences in the report
  test=("$(GOWORK=off go tool -n -modfile=scripts/tools.mod gotestsum)" --junitfile="$JUNIT" --format=standard-verbose --)
fi
exec "${test[@]}" -p=1 -count=1 -timeout=25m -v "${packages[@]}" "$@"
