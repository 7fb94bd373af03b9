#!/usr/bin/env bash
# Fails if anything that is generated is out of date, if a module is untidy, or if a linter complains. `make generate`
# mends the first; the modules are mended by the run that finds them untidy. All findings are shown, not only the first.
#
# Once Go's module cache has everything, it needs no network.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
export GOFLAGS=-trimpath CGO_ENABLED=0

# The modules of go.work. Jaeger's has no code, and versions of its own. Vetting Kubernetes takes minutes, for two files of
# ours: once is enough, and golangci-lint runs vet's analyzers too.
packages=(./... ./operator/tracing/... ./operator/tracing/provider/... ./sandbox/source/node/... ./sandbox/source/certmanager/... ./sandbox/source/kwok/...)
kubernetes=./sandbox/source/kubernetes/...

failed=()
check() { # name, command…
  local name=$1 start=$SECONDS
  shift
  printf '   …       %s\n' "$name"
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
    echo "these files were out of date; they are up to date now:"
    diff <(echo "$before") <(echo "$after") | sed -n 's/^[<>] [0-9a-f]*  /  /p' | sort -u
    return 1
  fi
}

# A deleted file stays in git's list until the commit: it has no sum.
fingerprint() { git ls-files -z --cached --others --exclude-standard | xargs -0 sha256sum 2>/dev/null; }

tidy() (
  export GOWORK=off
  status=0
  while read -r file; do
    folder=$(dirname "$file")
    case $folder in
    # Jaeger's own dependencies import test packages of modules that are gone: -e leaves those out.
    sandbox/source/jaeger) go -C "$folder" mod tidy -e || status=1 ;;
    *) go -C "$folder" mod tidy || status=1 ;;
    esac
  done < <(git ls-files -- go.mod '*/go.mod')
  for file in scripts/tools scripts/lint; do
    tidy_tools "$file" || status=1
  done
  exit $status
)

# tidy_tools tidies the module file of a tool, in a folder of its own: beside the project's code, tidy would take the
# project's packages for the tool's.
tidy_tools() ( # path without its ending
  set -e
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  cp "$1.mod" "$folder/go.mod"
  cp "$1.sum" "$folder/go.sum"
  go -C "$folder" mod tidy
  cmp -s "$folder/go.mod" "$1.mod" || cp "$folder/go.mod" "$1.mod"
  cmp -s "$folder/go.sum" "$1.sum" || cp "$folder/go.sum" "$1.sum"
)

formatted() {
  local files
  files=$(git ls-files -z --cached --others --exclude-standard -- '*.go' | xargs -0 gofmt -l) || return 1
  [[ -z $files ]] || {
    printf 'not formatted by gofmt:\n%s\n' "$files"
    return 1
  }
}

# The linter comes from a module file of its own, which Go reads only outside of the workspace; what it looks at is the
# workspace. `go tool -n` builds it and gives its path.
lint() {
  local linter
  linter=$(GOWORK=off go tool -n -modfile=scripts/lint.mod golangci-lint) || return 1
  "$linter" run "${packages[@]}" "$kubernetes"
}

check "generated files" unchanged scripts/generate.sh
check "tidy modules" unchanged tidy
check "one set of versions" unchanged go work sync
check "gofmt" formatted
check "go vet" go vet "${packages[@]}"
check "golangci-lint" lint

if ((${#failed[@]} > 0)); then
  printf 'verify: failed:' >&2
  printf ' %s;' "${failed[@]}" >&2
  printf '\n' >&2
  exit 1
fi
