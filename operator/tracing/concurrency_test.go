package tracing

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

const (
	workers      = 32
	manyObjects  = 5000
	againObjects = 1000

	// heapMargin is the accepted growth of the live heap between the last two rounds, which have
	// the same size. It equals 128 bytes per object, so the test detects memory that is kept for
	// each object. The first round fills the bounded tables.
	heapMargin = 128 * againObjects
)

// TestManyWorkers lets 32 workers of a real controller reconcile 5,000 objects, each
// several times, with conflicts and errors in between.
func TestManyWorkers(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	tp := tracingtest.NewTracerProvider()
	opts := []Option{WithTracerProvider(tp), WithScheme(smallScheme()), WithConverge(&appsv1.Deployment{})}
	server := &replaceable{Client: newBusyServer("warm-up", 0)}
	c := WrapClient(server, opts...)
	r := &busyReconciler{client: c}
	queue := NewQueueObserver(&appsv1.Deployment{}, opts...)
	wrapped := WrapReconciler(&appsv1.Deployment{}, r, append(opts, WithQueueObserver(queue))...)

	round := func(prefix string, n int) uint64 {
		busy := newBusyServer(prefix, n)
		server.Client = busy
		r.start(n)
		busy.fill(t)
		r.runController(t, wrapped, queue, busy)
		checkSpans(t, tp, busy, r)
		server.Client, r.wrote = nil, nil
		tp.Reset()
		return liveHeap()
	}
	first := round("first", manyObjects)
	second, third := round("second", againObjects), round("third", againObjects)
	runtime.KeepAlive(wrapped) // including the memory of the wrappers
	t.Logf("live heap: %d KiB, %d KiB, %d KiB", first>>10, second>>10, third>>10)
	if third > second+heapMargin {
		t.Errorf("%d bytes live after the third round, %d after the second: want no memory that is kept for each object", third, second)
	}
	if err := goleak.Find(leaks); err != nil {
		t.Error(err)
	}
}

// replaceable is a client whose server the test can replace and release.
type replaceable struct{ client.Client }

func liveHeap() uint64 {
	var m runtime.MemStats
	for range 3 { // finalizers and pools need several collections
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// busyReconciler makes an object Ready in four reconciles if there are no errors: a create, an
// update, a status write, and one without a write.
type busyReconciler struct {
	client client.Client
	wrote  []atomic.Int64 // reconciles that wrote or failed, by object
	left   atomic.Int64
	done   chan struct{}
}

func (r *busyReconciler) start(n int) {
	r.wrote, r.done = make([]atomic.Int64, n), make(chan struct{})
	r.left.Store(int64(n))
}

func (r *busyReconciler) Reconcile(ctx context.Context, req reconcile.Request) (result reconcile.Result, err error) {
	var owner appsv1.Deployment
	if err := r.client.Get(ctx, req.NamespacedName, &owner); err != nil {
		return reconcile.Result{}, err
	}
	wrote, err := r.step(ctx, &owner)
	if wrote || err != nil {
		r.wrote[indexOf(req.Name)].Add(1)
		return reconcile.Result{RequeueAfter: time.Millisecond}, client.IgnoreNotFound(err)
	}
	if r.left.Add(-1) == 0 {
		close(r.done)
	}
	return reconcile.Result{}, nil
}

func (r *busyReconciler) step(ctx context.Context, owner *appsv1.Deployment) (wrote bool, err error) {
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: owner.Namespace, Name: owner.Name + "-cm"}}
	err = r.client.Get(ctx, client.ObjectKeyFromObject(cm), cm)
	switch {
	case apierrors.IsNotFound(err):
		return true, r.client.Create(ctx, cm)
	case err != nil:
		return false, err
	case *owner.Spec.Replicas == 3:
		owner.Spec.Replicas = new(int32(4))
		return true, r.client.Update(ctx, owner)
	case owner.Status.ObservedGeneration != owner.Generation:
		setReady(owner, corev1.ConditionTrue, time.Now())
		return true, r.client.Status().Update(ctx, owner)
	default:
		return false, nil
	}
}

