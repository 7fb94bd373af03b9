#!/usr/bin/env bash
# Measures in one run: only `kind create cluster --wait` with the sandbox's node image, `sandbox up` with cached images to the
# complete trace, `sandbox up` again, `sandbox load operator --sample` twice after a change of the operator's code to the complete
# trace, and down. It measures the same for an embedded sandbox, with the memory of its processes. It prints the median of ROUNDS
# (default 3) and the ratios. If no container engine works, it measures only the embedded sandbox. With FIRST=1 it also measures
# `kind create cluster --wait` with the node image of this project's first version, which it takes from git's history. That version
# builds its image itself, with the user's cache. With COLD=1 it compares an `up` that builds everything from source with empty
# caches (except downloaded modules) with the sum of its builds. That takes a quarter of an hour and 5 GB of disk. The clusters have
# their own names, and are removed at the end. Run it on a quiet machine.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0 GOFLAGS=-trimpath
rounds=${ROUNDS:-3}
work=$(mktemp -d)
name=operator-tracing-bench

# use sets the version that the following functions measure, and the prefix of its files. 815a7c5 and older versions refuse an
# engine for an embedded cluster, so an embedded cluster does not get the user's choice.
use() { # prefix, program, source
  prefix=$1
  sandbox=("$2" --name="$name" --state-dir="$work/$1state" --source="$3")
  embedded=(env -u SANDBOX_PROVIDER "$2" --name="$name-embedded" --state-dir="$work/$1embedded" --source="$3")
}

use "" "$work/sandbox" "$PWD"

# The first version that could print the configuration of its node.
first_version=41cde71
first=("$work/first-sandbox" --name="$name-first" --state-dir="$work/first-state" --source="$work/first")

cleanup() {
  for tree in changed base-changed; do
    [[ ! -d $work/$tree ]] || git worktree remove --force "$work/$tree" || :
  done
  if [[ -d $work/base ]]; then
    use base- "$work/base-sandbox" "$work/base"
    "${sandbox[@]}" down >/dev/null 2>&1 || :
    "${embedded[@]}" down >/dev/null 2>&1 || :
    git worktree remove --force "$work/base" || :
  fi
  if [[ -d $work/first ]]; then
    "${first[@]}" down >/dev/null 2>&1 || :
    git worktree remove --force "$work/first" || :
  fi
  [[ -z ${provider:-} ]] || "$work/kind" delete cluster --name="$name-kind" --kubeconfig="$work/kubeconfig" >/dev/null 2>&1 || :
  use "" "$work/sandbox" "$PWD"
  "${sandbox[@]}" down >/dev/null 2>&1 || :
  "${embedded[@]}" down >/dev/null 2>&1 || :
  rm -rf "$work"
}
trap cleanup EXIT

go build -o "$work/sandbox" ./sandbox
go build -o "$work/kind" sigs.k8s.io/kind
if [[ -n ${BASE:-} ]]; then
  git worktree add --detach --quiet "$work/base" "$BASE"
  (cd "$work/base" && go build -o "$work/base-sandbox" ./sandbox)
fi

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

# bare measures kind without the sandbox.
bare() { # file, configuration
  timed "$1" "$work/kind" create cluster --name="$name-kind" --config="$2" --wait=2m --kubeconfig="$work/kubeconfig"
  "$work/kind" delete cluster --name="$name-kind" --kubeconfig="$work/kubeconfig" >/dev/null 2>&1
}

