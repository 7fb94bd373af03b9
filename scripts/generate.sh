#!/usr/bin/env bash
# Regenerates the files that are derived from Go code: deepcopy functions, CRDs, RBAC, the webhook's manifest, and documents.
# `make verify` runs it and fails if the tree changes.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-trimpath CGO_ENABLED=0

# The tools have their own module file, which a workspace would ignore.
generate() {
  GOWORK=off go tool -modfile=scripts/tools.mod controller-gen "$@"
}

generate object paths=./operator/api/...
generate crd paths=./operator/api/... output:crd:dir=config/crd/bases
generate rbac:roleName=manager-role paths=./operator/controller/... output:rbac:dir=config/rbac
generate webhook paths=./operator/webhook/... output:webhook:dir=config/webhook

# docs/commands.md from the commands, and the output of commands in docs. The tests without these flags compare the files.
go test ./sandbox/cli -run='^(TestCommandsDocument|TestDocuments)$' -update-reference -update-documents >/dev/null

# docs/api: the exported declarations of the modules that others import.
source scripts/modules.sh
libraries=("${modules[@]}")
unset 'libraries[${#libraries[@]}-1]' # the root module
go run ./scripts/api docs/api "${libraries[@]}"
