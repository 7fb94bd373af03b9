package tracing

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// TestCreateInAReconcile: a reconcile's create is sent unchanged, unless an option adds the
// context.
func TestCreateInAReconcile(t *testing.T) {
	for name, opts := range map[string][]Option{"as it is": nil, "annotated": {WithCreateAnnotation()}} {
		server := newFakeServer(t, deployment("owner", carries(sampledContext(1), 0)))
		child := configMap("child")
		child.Annotations = map[string]string{"theirs": "stays"}
		spans, err := recordReconcile(t, server, opts, func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
			return c.Create(ctx, child)
		})
		if err != nil {
			t.Fatal(err)
		}
		s := spanNamed(t, spans, "create ConfigMap")
		if s.Kind != trace.SpanKindProducer {
			t.Errorf("%s: kind %v, want producer", name, s.Kind)
		}
		var stored corev1.ConfigMap
		if err := server.Get(t.Context(), client.ObjectKeyFromObject(child), &stored); err != nil {
			t.Fatal(err)
		}
		for what, annotations := range map[string]map[string]string{"stored": stored.Annotations, "caller's": child.Annotations} {
			got, ok := newConfig(nil).extractFrom(annotations)
			if ok != (opts != nil) || annotations["theirs"] != "stays" {
				t.Errorf("%s: %s annotations %v", name, what, annotations)
			}
			if ok && (got.sc.SpanID() != s.Context.SpanID() || !got.belongsTo(0)) {
				t.Errorf("%s: %s annotations %v do not carry the span %s", name, what, annotations, s.Context.SpanID())
			}
		}
		if got, _ := s.Attribute(ObjectUIDKey); got.AsString() != string(stored.UID) {
			t.Errorf("UID %q, want %q", got.AsString(), stored.UID)
		}
	}
}

// TestCreateOutsideAReconcile: a create in a span of the program carries the span's context,
// because the reconciling process does not know the write.
func TestCreateOutsideAReconcile(t *testing.T) {
	tp := tracingtest.NewTracerProvider()
	server := newFakeServer(t)
	c := WrapClient(server, WithTracerProvider(tp))
	ctx, span := tp.Tracer("test").Start(t.Context(), "roll out")
	if err := errors.Join(c.Create(ctx, configMap("within")), c.Create(t.Context(), configMap("without"))); err != nil {
		t.Fatal(err)
	}
	span.End()
	for name, want := range map[string]bool{"within": true, "without": false} {
		var stored corev1.ConfigMap
		if err := server.Get(t.Context(), client.ObjectKey{Namespace: "ns", Name: name}, &stored); err != nil {
			t.Fatal(err)
		}
		got, ok := newConfig(nil).extractFrom(stored.Annotations)
		if ok != want || ok && got.sc.TraceID() != span.SpanContext().TraceID() {
			t.Errorf("%s a span: annotations %v, want a context: %t", name, stored.Annotations, want)
		}
	}
}

// TestPodTemplateIsNotTouched: tracing does not restart the pods of a Deployment.
func TestPodTemplateIsNotTouched(t *testing.T) {
	server := newFakeServer(t, deployment("owner", carries(sampledContext(1), 0)))
	child := deployment("child")
	want := child.Spec.DeepCopy()
	if _, err := recordReconcile(t, server, nil, func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
		return c.Create(ctx, child)
	}); err != nil {
		t.Fatal(err)
	}
	if got := child.Spec.Template.Annotations; len(got) != len(want.Template.Annotations) {
		t.Errorf("pod template has annotations %v", got)
	}
}

