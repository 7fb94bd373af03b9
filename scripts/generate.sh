#!/usr/bin/env bash
# Regenerates the files that are derived from Go types and markers: deepcopy functions, CRDs, RBAC and the webhook's manifest.
# `make verify` runs it and fails if the tree changes.
set -euo pipefail
cd "$(dirname "$0")/.."

# The tools have their own module file, which a workspace would ignore.
generate() {
  GOWORK=off go tool -modfile=scripts/tools.mod controller-gen "$@"
}

generate object paths=./operator/api/...
generate crd paths=./operator/api/... output:crd:dir=config/crd/bases
generate rbac:roleName=manager-role paths=./operator/controller/... output:rbac:dir=config/rbac
generate webhook paths=./operator/webhook/... output:webhook:dir=config/webhook
