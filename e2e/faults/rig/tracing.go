package rig

import (
	"context"
	_ "embed" // The expected tree.
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/observe"
)

// Services of the control plane, which are in traces with --control-plane-tracing.
const (
	apiServerService = "apiserver"
	etcdService      = "etcd"
)

// traceLimit is the timeout of a wait for spans.
const traceLimit = 30 * time.Second

// controlPlaneTree is the sample's trace where the control plane takes part, the same on every kind of cluster.
//
//go:embed testdata/controlplane.tree
var controlPlaneTree string

// Wait waits until a condition holds, at most for limit.
func (s *Sandbox) Wait(limit time.Duration, what string, so func() bool) {
	s.T.Helper()
	ctx, cancel := context.WithTimeout(s.T.Context(), limit)
	defer cancel()
	for !so() {
		select {
		case <-ctx.Done():
			s.T.Fatalf("waiting for %s: %v", what, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// TraceOf returns the id of the trace in a Head's annotation. The Head is in the only namespace
// with that name.
func (s *Sandbox) TraceOf(c client.Client, name string) string {
	s.T.Helper()
	head := newHead(name)
	if err := c.Get(s.T.Context(), types.NamespacedName{Namespace: metav1.NamespaceDefault, Name: name}, head); err != nil {
		s.T.Fatal(err)
	}
	id, _, err := tracetree.TraceIDOf(head.GetAnnotations())
	if err != nil {
		s.T.Fatal(err)
	}
	return id
}

func newHead(name string) *unstructured.Unstructured {
	head := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"child_a": "registry.k8s.io/pause:3.10.2"}}}
	head.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Head"))
	head.SetNamespace(metav1.NamespaceDefault)
	head.SetName(name)
	return head
}

// Jaeger returns a client that omits the spans of the sandbox's observer, because some have the
// services of others, such as kubelet.
func (s *Sandbox) Jaeger() *jaeger.Client {
	s.T.Helper()
	reader, err := jaeger.Dial(s.WantUp().Jaeger[component.Query], jaeger.WithoutScopes(observe.Scope))
	if err != nil {
		s.T.Fatal(err)
	}
	s.T.Cleanup(func() { _ = reader.Close() })
	return reader
}

// WantControlPlaneTree waits until a trace is the expected one of a Head whose apply traces the
// control plane.
func (s *Sandbox) WantControlPlaneTree(id string) {
	s.T.Helper()
	tree, err := spantree.Parse("controlplane.tree", controlPlaneTree)
	if err != nil {
		s.T.Fatal(err)
	}
	reader := s.Jaeger()
	var result *spantree.Result
	defer func() {
		if s.T.Failed() && result != nil {
			s.T.Log(result.Explain())
		}
	}()
	s.Wait(traceLimit, "the tree with the control plane's spans", func() bool {
		trace, err := reader.GetTrace(s.T.Context(), id)
		if err != nil {
			s.T.Fatal(err)
		}
		result = spantree.Match(tree, spantree.Build(requests(trace.Spans())))
		return result.OK()
	})
}

// requests omits the internal spans of the API server and etcd, which differ between versions.
// Their children become children of the next span above.
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

// WantTracedRequests fails the test unless the API server and etcd have spans in exactly these
// traces.
func (s *Sandbox) WantTracedRequests(ids ...string) {
	s.T.Helper()
	slices.Sort(ids)
	reader := s.Jaeger()
	for _, service := range []string{apiServerService, etcdService} {
		traces, err := reader.FindTraces(s.T.Context(), tracetree.Query{Service: service})
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

// WantUntrusted creates a Head as the user of c, whose trace contexts are not trusted: the trace
// starts with the admission, and has spans of the API server only below the operator's writes. It
// returns the trace's id.
func (s *Sandbox) WantUntrusted(c client.Client) string {
	s.T.Helper()
	head := newHead("by-hand")
	if err := c.Create(s.T.Context(), head); err != nil {
		s.T.Fatal(err)
	}
	id, reader := s.TraceOf(c, head.GetName()), s.Jaeger()
	s.Wait(traceLimit, "the spans of a Head that a user created", func() bool {
		trace, err := reader.GetTrace(s.T.Context(), id)
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

// Applied returns an expected tree below the span of the sandbox's apply of an object. Its budget stays
// one of the whole trace.
func Applied(kind, tree string) string {
	var budgets, spans strings.Builder
	for line := range strings.Lines(tree) {
		if strings.HasPrefix(line, "(budget ") {
			budgets.WriteString(line)
		} else {
			spans.WriteString("  " + line)
		}
	}
	return budgets.String() + "apply " + kind + " [CLIENT service=sandbox]\n" + spans.String()
}
