package redact

import (
	"strings"
	"testing"
)

// ordinary is text of exports that says nothing secret.
const ordinary = `{"level":"info","ts":"2026-11-30T05:18:19.123Z","logger":"controller.head","msg":"reconciled","name":"head-sample","uid":"0b2d5f7e-53e5-4d6c-8d2a-5a9f6c3c7a11"}
{"level":"error","msg":"Reconciler error","error":"Operation cannot be fulfilled on heads.dummy.example.com \"head-sample\": the object has been modified","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7"}
I1130 05:18:19.123456       1 secure_serving.go:213] Serving securely on [::]:10257
I1130 05:18:19.123456       1 token_cleaner.go:121] "Starting" logger="token-cleaner-controller"
I1130 05:18:19.123456       1 shared_informer.go:313] Waiting for caches to sync for token_cleaner
E1130 05:18:19.123456       1 reflector.go:158] "Unhandled Error" err="failed to list *v1.Secret: secrets is forbidden: User \"system:serviceaccount:a:b\" cannot list resource \"secrets\""
I1130 05:18:19.123456       1 event.go:377] Event(v1.ObjectReference{Kind:"Pod", Namespace:"default", Name:"head-sample-7d9c6b5f4-x2x4z", UID:"0b2d5f7e-53e5-4d6c-8d2a-5a9f6c3c7a11", APIVersion:"v1", ResourceVersion:"1234567", FieldPath:""}): type: 'Normal' reason: 'Created'
W1130 05:18:19.123456       1 authentication.go:370] Error looking up in-cluster authentication configuration: Unauthorized
simple token is not cryptographically signed
"Creating Secret" logger="cert-manager" secret="cert-manager/cert-manager-webhook-ca" resource_namespace="cert-manager"
Error: secret "webhook-server-cert" not found
MountVolume.SetUp failed for volume "cert" : secret "webhook-server-cert" not found
Failed to get token: unauthorized
error: no token found in request
unable to parse token: unexpected end of JSON input
password authentication failed for user "app"
flag --token is deprecated, use --token-file=/var/run/secrets/tokens/a
--service-account-key-file=/etc/kubernetes/pki/sa.pub --tls-private-key-file=/etc/kubernetes/pki/apiserver.key
--enable-bootstrap-token-auth=true --authorization-mode=Node,RBAC --anonymous-auth=false
["--client-cert-auth","--initial-advertise-peer-urls=https://127.0.0.1:39627","--use-service-account-credentials","--v=2"]
--oidc-client-id=kubernetes --token-ttl=24h0m0s --leader-elect=false
automountServiceAccountToken: false
serviceAccountToken:
  expirationSeconds: 3607
secretName: webhook-server-cert
imagePullSecrets: []
secrets: []
secretRef: {name: credentials}
passwordSecretRef:
  key: password
  name: database
    secretKeyRef:
      key: token
      name: a
image: registry.example.com:5000/team/manager:v1.2.3@sha256:70f532fd9cfde0b09d55687200942399d89838bc2d5d5b45152eb799a15912b8
imageID: docker.io/library/import-2026-11-30@sha256:70f532fd9cfde0b09d55687200942399d89838bc2d5d5b45152eb799a15912b8
containerID: containerd://70f532fd9cfde0b09d55687200942399d89838bc2d5d5b45152eb799a15912b8
pulled image nginx:1.27@sha256:70f532fd9cfde0b09d55687200942399d89838bc2d5d5b45152eb799a15912b8
uid: 0b2d5f7e-53e5-4d6c-8d2a-5a9f6c3c7a11
resourceVersion: "1234567"
pod-template-hash: 7d9c6b5f4
controller-revision-hash: 5d8f9c7b6d
traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
tracing.k8s.io/traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","name":"reconcile Head","kind":5,"startTimeUnixNano":"1764479899123456789"}
{"key":"k8s.object.uid","value":{"stringValue":"0b2d5f7e-53e5-4d6c-8d2a-5a9f6c3c7a11"}}
{"key":"http.url","value":{"stringValue":"https://127.0.0.1:35901/api/v1/namespaces/default/secrets/a?timeout=2s"}}
goroutine 1 [running]:
main.main()
	/home/me/go/src/example.com/operator/main.go:42 +0x1d
k8s.io/client-go/tools/cache.(*Reflector).ListAndWatch(0xc0001a2000, 0xc000090060)
	/home/me/go/pkg/mod/k8s.io/client-go@v0.37.2/tools/cache/reflector.go:349 +0x1cf
k8s.io/apiserver/pkg/authentication/token/cache.(*cachedTokenAuthenticator).AuthenticateToken(0xc000a)
	k8s.io/apiserver/pkg/authentication/token/cache/cached_token_authenticator.go:145 +0x85
panic: runtime error: invalid memory address or nil pointer dereference [recovered]
rip    0x46d5a1 rflags 0x246 cs 0x33
github.com/operator-tracing/sandbox v0.0.0-20261130051819-a1b201d0c5f1 h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=
build	vcs.revision=a1b201d0c5f1a1b201d0c5f1a1b201d0c5f1a1b2
go: k8s.io/api@v0.37.2
GET https://127.0.0.1:6443/apis/dummy.example.com/v1alpha1/heads?limit=500&resourceVersion=0 200 OK in 3 milliseconds
dial tcp 127.0.0.1:4317: connect: connection refused
http://127.0.0.1:16686/trace/4bf92f3577b34da6a3ce929d0e0e4736
https://kubernetes.default.svc.cluster.local:443/version?timeout=32s
mail to a@b.example: c
2026-11-30T05:18:19Z Normal Pod default/head-sample-7d9c6b5f4-x2x4z: Pulled: Container image "head:dev" already present (1 times)
2026-11-30T05:18:19Z Normal Lease kube-system/a: LeaderElection: a_0b2d5f7e-53e5-4d6c-8d2a-5a9f6c3c7a11 became leader (1 times)
head-sample.18ab34cd56ef7890
-----BEGIN CERTIFICATE-----
MIIBhTCCASugAwIBAgIQIRi6zePL6mKjOipn+dNuaTAKBggqhkjOPQQDAjASMRAw
-----END CERTIFICATE-----
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
-----END PUBLIC KEY-----
caBundle: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUIKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=
key: node-role.kubernetes.io/control-plane
{"key":"error.type","value":{"stringValue":"conflict"}}
keyUsage: digital signature, key encipherment
publicKey: 0x1234
cache key: default/head-sample
primary key: id
private key: asn1: structure error
access key: /etc/keys/access
the user was identified by 3 rules
<name>a</name><tokens>3</tokens>
--user=65532 --user me
patch: pattern
hotplug=on
compass: north
bypassed: 12 passed: 340 tests
PWD=/home/me/src
kubelet_runtime_operations_duration_seconds_bucket{operation_type="exec_sync",le="0.005"} 3
{"level":"info","ts":"2026-11-30T05:18:19.123Z","caller":"auth/store.go:1241","msg":"simple token is not cryptographically signed"}
{"level":"info","caller":"embed/etcd.go:310","max-request-bytes":1572864,"auth-token":"","quota-backend-bytes":2147483648}
{"level":"warn","caller":"v3rpc/interceptor.go:197","msg":"request stats","request content":"key:\"/registry/secrets/default/a\" ","remote":"127.0.0.1:5001"}
--feature-gates=ServiceAccountTokenNodeBinding=true,SecretManager=false
`

func TestHideKeepsOrdinaryText(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(ordinary), "\n")
	const fewest = 60
	if len(lines) < fewest {
		t.Fatalf("got %d lines, want at least %d", len(lines), fewest)
	}
	redact := New(knownSecrets())
	for _, line := range lines {
		if got := string(redact.Hide([]byte(line))); got != line {
			t.Errorf("Hide(%s) = %s, want it unchanged", line, got)
		}
	}
	if got := string(redact.Hide([]byte(ordinary))); got != ordinary {
		t.Error("Hide changed the whole text")
	}
}
