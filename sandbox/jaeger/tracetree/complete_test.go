package tracetree

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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/internal/jaegertest"
)

// timeline is a Jaeger that receives spans at given times after its start.
type timeline struct {
	start    time.Time
	spans    map[time.Duration]model.Span
	services []string
	// down is the time until it responds.
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

type readinessCheck = func(context.Context) (Readiness, error)

func readyAfter(start time.Time, d time.Duration) readinessCheck {
	return func(context.Context) (Readiness, error) {
		return Readiness{Ready: time.Since(start) >= d, State: "Head default/x: Ready is False: waiting for ChildA"}, nil
	}
}

func TestWaitComplete(t *testing.T) {
	tree, err := spantree.Parse("test", "a\n  b\n  * c")
	if err != nil {
		t.Fatal(err)
	}
	a, b, c := jaegertest.Span(1, 0, "a"), jaegertest.Span(2, 1, "b"), jaegertest.Span(3, 1, "c")
	const never = time.Hour
	tests := map[string]struct {
		timeline timeline
		tree     *spantree.Tree
		ready    time.Duration
		// took is the time until the trace is complete; 0 means never.
		took   time.Duration
		failed []Condition
		say    string
	}{
		"the quiet period counts from the last span": {
			timeline{spans: map[time.Duration]model.Span{0: a, 300 * time.Millisecond: b, time.Second: c}}, tree, 0, 2 * time.Second, nil, ""},
		"a late span that the tree does not need": {
			timeline{spans: map[time.Duration]model.Span{0: a, 100 * time.Millisecond: b, 900 * time.Millisecond: c}}, tree, 0, 1900 * time.Millisecond, nil, ""},
		"readiness comes last": {
			timeline{spans: map[time.Duration]model.Span{0: a, 1: b}}, tree, 3 * time.Second, 4 * time.Second, nil, ""},
		"without a tree": {
			timeline{spans: map[time.Duration]model.Span{500 * time.Millisecond: a}}, nil, 0, 1500 * time.Millisecond, nil, ""},
		"jaeger is down at first": {
			timeline{down: 2 * time.Second, spans: map[time.Duration]model.Span{0: a, 1: b}}, tree, 0, 3 * time.Second, nil, ""},
		"parents that come later": {
			timeline{spans: map[time.Duration]model.Span{0: b, 2 * time.Second: a}}, nil, 0, 3 * time.Second, nil, ""},
		"no span and no services": {
			timeline{}, tree, 0, 0, []Condition{ConditionSpans}, "Jaeger has no services"},
		"no span, but others": {
			timeline{services: []string{"x", "y"}}, tree, 0, 0, []Condition{ConditionSpans}, "Jaeger has other traces of the services x, y"},
		"jaeger is down": {
			timeline{down: never}, nil, never, 0, []Condition{ConditionSpans, ConditionReady}, "dialing: jaeger is unreachable"},
		"a span is missing": {
			timeline{spans: map[time.Duration]model.Span{0: a}}, tree, 0, 0, []Condition{ConditionSpans}, "missing: b (line 2)"},
		"a parent is missing": {
			timeline{spans: map[time.Duration]model.Span{0: b}}, nil, 0, 0, []Condition{ConditionParents}, "b: orphan of span 0000000000000002 (parent 0000000000000001)"},
		"never ready": {
			timeline{spans: map[time.Duration]model.Span{0: a, 1: b}}, tree, never, 0, []Condition{ConditionReady}, "waiting for ChildA"},
		"never quiet": {
			timeline{spans: endless(never)}, nil, 0, 0, []Condition{ConditionQuiet}, "the last span arrived"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				test.timeline.start = start
				trace, err := WaitComplete(t.Context(), &test.timeline, jaegertest.TraceID, Conditions{
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
				for _, f := range incomplete.Failures() {
					failed = append(failed, f.Condition)
				}
				if diff := cmp.Diff(test.failed, failed); diff != "" {
					t.Errorf("failed conditions (-want +got):\n%s", diff)
				}
				if !strings.Contains(err.Error(), test.say) {
					t.Errorf("error does not contain %q:\n%v", test.say, err)
				}
				if trace.Len() > 0 && !strings.Contains(err.Error(), trace.Spans()[0].Name+" [") {
					t.Errorf("error does not contain the trace:\n%v", err)
				}
			})
		})
	}
}

