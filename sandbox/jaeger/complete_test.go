package jaeger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jaegertracing/jaeger-idl/model/v1"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// timeline is a Jaeger to which spans come at given times after its start.
type timeline struct {
	start    time.Time
	spans    map[time.Duration]model.Span
	services []string
	// down is how long nobody answers.
	down time.Duration
	err  error
}

func (l *timeline) GetTrace(ctx context.Context, id string) (Trace, error) {
	if err := ctx.Err(); err != nil {
		return Trace{}, err
	}
	if l.err != nil {
		return Trace{}, l.err
	}
	since := time.Since(l.start)
	if since < l.down {
		return Trace{}, fmt.Errorf("dialing: %w", ErrUnreachable)
	}
	var spans []model.Span
	for at, s := range l.spans {
		if at <= since {
			spans = append(spans, s)
		}
	}
	if len(spans) == 0 {
		return Trace{}, fmt.Errorf("reading trace %s: %w", id, ErrNotFound)
	}
	return traceOf(spans...), nil
}

func (l *timeline) Services(ctx context.Context) ([]string, error) { return l.services, ctx.Err() }

func readyAfter(start time.Time, d time.Duration) func(context.Context) (bool, string, error) {
	return func(context.Context) (bool, string, error) {
		return time.Since(start) >= d, "Head default/x: Ready is False: waiting for ChildA", nil
	}
}

func TestWaitComplete(t *testing.T) {
	tree, err := spantree.Parse("test", "a\n  b\n  * c")
	if err != nil {
		t.Fatal(err)
	}
	a, b, c := modelSpan(1, 0, "a"), modelSpan(2, 1, "b"), modelSpan(3, 1, "c")
	const never = time.Hour
	tests := map[string]struct {
		timeline timeline
		tree     *spantree.Tree
		ready    time.Duration
		// took is when it is complete; 0 means never.
		took   time.Duration
		failed []Condition
		say    string
	}{
		"the quiet period counts from the last span": {
			timeline{spans: map[time.Duration]model.Span{0: a, 300 * time.Millisecond: b, time.Second: c}}, tree, 0, 2 * time.Second, nil, ""},
		"a late span that the tree does not need": {
			timeline{spans: map[time.Duration]model.Span{0: a, 100 * time.Millisecond: b, 900 * time.Millisecond: c}}, tree, 0, 1900 * time.Millisecond, nil, ""},
		"readiness comes last": {
			timeline{spans: map[time.Duration]model.Span{0: a, 1: b}}, tree, 3 * time.Second, 3 * time.Second, nil, ""},
		"without a tree": {
			timeline{spans: map[time.Duration]model.Span{500 * time.Millisecond: a}}, nil, 0, 1500 * time.Millisecond, nil, ""},
		"jaeger is down at first": {
			timeline{down: 2 * time.Second, spans: map[time.Duration]model.Span{0: a, 1: b}}, tree, 0, 3 * time.Second, nil, ""},
		"parents that come later": {
			timeline{spans: map[time.Duration]model.Span{0: b, 2 * time.Second: a}}, nil, 0, 3 * time.Second, nil, ""},
		"no span, and nobody exports": {
			timeline{}, tree, 0, 0, []Condition{ConditionSpans}, "Jaeger has no service at all"},
		"no span, but others": {
			timeline{services: []string{"x", "y"}}, tree, 0, 0, []Condition{ConditionSpans}, "Jaeger has other traces, of the services x, y"},
		"jaeger is down": {
			timeline{down: never}, nil, never, 0, []Condition{ConditionSpans, ConditionReady}, "dialing: jaeger is unreachable"},
		"a span is missing": {
			timeline{spans: map[time.Duration]model.Span{0: a}}, tree, 0, 0, []Condition{ConditionSpans}, "missing: b (line 2)"},
		"a parent is missing": {
			timeline{spans: map[time.Duration]model.Span{0: b}}, nil, 0, 0, []Condition{ConditionParents}, "b: orphan of span 0000000000000002 (parent 0000000000000001)"},
		"never ready": {
			timeline{spans: map[time.Duration]model.Span{0: a, 1: b}}, tree, never, 0, []Condition{ConditionReady}, "waiting for ChildA"},
		"never quiet": {
			timeline{spans: endless(never)}, nil, 0, 0, []Condition{ConditionQuiet}, "the last span came"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				test.timeline.start = start
				trace, err := WaitComplete(t.Context(), &test.timeline, testTraceID, Conditions{
					Tree: test.tree, Ready: readyAfter(start, test.ready), Timeout: 10 * time.Second,
				})
				took := time.Since(start)
				if test.took != 0 {
					if err != nil || took != test.took {
						t.Errorf("took %s, error %v; want %s", took, err, test.took)
					}
					return
				}
				var incomplete *IncompleteError
				if !errors.As(err, &incomplete) || !errors.Is(err, context.DeadlineExceeded) || took != 10*time.Second {
					t.Fatalf("after %s the error is %v, want an IncompleteError after 10 s", took, err)
				}
				var failed []Condition
				for _, f := range incomplete.Failures {
					failed = append(failed, f.Condition)
				}
				if diff := cmp.Diff(test.failed, failed); diff != "" {
					t.Errorf("failed conditions (-want +got):\n%s", diff)
				}
				if !strings.Contains(err.Error(), test.say) {
					t.Errorf("error does not say %q:\n%v", test.say, err)
				}
				if trace.Len() > 0 && !strings.Contains(err.Error(), trace.Spans()[0].Name+" [") {
					t.Errorf("error shows no trace:\n%v", err)
				}
			})
		})
	}
}

// A trace that is old when the waiting begins needs no quiet period; one that is not, does.
func TestWaitCompleteOfASettledTrace(t *testing.T) {
	for age, want := range map[time.Duration]time.Duration{time.Minute: 0, 3 * time.Second: 0, 0: time.Second} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			span := modelSpan(1, 0, "a")
			span.StartTime, span.Duration = start.Add(-age-time.Second), time.Second
			_, err := WaitComplete(t.Context(), &timeline{start: start, spans: map[time.Duration]model.Span{0: span}}, testTraceID, Conditions{
				Settled: 2 * time.Second,
			})
			if took := time.Since(start); err != nil || took != want {
				t.Errorf("a trace of age %s took %s, error %v; want %s", age, took, err, want)
			}
		})
	}
}

// endless gives a child every 900 ms.
func endless(until time.Duration) map[time.Duration]model.Span {
	spans := map[time.Duration]model.Span{0: modelSpan(1, 0, "a")}
	for at := time.Duration(0); at < min(until, 20*time.Second); at += 900 * time.Millisecond {
		spans[at+1] = modelSpan(uint64(at)+2, 1, "b")
	}
	return spans
}

func TestWaitCompleteStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("no such method")
		start := time.Now()
		if _, err := WaitComplete(t.Context(), &timeline{err: broken}, testTraceID, Conditions{}); !errors.Is(err, broken) || time.Since(start) != 0 {
			t.Errorf("an error that waiting can't change gives %v after %s", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		failing := func(context.Context) (bool, string, error) { return false, "", errors.New("reading Head: refused") }
		_, err := WaitComplete(ctx, &timeline{start: start}, testTraceID, Conditions{Ready: failing})
		if time.Since(start) != time.Second || !strings.Contains(err.Error(), "reading Head: refused") {
			t.Errorf("the context's end gives %v after %s", err, time.Since(start))
		}
	})
}
