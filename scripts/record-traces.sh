#!/usr/bin/env bash
# Records the traces in sandbox/explain/testdata/recorded. Arguments select the parts (default: scenarios adopters): scenarios that each
# have one cause of slowness and the operators in the tests of the library, both on embedded sandboxes in about four minutes, and pull,
# which needs a container engine. Then run: go test ./sandbox/explain -update
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-trimpath CGO_ENABLED=0

home=$(mktemp -d) operator=
# shellcheck disable=SC2317,SC2329 # a trap calls it
clean() {
  [[ -z $operator ]] || kill -TERM "$operator" 2>/dev/null || :
  "$home/sandbox" down >&2 || :
  rm -rf "$home"
}
trap clean EXIT
export XDG_STATE_HOME=$home/state SANDBOX_NAME=recordings OTEL_BSP_SCHEDULE_DELAY=200
go build -o "$home/sandbox" ./sandbox
go build -o "$home/operator" ./sandbox/explain/testdata/operator
sandbox=$home/sandbox repository=$PWD
assets=$("$sandbox" envtest-assets)
kubectl() { "$assets/kubectl" "$@"; }

# adopt copies an operator from the tests of the library, and lets it adopt the library.
adopt() { # name
  mkdir -p "$home/$1"
  cp -R "operator/tracing/testdata/$1" "$home/$1/operator"
  (
    cd "$home/$1/operator"
    GOWORK=$home/$1/go.work "$repository/scripts/workspace.sh" "$PWD"
    GIT_CEILING_DIRECTORIES=$home/$1 git apply "$repository/operator/tracing/testdata/$1.patch"
  ) >&2
}

# adopters records an operator that the sandbox runs, and one with three controllers beside it, whose webhooks are not installed.
adopters() {
  local folder=$home/multigroup/operator
  adopt adopter
  "$sandbox" init "$home/adopter/operator" >&2
  "$sandbox" up --cluster=embedded --file="$home/adopter/operator/sandbox.yaml" >&2
  "$sandbox" trace -o json >sandbox/explain/testdata/recorded/adopter.json
  echo "recorded adopter" >&2

  adopt multigroup
  (cd "$folder" && GOWORK=$home/multigroup/go.work go build -o shop-operator ./cmd)
  openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout "$folder/tls.key" -out "$folder/tls.crt" 2>/dev/null
  connect
  kubectl apply -f "$folder/config/crd/bases" >&2
  kubectl wait --for=condition=Established crd --all --timeout=1m >&2
  OTEL_BSP_SCHEDULE_DELAY=200 "$folder/shop-operator" --webhook-cert-path="$folder" --webhook-port=9444 >"$home/log" 2>&1 &
  operator=$!
  sleep 5 # until it and the observer watch its kinds
  kubectl create -f - <<<'{apiVersion: shop.example.com/v1, kind: Store, metadata: {name: web}, spec: {city: Paris}}' >&2
  kubectl wait --for=jsonpath='{.status.open}'=true stores.shop.example.com/web --timeout=1m >&2
  sleep 2 # until the observer sends the last spans
  "$sandbox" trace stores.shop.example.com/web -o json >sandbox/explain/testdata/recorded/multigroup.json
  echo "recorded multigroup" >&2
  kill -TERM "$operator"
  wait "$operator" || :
  operator=
  "$sandbox" down >&2
}

# connect sets the variables of the running sandbox.
connect() {
  local variables
  variables=$("$sandbox" env)
  eval "$variables"
}

create() { # name, image
  kubectl create -f - <<EOF >&2
{apiVersion: dummy.example.com/v1alpha1, kind: Head, metadata: {name: $1}, spec: {child_a: "${2:-registry.k8s.io/pause:3.10.2}"}}
EOF
}

# save writes the trace of a Head when it is ready and its trace is complete.
save() { # name, file
  kubectl wait --for=condition=Ready "head/$1" --timeout=1m >&2
  "$sandbox" trace "$1" --watch --until-complete --watch-timeout=1m >/dev/null
  "$sandbox" trace "$1" -o json >"sandbox/explain/testdata/recorded/$2.json"
  echo "recorded $2" >&2
}

