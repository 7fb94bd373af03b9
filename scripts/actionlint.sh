#!/usr/bin/env bash
# Checks the action in .github/actions, the workflows in .github/workflows and the workflows of docs/ci.md with actionlint, in
# one folder: actionlint only checks an action that a workflow of the same repository uses.
set -euo pipefail
cd "$(dirname "$0")/.."
linter=$(GOWORK=off go tool -n -modfile=scripts/actionlint.mod actionlint)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/.git" "$folder/.github"
cp -R .github/actions .github/workflows "$folder/.github/"

# The blocks that start with a name are whole workflows. One action is the project's own.
awk -v folder="$folder/.github/workflows" '
  /^```yaml$/ { getline; if (/^name:/) file = folder "/" ++n ".yml" }
  /^```$/ { file = "" }
  file != "" { gsub("operator-tracing/sandbox/.github/actions/trace@main", "./.github/actions/trace"); print > file }
' docs/ci.md
grep -q 'uses: ./.github/actions/trace' "$folder"/.github/workflows/*.yml || {
  echo "docs/ci.md has no workflow that uses the action .github/actions/trace" >&2
  exit 1
}
cd "$folder"
"$linter" -no-color
