#!/usr/bin/env bash
# Builds the archives of a release into dist/: the program sandbox for Linux and macOS on amd64 and arm64, bills of materials,
# the provenance and checksums. It publishes nothing.
#
#   scripts/snapshot.sh                            all platforms
#   scripts/snapshot.sh --platforms=linux/amd64    some of them
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-trimpath CGO_ENABLED=0
exec go run ./scripts/snapshot "$@"