# pull records a Pod that waits for its image. It needs a kind cluster, because an embedded node simulates its containers.
pull() {
  local engine=podman node=$SANDBOX_NAME-control-plane
  ! docker info >/dev/null 2>&1 || engine=docker
  go build -ldflags=-s -o "$home/registry" ./sandbox/explain/testdata/registry
  "$sandbox" up --cluster=kind >&2
  connect
  "$engine" cp "$home/registry" "$node:/registry"
  "$engine" exec -d "$node" /registry
  create pulling localhost:5001/slow:1
  save pulling image-pull
  "$sandbox" down >&2
}

parts=" ${*:-scenarios adopters} "
[[ $parts != *" adopters "* ]] || adopters
[[ $parts != *" pull "* ]] || pull
[[ $parts == *" scenarios "* ]] || exit 0
"$sandbox" up --cluster=embedded >&2
connect

# refuse makes the API server call a webhook that does not answer, or has no server, for each new ChildA.
refuse() { # URL, failure policy
  kubectl apply -f - >&2 <<EOF
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: slow}
webhooks:
- name: slow.example.com
  clientConfig: {url: "$1"}
  rules: [{apiGroups: [dummy.example.com], apiVersions: [v1alpha1], operations: [CREATE], resources: [childas]}]
  failurePolicy: $2
  timeoutSeconds: 2
  sideEffects: None
  admissionReviewVersions: [v1]
EOF
}

save head-sample head

# Programs without tracing: cert-manager, and Kubernetes itself.
kubectl apply -f - >&2 <<'EOF'
{apiVersion: cert-manager.io/v1, kind: Issuer, metadata: {name: self}, spec: {selfSigned: {}}}
---
{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: web}, spec: {secretName: web, dnsNames: [web.example.com], issuerRef: {name: self}}}
EOF
kubectl wait --for=condition=Ready certificate/web --timeout=1m >&2
sleep 2 # until the observer sends the last spans
"$sandbox" trace certificates.cert-manager.io/web -o json >sandbox/explain/testdata/recorded/certificate.json
cat >"$home/deployment.yaml" <<'EOF'
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: registry.k8s.io/pause:3.10.2}]}
EOF
"$sandbox" observe --apply="$home/deployment.yaml" -o json >sandbox/explain/testdata/recorded/deployment.json

node=$(kubectl get nodes -o name)
kubectl cordon "$node" >&2
create unschedulable
sleep 4
kubectl uncordon "$node" >&2
save unschedulable unschedulable

refuse https://127.0.0.1:1/ Fail
sleep 2 # until the API server calls it
create refused
sleep 4
kubectl delete validatingwebhookconfiguration slow >&2
save refused webhook-down

"$sandbox" stop operator >&2
create late
sleep 4
"$sandbox" up >&2
save late restarted

"$sandbox" stop operator >&2
OTEL_SERVICE_NAME=scenarios "$home/operator" >"$home/log" 2>&1 &
operator=$!
kubectl cordon "$node" >&2
create poll
sleep 7
kubectl uncordon "$node" >&2
save poll polling

create conflict
save conflict conflict

refuse https://127.0.0.1:9999/ Ignore
sleep 2
create slow
save slow webhook-slow
kubectl delete head,childa slow >&2

# The API server reports that it waits for the webhook.
kill -TERM "$operator"
wait "$operator" || :
"$sandbox" up --control-plane-tracing >&2
"$sandbox" stop operator >&2
OTEL_SERVICE_NAME=scenarios "$home/operator" >"$home/log" 2>&1 &
operator=$!
sleep 5
create slow
save slow control-plane
kubectl delete validatingwebhookconfiguration slow >&2

# Jaeger keeps traces in memory.
"$sandbox" stop jaeger >&2
"$sandbox" up >/dev/null 2>&1
"$sandbox" trace unschedulable -o json >sandbox/explain/testdata/recorded/reconstructed.json