// TestFailedWriteLeavesObject: a failed write restores the caller's object.
func TestFailedWriteLeavesObject(t *testing.T) {
	broken := errors.New("broken")
	server := interceptor.NewClient(newFakeServer(t, deployment("owner", carries(sampledContext(1), 0)), deployment("child")), interceptor.Funcs{
		Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return broken },
		Update: func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error { return broken },
		Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
			return broken
		},
		Apply: func(context.Context, client.WithWatch, runtime.ApplyConfiguration, ...client.ApplyOption) error {
			return broken
		},
	})
	for name, write := range map[string]func(context.Context, client.Client, *appsv1.Deployment) error{
		"create": func(ctx context.Context, c client.Client, d *appsv1.Deployment) error { return c.Create(ctx, d) },
		"update": func(ctx context.Context, c client.Client, d *appsv1.Deployment) error { return c.Update(ctx, d) },
		"patch": func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
			return c.Patch(ctx, d, client.MergeFrom(deployment("child")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			spans, err := recordReconcile(t, server, nil, func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
				var child appsv1.Deployment
				if err := c.Get(ctx, types.NamespacedName{Namespace: "ns", Name: "child"}, &child); err != nil {
					return err
				}
				child.Spec.Replicas = new(int32(5))
				want := child.DeepCopy()
				err := write(ctx, c, &child)
				if child.Annotations != nil || *child.Spec.Replicas != *want.Spec.Replicas {
					t.Errorf("metadata %v, want the metadata before the write", child.ObjectMeta)
				}
				return err
			})
			if !errors.Is(err, broken) {
				t.Errorf("error %v, want the server's", err)
			}
			if s := spanNamed(t, spans, name+" Deployment"); s.StatusCode != codes.Error || (s.Kind == trace.SpanKindProducer) != (name == "create") {
				t.Errorf("status %v, kind %v", s.StatusCode, s.Kind)
			}
		})
	}
	t.Run("apply", func(t *testing.T) {
		ac := corev1ac.ConfigMap("child", "ns").WithAnnotations(map[string]string{"theirs": "stays"}).WithData(map[string]string{"a": "b"})
		_, err := recordReconcile(t, server, nil, func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
			return c.Apply(ctx, ac, client.FieldOwner("test"), client.ForceOwnership)
		})
		if !errors.Is(err, broken) || !maps.Equal(ac.Annotations, map[string]string{"theirs": "stays"}) {
			t.Errorf("error %v, annotations %v", err, ac.Annotations)
		}
	})
}

func TestEmptyPatchAndDryRunHaveNoSpan(t *testing.T) {
	server := newFakeServer(t, deployment("owner"), configMap("there"))
	spans, err := recordReconcile(t, server, nil, func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
		probe := configMap("probe")
		err := errors.Join(
			c.Status().Patch(ctx, d.DeepCopy(), client.MergeFromWithOptions(d, client.MergeFromWithOptimisticLock{})),
			c.Patch(ctx, d.DeepCopy(), client.MergeFrom(d)),
			c.Status().Patch(ctx, d.DeepCopy(), client.MergeFrom(d)),
			c.Create(ctx, probe, client.DryRunAll),
			c.Update(ctx, configMap("there"), client.DryRunAll),
			c.Delete(ctx, d.DeepCopy(), client.DryRunAll),
		)
		if probe.Annotations != nil {
			t.Errorf("a dry run wrote %v", probe.Annotations)
		}
		return err
	})
	if err != nil || len(spans) != 0 {
		t.Errorf("spans %v, error %v", spanNames(spans), err)
	}
}

