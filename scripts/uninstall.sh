#!/usr/bin/env bash
# Deletes every Head of kubectl's current context, and then the CRDs; with the argument "heads", only the Heads. The operator
# deletes the ChildA of a Head first. If no operator runs, or it cannot do that, the script removes the finalizers of the
# remaining Heads, and the cluster's garbage collector deletes their dependents.
set -euo pipefail
cd "$(dirname "$0")/.."
finalizer=dummy.example.com/child-a
patience=60s

if [[ -n $(scripts/kubectl.sh get customresourcedefinition heads.dummy.example.com --ignore-not-found --output=name) ]] &&
  ! scripts/kubectl.sh delete heads.dummy.example.com --all --all-namespaces --timeout=$patience; then
  echo "Heads still exist after $patience; removing their finalizer $finalizer. The garbage collector deletes their dependents." >&2
  scripts/kubectl.sh get heads.dummy.example.com --all-namespaces --no-headers \
    --output=custom-columns='NAMESPACE:.metadata.namespace,NAME:.metadata.name,FINALIZERS:.metadata.finalizers' |
    while read -r namespace name finalizers; do
      [[ $finalizers == *"$finalizer"* ]] || continue
      # The finalizers of others stay.
      kept=$(scripts/kubectl.sh get heads.dummy.example.com "$name" --namespace="$namespace" \
        --output=jsonpath='{range .metadata.finalizers[*]}{@}{"\n"}{end}' | { grep -vxF "$finalizer" || :; } |
        sed 's/.*/"&"/' | paste -sd, -)
      scripts/kubectl.sh patch heads.dummy.example.com "$name" --namespace="$namespace" --type=merge \
        --patch="{\"metadata\":{\"finalizers\":[$kept]}}" </dev/null
    done
  scripts/kubectl.sh delete heads.dummy.example.com --all --all-namespaces --timeout=$patience
fi
[[ ${1:-} == heads ]] || scripts/kubectl.sh delete --ignore-not-found -k config/crd
