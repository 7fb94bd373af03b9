package embedded

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/install"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
)

const (
	apiServerService = "apiserver"
	etcdService      = "etcd"
)

var (
	headKind = schema.GroupVersionKind{Group: "dummy.example.com", Version: "v1alpha1", Kind: "Head"}
	roleKind = schema.GroupVersionKind{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"}
)

// TestControlPlaneTracing has kube-apiserver and etcd in the sample's trace, and in no trace that nobody asked for.
func TestControlPlaneTracing(t *testing.T) {
	s := newSandbox(t)
	s.WantExit(2, nil, []string{"up", "--control-plane-tracing=perhaps"}, "control-plane-tracing", "perhaps")
	s.WantExit(2, nil, []string{"up", "--cluster=kind", "--control-plane-tracing"}, "--control-plane-tracing", "--cluster=embedded")
	s.upWith("--control-plane-tracing")
	if status := s.WantUp(); !status.ControlPlaneTracing {
		t.Error("status does not say that the control plane is traced")
	}
	before := s.wantWhole()
	sample := s.head(types.NamespacedName{Namespace: "default", Name: "head-sample"})
	s.wantControlPlaneTree(sample)
	s.wantPrivate("client/apply.crt", "client/apply.key", "components/operator/client.crt", "components/operator/client.key")
	s.wantTracedRequests(sample)

	s.upWith() // It stays on, nothing is started anew, and nothing more is traced.
	if diff := cmp.Diff(before, s.wantWhole()); diff != "" {
		t.Errorf("processes of a second up (-first +second):\n%s", diff)
	}
	s.wantTracedRequests(sample)
	s.wantTracedRequests(sample, s.wantUntrusted()) // The operator's part in it is traced.

	s.upWith("--control-plane-tracing=false")
	if status := s.WantUp(); status.ControlPlaneTracing {
		t.Error("status says that the control plane is traced, and it is off")
	}
	if _, err := os.Stat(filepath.Join(s.Dir, "client")); !os.IsNotExist(err) {
		t.Errorf("the certificate of who applied the sample is left: %v", err)
	}
	role := &unstructured.Unstructured{}
	role.SetGroupVersionKind(roleKind)
	if err := s.client().Get(t.Context(), types.NamespacedName{Name: install.ApplierUser}, role); client.IgnoreNotFound(err) != nil || err == nil {
		t.Errorf("the role of who applied the sample is left: %v", err)
	}
	s.down()
}

// upWith is up with flags, for traces that have more than the usual spans.
func (s *sandbox) upWith(flags ...string) {
	s.T.Helper()
	if out, err := s.Run(s.T.Context(), upLimit, append([]string{"up"}, flags...)...); err != nil {
		s.T.Fatalf("up %v: %v\n%s", flags, err, out)
	}
	s.wantWhole()
}

// head gives the id of the trace that a Head names.
func (s *sandbox) head(name types.NamespacedName) string {
	s.T.Helper()
	head := &unstructured.Unstructured{}
	head.SetGroupVersionKind(headKind)
	if err := s.client().Get(s.T.Context(), name, head); err != nil {
		s.T.Fatal(err)
	}
	id, _, err := jaeger.TraceIDOf(head.GetAnnotations())
	if err != nil {
		s.T.Fatal(err)
	}
	return id
}

func (s *sandbox) jaeger() *jaeger.Client {
	s.T.Helper()
	reader, err := jaeger.Dial(s.WantUp().Jaeger.Query)
	if err != nil {
		s.T.Fatal(err)
	}
	s.T.Cleanup(func() { _ = reader.Close() })
	return reader
}

// wantControlPlaneTree waits until a trace is the expected tree.
func (s *sandbox) wantControlPlaneTree(id string) {
	s.T.Helper()
	text, err := os.ReadFile("testdata/controlplane.tree")
	if err != nil {
		s.T.Fatal(err)
	}
	tree, err := spantree.Parse("controlplane.tree", string(text))
	if err != nil {
		s.T.Fatal(err)
	}
	reader := s.jaeger()
	var result *spantree.Result
	defer func() {
		if s.T.Failed() && result != nil {
			s.T.Log(result.Explain())
		}
	}()
	s.wait("the tree with the control plane's spans", func() bool {
		trace, err := reader.GetTrace(s.T.Context(), id)
		if err != nil {
			s.T.Fatal(err)
		}
		result = spantree.Match(tree, spantree.Build(requests(trace.Spans())))
		return result.OK()
	})
}

// requests leaves out what the API server and etcd say of their insides, which is another story with each version. What was below
// such a span is then below the next one above it.
func requests(spans []spantree.Span) []spantree.Span {
	above := map[string]string{}
	for _, span := range spans {
		if span.Kind == spantree.KindInternal && (span.Service == apiServerService || span.Service == etcdService) {
			above[span.SpanID] = span.ParentSpanID
		}
	}
	var kept []spantree.Span
	for _, span := range spans {
		if _, inside := above[span.SpanID]; inside {
			continue
		}
		for parent, inside := above[span.ParentSpanID]; inside; parent, inside = above[span.ParentSpanID] {
			span.ParentSpanID = parent
		}
		kept = append(kept, span)
	}
	return kept
}

// wantTracedRequests fails unless the API server and etcd have taken part in just these traces.
func (s *sandbox) wantTracedRequests(ids ...string) {
	s.T.Helper()
	slices.Sort(ids)
	reader := s.jaeger()
	for _, service := range []string{apiServerService, etcdService} {
		traces, err := reader.FindTraces(s.T.Context(), jaeger.Query{Service: service})
		if err != nil {
			s.T.Fatal(err)
		}
		var got []string
		for _, trace := range traces {
			got = append(got, trace.ID)
		}
		slices.Sort(got)
		if diff := cmp.Diff(ids, got); diff != "" {
			s.T.Errorf("traces of service %s (-want +got):\n%s", service, diff)
		}
	}
}

// wantUntrusted makes a Head as somebody whose trace contexts don't count: the trace begins with its admission, and
// the API server is in it only below what the operator writes. It returns the trace's id.
func (s *sandbox) wantUntrusted() string {
	s.T.Helper()
	head := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"child_a": "registry.k8s.io/pause:3.10.2"}}}
	head.SetGroupVersionKind(headKind)
	head.SetNamespace(metav1.NamespaceDefault)
	head.SetName("by-hand")
	if err := s.client().Create(s.T.Context(), head); err != nil {
		s.T.Fatal(err)
	}
	id, reader := s.head(client.ObjectKeyFromObject(head)), s.jaeger()
	s.wait("the spans of a Head that was made by hand", func() bool {
		trace, err := reader.GetTrace(context.WithoutCancel(s.T.Context()), id)
		if err != nil {
			return false
		}
		if !slices.ContainsFunc(trace.Spans(), func(span spantree.Span) bool { return span.Service == etcdService }) {
			return false
		}
		roots := trace.Forest().Roots
		return len(roots) == 1 && roots[0].Span.Name == "admit Head" && roots[0].Span.IsRoot()
	})
	return id
}

// wantPrivate fails unless files are their owner's alone.
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
