package harness

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	dto "github.com/prometheus/client_model/go"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/operator-tracing/sandbox/e2e/triage"
	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/operator/tracing/provider"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/project"
)

func TestTimeOf(t *testing.T) {
	for line, want := range map[string]string{
		`{"time":"2026-11-23T02:19:31.753Z","level":"ERROR","msg":"x 2020-01-01T00:00:00Z"}`: "2026-11-23T02:19:31.753Z",
		`2026-11-23T02:19:32.1Z {"time":"2026-11-23T02:19:31Z"}`:                             "2026-11-23T02:19:32.1Z",
		"no time":                      "",
		"9999-99-99T99:99:99Z is none": "",
	} {
		at, known := timeOf(line)
		if known != (want != "") {
			t.Errorf("the time of %q is known: %t", line, known)
		}
		if known && at.Format(time.RFC3339Nano) != want {
			t.Errorf("the time of %q is %s, want %s", line, at.Format(time.RFC3339Nano), want)
		}
	}
}

func TestPodState(t *testing.T) {
	pod := corev1.Pod{}
	pod.Name, pod.Status.Phase = "p", corev1.PodPending
	waiting := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no host"}}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "a", State: waiting}, {Name: "b", RestartCount: 2}, {Name: "c"}}
	want := []string{"Pod p: Pending", "Pod p: container a waits: ImagePullBackOff: no host", "Pod p: container b was restarted 2 times"}
	if diff := cmp.Diff(want, podState(pod)); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}

// TestExplain gathers the evidence about a Head that does not become ready and whose spans are
// lost.
func TestExplain(t *testing.T) {
	now := time.Now().UTC()
	line := func(at time.Time, text string) string {
		return fmt.Sprintf("{\"time\":%q,\"msg\":%q}\n", at.Format(time.RFC3339Nano), text)
	}
	head := NewHead("ns", "web")
	head.Annotations = map[string]string{tracetree.TraceparentAnnotation: "00-0123456789abcdef0123456789abcdef-00000000000000aa-01"}
	head.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: metav1.ConditionFalse, Reason: "ChildNotReady", Message: "wait"}}
	child, other := &v1alpha1.ChildA{}, &v1alpha1.ChildA{}
	child.Namespace, child.Name = "ns", "web-child-a"
	other.Namespace, other.Name = "ns", "another-child-a"
	event := &corev1.Event{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "e"}, Type: "Warning", Reason: "Failed", Message: "no such image",
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "web-child-a-1"}}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	log := line(now.Add(-time.Hour), exportFailure+": long ago") + line(now.Add(time.Second), exportFailure+": refused")
	script := filepath.Join(t.TempDir(), "sandbox")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ncat <<'EOF'\n"+log+"EOF\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	operator := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "manager", Labels: managerLabels}}
	operator.Spec.Selector = &metav1.LabelSelector{MatchLabels: managerLabels}
	const endpoint = "http://$(" + project.NodeAddress + "):4317"
	operator.Spec.Template.Spec.Containers = []corev1.Container{{Name: managerContainer, Env: []corev1.EnvVar{{Name: "OTEL_EXPORTER_OTLP_ENDPOINT", Value: endpoint}}}}
	s := &Fixture{t: t, Namespace: "ns", Cluster: &Cluster{
		Client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(head, child, other, event, operator).Build(), artifacts: t.TempDir(),
		program: &program{path: script}, Status: Status{Cluster: clusterKind},
	}}
	s.applied.Store("web", now)
	waited := errors.New("time is over")
	seen := tracetree.Completion{TraceID: "0123456789abcdef0123456789abcdef", Begun: now.Add(time.Second), Reading: tracetree.ErrNotFound, States: []tracetree.State{
		{Condition: tracetree.ConditionSpans, Asked: true, Reason: "no span"}, {Condition: tracetree.ConditionReady, Asked: true, Reason: "Ready is False"},
	}}
	ended, end := context.WithCancel(t.Context())
	end() // As after a wait.
	report := s.explain(ended, head, seen, waited)

	want := triage.Evidence{
		Completion: seen, Applied: now, Object: "Head ns/web", Traceparent: head.Annotations[tracetree.TraceparentAnnotation], Service: Service,
		Receivers: s.receivers(),
		Operator: triage.Operator{
			Env:      map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint},
			Lost:     map[string]int{},
			Failures: []string{strings.TrimSpace(line(now.Add(time.Second), exportFailure+": refused"))},
		},
		Conditions: []string{"Head web: Ready=False ChildNotReady: wait", "ChildA web-child-a: no conditions"},
		Events:     []string{"event of Pod web-child-a-1: Warning Failed: no such image"},
	}
	if diff := cmp.Diff(want, report.Evidence, cmpopts.IgnoreFields(triage.Evidence{}, "Completion")); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
	for _, cause := range []triage.Cause{triage.ExporterFailing, triage.NeverReady} {
		if _, has := report.Has(cause); !has {
			t.Errorf("report without the verdict %q:\n%s", cause, report)
		}
	}
	if !errors.Is(report, waited) {
		t.Errorf("the report hides the wait's error: %v", report.Err)
	}
	kept, err := os.ReadFile(filepath.Join(s.artifacts, "TestExplain", "triage-"+seen.TraceID+".txt"))
	if err != nil || strings.TrimSpace(string(kept)) != report.Error() {
		t.Errorf("the artifacts have %q (%v), want the report", kept, err)
	}
}

func TestOperatorStateOfDeployment(t *testing.T) {
	started := metav1.NewTime(time.Now().Truncate(time.Second))
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "manager", Labels: managerLabels}}
	deployment.Spec.Selector = &metav1.LabelSelector{MatchLabels: managerLabels}
	deployment.Spec.Template.Spec.Containers = []corev1.Container{
		{Name: "other", Env: []corev1.EnvVar{{Name: "X", Value: "other"}}},
		{Name: managerContainer, Env: []corev1.EnvVar{{Name: "X", Value: "x"}, {Name: project.NodeAddress, ValueFrom: &corev1.EnvVarSource{}}}},
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "p", Labels: managerLabels}}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: managerContainer, RestartCount: 2, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: started}},
	}}
	second := pod.DeepCopy()
	second.Name, second.Status = "q", corev1.PodStatus{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/broken" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		fmt.Fprintf(w, "# TYPE %[1]s counter\n%[1]s{error_type=\"\"} 9\n%[1]s{error_type=\"timeout\"} 2\nother 1\n", provider.ExportedMetric)
	}))
	defer server.Close()
	path := "/metrics"
	c := &Cluster{
		Client: fake.NewClientBuilder().WithObjects(deployment, pod, second).Build(),
		metrics: func(ctx context.Context, pod types.NamespacedName) (map[string]*dto.MetricFamily, error) {
			if pod.Name == "q" {
				return readMetrics(ctx, server.URL+path)
			}
			return readMetrics(ctx, server.URL)
		},
	}
	got, err := c.deployedState(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := triage.Operator{Env: map[string]string{"X": "x"}, Started: started.Time, Restarts: 2, Lost: map[string]int{"timeout": 4}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("operator (-want +got):\n%s", diff)
	}
	path = "/broken"
	got, err = c.deployedState(t.Context())
	want.Lost = map[string]int{"timeout": 2}
	if diff := cmp.Diff(want, got); diff != "" || err == nil || !strings.Contains(err.Error(), "418") {
		t.Errorf("with a broken one: error %v, operator (-want +got):\n%s", err, diff)
	}
}
