package tracing

import (
	"crypto/sha256"
	"reflect"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// relationWords describes a relation.
func relationWords(obj *appsv1.Deployment, sc trace.SpanContext, r relation) string {
	own := generationTrace(obj.UID, obj.Generation).TraceID()
	linked := len(r.links) == 1 && r.links[0].SpanContext.Equal(sc)
	switch {
	case r.parent.Equal(sc) && len(r.links) == 0:
		return child
	case !r.parent.TraceID().IsValid() && linked:
		return staleLink
	case !r.parent.TraceID().IsValid() && len(r.links) == 1 && r.links[0].SpanContext.Equal(generationTrace(obj.UID, obj.Generation)):
		return staleNoContext
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
	staleNoContext   = "new trace with a link to the generation's"
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
	deleted := func(d *appsv1.Deployment) { // the API server counts a deletion as a change
		d.Generation++
		d.DeletionTimestamp = new(metav1.NewTime(now))
	}
	without := func(key string) func(*appsv1.Deployment) {
		return func(d *appsv1.Deployment) { delete(d.Annotations, key) }
	}
	invalid := func(d *appsv1.Deployment) { d.Annotations = map[string]string{parentKey: "garbage"} }
	noUID := func(d *appsv1.Deployment) { d.UID = "" }
	created := func(ago time.Duration) func(*appsv1.Deployment) {
		return func(d *appsv1.Deployment) { d.CreationTimestamp = metav1.NewTime(now.Add(-ago)) }
	}
	written := func(ago time.Duration, subresource string) func(*appsv1.Deployment) {
		return func(d *appsv1.Deployment) {
			d.ManagedFields = append(d.ManagedFields, metav1.ManagedFieldsEntry{Time: new(metav1.NewTime(now.Add(-ago))), Subresource: subresource})
		}
	}
	type edits []func(*appsv1.Deployment)
	for name, tc := range map[string]struct {
		edit edits
		// The relations with the policies Auto, Child and Link, and of the span "converge" with
		// Auto.
		auto, child, link, converge string
	}{
		"fresh":                                {edits{carries(sc, time.Minute)}, child, child, staleLink, child},
		"not converged, 59 minutes":            {edits{carries(sc, 59*time.Minute)}, child, child, staleLink, child},
		"not converged, over an hour":          {edits{carries(sc, 61*time.Minute)}, staleLink, child, staleLink, child},
		"converged just now, started long ago": {edits{carries(sc, 5*time.Hour), ready(9 * time.Minute)}, child, child, staleLink, child},
		"converged over ten minutes ago":       {edits{carries(sc, 30*time.Minute), ready(11 * time.Minute)}, staleLink, child, staleLink, child},
		"converged long ago":                   {edits{carries(sc, 500*time.Hour), ready(400 * time.Hour)}, staleLink, child, staleLink, child},
		"was ready before, changed just now":   {edits{carries(sc, time.Minute), ready(24 * time.Hour)}, child, child, staleLink, child},
		"another generation":                   {edits{carries(sc, time.Minute), of(2)}, generationLinked, child, staleLink, generationLinked},
		"another generation, stale":            {edits{carries(sc, 5*time.Hour), of(2)}, generationLinked, child, staleLink, generationLinked},
		"deletion":                             {edits{carries(sc, time.Minute), deleted}, generationLinked, child, staleLink, generationLinked},
		"ready said about another generation":  {edits{of(3), ready(20 * time.Minute), of(4), carries(sc, 30*time.Minute)}, child, child, staleLink, child},
		"no context":                           {nil, generationNew, generationNew, random, generationNew},
		"no context, created long ago":         {edits{created(2 * time.Hour)}, staleNoContext, generationNew, random, generationNew},
		"no context, created and ready":        {edits{created(30 * time.Minute), ready(11 * time.Minute)}, staleNoContext, generationNew, random, generationNew},
		"no context, changed lately":           {edits{created(24 * time.Hour), of(2), written(24*time.Hour, ""), written(time.Minute, "")}, generationNew, generationNew, random, generationNew},
		"no context, changed long ago":         {edits{created(24 * time.Hour), of(2), written(2*time.Hour, ""), written(time.Minute, "status")}, staleNoContext, generationNew, random, generationNew},
		"no context, no managed fields":        {edits{created(24 * time.Hour), of(2)}, generationNew, generationNew, random, generationNew},
		"invalid context":                      {edits{invalid}, generationNew, generationNew, random, generationNew},
		"context without origin":               {edits{carries(sc, 0), without(originKey)}, generationLinked, child, staleLink, generationLinked},
		"kind without generations":             {edits{of(0), withOrigin(sc, 0, now.Add(-time.Minute))}, child, child, staleLink, child},
		"kind without generations, stale":      {edits{of(0), withOrigin(sc, 0, now.Add(-2*time.Hour))}, staleLink, child, staleLink, child},
		"no UID":                               {edits{noUID}, random, random, random, random},
		"no UID, another generation":           {edits{carries(sc, 0), noUID, of(2)}, staleLink, child, staleLink, staleLink},
	} {
		t.Run(name, func(t *testing.T) {
			obj := deployment("owner", tc.edit...)
			for policy, want := range map[Relation]string{RelationAuto: tc.auto, RelationChild: tc.child, RelationLink: tc.link, -7: tc.auto} {
				c := newConfig([]Option{WithRelation(policy)})
				c.now = func() time.Time { return now }
				s, _ := newSession(t.Context(), c, reflect.TypeOf(obj), appsv1.SchemeGroupVersion.WithKind("Deployment"), client.ObjectKeyFromObject(obj))
				s.remember(s.gvk, obj, false)
				r, _ := s.relate()
				if got := relationWords(obj, sc, r); got != want {
					t.Errorf("%s: %s, want %s", policy, got, want)
				}
				if policy.String() == RelationAuto.String() {
					want = tc.converge // the other policies ignore the age
				}
				r, _ = c.relateAnyAge(s.object, c.carriedBy(objectName{}, s.object), now)
				if got := relationWords(obj, sc, r); got != want {
					t.Errorf("%s: converge: %s, want %s", policy, got, want)
				}
			}
		})
	}
}

// withOrigin adds a context to an object, with the given generation in its origin.
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
		t.Errorf("parsing an unknown word returned %v, %v, want an error", got, err)
	}
}

// TestGenerationTrace pins the trace id: processes of different versions must derive the same id.
func TestGenerationTrace(t *testing.T) {
	sum := sha256.Sum256([]byte("some-uid/7"))
	if got := generationTrace("some-uid", 7); got.TraceID() != trace.TraceID(sum[:16]) || got.SpanID() != trace.SpanID(sum[16:24]) {
		t.Errorf("generationTrace(some-uid, 7) = %s-%s", got.TraceID(), got.SpanID())
	}
	if generationTrace("some-uid", 7).TraceID() == generationTrace("some-uid", 8).TraceID() {
		t.Error("two generations have one trace")
	}
}

// TestNoLinkToOwnTrace: the last context may have been written in the trace of this generation.
func TestNoLinkToOwnTrace(t *testing.T) {
	obj := deployment("owner")
	own := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: generationTrace(obj.UID, obj.Generation).TraceID(), SpanID: trace.SpanID{1}, Remote: true,
	})
	facts := factsOf(obj)
	if r := newConfig(nil).generationRoot(&facts, own, time.Now()); len(r.links) != 0 {
		t.Errorf("links %v point into the span's own trace", r.links)
	}
}
