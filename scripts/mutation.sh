#!/usr/bin/env bash
# Runs mutation tests with gremlins: it changes one operator or condition of the code at a time, and the package's tests must
# fail. It prints the survivors, and fails if less than 85 % of the covered mutants are killed. docs/mutation-tests.md lists
# the survivors with reasons.
#
#   scripts/mutation.sh [PACKAGE…]   folders with the packages below them; without any, the packages of the document
#
# It works on a copy of the tree, at the lowest priority. FILES is a regular expression of file names, for a part of a package:
# FILES='^flow.go$'. 100 mutants of spantree take about five minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
[[ -n ${KUBEBUILDER_ASSETS:-} ]] || KUBEBUILDER_ASSETS=$(scripts/sandbox.sh envtest-assets)
export KUBEBUILDER_ASSETS CGO_ENABLED=0 GOWORK=off
gremlins=$(GOFLAGS=-trimpath go tool -n -modfile=scripts/mutation.mod gremlins)

# Tests of large inputs, which take most of the time of a run.
large='Huge|Workloads|IsBounded|LargeFile|LongChain|ErrorIsShort|ManyWorkers|AtTheCap'

scratch=$(mktemp -d)
trap 'chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT
mkdir "$scratch/tree" "$scratch/tmp"
git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -T - -cf - | tar -xf - -C "$scratch/tree"
cd "$scratch/tree"
source scripts/modules.sh
for module in "${modules[@]}"; do replace_modules "$module/go.mod"; done
export TMPDIR=$scratch/tmp GOFLAGS="-trimpath -mod=mod -short -failfast -count=1 -skip=$large"

packages=("$@")
((${#packages[@]} > 0)) || packages=(operator/tracing/spantree operator/tracing sandbox/explain sandbox/observe/writes)
failed=()
for package in "${packages[@]}"; do
  module=$package
  while [[ ! -f $module/go.mod ]]; do module=$(dirname "$module"); done
  others=()
  for file in "$package"/*.go; do
    [[ ${file##*/} =~ ${FILES:-.} ]] || others+=(--exclude-files="${file##*/}\$")
  done
  folder=${package#"$module"}
  [[ $module != . ]] || folder=/$package
  printf '== %s\n' "$package"
  # The timeout of a mutant is a multiple of the time of the first run, which -count=1 keeps out of the cache: a cached run
  # takes no time, so all mutants would time out. Endless loops cost this time.
  (cd "$module" && nice -n 19 "$gremlins" unleash --workers=1 --timeout-coefficient=8 --threshold-efficacy=85 \
    --output-statuses=ltv ${others[@]+"${others[@]}"} ".$folder") || failed+=("$package")
done
if ((${#failed[@]} > 0)); then
  echo "mutation: too many survivors: ${failed[*]}" >&2
  exit 1
fi
