#!/usr/bin/env bash
# Runs the tests of the traces on the running sandbox, or on a temporary one. scripts/faults.sh runs the tests that break
# sandboxes. JUNIT names a file for a JUnit report.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-trimpath CGO_ENABLED=0
test=(go test)
if [[ -n ${JUNIT:-} ]]; then
  mkdir -p "$(dirname "$JUNIT")"
  export NO_COLOR=1 # no escape sequences in the report
  test=("$(GOWORK=off go tool -n -modfile=scripts/tools.mod gotestsum)" --junitfile="$JUNIT" --format=standard-verbose --)
fi
exec "${test[@]}" -count=1 -timeout=25m -v ./e2e "$@"