median() { sort -n "$1" | awk '{v[NR]=$1} END {print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }

# load measures a new build of the operator with a unique string, to the new sample's complete trace. In a new cluster, the operator's
# finalizer waits for Kubernetes' garbage collector, which discovers new kinds every 30 s.
load() { # file, command…
  local file=$1
  shift
  printf 'package controller\n\nimport "runtime"\n\nfunc init() { runtime.KeepAlive("%s") }\n' "$(date +%s%N)" >"$work/${prefix}changed/operator/controller/changed.go"
  timed "$file" "$@" load operator --sample --source="$work/${prefix}changed"
}
git worktree add --detach --quiet "$work/changed" HEAD
[[ -z ${BASE:-} ]] || git worktree add --detach --quiet "$work/base-changed" "$BASE"

# memory adds the megabytes that the embedded sandbox's processes have resident, each page counted once (Pss), and as top
# counts them (Rss): the programs of Kubernetes share one binary.
memory() {
  local pid pss=0 rss=0 p r
  for pid in $("${embedded[@]}" status -o json | sed -n 's/.*"pid": \([0-9]*\).*/\1/p'); do
    read -r r p < <(awk '/^Rss:/ {r = $2} /^Pss:/ {p = $2} END {print r, p}' "/proc/$pid/smaps_rollup")
    pss=$((pss + p)) rss=$((rss + r))
  done
  echo $((rss / 1024)) >>"$work/${prefix}rss.mb"
  echo $((pss / 1024)) >>"$work/${prefix}pss.mb"
}

# measure measures everything once with the version that use named.
measure() {
  if [[ -n $provider ]]; then
    timed "$work/${prefix}up.ms" "${sandbox[@]}" up --cluster=kind
    timed "$work/${prefix}again.ms" "${sandbox[@]}" up
    load "$work/${prefix}first-load.ms" "${sandbox[@]}"
    load "$work/${prefix}load.ms" "${sandbox[@]}"
    timed "$work/${prefix}down.ms" "${sandbox[@]}" down
  fi
  timed "$work/${prefix}eup.ms" "${embedded[@]}" up --cluster=embedded
  timed "$work/${prefix}eagain.ms" "${embedded[@]}" up
  memory
  load "$work/${prefix}first-eload.ms" "${embedded[@]}"
  load "$work/${prefix}eload.ms" "${embedded[@]}"
  timed "$work/${prefix}edown.ms" "${embedded[@]}" down
}

# cold prints the duration of an `up` with empty caches, and the sum of the builds that it reports.
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
  fi
  if [[ -n ${BASE:-} ]]; then
    use base- "$work/base-sandbox" "$work/base"
    measure
  fi
  use "" "$work/sandbox" "$PWD"
  measure
done

row() { # text, file
  [[ -f $work/$2 ]] || return 0
  awk -v text="$1" -v value="$(median "$work/$2")" -v kind="$([[ -f $work/kind.ms ]] && median "$work/kind.ms" || echo 0)" \
    -v base="$([[ -f $work/base-$2 ]] && median "$work/base-$2" || echo 0)" \
    'BEGIN {printf "%-54s %8.1f %9s %9s\n", text, value / 1000, (kind > 0) ? sprintf("%.2f", value / kind) : "", (base > 0) ? sprintf("%.2f", value / base) : ""}'
}
printf '%-54s %8s %9s %9s\n' "median of $rounds" seconds "to kind" "${BASE:+to base}"
row "kind create cluster --wait, same node image" kind.ms
row "kind create cluster --wait, first version's image" first.ms
row "sandbox up, images cached, to complete trace" up.ms
row "sandbox up again" again.ms
row "sandbox load operator, code changed, in a new cluster" first-load.ms
row "sandbox load operator, code changed again" load.ms
row "sandbox down" down.ms
row "embedded: sandbox up, programs cached, to trace" eup.ms
row "embedded: sandbox up again" eagain.ms
row "embedded: load operator, code changed, new cluster" first-eload.ms
row "embedded: load operator, code changed again" eload.ms
row "embedded: sandbox down" edown.ms
printf '\nembedded, all processes after two ups: %s MiB resident (Rss), %s MiB with shared pages counted once (Pss)\n' \
  "$(median "$work/rss.mb")" "$(median "$work/pss.mb")"
[[ -z ${BASE:-} ]] || printf 'the same of %s: %s MiB (Rss), %s MiB (Pss)\n' "$BASE" "$(median "$work/base-rss.mb")" "$(median "$work/base-pss.mb")"
printf 'machine: %s, %s cores, %s GiB, Linux %s, %s\n' "$(uname -m)" "$(nproc)" \
  "$(awk '/MemTotal/ {printf "%d", $2 / 1048576}' /proc/meminfo)" "$(uname -r | cut -d- -f1)" "${provider:-no container engine}"
