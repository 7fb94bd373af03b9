package faults

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// nodeLimit is the timeout of the wait for a trace that starts in kubelet or containerd: they
// sample one in a hundred.
const nodeLimit = 3 * time.Minute

// TestControlPlaneTracing tests that kube-apiserver and etcd are in the sample's trace, and only in
// traces of traced requests. kubelet and containerd have their own traces.
func TestControlPlaneTracing(t *testing.T) {
	s := newSandbox(t)
	s.wantOutcome(s.up("--control-plane-tracing"), "created")
	if status := s.WantUp(); !status.ControlPlaneTracing {
		t.Error("status does not report control-plane tracing")
	}
	sample := s.TraceOf(s.client(), "head-sample")
	s.WantControlPlaneTree(sample)
	s.WantTracedRequests(sample)
	pod := s.operatorPod()

	s.wantOutcome(s.up(), "already up") // It stays on, nothing restarts, and no other request is traced.
	if again := s.operatorPod(); again != pod {
		t.Errorf("a second up replaced the Pod of the operator: %s, before %s", again, pod)
	}
	s.WantTracedRequests(sample)
	s.WantTracedRequests(sample, s.WantUntrusted(s.client())) // The operator's part is traced.
	s.wantRenewed(pod)

	s.wantOwnTraces("kubelet")
	s.wantOwnTraces("containerd")
	s.WantNoSecrets(s.WantExport(nil))

	s.wantOutcome(s.up("--control-plane-tracing=false"), "recreated")
	if status := s.WantUp(); status.ControlPlaneTracing {
		t.Error("status reports control-plane tracing, but it is off")
	}
	s.WantTracedRequests()
	for _, folder := range []string{"client", "tracing"} {
		if _, err := os.Stat(filepath.Join(s.Dir, folder)); !os.IsNotExist(err) {
			t.Errorf("the folder %s still exists: %v", folder, err)
		}
	}
}

// operatorPod returns the UID of the only Pod of the operator.
func (s *sandbox) operatorPod() types.UID {
	s.T.Helper()
	namespace := s.namespaceOf(s.T.Context(), "operator-tracing-manager")
	list := &corev1.PodList{}
	s.must(s.client().List(s.T.Context(), list, client.InNamespace(namespace)))
	pods := slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
	if len(pods) != 1 {
		s.T.Fatalf("the operator has %d Pods", len(pods))
	}
	return pods[0].UID
}

// wantRenewed deletes the operator's certificate. The next up creates a new one, with which the
// operator works as before.
func (s *sandbox) wantRenewed(before types.UID) {
	s.T.Helper()
	s.must(os.Remove(filepath.Join(s.Dir, "client", "operator.crt")))
	s.wantOutcome(s.up(), "already up")
	if s.operatorPod() == before {
		s.T.Error("a new certificate did not replace the operator's Pod")
	}
	manager := &appsv1.Deployment{}
	key := types.NamespacedName{Namespace: s.namespaceOf(s.T.Context(), "operator-tracing-manager"), Name: "operator-tracing-manager"}
	s.must(s.client().Get(s.T.Context(), key, manager))
	if manager.Status.ReadyReplicas != 1 {
		s.T.Errorf("%d Pods of the operator are ready", manager.Status.ReadyReplicas)
	}
}

// wantOwnTraces waits until Jaeger has a trace that starts in a service.
func (s *sandbox) wantOwnTraces(service string) {
	s.T.Helper()
	reader := s.Jaeger()
	s.Wait(nodeLimit, "a trace of "+service, func() bool {
		traces, err := reader.FindTraces(s.T.Context(), tracetree.Query{Service: service})
		s.must(err)
		return slices.ContainsFunc(traces, func(trace tracetree.Trace) bool {
			roots := trace.Forest().Roots
			return len(roots) == 1 && roots[0].Span.IsRoot() && roots[0].Span.Service == service
		})
	})
}
