package tracing

import (
	"crypto/sha256"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

func TestRelation(t *testing.T) {
	sc := sampledContext(1)
	now := time.Now()
	of := func(generation int64) func(*appsv1.Deployment) {
		return func(d *appsv1.Deployment) { d.Generation = generation }
	}
	ready := func(ago time.Duration) func(*appsv1.Deployment) {
		return func(d *appsv1.Deployment) { setReady(d, corev1.ConditionTrue, now.Add(-ago)) }
	}
	const (
		child         = "child"
		staleLink     = "new trace with a link"
		generation    = "trace of the generation, linked"
		generationNew = "trace of the generation, no link"
		random        = "new trace"
	)
	for name, tc := range map[string]struct {
		edit []func(*appsv1.Deployment)
		want string
	}{
		"fresh":                               {[]func(*appsv1.Deployment){carries(sc, time.Minute)}, child},
		"not converged, 59 minutes":           {[]func(*appsv1.Deployment){carries(sc, 59*time.Minute)}, child},
		"not converged, over an hour":         {[]func(*appsv1.Deployment){carries(sc, 61*time.Minute)}, staleLink},
		"converged just now, began long ago":  {[]func(*appsv1.Deployment){carries(sc, 5*time.Hour), ready(9 * time.Minute)}, child},
		"converged over ten minutes ago":      {[]func(*appsv1.Deployment){carries(sc, 30*time.Minute), ready(11 * time.Minute)}, staleLink},
		"was ready before, changed just now":  {[]func(*appsv1.Deployment){carries(sc, time.Minute), ready(24 * time.Hour)}, child},
		"another generation":                  {[]func(*appsv1.Deployment){carries(sc, time.Minute), of(2)}, generation},
		"another generation, stale":           {[]func(*appsv1.Deployment){carries(sc, 5*time.Hour), of(2)}, generation},
		"ready said about another generation": {[]func(*appsv1.Deployment){of(3), ready(20 * time.Minute), of(4), carries(sc, 30*time.Minute)}, child},
		"no context":                          {nil, generationNew},
		"invalid context": {[]func(*appsv1.Deployment){func(d *appsv1.Deployment) {
			d.Annotations = map[string]string{parentKey: "garbage"}
		}}, generationNew},
		"context without origin": {[]func(*appsv1.Deployment){carries(sc, 0), func(d *appsv1.Deployment) {
			delete(d.Annotations, originKey)
		}}, generation},
		"no UID": {[]func(*appsv1.Deployment){func(d *appsv1.Deployment) { d.UID = "" }}, random},
	} {
		t.Run(name, func(t *testing.T) {
			obj := deployment("owner", tc.edit...)
			r := newConfig(nil).relate(t.Context(), obj, now)
			own := generationTraceID(string(obj.UID), obj.Generation)
			got := "something else"
			linked := len(r.links) == 1 && r.links[0].SpanContext.Equal(sc)
			switch {
			case r.parent.Equal(sc) && len(r.links) == 0:
				got = child
			case !r.parent.TraceID().IsValid() && linked:
				got = staleLink
			case r.parent.TraceID() == own && !r.parent.SpanID().IsValid() && linked:
				got = generation
			case r.parent.TraceID() == own && !r.parent.SpanID().IsValid() && len(r.links) == 0:
				got = generationNew
			case !r.parent.TraceID().IsValid() && len(r.links) == 0:
				got = random
			}
			if got != tc.want {
				t.Errorf("%s (%+v), want %s", got, r, tc.want)
			}
		})
	}
}

// TestGenerationTrace pins the trace id: processes of different versions must agree on it.
func TestGenerationTrace(t *testing.T) {
	sum := sha256.Sum256([]byte("some-uid/7"))
	if got := generationTraceID("some-uid", 7); got != trace.TraceID(sum[:16]) {
		t.Errorf("trace id %s", got)
	}
	if generationTraceID("some-uid", 7) == generationTraceID("some-uid", 8) {
		t.Error("two generations have one trace")
	}
}

// TestNoLinkToOwnTrace: the last context may have been written in the trace of this generation.
func TestNoLinkToOwnTrace(t *testing.T) {
	obj := deployment("owner")
	own := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: generationTraceID(string(obj.UID), obj.Generation), SpanID: trace.SpanID{1}, Remote: true,
	})
	if r := generationRoot(obj, own); len(r.links) != 0 {
		t.Errorf("links %v point into the span's own trace", r.links)
	}
}
