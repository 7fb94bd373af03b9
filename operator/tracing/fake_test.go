package tracing

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"go.opentelemetry.io/otel/trace"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta/testrestmapper"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// The tests use a Deployment as the reconciled object. Like most custom resources it has a spec, a
// generation, conditions and an observed generation.

const (
	parentKey = "tracing.k8s.io/traceparent"
	stateKey  = "tracing.k8s.io/tracestate"
	originKey = "tracing.k8s.io/origin"
)

var uids atomic.Int64

var knownMapper = testrestmapper.TestOnlyStaticRESTMapper(clientgoscheme.Scheme)

// newFakeServer returns controller-runtime's fake client, extended by UIDs and generations as in an
// API server.
func newFakeServer(t *testing.T, objs ...client.Object) client.WithWatch {
	t.Helper()
	return fake.NewClientBuilder().
		WithScheme(clientgoscheme.Scheme).
		WithRESTMapper(knownMapper).
		WithStatusSubresource(&appsv1.Deployment{}).
		WithObjects(objs...).
		WithInterceptorFuncs(interceptor.Funcs{
			Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
				if obj.GetUID() == "" {
					obj.SetUID(types.UID(fmt.Sprintf("uid-%d", uids.Add(1))))
				}
				if _, ok := obj.(*appsv1.Deployment); ok {
					obj.SetGeneration(1)
				}
				return c.Create(ctx, obj, opts...)
			},
			Update: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
				if d, ok := obj.(*appsv1.Deployment); ok {
					var old appsv1.Deployment
					if err := c.Get(ctx, client.ObjectKeyFromObject(d), &old); err != nil {
						return err
					}
					d.Generation = old.Generation
					if !reflect.DeepEqual(d.Spec, old.Spec) {
						d.Generation++
					}
				}
				return c.Update(ctx, obj, opts...)
			},
			Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
				if isEmpty(patch, obj) {
					return c.Get(ctx, client.ObjectKeyFromObject(obj), obj)
				}
				d, ok := obj.(*appsv1.Deployment)
				if !ok {
					return c.Patch(ctx, obj, patch, opts...)
				}
				var old appsv1.Deployment
				if err := c.Get(ctx, client.ObjectKeyFromObject(d), &old); err != nil {
					return err
				}
				if err := c.Patch(ctx, d, patch, opts...); err != nil {
					return err
				}
				if !reflect.DeepEqual(d.Spec, old.Spec) {
					d.Generation = old.Generation + 1
					return c.Update(ctx, d)
				}
				return nil
			},
			SubResourcePatch: func(ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
				if isEmpty(patch, obj) {
					return c.Get(ctx, client.ObjectKeyFromObject(obj), obj)
				}
				return c.SubResource(sub).Patch(ctx, obj, patch, opts...)
			},
		}).
		Build()
}

// isEmpty reports whether a patch changes nothing. For such a patch the API server returns the
// object unchanged, but the fake client raises its version.
func isEmpty(patch client.Patch, obj client.Object) bool {
	data, err := patch.Data(obj)
	return err == nil && (string(data) == "{}" || strings.HasPrefix(string(data), `{"metadata":{"resourceVersion":`))
}

func deployment(name string, edit ...func(*appsv1.Deployment)) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID("uid-of-" + name), Generation: 1},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(3)),
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "image:1"}}},
			},
		},
	}
	for _, f := range edit {
		f(d)
	}
	return d
}

func configMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name},
		Data:       map[string]string{"key": "value"},
	}
}

// setReady writes the condition as an operator would.
func setReady(d *appsv1.Deployment, status corev1.ConditionStatus, since time.Time) {
	d.Status.ObservedGeneration = d.Generation
	d.Status.Conditions = []appsv1.DeploymentCondition{{
		Type: "Ready", Status: status, Reason: "Tested", LastTransitionTime: metav1.NewTime(since),
	}}
}

// carries adds a context to an object, written for its current generation.
func carries(sc trace.SpanContext, age time.Duration) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) {
		c := newConfig(nil)
		d.Annotations = c.keys.put(d.Annotations, c.values(sc, d.Generation-1, time.Now().Add(-age)))
	}
}

// submittedAt is the start of the change of an object's context.
var submittedAt = time.Unix(1700000000, 123)

func sampledContext(n byte) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{15: n, 0: 1}, SpanID: trace.SpanID{7: n}, TraceFlags: trace.FlagsSampled, Remote: true,
	})
}

func requestFor(obj client.Object) reconcile.Request {
	return reconcile.Request{NamespacedName: client.ObjectKeyFromObject(obj)}
}

// recordReconcile runs f as the reconciler of the Deployment "owner", after reading it if it
// exists, and returns the recorded spans.
func recordReconcile(t *testing.T, server client.Client, opts []Option, f func(context.Context, client.Client, *appsv1.Deployment) error) ([]tracingtest.Span, error) {
	t.Helper()
	tp := tracingtest.NewTracerProvider()
	opts = append([]Option{WithTracerProvider(tp)}, opts...)
	c := WrapClient(server, opts...)
	r := WrapReconciler(&appsv1.Deployment{}, reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		var owner appsv1.Deployment
		if err := c.Get(ctx, req.NamespacedName, &owner); err != nil {
			return reconcile.Result{}, err
		}
		return reconcile.Result{}, f(ctx, c, &owner)
	}), opts...)
	_, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "ns", Name: "owner"}})
	if n := tp.Unended(); n != 0 {
		t.Errorf("%d spans have not ended", n)
	}
	return tp.Spans(), err
}

func spanNamed(t *testing.T, spans []tracingtest.Span, name string) tracingtest.Span {
	t.Helper()
	for _, s := range spans {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no span %q among %v", name, spanNames(spans))
	return tracingtest.Span{}
}

func spanNames(spans []tracingtest.Span) []string {
	names := make([]string, 0, len(spans))
	for _, s := range spans {
		names = append(names, s.Name)
	}
	return names
}

func isChildOf(t *testing.T, child tracingtest.Span, parent trace.SpanContext) {
	t.Helper()
	if child.Context.TraceID() != parent.TraceID() || child.Parent.SpanID() != parent.SpanID() {
		t.Errorf("%s: trace %s and parent %s, want %s and %s", child.Name,
			child.Context.TraceID(), child.Parent.SpanID(), parent.TraceID(), parent.SpanID())
	}
}

// logLines collects log lines, including V(1).
type logLines struct {
	mu    sync.Mutex
	lines []string
}

func (l *logLines) logger() logr.Logger {
	return funcr.New(func(_, args string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lines = append(l.lines, args)
	}, funcr.Options{Verbosity: 1})
}
