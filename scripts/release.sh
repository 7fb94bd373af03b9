#!/usr/bin/env bash
# Releases all modules under one version: checks the tree and the changelog, sets the versions in every go.mod, commits, tags
# and pushes.
#
#   scripts/release.sh VERSION             for example v0.1.0; pushes to the remote "origin"
#   scripts/release.sh VERSION --dry-run   changes nothing, and prints the changes, the tags and the push
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-trimpath CGO_ENABLED=0
exec go run ./scripts/release "$@"
