package inspect

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/provider"
)

func TestStatusText(t *testing.T) {
	long, short := time.Now().Add(-49*time.Hour), time.Now().Add(-90*time.Second)
	var out strings.Builder
	err := writeStatus(&out, "text", provider.Status{
		Name: "mine", State: provider.StateDegraded, Message: "not ready: operator", Cluster: "kind", Provider: "podman", Images: "source", Kubeconfig: "/k",
		Node:   &provider.NodeStatus{Image: "node:1", Digest: "sha256:0123456789abcdef", Kubernetes: "v1", Runtime: "containerd://2", Since: &long},
		Jaeger: provider.Addresses{component.UI: "http://127.0.0.1:1", component.Query: "127.0.0.1:2", component.OTLPGRPC: "127.0.0.1:3", component.OTLPHTTP: "127.0.0.1:4"},
		Components: []provider.Component{
			{Name: "jaeger", Version: "v2", Digest: "sha256:fedcba9876543210 sha256:00", Ready: true, Since: &short, Restarts: 2},
			{Name: "operator", Message: "operator does not run\nlast line", Processes: []provider.Process{{Name: "operator"}, {Name: "b", PID: 7}}},
		},
		Notices: []string{"no room for 2 Pods: Unschedulable: \x1b"},
	})
	want := `sandbox      mine, degraded
cluster      kind on podman, images from source
kubeconfig   /k
node         Kubernetes v1, containerd://2, node:1, 0123456789ab, up for 2d1h
Jaeger       http://127.0.0.1:1
query API    127.0.0.1:2 (gRPC)
OTLP         127.0.0.1:3 (gRPC), 127.0.0.1:4 (HTTP)

COMPONENT   VERSION   DIGEST            AGE   STATE
jaeger      v2        fedcba987654 +1   90s   ready, 2 restarts
operator                                      NOT READY: operator does not run, process 7
                                                last line
NOTICE: no room for 2 Pods: Unschedulable: \x1b
`
	if diff := cmp.Diff(want, out.String()); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// The message of a condition can contain terminal sequences.
func TestStatusTextIsEscaped(t *testing.T) {
	var out strings.Builder
	s := provider.Status{State: provider.StateDegraded, Jaeger: provider.Addresses{}, Components: []provider.Component{{Name: "operator", Message: "denied: \x1b[2J\nPod \x1b]0;x\a"}}}
	if err := writeStatus(&out, "text", s); err != nil || strings.ContainsAny(out.String(), "\x1b\a") || !strings.Contains(out.String(), `denied: \x1b[2J`) || !strings.Contains(out.String(), `Pod \x1b]0;x\a`) {
		t.Errorf("%v\n%q", err, out.String())
	}
}

func TestStatusTextOfWhatCantBeAsked(t *testing.T) {
	var out strings.Builder
	s := provider.Status{Name: "mine", State: provider.StateDegraded, Message: "the API server hangs", Cluster: "kind", Provider: "docker", Jaeger: provider.Addresses{}}
	if err := writeStatus(&out, "text", s); err != nil || !strings.Contains(out.String(), "the API server hangs\n") {
		t.Errorf("%v\n%s", err, out.String())
	}
}