// A Completion has the time at which each condition became true, and the failures as values.
func TestCompletionStates(t *testing.T) {
	tree, err := spantree.Parse("test", "a\n  b")
	if err != nil {
		t.Fatal(err)
	}
	a, b, c := jaegertest.Span(1, 0, "a"), jaegertest.Span(2, 1, "b"), jaegertest.Span(3, 9, "c")
	type state struct {
		asked, holds bool
		since        time.Duration
	}
	const ms = time.Millisecond
	tests := map[string]struct {
		timeline timeline
		ready    func(time.Time) readinessCheck
		want     [4]state
		check    func(*testing.T, Completion)
	}{
		"complete": {
			timeline{down: 200 * ms, spans: map[time.Duration]model.Span{300 * ms: a, 500 * ms: b}}, after(2 * time.Second),
			[4]state{{true, true, 500 * ms}, {true, true, 300 * ms}, {true, true, 3 * time.Second}, {true, true, 2 * time.Second}},
			func(t *testing.T, c Completion) {
				if want := "expected spans: since 500ms\nno missing parents: since 300ms\nquiet period: since 3s\nobject ready: since 2s"; c.String() != want {
					t.Errorf("text %q, want %q", c, want)
				}
			}},
		"not asked for readiness": {
			timeline{spans: map[time.Duration]model.Span{0: a, 1: b}}, nil,
			[4]state{{true, true, 100 * ms}, {true, true, 0}, {true, true, 1100 * ms}, {}}, nil},
		"a condition that held and does not": {
			timeline{spans: map[time.Duration]model.Span{0: a, 100 * ms: b, 800 * ms: c}}, after(5 * time.Second),
			[4]state{{true, false, 0}, {true, false, 0}, {true, true, 6 * time.Second}, {true, true, 5 * time.Second}},
			func(t *testing.T, c Completion) {
				if len(c.Defective) != 1 || c.Defective[0].Span.Name != "c" || c.Result == nil || c.Result.OK() || c.Reading != nil {
					t.Errorf("defective %v, result %v, reading %v", c.Defective, c.Result, c.Reading)
				}
			}},
		"never a span": {
			timeline{services: []string{"x"}}, func(time.Time) readinessCheck {
				return func(context.Context) (Readiness, error) {
					return Readiness{State: "no image"}, errors.New("refused")
				}
			},
			[4]state{{true, false, 0}, {}, {}, {true, false, 0}},
			func(t *testing.T, c Completion) {
				if !errors.Is(c.Reading, ErrNotFound) || cmp.Diff([]string{"x"}, c.Services) != "" || c.State(ConditionReady).Reason != "refused" {
					t.Errorf("reading %v, services %v, ready: %q", c.Reading, c.Services, c.State(ConditionReady).Reason)
				}
			}},
		"jaeger went away": {
			timeline{down: time.Hour}, after(0),
			[4]state{{true, false, 0}, {}, {}, {true, true, 0}},
			func(t *testing.T, c Completion) {
				if !errors.Is(c.Reading, ErrUnreachable) || c.Services != nil {
					t.Errorf("reading %v, services %v", c.Reading, c.Services)
				}
			}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test.timeline.start = time.Now()
				asked := Conditions{Tree: tree, Timeout: 10 * time.Second}
				if test.ready != nil {
					asked.Ready = test.ready(time.Now())
				}
				got, err := Complete(t.Context(), &test.timeline, jaegertest.TraceID, asked)
				since := func(at time.Time) time.Duration {
					if at.IsZero() {
						return -1
					}
					return at.Sub(got.Begun)
				}
				var states [4]state
				for i, s := range got.States {
					if s.Condition != conditions[i] || (s.Reason != "") != (s.Asked && !s.Holds) || s.Holds == s.Since.IsZero() {
						t.Errorf("state %d is %+v", i, s)
					}
					states[i] = state{s.Asked, s.Holds, max(0, since(s.Since))}
				}
				if diff := cmp.Diff(test.want, states, cmp.AllowUnexported(state{})); diff != "" {
					t.Errorf("states (-want +got):\n%s", diff)
				}
				if (err == nil) != got.Complete() || got.Waited != time.Since(got.Begun) {
					t.Errorf("complete: %t after %s, error %v", got.Complete(), got.Waited, err)
				}
				if incomplete := (*IncompleteError)(nil); err != nil && (!errors.As(err, &incomplete) || len(incomplete.Failures()) != len(got.Failures())) {
					t.Errorf("error is %v", err)
				}
				if test.check != nil {
					test.check(t, got)
				}
			})
		})
	}
}

