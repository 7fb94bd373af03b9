#!/usr/bin/env bash
# Searches for known vulnerabilities in the code that the operator and the sandbox call. It queries the database on the internet,
# so it is not part of `make verify`, whose result depends only on the tree.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-trimpath CGO_ENABLED=0
source scripts/modules.sh

database=${GOVULNDB:-https://vuln.go.dev}
scanner=$(GOWORK=off go tool -n -modfile=scripts/lint.mod govulncheck)
status=0
# The scanner reads the index of the database first. Without it, the message is about the network.
output=$("$scanner" -db="$database" "${packages[@]}" 2>&1) || status=$?
printf '%s\n' "$output"
if ((status == 1)); then
  echo "vulncheck: cannot read the database at $database; set GOVULNDB to another one" >&2
elif ((status != 0)); then
  echo "vulncheck: this project calls the vulnerable code above" >&2
fi
exit "$status"
