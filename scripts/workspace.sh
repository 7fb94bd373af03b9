#!/usr/bin/env bash
# Creates a workspace of an operator's modules and the library in this clone, while the required version of the library is not
# published. The operator's go.mod does not change. Run it in the folder for the go.work.
#
#   CLONE/scripts/workspace.sh FOLDER…   folders of the operator's modules, for example "."
set -euo pipefail
clone=$(cd "$(dirname "$0")/.." && pwd)
library=(operator/tracing/spantree operator/tracing operator/tracing/provider)

go work init "$@" "${library[@]/#/$clone/}"
# The go command reads a version that a go.mod requires, although the workspace has the module itself.
for module in "${library[@]}"; do
  sed -n "s|^\s*\(\S*/$module v[^ ]*\).*|\1|p" "$clone/go.mod" | while read -r path version; do
    go work edit -replace="$path@$version=$clone/$module"
  done
done
