#!/usr/bin/env bash
# Builds the files of a release into dist/: archives with the program sandbox for Linux and macOS on amd64 and arm64, images of
# the operator and the sandbox as OCI layouts, bills of materials, the provenance and checksums. It publishes nothing.
# scripts/archives.sh tests them.
#
# It is a Go program of this repository. goreleaser would be the largest tool here, builds images only with a container engine,
# a registry or ko, and needs another program for the bill of materials. The sandbox has the library for images already.
#
#   scripts/snapshot.sh                            all platforms
#   scripts/snapshot.sh --platforms=linux/amd64    some of them
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-trimpath CGO_ENABLED=0
exec go run ./scripts/snapshot "$@"
