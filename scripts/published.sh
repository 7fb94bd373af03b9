#!/usr/bin/env bash
# Packs the modules as a release does, and uses them as users do: `go get` of the library, `go install` of the sandbox.
# Arguments go to `go test`.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-trimpath CGO_ENABLED=0
exec go test -count=1 -timeout=25m -v -run='^TestPublished$' ./scripts/release "$@"
