package embedded

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/operator-tracing/sandbox/e2e/causes"
	"github.com/operator-tracing/sandbox/e2e/harness"
	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/companion"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/observe"
	"github.com/operator-tracing/sandbox/sandbox/observe/writes"
)

const (
	// inFlight is the maximum age of a write whose span a killed observer loses
	// (docs/observing.md).
	inFlight = 2 * time.Second
	// loadInterval is the pause between two Heads of a load.
	loadInterval = 100 * time.Millisecond
	// minWrites is the number of writes before and after a fault.
	minWrites = 100
)

// TestKilledObserver kills the observer while Heads become ready. It loses only the spans of its last
// two seconds. After its restart, every write has a span again.
func TestKilledObserver(t *testing.T) {
	s := newSandbox(t)
	s.up()
	before := s.wantWhole()
	l := s.startLoad()
	s.wait("writes that are older than those in flight", func() bool { return len(l.between(time.Time{}, time.Now().Add(-inFlight))) >= minWrites })
	killed := time.Now()
	s.kill(before[companion.Name])
	s.upWith()
	s.wantAnew(before, companion.Name)
	restarted := time.Now()
	s.wait("writes after the restart", func() bool { return len(l.between(restarted, time.Now())) >= minWrites })
	l.stop()
	s.wantSpans(l.between(time.Time{}, killed.Add(-inFlight)))
	s.wantSpans(l.between(restarted, time.Now()))
	s.wantTrace("after-the-kill")
}

// TestAPIServerRestartsUnderObserver kills kube-apiserver while Heads become ready. The observer is the
// same process afterwards, and has a span for each write before and after.
func TestAPIServerRestartsUnderObserver(t *testing.T) {
	s := newSandbox(t)
	s.up()
	before := s.wantWhole()
	l := s.startLoad()
	s.wait("writes before the restart", func() bool { return len(l.between(time.Time{}, time.Now())) >= minWrites })
	killed := time.Now()
	s.kill(before[component.APIServer])
	s.upWith()
	s.wantAnew(before, component.APIServer)
	restarted := time.Now()
	s.wait("writes after the restart", func() bool { return len(l.between(restarted, time.Now())) >= minWrites })
	l.stop()
	s.wantSpans(l.between(time.Time{}, killed))
	s.wantSpans(l.between(restarted, time.Now()))
	s.wantTrace("after-the-restart")
}

// TestRestoredBackup replaces etcd's data with an earlier copy, so that resourceVersions repeat. The
// observer is the same process afterwards, and has a span for each write since then.
func TestRestoredBackup(t *testing.T) {
	s := newSandbox(t)
	s.up()
	data, backup := s.Dir+"/etcd", t.TempDir()+"/etcd"
	s.kill(s.wantWhole()[component.Etcd])
	if err := os.CopyFS(backup, os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	s.upWith()
	before := s.wantWhole()
	lost := s.startLoad()
	s.wait("writes that the backup does not have", func() bool { return len(lost.between(time.Time{}, time.Now())) >= minWrites })
	lost.stop()
	s.kill(before[component.Etcd])
	s.kill(before[component.APIServer])
	remove(t, data)
	if err := os.CopyFS(data, os.DirFS(backup)); err != nil {
		t.Fatal(err)
	}
	s.upWith()
	if after := s.wantWhole(); after[companion.Name] != before[companion.Name] {
		t.Errorf("the observer is process %d, want %d", after[companion.Name], before[companion.Name])
	}
	restored := time.Now()
	l := s.startLoad()
	s.wait("writes after the restore", func() bool { return len(l.between(restored, time.Now())) >= minWrites })
	l.stop()
	s.wantSpans(l.between(restored, time.Now()))
	s.wantTrace("after-the-restore")
}

// TestObserveApply applies a Deployment, and gets its trace from the apply down to the Pod.
func TestObserveApply(t *testing.T) {
	s := newSandbox(t)
	s.up()
	file := filepath.Join(t.TempDir(), "web.yaml")
	const manifest = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: default}, spec: {selector: {matchLabels: {app: web}},
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "` + component.Pause + `"}]}}}}`
	if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := s.Command(t.Context(), "observe", "--apply="+file, "--output=json", "--timeout=1m")
	var progress strings.Builder
	cmd.Stderr = &progress
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("observe --apply: %v\n%s", err, progress.String())
	}
	traces, err := tracetree.ReadOTLP("stdout", out)
	if err != nil || len(traces) != 1 {
		t.Fatalf("%d traces, %v:\n%s", len(traces), err, out)
	}
	tree, err := harness.Golden("observed-apply.embedded.tree", map[string]string{"HEAD": "web", "NAMESPACE": metav1.NamespaceDefault})
	if err != nil {
		t.Fatal(err)
	}
	if result := spantree.Match(tree, traces[0].Forest()); !result.OK() {
		t.Error(result.Explain())
	}
}

// load creates Heads one after the other, and records the writes that follow.
type load struct {
	recording *causes.Recording
	stop      context.CancelFunc
}

// startLoad starts a load, which ends with the test or with its stop.
func (s *sandbox) startLoad() *load {
	s.T.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", s.Dir+"/kubeconfig")
	if err != nil {
		s.T.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.T.Context())
	l := &load{}
	if l.recording, err = causes.Start(ctx, config); err != nil {
		s.T.Fatal(err)
	}
	c, done := s.client(), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(loadInterval)
		defer ticker.Stop()
		for i := 0; ctx.Err() == nil; i++ {
			head := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"child_a": component.Pause}}}
			head.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Head"))
			head.SetNamespace(metav1.NamespaceDefault)
			head.SetName(fmt.Sprintf("load-%d", i))
			_ = c.Create(ctx, head) // It fails while the API server does not run.
			select {
			case <-ticker.C:
			case <-ctx.Done():
			}
		}
	}()
	l.stop = func() { cancel(); <-done }
	s.T.Cleanup(l.stop)
	return l
}

// between returns the writes of controllers that arrived in a period, by their resourceVersions.
func (l *load) between(from, to time.Time) map[string]*writes.Write {
	found := map[string]*writes.Write{}
	for _, w := range l.recording.Writes(metav1.NamespaceDefault) {
		if !w.ByUser() && !w.Lost && w.At.After(from) && w.At.Before(to) {
			found[fmt.Sprint(w.After)] = w
		}
	}
	return found
}

// wantSpans waits until Jaeger has a span for each write: the observer's, or the operator's own.
func (s *sandbox) wantSpans(wanted map[string]*writes.Write) {
	s.T.Helper()
	reader, err := jaeger.Dial(s.WantUp().Jaeger[component.Query])
	if err != nil {
		s.T.Fatal(err)
	}
	defer reader.Close()
	missing := wanted
	defer func() {
		for _, w := range missing {
			s.T.Logf("no span of %s %s %s@%d", w.Writer, w.Verb, w.Object, w.After)
		}
	}()
	s.wait(fmt.Sprintf("the spans of %d writes", len(wanted)), func() bool {
		missing = maps.Clone(wanted)
		services, err := reader.Services(s.T.Context())
		for _, service := range services {
			traces, findErr := reader.FindTraces(s.T.Context(), tracetree.Query{Service: service, Limit: 1000})
			err = errors.Join(err, findErr)
			for _, trace := range traces {
				for _, span := range trace.Spans() {
					revision, _ := span.Attributes[observe.AttributeAfter].(string)
					delete(missing, revision)
				}
			}
		}
		if err != nil {
			s.T.Fatal(err)
		}
		return len(missing) == 0
	})
}
