#!/usr/bin/env bash
# Runs the tests that need no cluster, in every module that has some. Arguments go to `go test`; -race turns on cgo,
# which the race detector needs. It leaves out the packages below, which start no goroutines and whose tests compute for
# minutes under it.
set -euo pipefail
cd "$(dirname "$0")/.."

export GOFLAGS=-trimpath CGO_ENABLED=0
for argument in "$@"; do
  [[ $argument == -race ]] && export CGO_ENABLED=1
done

source scripts/modules.sh
sequential=(operator/tracing/spantree sandbox/explain sandbox/manifest sandbox/observe/writes scripts/release scripts/snapshot)
arguments=() # without the race detector
for argument in "$@"; do
  [[ $argument == -race ]] || arguments+=("$argument")
done

module=$(sed -n 's/^module //p' go.mod)
all=$(go list "${packages[@]}" ./sandbox/source/node/... | grep -vxF "$(printf "$module/%s\n" "${sequential[@]}")")
# shellcheck disable=SC2086 # a list of packages
go test -short -timeout=20m "$@" $all
# The launchers of cert-manager and kwok start no goroutines either, and have the largest dependencies.
CGO_ENABLED=0 go test -short -timeout=10m ${arguments[@]+"${arguments[@]}"} "${sequential[@]/#/./}" ./sandbox/source/certmanager/... ./sandbox/source/kwok/...
