package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// onCluster returns a session on an API server that has the kinds of the reference operator.
func onCluster(t *testing.T, config *rest.Config) (*Session, *apply.Cluster) {
	t.Helper()
	s := &Session{Dir: state.Dir{Path: t.TempDir()}, Record: state.Record{Name: "a"}}
	manifests := applytest.Manifests(t)
	if err := project.SaveSubject(s.Dir.Subject(), manifests.Subject()); err != nil {
		t.Fatal(err)
	}
	s.Connect(func() (*rest.Config, error) { return config, nil }, false)
	target, err := s.Target()
	if err != nil {
		t.Fatal(err)
	}
	definitions := slices.DeleteFunc(manifests.Objects, func(o *unstructured.Unstructured) bool { return o.GetKind() != "CustomResourceDefinition" })
	apply.Label(definitions, "test", "")
	if err := errors.Join(apply.Apply(t.Context(), target, definitions), apply.WaitReady(t.Context(), target, definitions)); err != nil {
		t.Fatal(err)
	}
	return s, target
}

// operate makes samples ready until the test ends: the API server has no operator.
func operate(t *testing.T, c client.Client, live *unstructured.Unstructured) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			now := applytest.Live(live)
			if err := c.Get(ctx, client.ObjectKeyFromObject(live), now); err == nil && now.Object["status"] == nil {
				now.Object["status"] = map[string]any{"observedGeneration": now.GetGeneration(), "conditions": []any{map[string]any{
					"type": "Ready", "status": "True", "reason": "Test", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": now.GetGeneration(),
				}}}
				_ = c.Status().Update(ctx, now) // The next round tries again.
			}
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
}

// The sample is applied once, kept by the next up, and recreated if it is asked for or its trace is lost.
func TestStartSample(t *testing.T) {
	t.Parallel()
	s, target := onCluster(t, applytest.Start(t))
	subject, err := s.Subject()
	if err != nil {
		t.Fatal(err)
	}
	sample := applytest.Live(subject.Samples[0])
	sample.SetNamespace(subject.Sample().Namespace)
	operate(t, target.Client(), sample)
	// As tracing left it.
	if err := os.MkdirAll(s.Dir.Clients(), 0o700); err != nil {
		t.Fatal(err)
	}
	failure := errors.New("Jaeger is down")
	last := ""
	for _, step := range []struct {
		what   string
		change func()
		kept   bool
		says   string
		want   error
	}{
		{"first", func() {}, false, "", nil},
		{"again", func() {}, true, "", nil},
		{"its trace is there", func() { s.SampleLost = func(context.Context) (bool, error) { return false, nil } }, true, "", nil},
		{"its trace is lost", func() { s.SampleLost = func(context.Context) (bool, error) { return true, nil } }, false, "recreating it, since Jaeger lost its trace", nil},
		{"Jaeger is down", func() { s.SampleLost = func(context.Context) (bool, error) { return true, failure } }, true, "", failure},
		{"as asked", func() { s.RenewSample = true }, false, "", nil},
	} {
		step.change()
		var text strings.Builder
		err := s.StartSample(t.Context(), said(&text))
		live := applytest.Live(sample)
		if getting := target.Client().Get(t.Context(), client.ObjectKeyFromObject(sample), live); getting != nil {
			t.Fatal(getting)
		}
		if kept := string(live.GetUID()) == last; !errors.Is(err, step.want) || kept != step.kept || !strings.Contains(text.String(), step.says) {
			t.Errorf("%s: StartSample() = %v, kept %t, report %q; want %v, %t, %q", step.what, err, kept, text.String(), step.want, step.kept, step.says)
		}
		last = string(live.GetUID())
	}
	if _, err := os.Stat(s.Dir.Clients()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the certificates of tracing are still there: %v", err)
	}
	t.Run("Foreign", func(t *testing.T) { testForeignSample(t, s, target, sample) })
	t.Run("Cancelled", func(t *testing.T) { testCancelledSample(t, s) })
}

// An object of another owner is not deleted for a new sample.
func testForeignSample(t *testing.T, s *Session, target *apply.Cluster, sample *unstructured.Unstructured) {
	live := applytest.Live(sample)
	if err := target.Client().Get(t.Context(), client.ObjectKeyFromObject(sample), live); err != nil {
		t.Fatal(err)
	}
	uid := live.GetUID()
	live.SetLabels(map[string]string{"app.kubernetes.io/managed-by": "Helm"})
	if err := target.Client().Update(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	err := s.StartSample(t.Context(), func(string, ...any) {})
	if err == nil || !strings.HasPrefix(err.Error(), "recreating the sample: ") {
		t.Errorf("StartSample() over an object of another owner = %v, want an error", err)
	}
	if err := target.Client().Get(t.Context(), client.ObjectKeyFromObject(sample), live); err != nil || live.GetUID() != uid || live.GetDeletionTimestamp() != nil {
		t.Errorf("the object of another owner: %v, UID %s, want %s", err, live.GetUID(), uid)
	}
}

// A wait for the sample ends with the context.
func testCancelledSample(t *testing.T, s *Session) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.StartSample(ctx, func(string, ...any) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("StartSample() = %v, want %v", err, context.Canceled)
	}
}

// A folder that cannot be deleted is an error: its keys would stay.
func TestUntraceFails(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Session{Dir: state.Dir{Path: file}} // Root could delete any folder, but none in a file.
	if err := s.Untrace(t.Context()); err == nil || !strings.Contains(err.Error(), "removing what the tracing of the control plane had") {
		t.Errorf("Untrace() = %v, want an error", err)
	}
}

func ExampleVariables() {
	fmt.Println(Variables([]string{"A=1", "B=c=d", "E=", "A=2"}))
	// Output: map[A:2 B:c=d E:]
}
