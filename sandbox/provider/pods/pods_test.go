package pods

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// newPods returns Pods on an API server, with the subject of the reference operator.
func newPods(t *testing.T, config *rest.Config) *Pods {
	t.Helper()
	s := &session.Session{Dir: state.Dir{Path: t.TempDir()}, Record: state.Record{Name: "a", Ports: component.Ports{"metrics": 5}}}
	if err := project.SaveSubject(s.Dir.Subject(), applytest.Manifests(t).Subject()); err != nil {
		t.Fatal(err)
	}
	s.Connect(func() (*rest.Config, error) { return config, nil }, false)
	return &Pods{Session: s}
}

// prometheus is a component that only this test has. Its service starts to answer after the
// Deployment is available.
func prometheus(served *atomic.Int32) component.Component {
	return component.Component{
		Name: "prometheus", Version: "v3.7.3",
		Objects: func(image string) []map[string]any {
			labels := map[string]any{"app": "prometheus"}
			return []map[string]any{{
				"apiVersion": "apps/v1", "kind": "Deployment",
				"metadata": map[string]any{"name": "prometheus", "namespace": "default"},
				"spec": map[string]any{
					"selector": map[string]any{"matchLabels": labels},
					"template": map[string]any{
						"metadata": map[string]any{"labels": labels},
						"spec":     map[string]any{"containers": []any{map[string]any{"name": "prometheus", "image": image}}},
					},
				},
			}}
		},
		Check: func(context.Context, map[string]string) error {
			if served.Add(1) < 3 {
				return errors.New("no metrics yet")
			}
			return nil
		},
	}
}

// markAvailable is the Deployment controller of the test: the API server has none.
func markAvailable(ctx context.Context, c client.Client) error {
	var d appsv1.Deployment
	if err := c.Get(ctx, types.NamespacedName{Namespace: "default", Name: "prometheus"}, &d); err != nil {
		return err
	}
	d.Status = appsv1.DeploymentStatus{
		ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1,
		Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue},
			{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable"},
		},
	}
	return c.Status().Update(ctx, &d)
}

// A component of the table is installed from its row: objects, image and check.
func TestStartFromTheTable(t *testing.T) {
	t.Parallel()
	p := newPods(t, applytest.Start(t))
	var served atomic.Int32
	part := prometheus(&served)
	report := func(string, ...any) {}
	if err := p.Start(t.Context(), part, report); err == nil {
		t.Error("Start() without an image returned no error")
	}

	p.SetImages(part.Name, artifact.New(nil, "registry.test/prometheus:v3.7.3"))
	target, err := p.Target()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	started := make(chan error, 1)
	go func() { started <- p.Start(ctx, part, report) }()
	applytest.Eventually(t, func(ctx context.Context) error { return markAvailable(ctx, target.Client()) })
	if err := <-started; err != nil || served.Load() != 3 {
		t.Fatalf("Start() = %v after %d checks, want 3", err, served.Load())
	}
	status := Status(t.Context(), target, part, nil)
	if status.Version != part.Version || status.Image != "registry.test/prometheus:v3.7.3" {
		t.Errorf("Status() = %+v", status)
	}
	served.Store(0)
	if status := Status(t.Context(), target, part, nil); status.Ready || status.Message != "no metrics yet" {
		t.Errorf("Status() with a check that fails = %+v", status)
	}
	if status := Status(t.Context(), target, component.Named(component.Jaeger), nil); status.Ready || status.Message != "not installed" {
		t.Errorf("Status() of a component that is not installed = %+v", status)
	}
}

// A check that never succeeds ends with the context, and the error says why.
func TestCheckFails(t *testing.T) {
	t.Parallel()
	p := newPods(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	part := component.Component{Name: "prometheus", Check: func(_ context.Context, addresses map[string]string) error {
		cancel()
		return fmt.Errorf("connection refused")
	}}
	err := p.await(ctx, part)
	if !errors.Is(err, context.Canceled) || err.Error() != "waiting for prometheus: context canceled: last: connection refused" {
		t.Errorf("await() = %v", err)
	}
}
