#!/usr/bin/env bash
# Runs the tests that break and repair sandboxes. CI runs some of them.
#
#   scripts/faults.sh all        all tests
#   scripts/faults.sh kind       the tests on kind
#   scripts/faults.sh embedded   the tests on embedded clusters
#   scripts/faults.sh some       the life cycle of the end-to-end tests, and another test on an embedded cluster, which the
#                                commit chooses
#   scripts/faults.sh one        a test on kind, which the commit chooses
#
# More arguments go to `go test`. Tests that mount file systems need root; without it they are skipped and listed.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-trimpath CGO_ENABLED=0

readonly embedded=./e2e/faults/embedded
readonly kind=./e2e/faults
readonly as_root='AsRoot$'
# The life cycle of the end-to-end tests, and the part of it that every run of `some` has. On a temporary sandbox: an end that
# waits for the guard, an end that does not, and an end before the first test. On an existing sandbox: the first of these.
readonly lifecycle='^(TestOwnedSandboxIsRemoved|TestFoundSandboxIsLeftAsItWas)$'
readonly endings='^TestOwnedSandboxIsRemoved$/^(SIGINT|panic|failed_setup)$|^TestFoundSandboxIsLeftAsItWas$/^SIGINT$'
# Tests that take minutes, which only the other modes run.
readonly long='^TestFaultsRun(FindsABug)?$'

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

# chosen prints the test of the commit, so that in time all run.
chosen() { # names of all, one on each line
  local all commit
  IFS=$'\n' read -r -d '' -a all <<<"$1" || : # macOS has a bash that knows no mapfile
  commit=$(git rev-parse HEAD)
  echo "${all[$((16#${commit:0:8} % ${#all[@]}))]}"
}

# run_all runs all tests of a package that can run here.
run_all() { # package, flags of go test…
  local skip=()
  if [[ $1 == "$embedded" ]] && ((EUID != 0)); then skip=(-skip="$as_root"); fi
  tests >/dev/null # It prints the names of the skipped tests.
  go test -p=1 -count=1 -timeout=119m -v ${skip[@]+"${skip[@]}"} "$@"
}

mode=${1:-}
shift || true
case $mode in
all)
  failed=0
  run_all "$kind" "$@" || failed=1
  run_all "$embedded" "$@" || failed=1
  exit "$failed"
  ;;
kind) run_all "$kind" "$@" ;;
embedded) run_all "$embedded" "$@" ;;
some)
  go test -p=1 -count=1 -timeout=10m -v -run="$endings" "$embedded" "$@"
  test=$(chosen "$(tests | grep -Ev "$lifecycle|$long")")
  echo "faults: the commit chooses $test"
  go test -p=1 -count=1 -timeout=10m -v -run="^$test\$" "$embedded" "$@"
  ;;
one)
  # On a real node, TestManyPods takes four minutes.
  test=$(chosen "$(go test -list=. "$kind" | grep '^Test' | grep -v '^TestManyPods$')")
  echo "faults: the commit chooses $test"
  go test -p=1 -count=1 -timeout=14m -v -run="^$test\$" "$kind" "$@"
  ;;
*)
  echo "usage: scripts/faults.sh all|kind|embedded|some|one [flags of go test]" >&2
  exit 2
  ;;
esac