// runController reconciles all objects of the server until they are ready.
func (r *busyReconciler) runController(t *testing.T, wrapped reconcile.Reconciler, q *QueueObserver[reconcile.Request], server *busyServer) {
	t.Helper()
	c, err := controller.NewUnmanaged("busy", q.Options(controller.Options{
		Reconciler:              wrapped,
		MaxConcurrentReconciles: workers,
		SkipNameValidation:      new(true),
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](time.Millisecond, 10*time.Millisecond),
		LogConstructor:          func(*reconcile.Request) logr.Logger { return logr.Discard() },
	}))
	if err != nil {
		t.Fatal(err)
	}
	all := source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		for i := range server.n {
			queue.Add(reconcile.Request{NamespacedName: server.key(i)})
		}
		return nil
	})
	if err := c.Watch(all); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- c.Start(ctx) }()
	select {
	case <-r.done:
	case <-ctx.Done():
		t.Fatalf("%d objects are not ready: %v", r.left.Load(), ctx.Err())
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// checkSpans checks that each trace is about one object, that no span is lost or duplicated, and
// that parents exist.
func checkSpans(t *testing.T, tp *tracingtest.TracerProvider, server *busyServer, r *busyReconciler) {
	t.Helper()
	if n := tp.Unended(); n != 0 {
		t.Errorf("%d spans have not ended", n)
	}
	spans := tp.Spans()
	traces := make(map[trace.TraceID]int, server.n)         // object of each trace
	ids := make(map[trace.SpanID]trace.TraceID, len(spans)) // trace of each span
	got := make([]map[string]int, server.n)
	for i := range got {
		got[i] = map[string]int{}
	}
	for _, s := range spans {
		value, _ := s.Attribute(ObjectNameKey)
		name := value.AsString()
		if !strings.HasPrefix(name, server.prefix+"-") {
			t.Fatalf("%s names the object %q, want an object of this round", s.Name, name)
		}
		i := indexOf(name)
		if other, ok := traces[s.Context.TraceID()]; ok && other != i {
			t.Fatalf("%s of object %d is in the trace of object %d", s.Name, i, other)
		}
		traces[s.Context.TraceID()] = i
		if _, doubled := ids[s.Context.SpanID()]; doubled {
			t.Fatalf("%s of object %d was recorded twice", s.Name, i)
		}
		ids[s.Context.SpanID()] = s.Context.TraceID()
		got[i][s.Name]++
	}
	for _, s := range spans {
		if _, ok := s.Attribute(ReconcileAttemptKey); ok != (s.Name == "reconcile Deployment") {
			t.Fatalf("%s has an attempt: %t", s.Name, ok)
		}
		if parent := s.Parent.SpanID(); parent.IsValid() && ids[parent] != s.Context.TraceID() {
			t.Fatalf("the parent of %s in trace %s does not exist", s.Name, s.Context.TraceID())
		}
	}
	want := server.writes()
	for i := range want {
		want[i]["reconcile Deployment"] = int(r.wrote[i].Load())
		want[i]["converge Deployment"] = 1
		if diff := cmp.Diff(want[i], got[i]); diff != "" {
			t.Fatalf("spans of object %d (-want +got):\n%s", i, diff)
		}
	}
}

// indexOf returns the number in a name like "first-12" or "first-12-cm".
func indexOf(name string) (i int) {
	_, number, _ := strings.Cut(name, "-")
	if _, err := fmt.Sscanf(number, "%d", &i); err != nil {
		panic(fmt.Sprintf("name %q: %v", name, err))
	}
	return i
}

func (s *busyServer) key(i int) types.NamespacedName {
	return types.NamespacedName{Namespace: "ns", Name: fmt.Sprintf("%s-%d", s.prefix, i)}
}
