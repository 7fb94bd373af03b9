#!/usr/bin/env bash
# Installs what a fresh Debian or Ubuntu machine lacks, as root and after saying what and why. Elsewhere it says what to
# install by hand, and ends with 1 if nothing can work without that. It changes nothing that is there already.
#
#   scripts/prerequisites.sh up [arguments of `sandbox up`]   what the sandbox needs
#   scripts/prerequisites.sh test                             what the tests need as well (the default)
#   scripts/prerequisites.sh check                            say what the tests lack, install nothing; ends with 1 if
#                                                             anything is missing
#
# A sandbox on kind needs a container engine, an embedded one (processes of this machine) needs nothing but Go. Which it is
# to be is read from --cluster=… among the arguments, or from SANDBOX_CLUSTER:
#
#   kind        an engine and what goes with it
#   embedded    nothing of that
#   auto        (the default) the same as kind if an engine answers, or if this is root of a machine with apt where one
#               can run once it is installed; else the same as embedded, after one line that says why
set -euo pipefail

usage() { echo "usage: scripts/prerequisites.sh [up [--cluster=auto|kind|embedded …]|test|check]" >&2; exit 2; }
purpose=${1:-test}
case "$purpose" in up | test | check) ;; *) usage ;; esac

cluster=${SANDBOX_CLUSTER:-auto}
if (($# > 0)); then shift; fi
while (($# > 0)); do
  case "$1" in
  --cluster=*) cluster=${1#--cluster=} ;;
  --cluster) cluster=${2:-} ;;
  esac
  shift
done

say() { printf '%s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null; }
linux() { [[ $(uname -s) == Linux ]]; }

# macOS has no timeout.
answers() {
  have "$1" || return 1
  if have timeout; then timeout 20 "$1" info >/dev/null 2>&1; else "$1" info >/dev/null 2>&1; fi
}

# Here apt can install things, and here alone a node image can be built from source.
can_install=false
if have apt-get && ((EUID == 0)); then can_install=true; fi

# Prints what keeps this machine's root from running privileged containers, if anything does: root of a container often may
# not, however much is installed.
why_no_engine() {
  local hex="" file=""
  linux || return 0
  hex=$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)
  if ! ((16#${hex:-0} >> 21 & 1)); then
    echo "its root lacks CAP_SYS_ADMIN"
  elif ! ((16#$hex >> 12 & 1)); then
    echo "its root lacks CAP_NET_ADMIN"
  elif ! unshare --mount --pid --net --fork true 2>/dev/null; then
    echo "its root may not make namespaces"
  elif [[ -e /proc/sys/net/ipv4/ip_forward && ! -w /proc/sys/net/ipv4/ip_forward ]]; then
    echo "/proc/sys can't be written"
  else
    for file in /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/cgroup.procs; do
      if [[ -w $file ]]; then return 0; fi
    done
    echo "its cgroups can't be written"
  fi
}

# Podman answers as soon as it is installed. Root's own runs containers only where this machine lets it; whether a user's
# own does, the sandbox finds out, and nothing would be installed for it here.
podman_works() {
  answers podman || return 1
  if ((EUID != 0)) || [[ -z $(why_no_engine) ]]; then return 0; fi
  [[ $(podman info --format '{{.Host.ServiceIsRemote}}' 2>/dev/null) == true ]]
}

# The names that the tests look for.
any_browser() {
  have chromium || have chromium-browser || have google-chrome-stable || have google-chrome ||
    have /Applications/Chromium.app/Contents/MacOS/Chromium
}

# An engine counts when it answers, not when its client is installed.
any_engine() { answers docker || podman_works || answers nerdctl; }

# Sets has_engine and wants_engine, and says so where auto comes to mean embedded.
choose() {
  local why=""
  has_engine=false wants_engine=false
  if [[ $cluster == embedded ]]; then return; fi
  if any_engine; then has_engine=true; fi
  if $has_engine || [[ $cluster == kind ]]; then wants_engine=true; return; fi
  if $can_install; then
    why=$(why_no_engine)
    if [[ -z $why ]]; then wants_engine=true; return; fi
    why="no container engine can run on this machine ($why)"
  else
    why="no container engine answers"
    if have apt-get; then why="$why (sudo scripts/prerequisites.sh up may install one)"; fi
  fi
  say "The sandbox runs embedded, as plain processes: $why."
}

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
choose
if [[ $purpose != up ]]; then
  have git || want git "the tests and Go call it"
  have make || want make "the README's commands are make targets"
fi
if $wants_engine; then
  $has_engine || want podman "kind runs its node in a container engine, and none answers (Docker does as well)"
  if $can_install; then
    have runc || answers docker || want runc "podman's own runtime, crun, refuses hosts with mixed cgroup versions"
    have debootstrap || want debootstrap "where no registry answers, the node's root filesystem is built from Debian packages"
  fi
fi
if [[ $purpose != up ]]; then
  have gcc || have cc || want gcc "Go's race detector needs a C compiler"
  have g++ || have c++ || want g++ "vale's parsers need a C++ compiler"
  if ! any_browser; then
    if grep -qs '^ID=ubuntu' /etc/os-release; then
      # A snap has a /tmp of its own, in which the tests' pages are not.
      say "Install Google Chrome or Chromium, not as a snap: the tests open the sandbox's pages in it, and Ubuntu's apt has none."
      if [[ $purpose == check ]]; then exit 1; fi
    else
      want chromium "the tests open the sandbox's pages in it (some 125 MB to fetch, 400 MB of disk)"
    fi
  fi
  ! linux || [[ -e /usr/include/stdlib.h ]] || want libc6-dev "Go's race detector needs the C library's headers"
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