func TestBenignErrors(t *testing.T) {
	server := newFakeServer(t, deployment("owner"), configMap("there"))
	for name, tc := range map[string]struct {
		write  func(context.Context, client.Client) error
		span   string
		event  string
		status codes.Code
	}{
		"exists already": {func(ctx context.Context, c client.Client) error { return c.Create(ctx, configMap("there")) }, "create ConfigMap", "already_exists", codes.Unset},
		"deleted before": {func(ctx context.Context, c client.Client) error { return c.Delete(ctx, configMap("gone")) }, "delete ConfigMap", "not_found", codes.Unset},
		"conflict": {func(ctx context.Context, c client.Client) error {
			old := configMap("there")
			old.ResourceVersion = "1"
			return c.Update(ctx, old)
		}, "update ConfigMap", "conflict", codes.Unset},
		"not found": {func(ctx context.Context, c client.Client) error { return c.Update(ctx, configMap("gone")) }, "update ConfigMap", "", codes.Error},
	} {
		t.Run(name, func(t *testing.T) {
			var got error
			spans, _ := recordReconcile(t, server, nil, func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error {
				got = tc.write(ctx, c)
				return nil
			})
			if got == nil {
				t.Fatal("the write returned nil, want an error")
			}
			s := spanNamed(t, spans, tc.span)
			event := ""
			if len(s.Events) == 1 {
				event = s.Events[0].Name
			}
			kind, _ := s.Attribute(ErrorTypeKey)
			if s.StatusCode != tc.status || event != tc.event || (kind.AsString() == "") != (tc.status == codes.Unset) {
				t.Errorf("status %v, event %q, error type %q", s.StatusCode, event, kind.AsString())
			}
			if tc.status == codes.Error && kind.AsString() != string(apierrors.ReasonForError(got)) {
				t.Errorf("error type %q for %v", kind.AsString(), got)
			}
		})
	}
}

func TestOtherWritesHaveClientSpans(t *testing.T) {
	server := newFakeServer(t, deployment("owner"), deployment("child"), configMap("a"))
	spans, err := recordReconcile(t, server, nil, func(ctx context.Context, c client.Client, owner *appsv1.Deployment) error {
		setReady(owner, corev1.ConditionFalse, owner.CreationTimestamp.Time)
		return errors.Join(
			c.Status().Update(ctx, owner),
			c.Status().Patch(ctx, owner, client.Merge),
			c.Delete(ctx, deployment("child")),
			c.DeleteAllOf(ctx, &corev1.ConfigMap{}, client.InNamespace("ns")),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"update_status Deployment", "update_status Deployment", "delete Deployment", "delete_all ConfigMap", "reconcile Deployment"}
	if got := spanNames(spans); strings.Join(got, ",") != strings.Join(want, ",") {
		t.Fatalf("spans %v, want %v", got, want)
	}
	for _, s := range spans[:4] {
		if s.Kind != trace.SpanKindClient || s.StatusCode != codes.Unset {
			t.Errorf("%s: kind %v, status %v", s.Name, s.Kind, s.StatusCode)
		}
	}
}

// TestSameWritesWithTracingOnAndOff: tracing neither adds nor removes a request.
func TestSameWritesWithTracingOnAndOff(t *testing.T) {
	count := func(opts ...Option) (n int) {
		counted := func(err error) error { n++; return err }
		server := interceptor.NewClient(newFakeServer(t, deployment("owner", carries(sampledContext(1), 0))), interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, k client.ObjectKey, o client.Object, opts ...client.GetOption) error {
				return counted(c.Get(ctx, k, o, opts...))
			},
			Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
				return counted(c.Create(ctx, o, opts...))
			},
			Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
				return counted(c.Update(ctx, o, opts...))
			},
			SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
				return counted(c.SubResource(sub).Patch(ctx, o, p, opts...))
			},
			SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object, opts ...client.SubResourceUpdateOption) error {
				return counted(c.SubResource(sub).Update(ctx, o, opts...))
			},
		})
		c := WrapClient(server, opts...)
		var owner appsv1.Deployment
		s, ctx := newSession(t.Context(), newConfig(opts), nil, c.(*tracedWatcher).kind(&owner), types.NamespacedName{Namespace: "ns", Name: "owner"})
		defer s.span.finish()
		if err := c.Get(ctx, s.key, &owner); err != nil {
			t.Fatal(err)
		}
		before := owner.DeepCopy()
		setReady(&owner, corev1.ConditionTrue, owner.CreationTimestamp.Time)
		if err := errors.Join(c.Create(ctx, configMap("child")), c.Update(ctx, configMap("child")),
			c.Status().Patch(ctx, &owner, client.MergeFrom(before)), c.Status().Update(ctx, &owner)); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if off, on := count(), count(WithTracerProvider(tracingtest.NewTracerProvider())); off != on || on != 5 {
		t.Errorf("%d requests with tracing off, %d with tracing on", off, on)
	}
}
