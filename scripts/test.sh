#!/usr/bin/env bash
# Runs the tests in stages, one after another. Each stage has a limit and prints its time.
#
#   scripts/test.sh all       everything, including the tests on kind and on embedded sandboxes
#   scripts/test.sh short     the tests that need no cluster
#   scripts/test.sh e2e       the tests on the running sandbox, or on a temporary one
#   scripts/test.sh embedded  only the tests on an embedded sandbox, as an ordinary user
#   scripts/test.sh browser   the tests of the pages in headless Chromium
#   scripts/test.sh metrics   the tests of config/metrics with the collector's library
set -euo pipefail
cd "$(dirname "$0")/.."

# The same flags for everything. With other flags, Go would compile Kubernetes again.
export CGO_ENABLED=0 GOFLAGS=-trimpath

summary=()
running=

# A stage has its own process group, which a terminal's Ctrl-C does not reach. The script forwards the signal, and the tests on
# a cluster take the cluster down.
interrupted() {
  [[ -z $running ]] || kill -TERM "$running" 2>/dev/null || true
  wait
  exit 130
}
trap interrupted INT TERM

stage() { # name, limit in seconds, command…
  local name=$1 limit=$2 start=$SECONDS status=0
  shift 2
  printf '\n== %s (at most %d min)\n' "$name" $((limit / 60))
  set -m # else bash has commands in the background ignore SIGINT, and some tests send it
  timeout --kill-after=30 "$limit" "$@" </dev/null &
  running=$!
  set +m
  wait "$running" || status=$?
  running=
  summary+=("$(printf '%-22s %5d s' "$name" $((SECONDS - start)))")
  if ((status == 124 || status == 137)); then
    printf '== %s: not done within %d s\n' "$name" "$limit" >&2
  fi
  if ((status != 0)); then
    printf '== %s: failed\n' "$name" >&2
    report
    exit 1
  fi
}

report() {
  printf '\n== times\n'
  printf '   %s\n' "${summary[@]}"
}

# assets sets the folder of envtest's programs in the environment, unless it is set already.
assets() {
  [[ -n ${KUBEBUILDER_ASSETS:-} ]] || KUBEBUILDER_ASSETS=$(scripts/sandbox.sh envtest-assets)
  export KUBEBUILDER_ASSETS
}

# metrics tests a module outside of the workspace.
metrics() { stage "metrics" 1800 env GOWORK=off go -C config/metrics/collector test -count=1 -timeout=5m ./...; }

# The images that CI names are for kind. An embedded sandbox ignores the engine.
embedded=(env -u SANDBOX_IMAGES SANDBOX_CLUSTER=embedded)

case "${1:-all}" in
all)
  stage "source builds" 2400 scripts/sandbox.sh build --cluster=auto
  assets
  stage "verify" 1200 scripts/verify.sh
  stage "macOS on arm64" 1200 scripts/cross.sh darwin/arm64
  stage "unit, race, envtest" 1800 scripts/unit.sh -race
  stage "controller-runtime" 1800 scripts/compat.sh
  stage "published modules" 1800 scripts/published.sh
  metrics
  stage "kind" 1800 env SANDBOX_CLUSTER=kind scripts/e2e.sh
  stage "other on kind" 600 env SANDBOX_CLUSTER=kind scripts/faults.sh other
  stage "embedded" 600 scripts/embedded.sh
  stage "others on embedded" 600 "${embedded[@]}" go test -count=1 -timeout=9m -v ./e2e/adopted
  stage "browser" 600 scripts/browser.sh
  stage "faults" 900 "${embedded[@]}" scripts/faults.sh some
  stage "faults on kind" 900 env SANDBOX_CLUSTER=kind scripts/faults.sh kind
  ;;
short)
  assets
  stage "unit, envtest" 600 scripts/unit.sh
  ;;
e2e)
  stage "e2e" 1800 scripts/e2e.sh
  ;;
embedded)
  stage "source builds" 2400 scripts/sandbox.sh build --cluster=embedded
  stage "embedded" 600 scripts/embedded.sh
  ;;
browser)
  stage "source builds" 2400 scripts/sandbox.sh build --cluster=embedded
  stage "browser" 600 scripts/browser.sh
  ;;
metrics)
  metrics
  ;;
*)
  echo "usage: scripts/test.sh all|short|e2e|embedded|browser|metrics" >&2
  exit 2
  ;;
esac
report
