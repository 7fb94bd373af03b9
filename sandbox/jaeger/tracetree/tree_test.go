package tracetree

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jaegertracing/jaeger-idl/model/v1"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/internal/apiv2"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/internal/jaegertest"
)

func TestContinuation(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte("some-uid/7"))
	if got, want := Continuation("some-uid", 7), hex.EncodeToString(sum[:16]); got != want {
		t.Errorf("Continuation(some-uid, 7) = %s, want %s", got, want)
	}
}

func TestReadTree(t *testing.T) {
	t.Parallel()
	a, b, c := head.id()[:4], childA.id()[:4], second.id()[:4]
	stringly := writes(jaegertest.Trace, 2, 1, 10*ms, childA)
	stringly.Tags[len(stringly.Tags)-1] = model.String(attributeGeneration, "3")
	elsewhere := writes(jaegertest.Trace, 2, 1, 10*ms, childA)
	elsewhere.Tags[len(elsewhere.Tags)-1] = model.Int64(attributeGeneration, 4)
	zero := generation{"child-a", 0}
	for name, test := range map[string]struct {
		spans []model.Span
		want  string
	}{
		"no continuation": {
			[]model.Span{placed(jaegertest.Trace, 1, 0, "admit", 0), writes(jaegertest.Trace, 2, 1, 10*ms, childA)},
			"admit in 0123\n  update child-a\n",
		},
		"another process": {
			[]model.Span{
				placed(jaegertest.Trace, 1, 0, "admit", 0), writes(jaegertest.Trace, 2, 1, 10*ms, childA), placed(jaegertest.Trace, 3, 2, "note", 50*ms),
				reconcile(childA.traceID(), 2, 0, 20*ms, childA), placed(childA.traceID(), 3, 2, "create", 30*ms),
				reconcile(childA.traceID(), 4, 0, 60*ms, childA), placed(childA.traceID(), 5, 99, "late", 55*ms),
			},
			"admit in 0123\n  update child-a\n    reconcile child-a in " + b + "\n      create\n    note\n    late in " + b + " (orphan)\n    reconcile child-a in " + b + "\n",
		},
		"several processes": {
			[]model.Span{
				writes(jaegertest.Trace, 1, 0, 0, head), reconcile(head.traceID(), 1, 0, 10*ms, head), writes(head.traceID(), 2, 1, 20*ms, childA),
				reconcile(childA.traceID(), 1, 0, 30*ms, childA), writes(childA.traceID(), 2, 1, 40*ms, second),
				reconcile(second.traceID(), 1, 0, 50*ms, second),
			},
			"update head in 0123\n  reconcile head in " + a + "\n    update child-a\n      reconcile child-a in " + b + "\n        update child-a\n          reconcile child-a in " + c + "\n",
		},
		"a cycle": {
			[]model.Span{
				reconcile(head.traceID(), 1, 0, 0, head), writes(head.traceID(), 2, 1, 10*ms, childA),
				reconcile(childA.traceID(), 1, 0, 20*ms, childA), writes(childA.traceID(), 2, 1, 30*ms, head), writes(childA.traceID(), 3, 1, 40*ms, childA),
			},
			"reconcile head in " + a + "\n  update child-a\n    reconcile child-a in " + b + "\n      update head\n      update child-a\n",
		},
		"the earliest of several writers": {
			[]model.Span{
				placed(jaegertest.Trace, 1, 0, "admit", 0), writes(jaegertest.Trace, 3, 1, 20*ms, childA), writes(jaegertest.Trace, 2, 1, 10*ms, childA),
				reconcile(childA.traceID(), 2, 0, 30*ms, childA),
			},
			"admit in 0123\n  update child-a\n    reconcile child-a in " + b + "\n  update child-a\n",
		},
		"clocks that differ a little": {
			[]model.Span{writes(jaegertest.Trace, 1, 0, clockSkew, childA), reconcile(childA.traceID(), 1, 0, 0, childA)},
			"update child-a in 0123\n  reconcile child-a in " + b + "\n",
		},
		"roots before the write": {
			[]model.Span{
				writes(jaegertest.Trace, 1, 0, clockSkew+ms, childA), reconcile(childA.traceID(), 1, 0, 0, childA), placed(childA.traceID(), 2, 1, "create", 2*clockSkew),
				reconcile(childA.traceID(), 3, 0, 2*clockSkew, childA),
			},
			"update child-a in 0123\n  reconcile child-a in " + b + "\n",
		},
		"all of it before the write": {
			[]model.Span{writes(jaegertest.Trace, 1, 0, time.Minute, childA), reconcile(childA.traceID(), 1, 0, 0, childA)},
			"update child-a in 0123\n",
		},
		"the operator's own update raised the generation": {
			[]model.Span{
				placed(jaegertest.Trace, 1, 0, "admit", 0), reconcile(jaegertest.Trace, 2, 1, 10*ms, childA), writes(jaegertest.Trace, 3, 2, 20*ms, second),
				reconcile(second.traceID(), 1, 0, 30*ms, second),
			},
			"admit in 0123\n  reconcile child-a\n    update child-a\n      reconcile child-a in " + c + "\n",
		},
		"a webhook of another process": {
			[]model.Span{
				placed(jaegertest.Trace, 1, 0, "admit", 0), writes(jaegertest.Trace, 2, 1, 10*ms, childA),
				admit(lone, 11*ms, childA), reconcile(lone, 2, 1, 20*ms, childA), reconcile(lone, 3, 1, 30*ms, second),
			},
			"admit in 0123\n  update child-a\n    admit in aaaa\n      reconcile child-a\n      reconcile child-a\n",
		},
		"a webhook before the write": {
			[]model.Span{
				writes(jaegertest.Trace, 2, 0, clockSkew+ms, childA), admit(lone, 0, childA), reconcile(lone, 2, 1, 20*ms, childA),
			},
			"update child-a in 0123\n",
		},
		"a webhook of another generation": {
			[]model.Span{
				writes(jaegertest.Trace, 2, 0, 0, childA), admit(lone, ms, second), reconcile(lone, 2, 1, 20*ms, second), reconcile(lone, 3, 1, 30*ms, childA),
			},
			"update child-a in 0123\n",
		},
		"no link":                 {[]model.Span{reconcile(jaegertest.Trace, 1, 0, 0, childA), reconcile(childA.traceID(), 1, 0, ms, childA)}, "reconcile child-a in 0123\n"},
		"an invalid generation":   {[]model.Span{placed(jaegertest.Trace, 1, 0, "admit", 0), stringly, reconcile(childA.traceID(), 1, 0, 20*ms, childA)}, "admit in 0123\n  update child-a\n"},
		"a link to another trace": {[]model.Span{placed(jaegertest.Trace, 1, 0, "admit", 0), elsewhere, reconcile(childA.traceID(), 1, 0, 20*ms, childA)}, "admit in 0123\n  update child-a\n"},
		"generation 0":            {[]model.Span{writes(jaegertest.Trace, 1, 0, 0, zero), reconcile(zero.traceID(), 1, 0, ms, zero)}, "update child-a in 0123\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			jaeger := newStore(test.spans...)
			first := jaegertest.TraceID
			if jaeger.traces[first].Len() == 0 {
				first = head.id()
			}
			tree, err := ReadTree(t.Context(), jaeger, first)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, shape(tree.Forest())); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
			if tree.ID != first || tree.Cut() || len(tree.Forest().Spans()) != tree.Len() {
				t.Errorf("trace %s, cut: %t, %d of %d spans are in the tree", tree.ID, tree.Cut(), len(tree.Forest().Spans()), tree.Len())
			}
			if again := tree.Continued(slices.Collect(maps.Values(jaeger.traces))); shape(again.Forest()) != test.want {
				t.Errorf("a tree that is joined again is\n%s", shape(again.Forest()))
			}
			for id, reads := range jaeger.reads {
				if reads > 1 {
					t.Errorf("trace %s was read %d times", id, reads)
				}
			}
			// Files have the same spans, and are joined to the same tree.
			document, err := tree.JSON()
			if err != nil {
				t.Fatal(err)
			}
			traces, err := ReadOTLP("file", document)
			if err != nil || len(traces) != len(tree.TraceIDs()) {
				t.Fatalf("%d traces in the file, error %v; want %v", len(traces), err, tree.TraceIDs())
			}
			slices.Reverse(traces)
			if joined := Join(traces); name != "a cycle" && (len(joined) != 1 || shape(joined[0].Forest()) != test.want) {
				t.Errorf("%d trees in the file, want one:\n%s", len(joined), test.want)
			}
		})
	}
}

