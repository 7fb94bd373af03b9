package selftrace_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/operator-tracing/sandbox/sandbox/selftrace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// step records a step of so many seconds' beginning and end.
type step struct {
	name       string
	begin, end int
	needs      []string
}

func record(ctx context.Context, steps ...step) {
	start := time.Unix(1_800_000_000, 0)
	at := func(seconds int) trace.SpanEventOption {
		return trace.WithTimestamp(start.Add(time.Duration(seconds) * time.Second))
	}
	for _, s := range steps {
		_, span := selftrace.Tracer(ctx).Start(ctx, s.name, at(s.begin), trace.WithAttributes(selftrace.NeedsKey.StringSlice(s.needs)))
		span.End(at(s.end))
	}
}

func TestCriticalPath(t *testing.T) {
	for name, test := range map[string]struct {
		steps []step
		want  []selftrace.Stretch
	}{
		"nothing": {},
		"the longer of two that a step needs, whatever ran beside it": {
			steps: []step{
				{"cluster", 0, 10, nil},
				{"Jaeger", 10, 15, []string{"cluster"}},
				{"cert-manager", 10, 18, []string{"cluster"}},
				{"beside", 1, 17, nil},
				{"operator", 18, 21, []string{"Jaeger", "cert-manager"}},
			},
			want: []selftrace.Stretch{{"cluster", 10 * time.Second}, {"cert-manager", 8 * time.Second}, {"operator", 3 * time.Second}},
		},
		"plans one after the other": {
			steps: []step{{"choice", 0, 2, nil}, {"images", 2, 3, nil}, {"cluster", 3, 9, []string{"images"}}},
			want:  []selftrace.Stretch{{"choice", 2 * time.Second}, {"images", time.Second}, {"cluster", 6 * time.Second}},
		},
		"a need of an older plan's name": {
			steps: []step{{"images", 0, 1, nil}, {"cluster", 1, 2, []string{"images"}}, {"images", 2, 5, nil}, {"cluster", 5, 6, []string{"images"}}},
			want: []selftrace.Stretch{
				{"images", time.Second}, {"cluster", time.Second}, {"images", 3 * time.Second}, {"cluster", time.Second},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := selftrace.NewRecorder()
			ctx, root := r.Start(t.Context(), "up")
			record(ctx, test.steps...)
			root.End()
			if diff := cmp.Diff(test.want, r.CriticalPath()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Steps that take no time end when others begin, in both directions.
func TestCriticalPathEnds(t *testing.T) {
	r := selftrace.NewRecorder()
	ctx, _ := r.Start(t.Context(), "up")
	record(ctx, step{"a", 0, 0, nil}, step{"b", 0, 0, nil}, step{"c", 0, 0, nil})
	if got := r.CriticalPath(); len(got) != 3 {
		t.Errorf("a path of %v, want each step once", got)
	}
}

// Without a recorder's span in the context, steps record nothing, and cost nothing.
func TestWithoutARecorder(t *testing.T) {
	_, span := selftrace.Tracer(t.Context()).Start(t.Context(), "step")
	if span.IsRecording() {
		t.Error("a span without a recorder records")
	}
}

// The environment's options are for programs of the user.
func TestEnvironmentHasNoInfluence(t *testing.T) {
	t.Setenv("OTEL_TRACES_SAMPLER", "always_off")
	t.Setenv("OTEL_SERVICE_NAME", "other")
	r := selftrace.NewRecorder()
	_, span := r.Start(t.Context(), "up")
	if !span.SpanContext().IsSampled() {
		t.Error("OTEL_TRACES_SAMPLER switched the recorder off")
	}
}
