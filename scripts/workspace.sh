#!/usr/bin/env bash
# Makes a workspace of an operator's modules and the library in this clone, as long as the version of the library that the
# operator needs is not published. The operator's go.mod stays as it is. Run it in the folder that gets the go.work.
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