func after(d time.Duration) func(time.Time) readinessCheck {
	return func(start time.Time) readinessCheck { return readyAfter(start, d) }
}

// If the trace and its object are old, no quiet period is required. Otherwise it starts when the
// object is ready.
func TestWaitCompleteOfASettledTrace(t *testing.T) {
	const ready, unknown = time.Duration(-1), time.Duration(-2)
	for name, test := range map[string]struct {
		age, since, readyAfter, want time.Duration
	}{
		"old":                               {time.Minute, ready, 0, 0},
		"just old enough":                   {3 * time.Second, ready, 0, 0},
		"new":                               {0, ready, 0, time.Second},
		"with its object old":               {time.Minute, time.Minute, 0, 0},
		"whose object was written just now": {time.Minute, 0, 0, time.Second},
		"of an object of unknown age":       {time.Minute, unknown, 0, time.Second},
		"whose object gets ready late":      {time.Minute, 0, 5 * time.Second, 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				span := jaegertest.Span(1, 0, "a")
				span.StartTime, span.Duration = start.Add(-test.age-time.Second), time.Second
				asked := Conditions{Settled: 2 * time.Second}
				if test.since != ready {
					asked.Ready = func(context.Context) (Readiness, error) {
						is := Readiness{Ready: time.Since(start) >= test.readyAfter}
						if test.since != unknown {
							is.Since = start.Add(test.readyAfter - test.since)
						}
						return is, nil
					}
				}
				_, err := WaitComplete(t.Context(), &timeline{start: start, spans: map[time.Duration]model.Span{0: span}}, jaegertest.TraceID, asked)
				if took := time.Since(start); err != nil || took != test.want {
					t.Errorf("it took %s, error %v; want %s", took, err, test.want)
				}
			})
		})
	}
}

func TestLastWrite(t *testing.T) {
	at := func(seconds int64) *metav1.Time { return &metav1.Time{Time: time.Unix(seconds, 0)} }
	for _, test := range []struct {
		fields []metav1.ManagedFieldsEntry
		want   time.Time
	}{
		{nil, time.Time{}},
		{[]metav1.ManagedFieldsEntry{{}}, time.Time{}},
		{[]metav1.ManagedFieldsEntry{{Time: at(10)}, {Time: at(30)}, {}, {Time: at(20)}}, time.Unix(31, 0)},
	} {
		if got := LastWrite(&metav1.ObjectMeta{ManagedFields: test.fields}); !got.Equal(test.want) {
			t.Errorf("LastWrite with %v = %s, want %s", test.fields, got, test.want)
		}
	}
}

// endless returns a timeline with a new child every 900 ms.
func endless(until time.Duration) map[time.Duration]model.Span {
	spans := map[time.Duration]model.Span{0: jaegertest.Span(1, 0, "a")}
	for at := time.Duration(0); at < min(until, 20*time.Second); at += 900 * time.Millisecond {
		spans[at+1] = jaegertest.Span(uint64(at)+2, 1, "b")
	}
	return spans
}

func TestWaitCompleteStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("no such method")
		start := time.Now()
		if _, err := WaitComplete(t.Context(), &timeline{err: broken}, jaegertest.TraceID, Conditions{}); !errors.Is(err, broken) || time.Since(start) != 0 {
			t.Errorf("WaitComplete with a permanent error = %v after %s, want the error at once", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		failing := func(context.Context) (Readiness, error) { return Readiness{}, errors.New("reading Head: refused") }
		_, err := WaitComplete(ctx, &timeline{start: start}, jaegertest.TraceID, Conditions{Ready: failing})
		if time.Since(start) != time.Second || !strings.Contains(err.Error(), "reading Head: refused") {
			t.Errorf("WaitComplete with a cancelled context = %v after %s, want an IncompleteError at once", err, time.Since(start))
		}
	})
}
