#!/usr/bin/env bash
# Builds the operator and the sandbox into bin/.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-trimpath CGO_ENABLED=0
mkdir -p bin
go build -o bin/ ./operator ./sandbox
echo "built bin/operator and bin/sandbox" >&2
