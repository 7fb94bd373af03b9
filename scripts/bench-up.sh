#!/usr/bin/env bash
# Measures, side by side in one run: `kind create cluster --wait` alone with the sandbox's node image, `sandbox up` with
# images cached to the complete trace, `sandbox up` again, twice `sandbox load operator --sample` after a change of the operator's code
# to the complete trace, and down; and the same of an embedded sandbox, with the memory of its processes. Prints the median of ROUNDS (default 3) and the ratios. Where no container engine works, only the embedded
# one is measured. With FIRST=1, `kind create cluster --wait` is measured with the node image of this project's first version,
# too: that version is taken from git's history and builds its image itself, with the user's cache. With COLD=1, an `up` that builds all
# from source with empty caches (but for downloaded modules) is set against the sum of what its components' builds took: a quarter of
# an hour, and 5 GB of disk for the time. Removes what it makes, and uses
# clusters of its own names; run it on a quiet machine.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0 GOFLAGS=-trimpath
rounds=${ROUNDS:-3}
work=$(mktemp -d)
name=operator-tracing-bench
sandbox=("$work/sandbox" --name="$name" --state-dir="$work/state")
embedded=("$work/sandbox" --name="$name-embedded" --state-dir="$work/embedded")

# The first version that could print the configuration of its node.
first_version=41cde71
first=("$work/first-sandbox" --name="$name-first" --state-dir="$work/first-state" --source="$work/first")

cleanup() {
  [[ ! -d $work/changed ]] || git worktree remove --force "$work/changed" || :
  if [[ -d $work/first ]]; then
    "${first[@]}" down >/dev/null 2>&1 || :
    git worktree remove --force "$work/first" || :
  fi
  [[ -z ${provider:-} ]] || "$work/kind" delete cluster --name="$name-kind" --kubeconfig="$work/kubeconfig" >/dev/null 2>&1 || :
  "${sandbox[@]}" down >/dev/null 2>&1 || :
  "${embedded[@]}" down >/dev/null 2>&1 || :
  rm -rf "$work"
}
trap cleanup EXIT

go build -o "$work/sandbox" ./sandbox
go build -o "$work/kind" sigs.k8s.io/kind

echo "getting images and programs ready" >&2
"${embedded[@]}" build --cluster=embedded 2>"$work/warm.log" || { cat "$work/warm.log" >&2; exit 1; }
provider=
"${sandbox[@]}" up >/dev/null 2>"$work/warm.log" || { cat "$work/warm.log" >&2; exit 1; }
provider=$("${sandbox[@]}" status -o json | sed -n 's/.*"provider": "\(.*\)".*/\1/p')
if [[ -n $provider ]]; then
  [[ -f $work/state/containers.conf ]] && cp "$work/state/containers.conf" "$work/containers.conf" && export CONTAINERS_CONF="$work/containers.conf"
  "${sandbox[@]}" down 2>/dev/null
  "${sandbox[@]}" kind-config --provider="$provider" >"$work/kind.yaml" 2>/dev/null
  export KIND_EXPERIMENTAL_PROVIDER=$provider
else
  "${sandbox[@]}" down 2>/dev/null
fi

if [[ -n ${FIRST:-} && -n $provider ]]; then
  echo "getting the first version's node image ready" >&2
  git worktree add --detach --quiet "$work/first" "$first_version"
  (cd "$work/first" && go build -o "$work/first-sandbox" ./sandbox)
  (cd "$work/first" && "${first[@]}" up >/dev/null 2>"$work/warm.log") || { cat "$work/warm.log" >&2; exit 1; }
  (cd "$work/first" && "${first[@]}" down 2>/dev/null)
  (cd "$work/first" && "${first[@]}" kind-config --provider="$provider" >"$work/first.yaml" 2>/dev/null)
fi

# timed runs a command and adds its seconds to a file.
timed() { # file, command…
  local file=$1 start end
  shift
  start=$(date +%s%N)
  "$@" >"$work/out.log" 2>&1 || { echo "failed: $*" >&2; tail -20 "$work/out.log" >&2; exit 1; }
  end=$(date +%s%N)
  echo $(((end - start) / 1000000)) >>"$file"
}

# bare times kind alone.
bare() { # file, configuration
  timed "$1" "$work/kind" create cluster --name="$name-kind" --config="$2" --wait=2m --kubeconfig="$work/kubeconfig"
  "$work/kind" delete cluster --name="$name-kind" --kubeconfig="$work/kubeconfig" >/dev/null 2>&1
}

