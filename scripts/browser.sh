#!/usr/bin/env bash
# Runs the tests of the sandbox's pages in headless Chromium, on an embedded sandbox of their own. Arguments go to `go test`.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-trimpath CGO_ENABLED=0
# The images that CI names are for kind. An embedded sandbox ignores the engine.
exec env -u SANDBOX_IMAGES SANDBOX_CLUSTER=embedded go test -count=1 -timeout=8m -v ./e2e/browser "$@"
