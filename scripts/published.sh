#!/usr/bin/env bash
# Packs the modules as a release does, and uses them as others do: `go get` of the library, `go install` of the sandbox.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-trimpath CGO_ENABLED=0
exec go test -count=1 -timeout=15m -v -run='^TestPublished$' ./scripts/release
