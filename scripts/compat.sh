#!/usr/bin/env bash
# Builds and tests the library with each minor of controller-runtime that it supports, outside of the workspace, as an
# operator with these versions does. Only the tests that need no cluster run: the others run in the workspace.
#
#   scripts/compat.sh          each minor
#   scripts/compat.sh oldest   the oldest; the workspace tests the newest
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0 GOWORK=off
source scripts/modules.sh

# The oldest version is the one that go.mod requires. Every release of controller-runtime of the last twelve months has a
# row; when a row goes, go.mod requires the next.
newer=(v0.24.1 v0.25.2)
[[ ${1:-} != oldest ]] || newer=()

controllerRuntime=sigs.k8s.io/controller-runtime
oldest=$(sed -n "s|^\s*$controllerRuntime ||p" operator/tracing/go.mod)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

for version in "$oldest" ${newer[@]+"${newer[@]}"}; do
  for module in operator/tracing operator/tracing/provider; do
    start=$SECONDS
    printf '   …       %s with controller-runtime %s\n' "$module" "$version"
    cp "$module/go.mod" "$module/go.sum" "$scratch"
    replace_modules "$scratch/go.mod"
    [[ $version == "$oldest" ]] || go mod edit -require="$controllerRuntime@$version" "$scratch/go.mod"
    # In the environment, for the tests that run the go command. -mod=mod lets it raise the versions that this one requires.
    export GOFLAGS="-trimpath -mod=mod -modfile=$scratch/go.mod"
    selected=$(go -C "$module" list -m -f '{{.Version}}' "$controllerRuntime")
    if [[ $selected != "$version" ]]; then
      echo "compat: $module has controller-runtime $selected, want $version: another requirement raises it" >&2
      exit 1
    fi
    # Packages that need an API server are left out.
    mapfile -t tested < <(go -C "$module" list ./... | grep -v -e '/internal/servertest$' -e '/internal/adoptiontest$' -e '/internal/generated$' -e '/faulttest$' -e '/faulttest/internal/')
    # go vet would check all of Kubernetes for facts, which takes minutes for each version.
    go -C "$module" build ./...
    go -C "$module" test -short -timeout=5m "${tested[@]}"
    export GOFLAGS=-trimpath
    printf '   ok      %s with controller-runtime %s %3d s\n' "$module" "$version" $((SECONDS - start))
  done
done
