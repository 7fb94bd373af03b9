#!/usr/bin/env bash
# kubectl from PATH or, where there is none, the one that the sandbox builds.
set -euo pipefail
command -v kubectl >/dev/null && exec kubectl "$@"
assets=$(GOFLAGS=-trimpath CGO_ENABLED=0 go run "$(dirname "$0")/../sandbox" envtest-assets)
exec "$assets/kubectl" "$@"
