package embedded

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/workload"
)

var roleKind = schema.GroupVersionKind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"}

// TestControlPlaneTracing tests that kube-apiserver and etcd are in the sample's trace, and only in
// traces of traced requests.
func TestControlPlaneTracing(t *testing.T) {
	s := newSandbox(t)
	s.WantExit(2, nil, []string{"up", "--control-plane-tracing=perhaps"}, "control-plane-tracing", "perhaps")
	s.upWith("--control-plane-tracing")
	if status := s.WantUp(); !status.ControlPlaneTracing {
		t.Error("status does not report control-plane tracing")
	}
	before := s.wantWhole()
	sample := s.TraceOf(s.client(), "head-sample")
	s.WantControlPlaneTree(sample)
	s.wantPrivate("client/apply.crt", "client/apply.key", "components/operator/client.crt", "components/operator/client.key")
	s.WantTracedRequests(sample)

	s.upWith() // It stays on, nothing restarts, and no other request is traced.
	if diff := cmp.Diff(before, s.wantWhole()); diff != "" {
		t.Errorf("processes of a second up (-first +second):\n%s", diff)
	}
	s.WantTracedRequests(sample)
	s.WantTracedRequests(sample, s.WantUntrusted(s.client())) // The operator's part is traced.

	s.upWith("--control-plane-tracing=false")
	if status := s.WantUp(); status.ControlPlaneTracing {
		t.Error("status reports control-plane tracing, but it is off")
	}
	if _, err := os.Stat(filepath.Join(s.Dir, "client")); !os.IsNotExist(err) {
		t.Errorf("the certificate of the sample's user still exists: %v", err)
	}
	role := &unstructured.Unstructured{}
	role.SetGroupVersionKind(roleKind)
	if err := s.client().Get(t.Context(), types.NamespacedName{Name: workload.ApplierUser}, role); client.IgnoreNotFound(err) != nil || err == nil {
		t.Errorf("the role of the sample's user still exists: %v", err)
	}
	s.down()
}

// upWith runs up with flags for traces that have more than the usual spans.
func (s *sandbox) upWith(flags ...string) {
	s.T.Helper()
	if out, err := s.Run(s.T.Context(), upLimit, append([]string{"up"}, flags...)...); err != nil {
		s.T.Fatalf("up %v: %v\n%s", flags, err, out)
	}
	s.wantWhole()
}

// wantPrivate fails the test unless only the owner can access the files.
func (s *sandbox) wantPrivate(files ...string) {
	s.T.Helper()
	for _, file := range files {
		info, err := os.Stat(filepath.Join(s.Dir, file))
		if err != nil {
			s.T.Error(err)
		} else if mode := info.Mode().Perm(); mode != 0o600 {
			s.T.Errorf("%s has the mode %o, want 600", file, mode)
		}
	}
}
