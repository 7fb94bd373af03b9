#!/usr/bin/env bash
# Builds the sandbox program into bin/ and runs it with the arguments; unlike `go run`, it exits with the program's exit
# code, and prints a line if compiling takes long.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

GOFLAGS=-trimpath CGO_ENABLED=0 go build -o bin/sandbox ./sandbox &
build=$!
(
  sleep 3
  kill -0 "$build" 2>/dev/null && echo "Compiling the sandbox program: the first time, that takes two or three minutes." >&2
) >/dev/null & # A caller that reads the program's output must not wait for the sleep.
notice=$!
status=0
wait "$build" || status=$?
kill "$notice" 2>/dev/null || :
((status == 0)) || exit "$status"
exec bin/sandbox "$@"
