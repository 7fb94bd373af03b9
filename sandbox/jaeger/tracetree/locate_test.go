package tracetree

import (
	"errors"
	"testing"
	"time"

	"github.com/jaegertracing/jaeger-idl/model/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/internal/jaegertest"
)

// object returns an object with a generation and, unless trace is empty, an annotation.
func object(g generation, trace string) metav1.Object {
	o := &metav1.ObjectMeta{UID: types.UID(g.uid), Generation: g.number, CreationTimestamp: metav1.NewTime(time.Unix(1000, 0))}
	if trace != "" {
		o.Annotations = map[string]string{TraceparentAnnotation: "00-" + trace + "-00000000000000ff-01"}
	}
	return o
}

var (
	lone, inProcess, newer = model.NewTraceID(0xaaaa<<48, 1), model.NewTraceID(0xbbbb<<48, 1), model.NewTraceID(0xcccc<<48, 1)
	loneID                 = lone.String()
)

// admit is a webhook's span, which names the object, and in versions to come perhaps its
// generation.
func admit(trace model.TraceID, at time.Duration, g generation) model.Span {
	return placed(trace, 1, 0, "admit", at, g.tags(model.String("span.kind", "server"))...)
}

func TestFindCurrent(t *testing.T) {
	t.Parallel()
	a := childA.id()[:4]
	for name, test := range map[string]struct {
		spans  []model.Span
		object metav1.Object
		want   string
		known  bool
	}{
		"the annotation's": {
			[]model.Span{admit(lone, 0, childA), reconcile(lone, 2, 1, ms, childA), reconcile(newer, 1, 0, time.Second, childA)},
			object(childA, loneID), "admit in aaaa\n  reconcile child-a\n", true,
		},
		"an update that the server stored unchanged": {
			[]model.Span{admit(inProcess, 0, childA), reconcile(inProcess, 2, 1, ms, childA), admit(lone, time.Second, childA)},
			object(childA, loneID), "admit in bbbb\n  reconcile child-a\n", true,
		},
		"an update that the server stored unchanged, of an object without a generation": {
			[]model.Span{admit(inProcess, 0, childA), reconcile(inProcess, 2, 1, ms, childA), admit(lone, time.Second, childA)},
			object(generation{childA.uid, 0}, loneID), "admit in bbbb\n  reconcile child-a\n", true,
		},
		"a change whose reconcile is still to come": {
			[]model.Span{admit(inProcess, 0, childA), reconcile(inProcess, 2, 1, ms, childA), admit(lone, time.Second, second)},
			object(second, loneID), "admit in aaaa\n", false,
		},
		"an update in the same process, which no annotation tells": {
			[]model.Span{admit(lone, 0, childA), reconcile(lone, 2, 1, ms, childA), writes(inProcess, 1, 0, time.Second, second), reconcile(inProcess, 2, 1, 2*time.Second, second)},
			object(second, loneID), "update child-a in bbbb\n  reconcile child-a\n", true,
		},
		"the latest of several reconciles": {
			[]model.Span{reconcile(inProcess, 1, 0, 0, childA), reconcile(newer, 1, 0, time.Second, childA), writes(lone, 1, 0, time.Minute, childA)},
			object(childA, ""), "reconcile child-a in cccc\n", true,
		},
		"another service": {
			[]model.Span{admit(lone, 0, childA), sentBy("other", reconcile(newer, 1, 0, time.Second, childA))},
			object(childA, loneID), "reconcile child-a in cccc\n", true,
		},
		"a writer in another process": {
			[]model.Span{
				placed(inProcess, 1, 0, "admit", 0), writes(inProcess, 2, 1, ms, childA),
				sentBy("other", reconcile(childA.traceID(), 2, 0, 2*ms, childA)), admit(lone, 0, childA),
			},
			object(childA, loneID), "admit in bbbb\n  update child-a\n    reconcile child-a in " + a + "\n", true,
		},
		"a writer whose update a webhook admitted": {
			[]model.Span{
				placed(inProcess, 1, 0, "reconcile owner", 0), writes(inProcess, 2, 1, ms, childA),
				sentBy("other", admit(lone, 2*ms, childA)), sentBy("other", reconcile(lone, 2, 1, 3*ms, childA)),
			},
			object(childA, loneID), "reconcile owner in bbbb\n  update child-a\n    admit in aaaa\n      reconcile child-a\n", true,
		},
		"a writer whose trace another process started": {
			[]model.Span{
				writes(inProcess, 1, 0, 0, head), sentBy("other", reconcile(head.traceID(), 1, 0, ms, head)), sentBy("other", writes(head.traceID(), 2, 1, 2*ms, childA)),
				sentBy("third", reconcile(childA.traceID(), 2, 0, 3*ms, childA)),
			},
			object(childA, ""), "update head in bbbb\n  reconcile head in " + head.id()[:4] + "\n    update child-a\n      reconcile child-a in " + a + "\n", true,
		},
		"the half that the operator's own update started": {
			[]model.Span{admit(lone, 0, childA), reconcile(lone, 2, 1, ms, childA), writes(lone, 3, 2, 2*ms, second), reconcile(second.traceID(), 1, 0, 3*ms, second)},
			object(second, loneID), "admit in aaaa\n  reconcile child-a\n    update child-a\n      reconcile child-a in " + second.id()[:4] + "\n", true,
		},
		"no annotation, and only earlier generations": {
			[]model.Span{reconcile(inProcess, 1, 0, 0, childA)}, object(second, ""), "reconcile child-a in bbbb\n", false,
		},
		"the annotation's trace is lost": {
			[]model.Span{reconcile(inProcess, 1, 0, 0, childA)}, object(childA, loneID), "reconcile child-a in bbbb\n", true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree, known, err := FindCurrent(t.Context(), newStore(test.spans...), test.object)
			if err != nil || known != test.known || shape(tree.Forest()) != test.want {
				t.Errorf("known: %t, error %v, tree\n%s\nwant known: %t\n%s", known, err, shape(tree.Forest()), test.known, test.want)
			}
		})
	}
}

func TestFindCurrentErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	spans := []model.Span{admit(lone, 0, childA), reconcile(newer, 1, 0, time.Second, childA)}
	for name, test := range map[string]struct {
		object metav1.Object
		fails  string
		with   error
		want   error
		id     string
	}{
		"nothing":                         {object(childB, ""), "", nil, ErrNotFound, ""},
		"nothing of the annotation":       {object(childB, jaegertest.TraceID), "", nil, ErrNotFound, jaegertest.TraceID},
		"the annotation's trace":          {object(childA, loneID), loneID, broken, broken, loneID},
		"the continuation":                {object(childA, loneID), childA.id(), broken, broken, loneID},
		"the services":                    {object(childA, loneID), "services", broken, broken, loneID},
		"the search":                      {object(childA, loneID), "search", broken, broken, loneID},
		"more traces than a search finds": {object(childA, loneID), "search", ErrTruncated, nil, newer.String()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			jaeger := newStore(spans...)
			jaeger.err[test.fails] = test.with
			tree, known, err := FindCurrent(t.Context(), jaeger, test.object)
			if !errors.Is(err, test.want) || tree.ID != test.id || known != (test.want == nil) {
				t.Errorf("trace %q, known: %t, error %v; want %q and %v", tree.ID, known, err, test.id, test.want)
			}
		})
	}
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	cycle := []model.Span{
		reconcile(head.traceID(), 1, 0, 0, head), writes(head.traceID(), 2, 1, 0, childA), reconcile(childA.traceID(), 1, 0, 0, childA), writes(childA.traceID(), 2, 1, 0, head),
	}
	for name, test := range map[string]struct {
		spans []model.Span
		from  string
		want  string
	}{
		"no continuation":               {[]model.Span{reconcile(lone, 1, 0, 0, childA), writes(newer, 1, 0, 0, childA)}, loneID, loneID},
		"no writer":                     {[]model.Span{reconcile(childA.traceID(), 1, 0, 0, childA)}, childA.id(), childA.id()},
		"the earliest of the writers":   {[]model.Span{writes(newer, 1, 0, 0, childA), writes(lone, 1, 0, -ms, childA), reconcile(childA.traceID(), 1, 0, 0, childA)}, childA.id(), loneID},
		"clocks that differ a little":   {[]model.Span{writes(lone, 1, 0, clockSkew, childA), reconcile(childA.traceID(), 1, 0, 0, childA)}, childA.id(), loneID},
		"a writer that came afterwards": {[]model.Span{writes(lone, 1, 0, clockSkew+ms, childA), reconcile(childA.traceID(), 1, 0, 0, childA)}, childA.id(), childA.id()},
		"a cycle":                       {cycle, childA.id(), head.id()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			jaeger := newStore(test.spans...)
			origin, err := originOf(t.Context(), jaeger, jaeger.traces[test.from])
			if err != nil || origin.ID != test.want {
				t.Errorf("origin %s, error %v; want %s", origin.ID, err, test.want)
			}
		})
	}
}
