#!/usr/bin/env bash
# Installs what a fresh Debian or Ubuntu machine lacks for the sandbox and its tests, after saying what and why.
#
#   scripts/prerequisites.sh          install, as root
#   scripts/prerequisites.sh --check  only say what is missing; exit 1 if anything is
#
# Elsewhere it says what to install by hand. It changes nothing that is there already.
set -euo pipefail

check_only=false
[[ "${1:-}" == "--check" ]] && check_only=true

packages=()
say() { printf '%s\n' "$*" >&2; }
want() { # package, why
  packages+=("$1")
  say "  $1: $2"
}

# An engine counts when it answers, not when its client is installed.
engine_answers() {
  for engine in docker podman nerdctl; do
    if command -v "$engine" >/dev/null && timeout 20 "$engine" info >/dev/null 2>&1; then return 0; fi
  done
  return 1
}

say "Looking for what the sandbox and its tests need:"
command -v go >/dev/null || {
  say "Go is missing: install the version that go.mod names from your distribution or from the Go project."
  exit 1
}
command -v git >/dev/null || want git "Go and the tests call it"
command -v make >/dev/null || want make "the commands in the README are make targets"
if ! engine_answers; then
  want podman "kind runs its node in a container engine, and none answers"
fi
if ! command -v docker >/dev/null || ! timeout 20 docker info >/dev/null 2>&1; then
  command -v runc >/dev/null || want runc "podman's default runtime, crun, refuses hosts with mixed cgroup versions"
fi
command -v debootstrap >/dev/null || want debootstrap "the node's root filesystem is built from Debian packages where no registry answers"
command -v gcc >/dev/null || want gcc "Go's race detector needs a C compiler"
[[ -e /usr/include/stdlib.h ]] || want libc6-dev "Go's race detector needs the C library's headers"

if ((${#packages[@]} == 0)); then
  say "Nothing is missing."
  exit 0
fi
if $check_only; then
  say "Missing: ${packages[*]}. Install them, or run scripts/prerequisites.sh as root on Debian or Ubuntu."
  exit 1
fi
if ! command -v apt-get >/dev/null; then
  say "This is neither Debian nor Ubuntu: install these with your package manager: ${packages[*]}"
  exit 1
fi
if ((EUID != 0)); then
  say "Installing needs root. Run: sudo scripts/prerequisites.sh"
  exit 1
fi
say "Installing: ${packages[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
say "Done."