func TestReadTreeErrors(t *testing.T) {
	t.Parallel()
	jaeger := newStore(writes(jaegertest.Trace, 1, 0, 0, childA))
	if _, err := ReadTree(t.Context(), jaeger, childB.id()); !errors.Is(err, ErrNotFound) {
		t.Errorf("a trace that Jaeger does not have: error %v, want ErrNotFound", err)
	}
	jaeger.err[childA.id()] = ErrUnreachable
	if _, err := ReadTree(t.Context(), jaeger, jaegertest.TraceID); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), jaegertest.TraceID) {
		t.Errorf("a continuation that can't be read: error %v, want ErrUnreachable and the trace", err)
	}
}

// Operators that write each other's objects forever fill a tree, but no more.
func TestReadTreeIsBounded(t *testing.T) {
	t.Parallel()
	link := func(number int64) []model.Span {
		own, next := generation{"fight", number}, generation{"fight", number + 1}
		at := time.Duration(number) * ms
		return []model.Span{reconcile(own.traceID(), 1, 0, at, own), writes(own.traceID(), 2, 1, at, next)}
	}
	var chain, wide, many []model.Span
	for number := range int64(MaxTraces) + 10 {
		chain = append(chain, link(number+1)...)
	}
	many = append(many, placed(jaegertest.Trace, 1, 0, "admit", 0))
	for id := range uint64(maxLookups) + 10 {
		many = append(many, writes(jaegertest.Trace, id+2, 1, ms, generation{fmt.Sprint(id), 1}))
	}
	wide = append(wide, writes(jaegertest.Trace, 1, 0, 0, childA), writes(jaegertest.Trace, 2, 0, ms, childB), reconcile(childB.traceID(), 1, 0, 2*ms, childB))
	for id := range uint64(MaxSpans) {
		wide = append(wide, placed(childA.traceID(), id+1, 0, "x", ms))
	}
	for name, test := range map[string]struct {
		spans         []model.Span
		first         string
		traces, spanN int
	}{
		"traces":  {chain, generation{"fight", 1}.id(), MaxTraces, 2 * MaxTraces},
		"lookups": {many, jaegertest.TraceID, 1, maxLookups + 11},
		"spans":   {wide, jaegertest.TraceID, 2, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			jaeger := newStore(test.spans...)
			tree, err := ReadTree(t.Context(), jaeger, test.first)
			if err != nil || !tree.Cut() || len(tree.TraceIDs()) != test.traces || tree.Len() != test.spanN {
				t.Errorf("error %v, cut: %t, %d traces, %d spans; want a cut tree of %d and %d", err, tree.Cut(), len(tree.TraceIDs()), tree.Len(), test.traces, test.spanN)
			}
			if len(jaeger.reads) > maxLookups+1 {
				t.Errorf("%d traces were read, want at most %d", len(jaeger.reads), maxLookups+1)
			}
		})
	}
}

