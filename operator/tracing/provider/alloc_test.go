package provider

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// maxMore limits the additional allocations of a wrapped reconcile with one create, against a
// hand-written one with the same spans.
const maxMore = 6

func TestAllocationsAboveByHand(t *testing.T) {
	w := newWorkload()
	count := func(f func() error) float64 {
		return testing.AllocsPerRun(1000, func() {
			if err := f(); err != nil {
				t.Fatal(err)
			}
		})
	}
	wrapped := count(w.wrapped(sdkProvider(sdktrace.AlwaysSample()), true))
	byHand := count(w.byHand(sdkProvider(sdktrace.AlwaysSample())))
	t.Logf("wrapped %.0f, by hand %.0f", wrapped, byHand)
	if wrapped-byHand > maxMore {
		t.Errorf("a wrapped reconcile has %.0f allocations, a hand-written one %.0f; want at most %d more", wrapped, byHand, maxMore)
	}
}

// TestByHandRecordsTheSameSpans keeps the comparison fair.
func TestByHandRecordsTheSameSpans(t *testing.T) {
	type span struct {
		Name, Parent string
		Attributes   map[attribute.Key]string
		Kind         int
	}
	w := newWorkload()
	record := func(run func(*sdktrace.TracerProvider) func() error) []span {
		t.Helper()
		recorder := tracetest.NewSpanRecorder()
		if err := run(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)))(); err != nil {
			t.Fatal(err)
		}
		names := map[string]string{}
		for _, s := range recorder.Ended() {
			names[s.SpanContext().SpanID().String()] = s.Name()
		}
		var out []span
		for _, s := range recorder.Ended() {
			one := span{Name: s.Name(), Kind: int(s.SpanKind()), Attributes: map[attribute.Key]string{}}
			one.Parent = s.Parent().SpanID().String()
			if name, ok := names[one.Parent]; ok {
				one.Parent = name
			}
			for _, a := range s.Attributes() {
				one.Attributes[a.Key] = fmt.Sprint(a.Value.AsInterface())
			}
			out = append(out, one)
		}
		return out
	}
	wrapped := record(func(tp *sdktrace.TracerProvider) func() error { return w.wrapped(tp, true) })
	byHand := record(func(tp *sdktrace.TracerProvider) func() error { return w.byHand(tp) })
	if diff := cmp.Diff(byHand, wrapped, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("spans (-by hand +wrapped):\n%s", diff)
	}
}
