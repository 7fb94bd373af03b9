package config_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/operator-tracing/sandbox/config"
)

// Without variables, Jaeger listens on the ports of its Pod.
func TestJaegerDefaultAddresses(t *testing.T) {
	t.Parallel()
	text, err := config.Files.ReadFile(config.JaegerConfig)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, match := range regexp.MustCompile(`endpoint: \$\{env:JAEGER_HOST:-(.*)\}:\$\{env:(\w+):-(\d+)\}\n`).FindAllStringSubmatch(string(text), -1) {
		got[match[2]] = match[1] + ":" + match[3]
	}
	want := map[string]string{
		"JAEGER_UI_PORT":        "0.0.0.0:16686",
		"JAEGER_QUERY_PORT":     "0.0.0.0:16685",
		"JAEGER_OTLP_GRPC_PORT": "0.0.0.0:4317",
		"JAEGER_OTLP_HTTP_PORT": "0.0.0.0:4318",
		"JAEGER_THRIFT_PORT":    "0.0.0.0:14268",
		"JAEGER_HEALTH_PORT":    "0.0.0.0:13133",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
	if all := strings.Count(string(text), "endpoint:"); all != len(want) {
		t.Errorf("got %d endpoints, of which %d have variables", all, len(want))
	}
}

func TestNode(t *testing.T) {
	t.Parallel()
	r := render(t, "node", "")
	node := as[corev1.Node](t, r, "Node/sandbox-node")
	if node.Annotations["kwok.x-k8s.io/node"] != "fake" || node.Labels["kubernetes.io/hostname"] != node.Name {
		t.Errorf("annotations = %v, labels = %v", node.Annotations, node.Labels)
	}
	if allocatable := node.Status.Allocatable; allocatable.Cpu().Value() != 1000 || allocatable.Memory().Value() != 4<<40 || allocatable.Pods().Value() != 50000 {
		t.Errorf("allocatable = %v", allocatable)
	}
	user := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "system:kwok"}}
	cluster := as[rbacv1.ClusterRoleBinding](t, r, "ClusterRoleBinding/kwok")
	leases := as[rbacv1.RoleBinding](t, r, "RoleBinding/kwok")
	for _, subjects := range [][]rbacv1.Subject{cluster.Subjects, leases.Subjects} {
		if diff := cmp.Diff(user, subjects); diff != "" {
			t.Errorf("subjects (-want +got):\n%s", diff)
		}
	}
	if leases.Namespace != corev1.NamespaceNodeLease || r["Namespace/"+leases.Namespace] == nil {
		t.Errorf("namespace of the leases = %q, want %q, rendered", leases.Namespace, corev1.NamespaceNodeLease)
	}
	for _, ref := range []rbacv1.RoleRef{cluster.RoleRef, leases.RoleRef} {
		if r[ref.Kind+"/"+ref.Name] == nil {
			t.Errorf("role of a binding = %s %q, which is not rendered", ref.Kind, ref.Name)
		}
	}
}
