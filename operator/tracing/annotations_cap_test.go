package tracing

import (
	"context"
	"maps"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/operator-tracing/sandbox/operator/tracing/tracingtest"
)

// filler returns annotations that leave the given number of bytes free.
func filler(free int) map[string]string {
	return map[string]string{"theirs": strings.Repeat("x", maxAnnotations-len("theirs")-free)}
}

// TestAnnotationsAtTheCap: the API server accepts every write with tracing that it accepts without.
func TestAnnotationsAtTheCap(t *testing.T) {
	if maxAnnotations != validation.TotalAnnotationSizeLimitB {
		t.Fatalf("the API server accepts %d bytes of annotations, want maxAnnotations", validation.TotalAnnotationSizeLimitB)
	}
	const room = 400 // more than a context needs
	for _, tc := range []struct {
		free int
		want bool
	}{{0, false}, {50, false}, {room, true}} {
		for name, write := range map[string]func(*testing.T, map[string]string) map[string]string{
			"inject": injected, "create": created,
			"defaulter": func(t *testing.T, a map[string]string) map[string]string { return admittedAs(t, "defaulter", nil, a) },
			"handler":   func(t *testing.T, a map[string]string) map[string]string { return admittedAs(t, "handler", nil, a) },
		} {
			given := filler(tc.free)
			got := write(t, given)
			others := newConfig(nil).keys.others(got)
			if err := validation.ValidateAnnotationsSize(got); err != nil || !maps.Equal(others, given) {
				t.Errorf("%s with %d bytes free: %v, others are as they were: %t", name, tc.free, err, maps.Equal(others, given))
			}
			if _, ok := newConfig(nil).extractFrom(got); ok != tc.want {
				t.Errorf("%s with %d bytes free: has a context: %t, want %t", name, tc.free, ok, tc.want)
			}
		}
	}
}

// TestPutBackAtTheCap: a user may use up the space of the context. Then the object has no context,
// also no other one.
func TestPutBackAtTheCap(t *testing.T) {
	old := deployment("owner", carries(sampledContext(1), 0))
	for form := range forms {
		full := filler(0)
		if got := admittedAs(t, form, old, full); !maps.Equal(got, full) {
			t.Errorf("%s: keys %v", form, len(got))
		}
		tampered := filler(len(parentKey) + len(w3cParent))
		tampered[parentKey] = w3cParent
		if got := admittedAs(t, form, old, tampered); len(got) != 1 {
			t.Errorf("%s: context %v, want none of another user", form, got[parentKey])
		}
	}
}

func injected(t *testing.T, annotations map[string]string) map[string]string {
	tp := tracingtest.NewTracerProvider()
	ctx, span := tp.Tracer("test").Start(t.Context(), "span")
	defer span.End()
	obj := configMap("cm")
	obj.Annotations = annotations
	InjectContext(ctx, obj, WithTracerProvider(tp))
	return obj.Annotations
}

// within runs f in a reconcile, and returns the annotations of the written object.
func within(t *testing.T, server client.Client, written client.Object, opts []Option, f func(context.Context, client.Client) error) map[string]string {
	t.Helper()
	if _, err := recordReconcile(t, server, opts, func(ctx context.Context, c client.Client, _ *appsv1.Deployment) error { return f(ctx, c) }); err != nil {
		t.Fatal(err)
	}
	if err := server.Get(t.Context(), client.ObjectKeyFromObject(written), written); err != nil {
		t.Fatal(err)
	}
	return written.GetAnnotations()
}

func created(t *testing.T, annotations map[string]string) map[string]string {
	return within(t, newFakeServer(t, deployment("owner")), configMap("cm"), []Option{WithCreateAnnotation()}, func(ctx context.Context, c client.Client) error {
		cm := configMap("cm")
		cm.Annotations = annotations
		return c.Create(ctx, cm)
	})
}

// admittedAs sends a create, or an update of old, with the annotations, and returns the admitted
// ones.
func admittedAs(t *testing.T, form string, old *appsv1.Deployment, annotations map[string]string) map[string]string {
	t.Helper()
	obj := submitted()
	if old != nil {
		obj = old.DeepCopy()
	}
	obj.Annotations = annotations
	got := post(t, func(opts ...Option) *webhook.Admission { return forms[form](inner{}, opts...) }, reviewOf(t, old, obj, "alice", false), nil)
	return got.annotations()
}
