#!/usr/bin/env bash
# Runs the tests in stages. Each stage has a limit and prints its time.
#
#   scripts/test.sh ci        the tests of each commit; it lists the tests that only `all` runs
#   scripts/test.sh all       everything, in some hours; the list is in this script
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

# The features that embedded sandboxes test in `ci`. Kind tests them only in `all`: neither the kubelet nor the network of Pods has
# a part in their result.
only_embedded='^Test(AccuracyOfCauses|Triage|UpdatesOvertaken|Load|UntrustedContexts|ChildDeletedLate|QueryInterfaces|Watch|HeadTraceJaegerExporter)$'

case "${1:-ci}" in
ci)
  started=$SECONDS
  stage "source builds" 2400 scripts/sandbox.sh build --cluster=auto
  assets
  stage "verify" 1200 scripts/verify.sh
  stage "unit, race, envtest" 2400 scripts/unit.sh -race
  stage "macOS on arm64" 1200 scripts/cross.sh darwin/arm64
  stage "controller-runtime" 1800 scripts/compat.sh oldest
  stage "published library" 600 scripts/published.sh -run='^TestPublished$/^library$'
  metrics
  stage "kind" 1800 env SANDBOX_CLUSTER=kind scripts/e2e.sh -skip="$only_embedded"
  stage "embedded" 900 scripts/embedded.sh
  stage "others on embedded" 600 "${embedded[@]}" go test -count=1 -timeout=9m -v ./e2e/adopted
  stage "browser" 600 scripts/browser.sh
  stage "faults" 900 "${embedded[@]}" scripts/faults.sh some
  stage "faults on kind" 900 env SANDBOX_CLUSTER=kind scripts/faults.sh one
  cat <<EOF

== left out, nightly by \`make test-all\`
   kind                   $only_embedded, which run on embedded sandboxes here
   others on kind         other operators on kind
   faults                 all but four tests; the commit chooses the fourth
   faults on kind         all but one test, which the commit chooses
   controller-runtime     the minors after the oldest
   published modules      installing the sandbox from packed modules
   unit                   a random order of the tests, and the coverage of each package
   archives               the archives and images of a release, and their test without Go
EOF
  report
  printf '   %-22s %5d s\n' total $((SECONDS - started))
  exit
  ;;
all)
  stage "source builds" 2400 scripts/sandbox.sh build --cluster=auto
  assets
  stage "verify" 1200 scripts/verify.sh
  stage "macOS on arm64" 1200 scripts/cross.sh darwin/arm64
  stage "unit, race, envtest" 3600 scripts/unit.sh -race -shuffle=on -cover
  stage "controller-runtime" 1800 scripts/compat.sh
  stage "published modules" 1800 scripts/published.sh
  metrics
  stage "kind" 1800 env SANDBOX_CLUSTER=kind scripts/e2e.sh
  stage "others on kind" 1200 env SANDBOX_CLUSTER=kind go test -count=1 -timeout=19m -v -run='^TestOperator' ./e2e/adopted
  stage "embedded" 600 scripts/embedded.sh
  stage "others on embedded" 600 "${embedded[@]}" go test -count=1 -timeout=9m -v ./e2e/adopted
  stage "browser" 600 scripts/browser.sh
  stage "faults on embedded" 7200 "${embedded[@]}" scripts/faults.sh embedded
  stage "faults on kind" 7200 env SANDBOX_CLUSTER=kind scripts/faults.sh kind
  stage "archives" 1800 "${embedded[@]}" scripts/archives.sh
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
  echo "usage: scripts/test.sh ci|all|short|e2e|embedded|browser|metrics" >&2
  exit 2
  ;;
esac
report
