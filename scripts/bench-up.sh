#!/usr/bin/env bash
# Measures, side by side in one run: `kind create cluster --wait` alone with the sandbox's node image, `sandbox up` with
# images cached to the complete trace, and `sandbox up` again. Prints the median of ROUNDS (default 3) and the ratios.
# Removes what it makes, and uses clusters of its own names; run it on a quiet machine.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0 GOFLAGS=-trimpath
rounds=${ROUNDS:-3}
work=$(mktemp -d)
name=operator-tracing-bench
sandbox=("$work/sandbox" --name="$name" --state-dir="$work/state")

cleanup() {
  "$work/kind" delete cluster --name="$name-kind" --kubeconfig="$work/kubeconfig" >/dev/null 2>&1 || :
  "${sandbox[@]}" down >/dev/null 2>&1 || :
  rm -rf "$work"
}
trap cleanup EXIT

go build -o "$work/sandbox" ./sandbox
go build -o "$work/kind" sigs.k8s.io/kind

echo "getting images ready" >&2
"${sandbox[@]}" build 2>/dev/null || echo "no source build: images come from a registry" >&2
"${sandbox[@]}" up >/dev/null 2>"$work/warm.log" || { cat "$work/warm.log" >&2; exit 1; }
provider=$("${sandbox[@]}" status -o json | sed -n 's/.*"provider": "\(.*\)".*/\1/p')
[[ -f $work/state/containers.conf ]] && cp "$work/state/containers.conf" "$work/containers.conf" && export CONTAINERS_CONF="$work/containers.conf"
"${sandbox[@]}" down 2>/dev/null
"${sandbox[@]}" kind-config --provider="$provider" >"$work/kind.yaml" 2>/dev/null
export KIND_EXPERIMENTAL_PROVIDER=$provider

# timed runs a command and adds its seconds to a file.
timed() { # file, command…
  local file=$1 start end
  shift
  start=$(date +%s%N)
  "$@" >"$work/out.log" 2>&1 || { echo "failed: $*" >&2; tail -20 "$work/out.log" >&2; exit 1; }
  end=$(date +%s%N)
  echo $(((end - start) / 1000000)) >>"$file"
}
median() { sort -n "$1" | awk '{v[NR]=$1} END {print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }

for ((i = 1; i <= rounds; i++)); do
  echo "round $i of $rounds" >&2
  timed "$work/kind.ms" "$work/kind" create cluster --name="$name-kind" --config="$work/kind.yaml" --wait=2m --kubeconfig="$work/kubeconfig"
  "$work/kind" delete cluster --name="$name-kind" --kubeconfig="$work/kubeconfig" >/dev/null 2>&1
  timed "$work/up.ms" "${sandbox[@]}" up
  timed "$work/again.ms" "${sandbox[@]}" up
  timed "$work/down.ms" "${sandbox[@]}" down
done

awk -v kind="$(median "$work/kind.ms")" -v up="$(median "$work/up.ms")" -v again="$(median "$work/again.ms")" -v down="$(median "$work/down.ms")" '
  BEGIN {
    printf "%-44s %8s %12s\n", "median of '"$rounds"'", "seconds", "to kind"
    printf "%-44s %8.1f %12s\n", "kind create cluster --wait, same node image", kind / 1000, "1.00"
    printf "%-44s %8.1f %12.2f\n", "sandbox up, images cached, to complete trace", up / 1000, up / kind
    printf "%-44s %8.1f %12.2f\n", "sandbox up again", again / 1000, again / kind
    printf "%-44s %8.1f %12.2f\n", "sandbox down", down / 1000, down / kind
  }'
printf '\nmachine: %s, %s cores, %s GiB, Linux %s, %s\n' "$(uname -m)" "$(nproc)" \
  "$(awk '/MemTotal/ {printf "%d", $2 / 1048576}' /proc/meminfo)" "$(uname -r | cut -d- -f1)" "$provider"
