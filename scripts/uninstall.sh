#!/usr/bin/env bash
# Deletes every Head of kubectl's current context, and then the CRDs; with the argument "heads", only the Heads. A Head is gone
# once its ChildA is, which the operator sees to: where no operator runs, or it can't, the finalizers are taken off the Heads
# that are left, and the cluster's garbage collector removes what they made.
set -euo pipefail
cd "$(dirname "$0")/.."
finalizer=dummy.example.com/child-a
patience=60s

if [[ -n $(scripts/kubectl.sh get customresourcedefinition heads.dummy.example.com --ignore-not-found --output=name) ]] &&
  ! scripts/kubectl.sh delete heads.dummy.example.com --all --all-namespaces --timeout=$patience; then
  echo "Not every Head is gone after $patience. The rest loses its finalizer $finalizer; what it made goes after it." >&2
  scripts/kubectl.sh get heads.dummy.example.com --all-namespaces --no-headers \
    --output=custom-columns='NAMESPACE:.metadata.namespace,NAME:.metadata.name,FINALIZERS:.metadata.finalizers' |
    while read -r namespace name finalizers; do
      [[ $finalizers == *"$finalizer"* ]] || continue
      # Those of others stay.
      kept=$(scripts/kubectl.sh get heads.dummy.example.com "$name" --namespace="$namespace" \
        --output=jsonpath='{range .metadata.finalizers[*]}{@}{"\n"}{end}' | { grep -vxF "$finalizer" || :; } |
        sed 's/.*/"&"/' | paste -sd, -)
      scripts/kubectl.sh patch heads.dummy.example.com "$name" --namespace="$namespace" --type=merge \
        --patch="{\"metadata\":{\"finalizers\":[$kept]}}" </dev/null
    done
  scripts/kubectl.sh delete heads.dummy.example.com --all --all-namespaces --timeout=$patience
fi
[[ ${1:-} == heads ]] || scripts/kubectl.sh delete --ignore-not-found -k config/crd
