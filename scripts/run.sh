#!/usr/bin/env bash
# Runs the operator on this machine against the sandbox, in the place of the sandbox's operator, which starts again afterwards.
# Arguments are passed to the operator. On an embedded sandbox its webhooks work; on kind they are off meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-trimpath CGO_ENABLED=0

variables=$(go run ./sandbox env) # KUBECONFIG and OTEL_*; without a sandbox, it prints the remedy
go build -o bin/ ./operator
status=$(go run ./sandbox status -o json || :) # degraded will do: a killed run leaves it so
if [[ $status == *'"cluster": "embedded"'* ]]; then
  exec scripts/sandbox.sh run -- bin/operator "$@"
fi
eval "$variables"

manager=(deployment/operator-tracing-manager --namespace=operator-tracing-system)
replicas=$(scripts/kubectl.sh get "${manager[@]}" --output=jsonpath='{.spec.replicas}')
((replicas > 0)) || replicas=1 # an earlier run was killed before it could restore them

operator=
# shellcheck disable=SC2317,SC2329 # the traps call it
stop() { [[ -z $operator ]] || kill -TERM "$operator" 2>/dev/null || true; }
# shellcheck disable=SC2317,SC2329
restore() {
  echo "run: restoring the sandbox's operator" >&2
  scripts/kubectl.sh scale "${manager[@]}" --replicas="$replicas" >&2
}
trap restore EXIT
trap stop TERM HUP
trap : INT # a terminal sends it to the operator too, and a second signal would end that before its spans are out

echo "run: pausing the sandbox's operator; its webhook is down meanwhile, and the API server ignores it." >&2
echo "run: The traces of new Heads start at their first reconcile, without a span \"admit Head\". Search for them in Jaeger," >&2
echo "run: because only the webhook annotates a Head with its trace." >&2
scripts/kubectl.sh scale "${manager[@]}" --replicas=0 >&2
scripts/kubectl.sh wait pod --for=delete --namespace=operator-tracing-system \
  --selector=app.kubernetes.io/component=manager --timeout=60s >&2

# In the background, so that a signal reaches the trap immediately, and the operator gets it even if only this script received it.
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
