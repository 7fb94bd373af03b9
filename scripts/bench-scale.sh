#!/usr/bin/env bash
# Creates many Heads at once on an embedded sandbox, and prints a Markdown table: the times until they are ready and their
# traces complete, and the peak memory of the processes. It fails if a trace is lost or has spans of another Head. HEADS
# (default "100 1000 5000") are the numbers of Heads; each has a sandbox of its own. LIMIT (default 20m) limits each. The
# sandbox has a name and a state folder of its own, and is removed at the end. Run it on a quiet machine.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0 GOFLAGS=-trimpath
work=$(mktemp -d)
sandbox=(env -u SANDBOX_PROVIDER "$work/sandbox" --name=operator-tracing-scale --state-dir="$work/state" --source="$PWD")
trap '"${sandbox[@]}" down >/dev/null 2>&1 || :; rm -rf "$work"' EXIT
processes=(kube-apiserver etcd operator jaeger kube-controller-manager kube-scheduler kwok)

go build -o "$work/sandbox" ./sandbox
go build -o "$work/scale" ./e2e/scale

# value prints a value of `status -o json`, in which each value has a line of its own.
value() { "${sandbox[@]}" status -o json | sed -n "s/.*\"$1\": \"\{0,1\}\([^\",]*\).*/\1/p" | head -1; }

pid() { "${sandbox[@]}" status -o json | grep -A1 "\"name\": \"$1\",\$" | sed -n 's/.*"pid": \([0-9]*\).*/\1/p' | head -1; }

printf '| Heads | created, s | Ready p50, s | p95, s | trace p50, s | p95, s |'
printf ' %s, MiB |' "${processes[@]}"
printf '\n|%s\n' "$(printf -- '---|%.0s' {1..6} "${processes[@]}")"
failed=0
for heads in ${HEADS:-100 1000 5000}; do
  "${sandbox[@]}" up --cluster=embedded >/dev/null 2>"$work/up.log" || { cat "$work/up.log" >&2; exit 1; }
  pids=
  for process in "${processes[@]}"; do pids+=$process=$(pid "$process"),; done
  "$work/scale" --kubeconfig="$(value kubeconfig)" --jaeger="$(value query)" --heads="$heads" --limit="${LIMIT:-20m}" --pids="$pids" || failed=1
  "${sandbox[@]}" down >/dev/null 2>&1
done
printf '\nmachine: %s, %s cores, %s GiB, Linux %s\n' "$(uname -m)" "$(nproc)" "$(awk '/MemTotal/ {printf "%d", $2 / 1048576}' /proc/meminfo)" "$(uname -r | cut -d- -f1)"
exit "$failed"
