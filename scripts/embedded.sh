#!/usr/bin/env bash
# Runs the tests of the traces on an embedded sandbox as a user without root, without a container engine and without Go, with
# only the programs that were built before. If root runs it, it changes to the user nobody. The user gets a temporary home,
# whose path has a space. The script removes everything at its end, however it ends. It copies the artifacts of a failure to
# the repository.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-trimpath CGO_ENABLED=0

# seconds for processes to end after a signal; scripts/test.sh waits 30 for a stage after its limit
patience=25

user=(env)
if ((EUID == 0)); then
  if ! command -v setpriv >/dev/null; then
    echo "These tests need an ordinary user; run them as one, or install setpriv (util-linux)." >&2
    exit 1
  fi
  user=(setpriv --reuid=65534 --regid=65534 --clear-groups env)
fi

# Prints the ids of processes that name the home in their arguments: the tests, their guard, and the sandbox's.
left() {
  if [[ -d /proc/self ]]; then
    # shellcheck disable=SC2062 # the shell must expand it
    { grep -lsF --file=- /proc/[0-9]*/cmdline <<<"$home" || :; } | tr -cd '0-9\n'
  else
    ps -axww -o pid=,command= | while read -r id command; do
      if [[ $command == *"$home"* ]]; then echo "$id"; fi
    done
  fi
}

# Prints the processes that still run after the time to end.
# shellcheck disable=SC2317 # clean calls it
still_left() { # seconds
  local until=$((SECONDS + $1)) ids
  while ids=$(left) && [[ -n $ids ]] && ((SECONDS < until)); do sleep 0.2; done
  printf '%s' "$ids"
}

home='' tests=''
# shellcheck disable=SC2317 # a trap calls it
clean() {
  local status=$? ids id
  trap '' INT TERM HUP
  [[ -z $tests ]] || kill -TERM "$tests" 2>/dev/null || : # Their guard takes the sandbox down.
  ids=$(still_left "$patience")
  if [[ -n $ids ]]; then
    echo "Ending the remaining processes:" >&2
    for id in $ids; do
      printf '  %s %s\n' "$id" "$(tr '\0' ' ' <"/proc/$id/cmdline" 2>/dev/null | cut -c1-200)" >&2
    done
    # shellcheck disable=SC2086 # a list of numbers
    kill -KILL $ids 2>/dev/null || :
    ((status != 0)) || status=1
  fi
  if ((status != 0)) && [[ -d $home/source/artifacts ]]; then
    rm -rf artifacts
    cp -R "$home/source/artifacts" artifacts
    echo "The artifacts are in artifacts/." >&2
  fi
  rm -rf "$home"
  exit "$status"
}
home=$(mktemp -d "${TMPDIR:-/tmp}/sandbox e2e.XXXXXX")
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

cache=$home/.cache/operator-tracing-sandbox/bin
[[ $(uname -s) != Darwin ]] || cache=$home/Library/Caches/operator-tracing-sandbox/bin
mkdir -p "$home"/{bin,empty,source,tmp} "$cache"
go build -o "$home/bin/sandbox" ./sandbox
go test -c -o "$home/bin/e2e.test" ./e2e

# A build marks the cache entries that it uses.
touch "$home/start"
"$home/bin/sandbox" build --cluster=embedded
built=$("$home/bin/sandbox" envtest-assets) # a folder in a component's folder
find "${built%/*/*}" -mindepth 1 -maxdepth 1 -name '[!.]*' -newer "$home/start" -exec cp -RP {} "$cache" \;

# A copy of the tree, because the user may not be able to read the clone.
git ls-files -z --cached --others --exclude-standard |
  while IFS= read -r -d '' file; do
    if [[ -e $file || -L $file ]]; then printf '%s\0' "$file"; fi
  done | tar --null -T - -cf - | tar -xf - -C "$home/source"

if ((EUID == 0)); then chown -R 65534:65534 "$home"; fi

prepared=$SECONDS
(
  cd "$home/source/e2e"
  exec "${user[@]}" -i HOME="$home" PATH="$home/empty" TMPDIR="$home/tmp" CI="${CI:-}" \
    SANDBOX_CLUSTER=embedded E2E_SANDBOX="$home/bin/sandbox" "$home/bin/e2e.test" -test.v -test.timeout=8m </dev/null
) &
tests=$!
status=0
wait "$tests" || status=$?
tests=''
ids=$(left)
if [[ -n $ids ]]; then
  printf 'The tests did not take the sandbox down; these processes run: %s\n' "${ids//$'\n'/ }" >&2
  status=1
fi
printf 'embedded: %d s to prepare, %d s for the tests\n' "$prepared" $((SECONDS - prepared))
exit "$status"
