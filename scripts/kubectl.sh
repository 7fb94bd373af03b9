#!/usr/bin/env bash
# Runs kubectl from PATH or, if there is none, the kubectl that the sandbox builds.
set -euo pipefail
command -v kubectl >/dev/null && exec kubectl "$@"
assets=$(GOFLAGS=-trimpath CGO_ENABLED=0 go run "$(dirname "$0")/../sandbox" envtest-assets)
exec "$assets/kubectl" "$@"
