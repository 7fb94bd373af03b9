#!/usr/bin/env bash
# Installs the missing packages of a fresh Debian or Ubuntu machine as root, after it printed them with the reasons. Elsewhere
# it prints the packages to install, and exits with 1 if nothing can work without them. It never changes installed packages.
#
#   scripts/prerequisites.sh up [arguments of `sandbox up`]   the needs of the sandbox
#   scripts/prerequisites.sh test                             the needs of the tests, too (the default)
#   scripts/prerequisites.sh check                            print the missing needs of the tests, and exit with 1 if
#                                                             there are any
#
# A sandbox on kind needs a container engine. An embedded sandbox (processes of this machine) needs only Go. The kind comes from
# --cluster=… among the arguments, or from SANDBOX_CLUSTER:
#
#   kind        an engine and its needs
#   embedded    none of that
#   auto        (the default) the same as kind if an engine answers, or if root can install a working one with apt;
#               otherwise the same as embedded, after a line with the reason
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

# apt can install packages here. Only here can a node image be built from source.
can_install=false
if have apt-get && ((EUID == 0)); then can_install=true; fi

# Prints the reason why this machine's root cannot run privileged containers, if there is one: the root of a container often
# cannot, with any packages.
why_no_engine() {
  local hex="" file=""
  linux || return 0
  hex=$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)
  if ! ((16#${hex:-0} >> 21 & 1)); then
    echo "its root lacks CAP_SYS_ADMIN"
  elif ! ((16#$hex >> 12 & 1)); then
    echo "its root lacks CAP_NET_ADMIN"
  elif ! unshare --mount --pid --net --fork true 2>/dev/null; then
    echo "its root may not create namespaces"
  elif [[ -e /proc/sys/net/ipv4/ip_forward && ! -w /proc/sys/net/ipv4/ip_forward ]]; then
    echo "/proc/sys is not writable"
  else
    for file in /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/cgroup.procs; do
      if [[ -w $file ]]; then return 0; fi
    done
    echo "its cgroups are not writable"
  fi
}

# Podman answers as soon as it is installed. Root's podman runs containers only if this machine permits it. The sandbox tests a
# user's podman, for which nothing would be installed here.
podman_works() {
  answers podman || return 1
  if ((EUID != 0)) || [[ -z $(why_no_engine) ]]; then return 0; fi
  [[ $(podman info --format '{{.Host.ServiceIsRemote}}' 2>/dev/null) == true ]]
}

# The names that the tests search for.
any_browser() {
  have chromium || have chromium-browser || have google-chrome-stable || have google-chrome ||
    have /Applications/Chromium.app/Contents/MacOS/Chromium
}

# An engine counts if it answers. An installed client is not enough.
any_engine() { answers docker || podman_works || answers nerdctl; }

# Sets has_engine and wants_engine, and prints a line if auto means embedded.
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

# Lists of words instead of arrays, which the old bash of macOS hardly supports.
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
    have debootstrap || want debootstrap "without a registry, the node's root filesystem is built from Debian packages"
  fi
fi
if [[ $purpose != up ]]; then
  have gcc || have cc || want gcc "Go's race detector needs a C compiler"
  have g++ || have c++ || want g++ "vale's parsers need a C++ compiler"
  if ! any_browser; then
    if grep -qs '^ID=ubuntu' /etc/os-release; then
      # A snap has its own /tmp, without the tests' pages.
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
