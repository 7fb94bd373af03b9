#!/usr/bin/env bash
# Runs the tests that break and repair sandboxes, or the tests with another operator. CI runs some of them, which the commit
# chooses.
#
#   scripts/faults.sh all    the tests on kind and on embedded clusters
#   scripts/faults.sh some   the life cycle of the end-to-end tests, and two of the others on embedded clusters
#   scripts/faults.sh kind   one of the tests on kind
#   scripts/faults.sh other  one of the tests with another operator
#
# More arguments go to `go test`. Tests that mount file systems need root; without it they are skipped and listed.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-trimpath CGO_ENABLED=0

readonly embedded=./e2e/faults/embedded
readonly kind=./e2e/faults
readonly other=./e2e/adopted
readonly as_root='AsRoot$'
# The life cycle of the end-to-end tests, and the part of it that every run of `some` has. On a temporary sandbox: an end that
# waits for the guard, an end that does not, and an end before the first test. On an existing sandbox: the first of these.
readonly lifecycle='^(TestOwnedSandboxIsRemoved|TestFoundSandboxIsLeftAsItWas)$'
readonly endings='^TestOwnedSandboxIsRemoved$/^(SIGINT|panic|failed_setup)$|^TestFoundSandboxIsLeftAsItWas$/^SIGINT$'

# tests lists the embedded tests that can run here.
tests() {
  if ((EUID == 0)); then
    list .
    return
  fi
  list . | grep -v "$as_root"
  echo "faults: skipped without root: $(list "$as_root" | xargs)" >&2
}

# list prints the tests with matching names.
list() { go test -list="$1" "$embedded" | grep '^Test'; }

# chosen runs some tests of a package. The commit chooses them, so that in time all run.
chosen() { # number, package, names of all, one on each line
  local number=$1 package=$2 names=$3 all commit first pattern i chosen=()
  shift 3
  IFS=$'\n' read -r -d '' -a all <<<"$names" || : # macOS has a bash that knows no mapfile
  commit=$(git rev-parse HEAD)
  first=$((16#${commit:0:8} % ${#all[@]}))
  for ((i = 0; i < number; i++)); do # far from each other: neighbours are of one file, and the longest are neighbours
    chosen+=("${all[$(((first + i * ${#all[@]} / number) % ${#all[@]}))]}")
  done
  echo "faults: commit ${commit:0:8} chooses ${chosen[*]}, of ${#all[@]}"
  pattern=$(IFS='|' && echo "^(${chosen[*]})\$")
  exec go test -p=1 -count=1 -timeout=30m -v -run="$pattern" "$package" "$@"
}

mode=${1:-}
shift || true
case $mode in
all)
  failed=0
  go test -p=1 -count=1 -timeout=60m -v "$kind" "$@" || failed=1
  skip=()
  ((EUID == 0)) || skip=(-skip="$as_root")
  tests >/dev/null # It says what is left out.
  go test -p=1 -count=1 -timeout=90m -v "${skip[@]}" "$embedded" "$@" || failed=1
  exit "$failed"
  ;;
some)
  go test -p=1 -count=1 -timeout=10m -v -run="$endings" "$embedded" "$@"
  chosen 2 "$embedded" "$(tests | grep -Ev "$lifecycle")" "$@"
  ;;
kind)
  chosen 1 "$kind" "$(go test -list=. "$kind" | grep '^Test')" "$@"
  ;;
other)
  # The causes do not depend on the kind of cluster. The stage on embedded clusters tests them.
  chosen 1 "$other" "$(go test -list='^TestOperator' "$other" | grep '^Test')" "$@"
  ;;
*)
  echo "usage: scripts/faults.sh all|some|kind|other [flags of go test]" >&2
  exit 2
  ;;
esac
