#!/usr/bin/env bash
# Installs what a fresh Debian or Ubuntu machine lacks, as root and after saying what and why. Elsewhere it says what to
# install by hand, and ends with 1 if nothing can work without that. It changes nothing that is there already.
#
#   scripts/prerequisites.sh up      what the sandbox needs
#   scripts/prerequisites.sh test    what the tests need as well (the default)
#   scripts/prerequisites.sh check   say what the tests lack, install nothing; ends with 1 if anything is missing
set -euo pipefail

purpose=${1:-test}
case "$purpose" in up | test | check) ;; *) echo "usage: scripts/prerequisites.sh [up|test|check]" >&2; exit 2 ;; esac

say() { printf '%s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null; }
answers() { have "$1" && timeout 20 "$1" info >/dev/null 2>&1; }

# An engine counts when it answers, not when its client is installed.
any_engine() { answers docker || answers podman || answers nerdctl; }

# Here apt can install things, and here alone a node image can be built from source.
can_install=false
if have apt-get && ((EUID == 0)); then can_install=true; fi

# Lists of words, not arrays: macOS has a bash that knows little of them.
missing="" # packages
reasons=""
want() { # package, why
  missing="$missing $1"
  reasons="$reasons  $1: $2"$'\n'
}

if ! have go; then
  say "Go is missing: install the version that go.mod names, from your distribution or from the Go project."
  exit 1
fi
have git || want git "the tests and Go call it"
have make || want make "the README's commands are make targets"
any_engine || want podman "kind runs its node in a container engine, and none answers (Docker does as well)"
if $can_install; then
  answers docker || have runc || want runc "podman's own runtime, crun, refuses hosts with mixed cgroup versions"
  have debootstrap || want debootstrap "where no registry answers, the node's root filesystem is built from Debian packages"
fi
if [[ $purpose != up ]]; then
  have gcc || have cc || want gcc "Go's race detector needs a C compiler"
  [[ $(uname -s) != Linux || -e /usr/include/stdlib.h ]] || want libc6-dev "Go's race detector needs the C library's headers"
fi

if [[ -z $missing ]]; then exit 0; fi
say "Missing here:"
printf '%s' "$reasons" >&2
if [[ $purpose == check ]]; then exit 1; fi
if ! $can_install; then
  if have apt-get; then
    say "Install them: sudo scripts/prerequisites.sh $purpose"
  else
    say "Install them with your package manager:$missing"
  fi
  exit 1
fi
say "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # a list of words
apt-get install -y -qq --no-install-recommends $missing >/dev/null
say "Done."
