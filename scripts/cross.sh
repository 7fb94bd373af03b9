#!/usr/bin/env bash
# Builds and vets all parts of a sandbox without a container engine, and their tests, for other systems than this one. It keeps
# only Go's cache. The first run takes a few minutes of processor time for each system.
#
#   scripts/cross.sh                   this project, cert-manager and kwok, for macOS and Linux on arm64
#   scripts/cross.sh all               Kubernetes and Jaeger too, which take twenty minutes more on two processors
#   scripts/cross.sh [all] OS/ARCH…    for other systems
set -uo pipefail
cd "$(dirname "$0")/.." || exit
export GOFLAGS=-trimpath CGO_ENABLED=0

source scripts/modules.sh
packages+=(./sandbox/source/certmanager/... ./sandbox/source/kwok/...)
platforms=()
heavy=()
for argument in "$@"; do
  case $argument in
  all) heavy=(kubernetes jaeger) ;;
  */*) platforms+=("$argument") ;;
  *)
    echo "usage: scripts/cross.sh [all] [OS/ARCH…]" >&2
    exit 2
    ;;
  esac
done
((${#platforms[@]} > 0)) || platforms=(darwin/arm64 linux/arm64)

failed=()
check() { # what, command…
  local what="${GOOS}/${GOARCH} $1" status=0 TIMEFORMAT='%0R s, %0U+%0S s of processor time'
  shift
  printf '   …       %s\n' "$what"
  { time { "$@" >&3 2>&3 || status=$?; }; } 3>&2 2>"$times"
  if ((status == 0)); then
    printf '   ok      %-28s %s\n' "$what" "$(<"$times")"
  else
    printf '   FAILED  %-28s %s\n' "$what" "$(<"$times")"
    failed+=("$what")
  fi
}
times=$(mktemp)
trap 'rm -f "$times"' EXIT

for platform in "${platforms[@]}"; do
  export GOOS=${platform%/*} GOARCH=${platform#*/}
  check build go build -o /dev/null "${packages[@]}"
  check vet go vet "${packages[@]}"
  for module in ${heavy[@]+"${heavy[@]}"}; do
    case $module in
    # Jaeger's module has its own versions and no code, only a tool.
    jaeger) check jaeger env GOWORK=off go -C sandbox/source/jaeger build -o /dev/null tool ;;
    *)
      check "$module" go build -o /dev/null "./sandbox/source/$module/..."
      check "vet $module" go vet "./sandbox/source/$module/..."
      ;;
    esac
  done
done

if ((${#failed[@]} > 0)); then
  printf 'cross: failed:' >&2
  printf ' %s;' "${failed[@]}" >&2
  printf '\n' >&2
  exit 1
fi
