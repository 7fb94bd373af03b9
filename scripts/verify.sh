#!/usr/bin/env bash
# Fails if anything that is generated is out of date, if a module is untidy, or if a linter complains. `make generate`
# mends the first. All findings are shown, not only the first.
set -uo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-trimpath CGO_ENABLED=0

failed=()
check() { # name, command…
  local name=$1 start=$SECONDS
  shift
  if "$@"; then
    printf '   ok      %-24s %3d s\n' "$name" $((SECONDS - start))
  else
    printf '   FAILED  %-24s %3d s\n' "$name" $((SECONDS - start))
    failed+=("$name")
  fi
}

# unchanged runs a command that writes files and fails if that changed anything. The files are compared with what they
# were, not with git, so that it can be used before a commit.
unchanged() {
  local before after
  before=$(fingerprint)
  "$@" || return 1
  after=$(fingerprint)
  if [[ $before != "$after" ]]; then
    echo "these files were out of date and are written anew:"
    diff <(echo "$before") <(echo "$after") | sed -n 's/^> [0-9a-f]*  /  /p'
    return 1
  fi
}

fingerprint() { git ls-files -z --cached --others --exclude-standard | xargs -0 sha256sum 2>/dev/null; }

tidy() {
  local module
  for module in $(git ls-files -- 'go.mod' '*/go.mod'); do
    (cd "$(dirname "$module")" && GOWORK=off go mod tidy) || return 1
  done
}

formatted() {
  local files
  files=$(git ls-files -- '*.go' | xargs gofmt -l)
  [[ -z $files ]] || { printf 'not formatted by gofmt:\n%s\n' "$files"; return 1; }
}

vet() {
  go vet ./... ./operator/tracing/... ./operator/tracing/provider/... ./sandbox/source/node/... \
    ./sandbox/source/kubernetes/... ./sandbox/source/certmanager/...
}

lint() {
  local module
  for module in . operator/tracing operator/tracing/provider sandbox/source/node; do
    (cd "$module" && GOWORK=off go tool -modfile="$OLDPWD/scripts/lint.mod" golangci-lint run --config="$OLDPWD/.golangci.yml" ./...) || return 1
  done
}

check "generated files" unchanged scripts/generate.sh
check "tidy modules" unchanged tidy
check "one set of versions" unchanged go work sync
check "gofmt" formatted
check "go vet" vet
check "golangci-lint" lint

if ((${#failed[@]} > 0)); then
  printf 'verify: failed: %s\n' "${failed[*]}" >&2
  exit 1
fi
