#!/usr/bin/env bash
# Runs the operator on this machine against the sandbox: the sandbox's own is paused, so that two don't write the same
# objects, and comes back when this one ends. Arguments go to the operator.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-trimpath CGO_ENABLED=0

variables=$(go run ./sandbox env) # KUBECONFIG and OTEL_*; it says what to do where there is no sandbox
eval "$variables"
go build -o bin/ ./operator

status=$(go run ./sandbox status -o json || :) # degraded will do: a killed run leaves it so
embedded=false
[[ $status != *'"cluster": "embedded"'* ]] || embedded=true

manager=(deployment/operator-tracing-manager --namespace=operator-tracing-system)
replicas=1
$embedded || replicas=$(scripts/kubectl.sh get "${manager[@]}" --output=jsonpath='{.spec.replicas}')
((replicas > 0)) || replicas=1 # an earlier run was killed before it could restore them

operator=
# shellcheck disable=SC2317,SC2329 # the traps call it
stop() { [[ -z $operator ]] || kill -TERM "$operator" 2>/dev/null || true; }
# shellcheck disable=SC2317,SC2329
restore() {
  echo "run: bringing the sandbox's operator back" >&2
  if $embedded; then
    scripts/sandbox.sh up >/dev/null
    return
  fi
  scripts/kubectl.sh scale "${manager[@]}" --replicas="$replicas" >&2
}
trap restore EXIT
trap stop TERM HUP
trap : INT # a terminal sends it to the operator too, and a second signal would end that before its spans are out

echo "run: pausing the sandbox's operator. Its webhook is down meanwhile, and the API server goes on without it:" >&2
echo "run: Heads made now start their trace at their first reconcile, without a span \"admit Head\"; look for it in Jaeger, as" >&2
echo "run: only the webhook writes onto a Head which trace is its own." >&2
if $embedded; then
  scripts/sandbox.sh stop operator
else
  scripts/kubectl.sh scale "${manager[@]}" --replicas=0 >&2
  scripts/kubectl.sh wait pod --for=delete --namespace=operator-tracing-system \
    --selector=app.kubernetes.io/component=manager --timeout=60s >&2
fi

# In the background, so that a signal reaches the trap at once and the operator gets it even if only this script did.
bin/operator --enable-webhooks=false "$@" &
operator=$!
status=0
# The first wait ends with the signal, the second with the operator.
wait "$operator" || status=$?
while kill -0 "$operator" 2>/dev/null; do
  status=0
  wait "$operator" || status=$?
done
exit "$status"
