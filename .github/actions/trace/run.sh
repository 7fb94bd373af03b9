#!/usr/bin/env bash
# Traces an object in a sandbox, and writes the results and a pull-request comment into a folder. action.yml describes the
# inputs: the input `fail-on` is the variable TRACE_FAIL_ON. It also runs outside of GitHub. SANDBOX_PROGRAM names a program
# to use instead of building one.
#
# The exit code is 0, 1 after a failure, 2 after a mistake in an input, or 3 after a negative result. With 0 and 3 all files
# are there.
set -euo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)

object=${TRACE_OBJECT:-head-sample}
from=${TRACE_FROM:-}
baseline=${TRACE_BASELINE:-}
runs=${TRACE_RUNS:-0}
check=${TRACE_CHECK:-}
output=${TRACE_OUTPUT:-trace-report}

mistake() {
  printf 'Error: %s\n' "$1" >&2
  exit 2
}
[[ $runs =~ ^[0-9]+$ ]] || mistake "input runs=\"$runs\": use a number >= 0"
[[ ${TRACE_FAIL_ON_REGRESSION:-false} =~ ^(true|false)$ ]] || mistake "input fail-on-regression=\"$TRACE_FAIL_ON_REGRESSION\": use true or false"
[[ -z $from || $runs == 0 ]] || mistake "input runs=\"$runs\": a file of the input from cannot be measured"

project=()
[[ -z ${TRACE_FILE:-} ]] || project=(--file="$TRACE_FILE")
mkdir -p "$output"
for file in trace.json measurements.json; do
  [[ ! $baseline -ef $output/$file ]] || mistake "input baseline=\"$baseline\": this step overwrites the file; copy it first"
done
rm -f "$output"/{check.txt,comparison.md} # Not every run writes them.

export SANDBOX_SOURCE=${SANDBOX_SOURCE:-$root}
sandbox=${SANDBOX_PROGRAM:-}
if [[ -z $sandbox ]]; then
  sandbox=${RUNNER_TEMP:-$output}/sandbox
  GOFLAGS=-trimpath CGO_ENABLED=0 go build -C "$root" -o "$sandbox" ./sandbox
fi

# judge writes the output of a command into a file. A negative result lets the script continue, so that the comment has it.
verdict=passed
judge() { # file, command…
  local file=$1 status=0
  shift
  "$@" >"$file" || status=$?
  case $status in
  0) ;;
  3) verdict=failed ;;
  *) exit "$status" ;;
  esac
}

# live starts the sandbox and saves the trace of the object. An object that does not become ready has a trace, too. After a
# failed apply it can be the trace of an older change, so the verdict is negative.
note=''
live() {
  "$sandbox" up --cluster="${TRACE_CLUSTER:-embedded}" ${project[@]+"${project[@]}"} >&2
  if [[ -n ${TRACE_APPLY:-} ]]; then
    "$sandbox" observe --apply="$TRACE_APPLY" >&2 || {
      (($? == 1)) || exit 2
      verdict=failed note="Applying $TRACE_APPLY failed, or its object is not ready."
    }
  fi
  "$sandbox" trace "$object" --watch --until-complete --watch-timeout=2m >&2 || {
    (($? == 1)) || exit 2
    note="${note:-The object is not ready after 2 minutes, or its trace is not complete.}"
  }
  "$sandbox" trace "$object" --output=json >"$output/trace.json"
  if ((runs > 0)); then
    "$sandbox" bench ${project[@]+"${project[@]}"} --runs="$runs" --save="$output/measurements.json" >&2
  fi
}

# recorded runs a command about the saved trace.
recorded() { "$sandbox" trace --from="$output/trace.json" "$@"; }

compare() {
  local flags=(--output=markdown)
  [[ ${TRACE_FAIL_ON_REGRESSION:-false} == false ]] || flags+=(--fail-on-regression)
  judge "$output/comparison.md" "$sandbox" trace diff "$baseline" "$output/$measured" "${flags[@]}"
}

# section prints a file as a code block, which no text in the file can end. GitHub limits a comment to 65,536 characters.
section() { # title, file
  printf '\n<details><summary>%s</summary>\n\n' "$1"
  if (($(wc -c <"$2") > 15000)); then
    printf 'Too long for a comment; see %s.\n' "${2##*/}"
  else
    sed 's/^/    /' "$2"
  fi
  printf '\n</details>\n'
}

comment() {
  printf '### Operator trace: %s\n\n' "$verdict"
  [[ -z $note ]] || printf '%s\n\n' "$note"
  sed 's/^/    /' "$output/why.txt"
  section Findings "$output/findings.txt"
  [[ -z $check ]] || section Budget "$output/check.txt"
  if [[ ! -e $output/comparison.md ]]; then
    printf '\nThere is no baseline to compare with.\n'
  elif (($(wc -c <"$output/comparison.md") > 25000)); then
    printf '\nThe comparison is too long for a comment; see comparison.md.\n'
  else
    printf '\n'
    cat "$output/comparison.md"
  fi
  if [[ -n ${GITHUB_RUN_ID:-} ]]; then
    printf '\n[Run %s](%s/%s/actions/runs/%s)\n' "$GITHUB_RUN_ID" "$GITHUB_SERVER_URL" "$GITHUB_REPOSITORY" "$GITHUB_RUN_ID"
  fi
}

# outputs prints the outputs of the step. The end of the body is random, so that no text in a trace can be another output.
outputs() {
  local end folder
  folder=$(cd "$output" && pwd)
  end=end_$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  printf '%s\n' "directory=$folder" "trace=$folder/trace.json" "picture=$folder/trace.svg" "why=$folder/why.txt" \
    "findings=$folder/findings.txt" "measurements=$folder/$measured" "comment=$folder/comment.md" "verdict=$verdict" "body<<$end"
  cat "$output/comment.md"
  printf '%s\n' "$end"
}

measured=trace.json # what the next run can compare with
((runs == 0)) || measured=measurements.json
if [[ -z $from ]]; then
  live
elif [[ ! $from -ef $output/trace.json ]]; then
  cp "$from" "$output/trace.json"
fi
recorded --why >"$output/why.txt"
recorded --why --output=svg >"$output/trace.svg"
if [[ -n ${TRACE_FAIL_ON:-} ]]; then
  judge "$output/findings.txt" recorded --fail-on="$TRACE_FAIL_ON"
else
  recorded --findings >"$output/findings.txt"
fi
[[ -z $check ]] || judge "$output/check.txt" recorded --check="$check"
[[ -z $baseline || ! -e $baseline ]] || compare
comment >"$output/comment.md"
[[ -z ${GITHUB_STEP_SUMMARY:-} ]] || cat "$output/comment.md" >>"$GITHUB_STEP_SUMMARY"
[[ -z ${GITHUB_OUTPUT:-} ]] || outputs >>"$GITHUB_OUTPUT"
[[ $verdict == passed ]] || exit 3