median() { sort -n "$1" | awk '{v[NR]=$1} END {print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }

# load times a new build of the operator with a string in it that no build before has, to the new sample's complete trace. In a cluster
# that has just begun, the operator's finalizer waits for Kubernetes' garbage collector, which learns of new kinds every 30 s.
load() { # file, command…
  local file=$1
  shift
  printf 'package controller\n\nimport "runtime"\n\nfunc init() { runtime.KeepAlive("%s") }\n' "$(date +%s%N)" >"$work/changed/operator/controller/changed.go"
  timed "$file" "$@" load operator --sample --source="$work/changed"
}
git worktree add --detach --quiet "$work/changed" HEAD

# memory adds the megabytes that the embedded sandbox's processes have resident, each page counted once (Pss), and as top
# counts them (Rss): the programs of Kubernetes share one binary.
memory() {
  local pid pss=0 rss=0 p r
  for pid in $("${embedded[@]}" status -o json | sed -n 's/.*"pid": \([0-9]*\).*/\1/p'); do
    read -r r p < <(awk '/^Rss:/ {r = $2} /^Pss:/ {p = $2} END {print r, p}' "/proc/$pid/smaps_rollup")
    pss=$((pss + p)) rss=$((rss + r))
  done
  echo $((rss / 1024)) >>"$work/rss.mb"
  echo $((pss / 1024)) >>"$work/pss.mb"
}

# cold prints how long an `up` with empty caches takes, and the sum of the builds that it reports.
cold() {
  local start end
  echo "an up with empty caches" >&2
  start=$(date +%s%N)
  XDG_CACHE_HOME="$work/cold" GOCACHE="$work/cold/go-build" "${sandbox[@]}" up --images=source 2>"$work/cold.log" >/dev/null || { tail -20 "$work/cold.log" >&2; exit 1; }
  end=$(date +%s%N)
  "${sandbox[@]}" down 2>/dev/null
  awk -v up=$(((end - start) / 1000000)) '$1 == "built" {sum += $(NF - 1); printf "cold: %-46s %8.1f\n", $2, $(NF - 1)}
    END {printf "cold: %-46s %8.1f\ncold: %-46s %8.1f %9.2f times the sum\n", "sum of builds", sum, "sandbox up, to complete trace", up / 1000, up / 1000 / sum}' "$work/cold.log"
  rm -rf "$work/cold"
}
[[ -z ${COLD:-} ]] || cold
((rounds > 0)) || exit 0

for ((i = 1; i <= rounds; i++)); do
  echo "round $i of $rounds" >&2
  if [[ -n $provider ]]; then
    bare "$work/kind.ms" "$work/kind.yaml"
    [[ ! -f $work/first.yaml ]] || bare "$work/first.ms" "$work/first.yaml"
    timed "$work/up.ms" "${sandbox[@]}" up --cluster=kind
    timed "$work/again.ms" "${sandbox[@]}" up
    load "$work/first-load.ms" "${sandbox[@]}"
    load "$work/load.ms" "${sandbox[@]}"
    timed "$work/down.ms" "${sandbox[@]}" down
  fi
  timed "$work/eup.ms" "${embedded[@]}" up --cluster=embedded
  timed "$work/eagain.ms" "${embedded[@]}" up
  memory
  load "$work/first-eload.ms" "${embedded[@]}"
  load "$work/eload.ms" "${embedded[@]}"
  timed "$work/edown.ms" "${embedded[@]}" down
done

row() { # text, file
  [[ -f $2 ]] || return 0
  awk -v text="$1" -v value="$(median "$2")" -v kind="$([[ -f $work/kind.ms ]] && median "$work/kind.ms" || echo 0)" \
    'BEGIN {printf "%-54s %8.1f %9s\n", text, value / 1000, (kind > 0) ? sprintf("%.2f", value / kind) : ""}'
}
printf '%-54s %8s %9s\n' "median of $rounds" seconds "to kind"
row "kind create cluster --wait, same node image" "$work/kind.ms"
row "kind create cluster --wait, first version's image" "$work/first.ms"
row "sandbox up, images cached, to complete trace" "$work/up.ms"
row "sandbox up again" "$work/again.ms"
row "sandbox load operator, code changed, in a new cluster" "$work/first-load.ms"
row "sandbox load operator, code changed again" "$work/load.ms"
row "sandbox down" "$work/down.ms"
row "embedded: sandbox up, programs cached, to trace" "$work/eup.ms"
row "embedded: sandbox up again" "$work/eagain.ms"
row "embedded: load operator, code changed, new cluster" "$work/first-eload.ms"
row "embedded: load operator, code changed again" "$work/eload.ms"
row "embedded: sandbox down" "$work/edown.ms"
printf '\nembedded, all processes after two ups: %s MiB resident (Rss), %s MiB with shared pages counted once (Pss)\n' \
  "$(median "$work/rss.mb")" "$(median "$work/pss.mb")"
printf 'machine: %s, %s cores, %s GiB, Linux %s, %s\n' "$(uname -m)" "$(nproc)" \
  "$(awk '/MemTotal/ {printf "%d", $2 / 1048576}' /proc/meminfo)" "$(uname -r | cut -d- -f1)" "${provider:-no container engine}"
