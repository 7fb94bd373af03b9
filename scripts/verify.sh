#!/usr/bin/env bash
# Fails if a generated file is out of date, a module is untidy, or a linter reports a problem. `make generate` updates generated
# files. The run that finds untidy modules tidies them. It prints all findings, not only the first.
#
# Once Go's module cache has everything, it needs no network.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
export GOFLAGS=-trimpath CGO_ENABLED=0

source scripts/modules.sh

# The modules of go.work. Jaeger's has no code and its own versions. Vetting Kubernetes takes minutes for two files of this
# project. Once is enough, because golangci-lint runs the analyzers of vet, too.
packages+=(./sandbox/source/node/... ./sandbox/source/certmanager/... ./sandbox/source/kwok/...)
kubernetes=./sandbox/source/kubernetes/...

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

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

# unchanged runs a command that writes files and fails if that changed anything. It compares the files with
# their state before, not with git, so that it works before a commit.
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

# A deleted file stays in git's list until the commit, and has no sum.
fingerprint() { git ls-files -z --cached --others --exclude-standard | xargs -0 sha256sum 2>/dev/null; }

# in_copy runs a function in a copy of the tree, in which the modules that require others of this repository have replace
# lines, and copies the module files back without those lines.
in_copy() ( # function
  copy=$scratch/$1
  mkdir "$copy" || exit 1
  git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -T - -cf - 2>/dev/null | tar -xf - -C "$copy" || exit 1
  (
    cd "$copy" || exit 1
    for module in "${modules[@]}"; do replace_modules "$module/go.mod" || exit 1; done
    "$1" || exit 1
    for module in "${modules[@]}"; do drop_modules "$module/go.mod" || exit 1; done
  ) || exit 1
  root=$(sed -n 's/^module //p' go.mod)
  git ls-files -- go.work.sum go.mod go.sum '*/go.mod' '*/go.sum' 'scripts/*.mod' 'scripts/*.sum' | while read -r file; do
    if [[ $file == *go.sum ]]; then
      # The checksums of released modules of this repository, which are replaced in the copy. The order is the go command's.
      grep "^$root[/ ]" "$file" >>"$copy/$file"
      cmp -s <(sort "$file") <(sort "$copy/$file") && continue
    fi
    cmp -s "$file" "$copy/$file" || cp "$copy/$file" "$file" || exit 1
  done
)

tidy() (
  export GOWORK=off
  status=0
  while read -r file; do
    folder=$(dirname "$file")
    case $folder in
    # Jaeger's own dependencies import test packages of missing modules. -e ignores them.
    sandbox/source/jaeger) go -C "$folder" mod tidy -e || status=1 ;;
    *) go -C "$folder" mod tidy || status=1 ;;
    esac
  done < <(find . -name go.mod)
  for file in scripts/tools scripts/lint scripts/vale scripts/actionlint scripts/mutation scripts/dlv; do
    tidy_tools "$file" || status=1
  done
  exit $status
)

# sync raises the versions that the programs require to the ones that the workspace selects. Modules that others import are
# left out: they require the oldest versions that they work with, so that an operator need not upgrade to adopt them.
# scripts/compat.sh tests these.
sync() {
  local module arguments=()
  for module in "${modules[@]}"; do
    [[ $module == . ]] || arguments+=("-dropuse=./$module")
  done
  go work edit "${arguments[@]}"
  go work sync
}

# tidy_tools tidies the module file of a tool, in a folder of its own: beside the project's code, tidy would take the
# project's packages for the tool's.
tidy_tools() ( # path without its ending
  set -e
  folder=$scratch/$1
  mkdir -p "$folder"
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

# The linter has its own module file, which Go reads only outside of the workspace. It checks the workspace. `go tool -n` builds
# it and prints its path.
lint() {
  local linter
  linter=$(GOWORK=off go tool -n -modfile=scripts/lint.mod golangci-lint) || return 1
  "$linter" run "${packages[@]}" "$kubernetes"
}

# language runs vale with .vale.ini on documents, comments and strings. It parses Go with a C library. The first build takes
# some minutes; a run takes seconds.
language() {
  local vale planted
  vale=$(CGO_ENABLED=1 GOWORK=off go tool -n -modfile=scripts/vale.mod vale) || return 1
  # Vale exits with 0 if the configuration matches no file, or the view of Go finds no text.
  for planted in '// anew' 'var s = "anew"'; do
    if printf 'package view\n\n%s\n' "$planted" | "$vale" --no-global --path=sandbox/view/planted.go >"$scratch/planted"; then
      echo "vale found no mistake in: $planted"
      return 1
    fi
  done
  git ls-files -z --cached --others --exclude-standard -- '*.go' '*.js' '*.md' | xargs -0 "$vale" --no-global --output=line
}

check "generated files" unchanged scripts/generate.sh
check "tidy modules" unchanged in_copy tidy
check "one set of versions" unchanged in_copy sync
check "gofmt" formatted
check "package budget" scripts/budget.sh
check "go vet" go vet "${packages[@]}"
check "golangci-lint" lint
check "actionlint" scripts/actionlint.sh
check "language" language

if ((${#failed[@]} > 0)); then
  printf 'verify: failed:' >&2
  printf ' %s;' "${failed[@]}" >&2
  printf '\n' >&2
  exit 1
fi