// Join keeps every trace that is not part of another tree, and each once.
func TestJoin(t *testing.T) {
	t.Parallel()
	traces := FromOTLP(apiv2.Traces([]model.Span{
		reconcile(childA.traceID(), 1, 0, 20*ms, childA), placed(model.NewTraceID(7, 7), 1, 0, "single", 0), writes(jaegertest.Trace, 1, 0, 0, childA),
		reconcile(head.traceID(), 1, 0, 0, head), writes(head.traceID(), 2, 1, 10*ms, childB),
		reconcile(childB.traceID(), 1, 0, 20*ms, childB), writes(childB.traceID(), 2, 1, 30*ms, head),
		reconcile(otherA.traceID(), 1, 0, 0, otherA), writes(model.NewTraceID(7, 8), 1, 0, time.Minute, otherA),
	}))
	var got []string
	for _, tree := range Join(traces) {
		got = append(got, fmt.Sprint(tree.ID[:4], " ", tree.Len()))
	}
	want := []string{"0000 1", "0123 2", head.id()[:4] + " 4", otherA.id()[:4] + " 1", "0000 1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("trees (-want +got):\n%s", diff)
	}
}

// A joined tree is complete as a whole: it is quiet when all of its traces are, and no parent is
// missing because of the join.
func TestCompleteTree(t *testing.T) {
	tree, err := spantree.Parse("test", "update child-a [CLIENT]\n  reconcile child-a [CONSUMER]\n    create")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		root, create := reconcile(childA.traceID(), 1, 0, 20*ms, childA), placed(childA.traceID(), 2, 1, "create", 30*ms)
		jaeger := &growing{start: time.Now(), spans: map[time.Duration]model.Span{0: writes(jaegertest.Trace, 1, 0, 0, childA), 2 * time.Second: create, 3 * time.Second: root}}
		completion, err := Complete(t.Context(), jaeger, jaegertest.TraceID, Conditions{Tree: tree, Timeout: time.Minute})
		if took := time.Since(jaeger.start); err != nil || took != 4*time.Second {
			t.Fatalf("complete after %s, error %v; want 4s", took, err)
		}
		if parents := completion.State(ConditionParents); parents.Since.Sub(jaeger.start) != 3*time.Second || len(completion.Defective) != 0 {
			t.Errorf("no parent is missing since %s, want 3s", parents.Since.Sub(jaeger.start))
		}
	})
}

