#!/usr/bin/env bash
# Looks for known vulnerabilities in the code that the operator and the sandbox call. It asks the database on the
# internet, so it is no part of `make verify`, which says the same about the same tree every day.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-trimpath CGO_ENABLED=0
source scripts/modules.sh

database=${GOVULNDB:-https://vuln.go.dev}
scanner=$(GOWORK=off go tool -n -modfile=scripts/lint.mod govulncheck)
status=0
# The database's index is the first thing that the scanner reads: without it, the message is about the network.
output=$("$scanner" -db="$database" "${packages[@]}" 2>&1) || status=$?
printf '%s\n' "$output"
if ((status == 1)); then
  echo "vulncheck: nothing was checked: the database at $database can't be read from here (GOVULNDB names another one)" >&2
elif ((status != 0)); then
  echo "vulncheck: the findings above reach code that is called here" >&2
fi
exit "$status"
