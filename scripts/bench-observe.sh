#!/usr/bin/env bash
# Measures the cost of the observer while 50 Heads become ready on a sandbox, and prints a Markdown table: the CPU time of
# kube-apiserver and of the observer. Each pair of runs is one with the observer and one without; the order alternates. CLUSTER is the
# kind of the cluster (default embedded). PAIRS (default 5) is their number, HEADS (default 50) the number of Heads, WINDOW (default 20)
# the seconds of a run. The sandbox has a name and a state folder of its own, and is removed at the end. Run it on a quiet machine.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0 GOFLAGS=-trimpath
work=$(mktemp -d)
cluster=${CLUSTER:-embedded}
unset=()
[[ $cluster == kind ]] || unset=(-u SANDBOX_PROVIDER)
sandbox=(env ${unset[@]+"${unset[@]}"} "$work/sandbox" --name=operator-tracing-observe --state-dir="$work/state" --source="$PWD")
trap '"${sandbox[@]}" down >/dev/null 2>&1 || :; rm -rf "$work"' EXIT
heads=${HEADS:-50} window=${WINDOW:-20}

go build -o "$work/sandbox" ./sandbox
go build -o "$work/scale" ./e2e/scale

# value prints a value of `status -o json`, in which each value has a line of its own.
value() { "${sandbox[@]}" status -o json | sed -n "s/.*\"$1\": \"\{0,1\}\([^\",]*\).*/\1/p" | head -1; }

pid() { "${sandbox[@]}" status -o json | grep -A1 "\"name\": \"$1\",\$" | sed -n 's/.*"pid": \([0-9]*\).*/\1/p' | head -1; }

# cpu prints the CPU time of a process in milliseconds: the fields utime and stime of proc_pid_stat(5).
cpu() { awk -v hz="$(getconf CLK_TCK)" '{sub(/.*\) /, ""); printf "%d", ($12 + $13) * 1000 / hz}' "/proc/$1/stat"; }

# median prints the median of numbers.
median() { printf '%s\n' "$@" | sort -n | awk '{a[NR] = $1} END {print NR % 2 ? a[(NR + 1) / 2] : (a[NR / 2] + a[NR / 2 + 1]) / 2}'; }

# settle waits until a process uses less than 6 % of a core: its start is over.
settle() {
  local before
  while before=$(cpu "$1") && sleep 1 && (($(cpu "$1") - before > 60)); do :; done
}

# run creates the Heads, waits for the rest of the window, and prints the CPU times of kube-apiserver and of the
# observer, and the time until all Heads were ready and traced, each in milliseconds.
run() { # true or false
  local api observer before own=0 start took left
  "${sandbox[@]}" up --cluster="$cluster" --observe="$1" >/dev/null 2>"$work/up.log" || { cat "$work/up.log" >&2; exit 1; }
  api=$(pid kube-apiserver)
  [[ -n $api ]] || api=$(pgrep -nx kube-apiserver) # of the node, whose processes status does not list
  settle "$api"
  [[ $1 == false ]] || { observer=$(pid observer) && own=$(cpu "$observer"); }
  before=$(cpu "$api")
  start=$(date +%s%3N)
  "$work/scale" --kubeconfig="$(value kubeconfig)" --jaeger="$(value query)" --heads="$heads" >/dev/null 2>"$work/scale.log" ||
    { cat "$work/scale.log" >&2; exit 1; }
  took=$(($(date +%s%3N) - start))
  left=$((window * 1000 - took))
  if ((left > 0)); then sleep "$((left / 1000)).$(printf '%03d' $((left % 1000)))"; fi
  printf '%d %d %d\n' $(($(cpu "$api") - before)) "$([[ $1 == false ]] && echo 0 || echo $(($(cpu "$observer") - own)))" "$took"
  "${sandbox[@]}" down >/dev/null 2>&1
}

printf '| pair | kube-apiserver without, ms | with, ms | ratio | observer, ms | of a core until all are traced |\n|---|---|---|---|---|---|\n'
ratios=() shares=()
for ((pair = 1; pair <= ${PAIRS:-5}; pair++)); do
  if ((pair % 2)); then
    without=$(run false)
    with=$(run true)
  else
    with=$(run true)
    without=$(run false)
  fi
  read -r api own took <<<"$with"
  read -r base _ _ <<<"$without"
  ratio=$(awk "BEGIN {printf \"%.3f\", $api / $base}") share=$(awk "BEGIN {printf \"%.1f\", 100 * $own / $took}")
  ratios+=("$ratio") shares+=("$share")
  printf '| %d | %d | %d | %s | %d | %s %% |\n' "$pair" "$base" "$api" "$ratio" "$own" "$share"
done
printf '| median | | | %s | | %s %% |\n' "$(median "${ratios[@]}")" "$(median "${shares[@]}")"
printf '\nmachine: %s, %s cores, %s GiB, Linux %s\n' "$(uname -m)" "$(nproc)" "$(awk '/MemTotal/ {printf "%d", $2 / 1048576}' /proc/meminfo)" "$(uname -r | cut -d- -f1)"
