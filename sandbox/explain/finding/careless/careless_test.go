package careless

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
	"github.com/operator-tracing/sandbox/operator/tracing"
	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
	"github.com/operator-tracing/sandbox/sandbox/explain/finding"
	"github.com/operator-tracing/sandbox/sandbox/explain/finding/careless/testdata/operator"
)

var update = flag.Bool("update", false, "write the recorded trace to testdata")

const recording = "testdata/careless.json"

// gate delays the objects of one kind on their way into the operator's cache until it opens. So a
// read is stale in each run, and not only on a busy machine.
type gate struct {
	once sync.Once
	open chan struct{}
}

func newGate() *gate { return &gate{open: make(chan struct{})} }

func (g *gate) release() { g.once.Do(func() { close(g.open) }) }

// run is an operator with its recorder.
type run struct {
	spans             *tracingtest.TracerProvider
	user              client.Client
	heads, dependents *gate
}

func start(t *testing.T, cfg *rest.Config, namespace string, careful bool) *run {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	r := &run{spans: tracingtest.NewTracerProvider(), heads: newGate(), dependents: newGate()}
	var err error
	if r.user, err = client.New(cfg, client.Options{Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
	if careful { // Its cache lags only as long as any cache.
		r.heads.release()
		r.dependents.release()
	}
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme: scheme, Metrics: server.Options{BindAddress: "0"}, Logger: logr.Discard(),
		Client: client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: &careful}},
		Cache: cache.Options{DefaultNamespaces: map[string]cache.Config{namespace: {}}, ByObject: map[client.Object]cache.ByObject{
			&v1alpha1.Head{}:     {Transform: r.delay(r.heads)},
			&appsv1.Deployment{}: {Transform: r.delay(r.dependents)},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	traced := tracing.WrapManager(mgr, tracing.WithTracerProvider(r.spans))
	if err := (&operator.Reconciler{Client: traced.GetClient(), Careful: careful}).SetupWithManager(traced); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- traced.Start(ctx) }()
	t.Cleanup(func() {
		r.heads.release()
		r.dependents.release()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return r
}

// delay returns a transformation of the cache that waits for the gate, except for a new Head.
func (r *run) delay(g *gate) func(any) (any, error) {
	return func(obj any) (any, error) {
		if head, ok := obj.(*v1alpha1.Head); !ok || len(head.Status.Conditions) > 0 {
			<-g.open
		}
		return obj, nil
	}
}

// await waits until so many recorded spans fit.
func (r *run) await(t *testing.T, what string, n int, fits func(spantree.Span) bool) {
	t.Helper()
	applytest.Eventually(t, func(context.Context) error {
		found := 0
		for _, s := range r.spans.Spantree("careless-operator") {
			if fits(s) {
				found++
			}
		}
		if found < n {
			return fmt.Errorf("%d spans with %s, want %d", found, what, n)
		}
		return nil
	})
}

func withEvent(name, event string) func(spantree.Span) bool {
	return func(s spantree.Span) bool { return s.Name == name && s.HasEvent(event) }
}

func unchanged(s spantree.Span) bool { return s.Attributes["operator.write.unchanged"] == true }

// serve creates a Head, waits until it is ready, and then changes the Deployment five times.
func (r *run) serve(t *testing.T, namespace string, careful bool) {
	t.Helper()
	head := &v1alpha1.Head{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"}, Spec: v1alpha1.HeadSpec{ChildA: "registry.example.com/web:1"}}
	if err := r.user.Create(t.Context(), head); err != nil {
		t.Fatal(err)
	}
	if !careful {
		r.await(t, "a conflict", 1, withEvent("update_status Head", "conflict"))
		r.heads.release()
		r.await(t, "a second create", 1, withEvent("create Deployment", "already_exists"))
		r.dependents.release()
	}
	ready := func(s spantree.Span) bool { return s.HasEvent("Ready: Unknown→True") }
	r.await(t, "Ready=True", 1, ready)
	for i := range 5 {
		deployment := &appsv1.Deployment{}
		if err := r.user.Get(t.Context(), client.ObjectKeyFromObject(head), deployment); err != nil {
			t.Fatal(err)
		}
		deployment.Status.ObservedGeneration = int64(i + 1)
		if err := r.user.Status().Update(t.Context(), deployment); err != nil {
			t.Fatal(err)
		}
		if !careful {
			r.await(t, "an unchanged write", i+1, unchanged)
		}
	}
}

// TestOperator: the findings are the defects of the operator, and there is none without them.
func TestOperator(t *testing.T) {
	cfg := applytest.Start(t)
	if _, err := envtest.InstallCRDs(cfg, envtest.CRDInstallOptions{Paths: []string{"../../../../config/crd/bases"}}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"careless": {"duplicate-create Deployment default/web", "stale-read-conflict Head default/web", "unchanged-write Head default/web"},
		"careful":  nil,
	} {
		t.Run(name, func(t *testing.T) {
			careful := name == "careful"
			namespace := "default"
			if careful {
				namespace = "kube-public"
			}
			r := start(t, cfg, namespace, careful)
			r.serve(t, namespace, careful)
			spans := r.spans.Spantree("careless-operator")
			var got []string
			for _, f := range finding.Find(spantree.Build(spans), finding.Options{}) {
				t.Logf("%s %s: %s", f.ID, f.Object, f.Summary)
				if !strings.HasPrefix(f.ID, "self-triggered") { // Depends on whether events were coalesced.
					got = append(got, f.ID+" "+f.Object)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("Find = %q, want %q\n%s", got, want, spantree.Build(spans))
			}
			if *update && !careful {
				if err := os.WriteFile(recording, otlp(t, spans), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