// growing is a Jaeger to which spans of several traces come at given times after its start.
type growing struct {
	start time.Time
	spans map[time.Duration]model.Span
}

func (g *growing) Services(context.Context) ([]string, error) { return nil, nil }

func (g *growing) GetTrace(ctx context.Context, id string) (Trace, error) {
	var spans []model.Span
	for at, s := range g.spans {
		if at <= time.Since(g.start) {
			spans = append(spans, s)
		}
	}
	return newStore(spans...).GetTrace(ctx, id)
}

// A continuation of a span that is omitted has its own roots.
func TestWithout(t *testing.T) {
	t.Parallel()
	write := writes(jaegertest.Trace, 2, 1, 10*ms, childA)
	write.Tags = append(write.Tags, model.String("otel.scope.name", "omitted"))
	tree, err := ReadTree(t.Context(), newStore(
		placed(jaegertest.Trace, 1, 0, "admit", 0), write, placed(jaegertest.Trace, 3, 2, "note", 50*ms), reconcile(childA.traceID(), 1, 0, 20*ms, childA),
	), jaegertest.TraceID)
	if err != nil {
		t.Fatal(err)
	}
	all := shape(tree.Forest())
	got, want := shape(tree.Without("omitted").Forest()), "admit in 0123\nreconcile child-a in "+childA.id()[:4]+"\nnote in 0123 (orphan)\n"
	if got != want {
		t.Errorf("Without(omitted) =\n%swant\n%s", got, want)
	}
	if now := shape(tree.Without("other").Forest()); now != all || shape(tree.Forest()) != all {
		t.Errorf("Without(other) =\n%swant\n%s", now, all)
	}
}
