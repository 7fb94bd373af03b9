package tracing

import (
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// relationWords says what a relation is.
func relationWords(obj *appsv1.Deployment, sc trace.SpanContext, r relation) string {
	own := generationTraceID(string(obj.UID), obj.Generation)
	linked := len(r.links) == 1 && r.links[0].SpanContext.Equal(sc)
	switch {
	case r.parent.Equal(sc) && len(r.links) == 0:
		return child
	case !r.parent.TraceID().IsValid() && linked:
		return staleLink
	case r.parent.TraceID() == own && !r.parent.SpanID().IsValid() && linked:
		return generationLinked
	case r.parent.TraceID() == own && !r.parent.SpanID().IsValid() && len(r.links) == 0:
		return generationNew
	case !r.parent.TraceID().IsValid() && len(r.links) == 0:
		return random
	default:
		return "something else"
	}
}

const (
	child            = "child"
	staleLink        = "new trace with a link"
	generationLinked = "trace of the generation, linked"
	generationNew    = "trace of the generation, no link"
	random           = "new trace"
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
	deleted := func(d *appsv1.Deployment) { // the API server counts that as a change
		d.Generation++
		d.DeletionTimestamp = new(metav1.NewTime(now))
	}
	without := func(key string) func(*appsv1.Deployment) {
		return func(d *appsv1.Deployment) { delete(d.Annotations, key) }
	}
	invalid := func(d *appsv1.Deployment) { d.Annotations = map[string]string{parentKey: "garbage"} }
	noUID := func(d *appsv1.Deployment) { d.UID = "" }
	type edits []func(*appsv1.Deployment)
	for name, tc := range map[string]struct {
		edit edits
		// with the policies Auto, Child and Link; and of the span converge with Auto
		auto, child, link, converge string
	}{
		"fresh":                               {edits{carries(sc, time.Minute)}, child, child, staleLink, child},
		"not converged, 59 minutes":           {edits{carries(sc, 59*time.Minute)}, child, child, staleLink, child},
		"not converged, over an hour":         {edits{carries(sc, 61*time.Minute)}, staleLink, child, staleLink, child},
		"converged just now, began long ago":  {edits{carries(sc, 5*time.Hour), ready(9 * time.Minute)}, child, child, staleLink, child},
		"converged over ten minutes ago":      {edits{carries(sc, 30*time.Minute), ready(11 * time.Minute)}, staleLink, child, staleLink, child},
		"converged long ago":                  {edits{carries(sc, 500*time.Hour), ready(400 * time.Hour)}, staleLink, child, staleLink, child},
		"was ready before, changed just now":  {edits{carries(sc, time.Minute), ready(24 * time.Hour)}, child, child, staleLink, child},
		"another generation":                  {edits{carries(sc, time.Minute), of(2)}, generationLinked, child, staleLink, generationLinked},
		"another generation, stale":           {edits{carries(sc, 5*time.Hour), of(2)}, generationLinked, child, staleLink, generationLinked},
		"deletion":                            {edits{carries(sc, time.Minute), deleted}, generationLinked, child, staleLink, generationLinked},
		"ready said about another generation": {edits{of(3), ready(20 * time.Minute), of(4), carries(sc, 30*time.Minute)}, child, child, staleLink, child},
		"no context":                          {nil, generationNew, generationNew, random, generationNew},
		"invalid context":                     {edits{invalid}, generationNew, generationNew, random, generationNew},
		"context without origin":              {edits{carries(sc, 0), without(originKey)}, generationLinked, child, staleLink, generationLinked},
		"kind without generations":            {edits{of(0), withOrigin(sc, 0, now.Add(-time.Minute))}, child, child, staleLink, child},
		"kind without generations, stale":     {edits{of(0), withOrigin(sc, 0, now.Add(-2*time.Hour))}, staleLink, child, staleLink, child},
		"no UID":                              {edits{noUID}, random, random, random, random},
		"no UID, another generation":          {edits{carries(sc, 0), noUID, of(2)}, staleLink, child, staleLink, staleLink},
	} {
		t.Run(name, func(t *testing.T) {
			obj := deployment("owner", tc.edit...)
			for policy, want := range map[Relation]string{RelationAuto: tc.auto, RelationChild: tc.child, RelationLink: tc.link, -7: tc.auto} {
				c := newConfig([]Option{WithRelation(policy)})
				b, _ := c.bears(t.Context(), obj)
				if got := relationWords(obj, sc, c.relate(obj, b, false, now)); got != want {
					t.Errorf("%s: %s, want %s", policy, got, want)
				}
				if policy.String() == RelationAuto.String() {
					want = tc.converge // the other policies heed no age
				}
				r, _ := c.relateAnyAge(obj, b)
				if got := relationWords(obj, sc, r); got != want {
					t.Errorf("%s: converge: %s, want %s", policy, got, want)
				}
			}
		})
	}
}

// withOrigin puts a context on an object, with the given generation in its origin.
func withOrigin(sc trace.SpanContext, generation int64, start time.Time) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) {
		c := newConfig(nil)
		d.Annotations = c.keys.put(d.Annotations, c.values(sc, generation, start))
	}
}

func TestParseRelation(t *testing.T) {
	for _, r := range []Relation{RelationAuto, RelationChild, RelationLink} {
		if got, err := ParseRelation(r.String()); err != nil || got != r {
			t.Errorf("parsing %q: %v, %v", r, got, err)
		}
	}
	if got, err := ParseRelation("Child"); err == nil || got != RelationAuto {
		t.Errorf("a word that is none of the three is %v, error %v", got, err)
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

// TestWriteLinksNoContextOfItsOwnTrace: the context that a write replaces is a link only where it is of another trace.
func TestWriteLinksNoContextOfItsOwnTrace(t *testing.T) {
	server := newFakeServer(t, deployment("owner", carries(sampledContext(1), 0)))
	spans, err := recordReconcile(t, server, nil, func(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
		d.Spec.Paused = true
		return c.Update(ctx, d)
	})
	if err != nil {
		t.Fatal(err)
	}
	if s := spanNamed(t, spans, "update Deployment"); s.Kind != trace.SpanKindProducer || len(s.Links) != 0 {
		t.Errorf("a %v with links %v", s.Kind, s.Links)
	}
}
