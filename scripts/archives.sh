#!/usr/bin/env bash
# Builds the files of a release for all platforms in a temporary folder, and tests them as a user would: it checks the
# checksums and unpacks the archive for this machine. Its program brings an embedded sandbox up from a bundle, with a PATH
# without Go and without a network.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-trimpath CGO_ENABLED=0

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
scripts/snapshot.sh --output="$scratch"
if command -v sha256sum >/dev/null; then sha256=(sha256sum); else sha256=(shasum -a 256); fi
(cd "$scratch" && "${sha256[@]}" --check SHA256SUMS)
tar -xzf "$scratch"/sandbox_*_"$(go env GOOS)_$(go env GOARCH)".tar.gz -C "$scratch"
E2E_SANDBOX=$(echo "$scratch"/sandbox_*/sandbox)
export E2E_SANDBOX
go test -count=1 -timeout=15m -v -run='^TestUpFromABundle$' ./e2e/faults/embedded
