package provider

import (
	"context"
	"errors"
	"math"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

func spanContext(trace1, span1 byte, flags trace.TraceFlags, remote bool) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{trace1}, SpanID: trace.SpanID{span1}, TraceFlags: flags, Remote: remote})
}

// recorded reports whether a sampler records a span with this parent and these links.
func recorded(ctx context.Context, s sdktrace.Sampler, parent trace.SpanContext, links ...trace.SpanContext) bool {
	p := sdktrace.SamplingParameters{ParentContext: trace.ContextWithSpanContext(ctx, parent), TraceID: parent.TraceID()}
	for _, l := range links {
		p.Links = append(p.Links, trace.Link{SpanContext: l})
	}
	return s.ShouldSample(p).Decision == sdktrace.RecordAndSample
}

func TestLinksBased(t *testing.T) {
	var (
		none      trace.SpanContext
		sampled   = spanContext(1, 1, trace.FlagsSampled, true)
		unsampled = spanContext(2, 1, 0, true)
		inTrace   = spanContext(3, 0, 0, true) // a root in the trace of a generation
		invalid   = spanContext(0, 0, trace.FlagsSampled, true)
	)
	never, always := sdktrace.NeverSample(), sdktrace.AlwaysSample()
	for name, tc := range map[string]struct {
		sampler sdktrace.Sampler
		parent  trace.SpanContext
		links   []trace.SpanContext
		want    bool
	}{
		"no link, root says no":          {LinksBased(never), none, nil, false},
		"no link, root says yes":         {LinksBased(always), none, nil, true},
		"nil root":                       {LinksBased(nil), none, nil, true},
		"sampled link":                   {LinksBased(never), none, []trace.SpanContext{unsampled, sampled}, true},
		"sampled link of a generation's": {LinksBased(never), inTrace, []trace.SpanContext{sampled}, true},
		"unsampled links":                {LinksBased(never), none, []trace.SpanContext{unsampled}, false},
		"unsampled links, root says yes": {LinksBased(always), none, []trace.SpanContext{unsampled}, true},
		"invalid link":                   {LinksBased(never), none, []trace.SpanContext{invalid}, false},
		"parent is root's":               {LinksBased(never), unsampled, []trace.SpanContext{sampled}, false},
		"inside parent-based, a parent":  {sdktrace.ParentBased(LinksBased(always)), unsampled, []trace.SpanContext{sampled}, false},
		"inside parent-based, a root":    {sdktrace.ParentBased(LinksBased(never)), inTrace, []trace.SpanContext{sampled}, true},
		"around parent-based, a parent":  {LinksBased(sdktrace.ParentBased(never)), sampled, []trace.SpanContext{unsampled}, true},
		"around parent-based, unsampled": {LinksBased(sdktrace.ParentBased(always)), unsampled, []trace.SpanContext{sampled}, false},
	} {
		if got := recorded(t.Context(), tc.sampler, tc.parent, tc.links...); got != tc.want {
			t.Errorf("%s: sampled %t, want %t", name, got, tc.want)
		}
	}
}

// TestRandomRatioIsRandom: the trace id does not matter.
func TestRandomRatioIsRandom(t *testing.T) {
	dice := []float64{0, 0.249, 0.25, 0.999}
	for _, parent := range []trace.SpanContext{{}, spanContext(0xff, 1, trace.FlagsSampled, true), spanContext(1, 1, 0, true)} {
		s := RandomRatio(0.25).(*randomRatio)
		i := -1
		s.random = func() float64 { i++; return dice[i] }
		for n, want := range []bool{true, true, false, false} {
			if got := recorded(t.Context(), s, parent); got != want {
				t.Errorf("parent %v, dice %g: sampled %t, want %t", parent, dice[n], got, want)
			}
		}
	}
}

// TestRandomRatioIsTheFraction uses the real random numbers for one trace id. The result of 20,000
// draws is 6 standard deviations from a quarter about twice in a billion runs.
func TestRandomRatioIsTheFraction(t *testing.T) {
	const throws, fraction = 20000, 0.25
	s, n := RandomRatio(fraction), 0
	for range throws {
		if recorded(t.Context(), s, spanContext(1, 1, 0, true)) {
			n++
		}
	}
	if off := math.Abs(float64(n) - throws*fraction); off > 6*math.Sqrt(throws*fraction*(1-fraction)) {
		t.Errorf("%d of %d were sampled, want about a quarter", n, throws)
	}
}

// TestRandomRatioAgreesOnGenerations: two processes make the same decision for the roots of a
// generation. A quarter of the generations is sampled.
func TestRandomRatioAgreesOnGenerations(t *testing.T) {
	one, two, n := RandomRatio(0.25), RandomRatio(0.25), 0
	for i := range 256 {
		parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1, 8: byte(i)}, Remote: true})
		first := recorded(t.Context(), one, parent)
		for range 8 {
			if recorded(t.Context(), two, parent) != first {
				t.Fatalf("roots of trace %s have different decisions", parent.TraceID())
			}
		}
		if first {
			n++
		}
	}
	if n != 64 { // i is the highest byte of the number that the SDK compares with the ratio
		t.Errorf("%d of 256 trace ids are sampled, want a quarter", n)
	}
}

func TestRandomRatioEdges(t *testing.T) {
	local, localUnsampled := spanContext(1, 1, trace.FlagsSampled, false), spanContext(1, 1, 0, false)
	inTrace := spanContext(1, 0, 0, true)
	for fraction, want := range map[float64]bool{0: false, -1: false, math.NaN(): false, 1: true, 2: true, math.Inf(1): true} {
		s := RandomRatio(fraction)
		for _, parent := range []trace.SpanContext{{}, inTrace} {
			if got := recorded(t.Context(), s, parent); got != want {
				t.Errorf("fraction %g, parent %v: sampled %t, want %t", fraction, parent, got, want)
			}
		}
		if !recorded(t.Context(), s, local) || recorded(t.Context(), s, localUnsampled) {
			t.Errorf("fraction %g: a span has not the decision of its parent in this process", fraction)
		}
	}
	if got := LinksBased(RandomRatio(0.5)).Description(); got != "LinksBased{RandomRatio{0.5}}" {
		t.Errorf("description %s", got)
	}
}

// TestSamplerNames covers the grammar of OTEL_TRACES_SAMPLER.
func TestSamplerNames(t *testing.T) {
	parentBased := sdktrace.ParentBased(sdktrace.NeverSample()).Description()
	inParentBased := func(root string) string { return strings.Replace(parentBased, "AlwaysOffSampler", root, 1) }
	roots := map[string]string{
		"always_on": "AlwaysOnSampler", "always_off": "AlwaysOffSampler",
		"traceidratio": "TraceIDRatioBased{0.5}", "randomratio": "RandomRatio{0.5}",
	}
	for name, root := range roots {
		for value, want := range map[string]string{
			name:                                    root,
			"linksbased_" + name:                    "LinksBased{" + root + "}",
			"parentbased_" + name:                   inParentBased(root),
			" ParentBased_LinksBased_" + name + " ": inParentBased("LinksBased{" + root + "}"),
		} {
			environment(t, map[string]string{samplerKey: value, samplerArgKey: "0.5"})
			v := readVariables()
			if s := v.sampler(nil); len(v.problems) > 0 || s.Description() != want {
				t.Errorf("%s: %v, problems %v, want %s", value, s, v.problems, want)
			}
		}
	}
	for _, value := range []string{"linksbased_parentbased_always_on", "parentbased_", "linksbased_", "linksbased", "parentbased_parentbased_always_on", "ratio"} {
		environment(t, map[string]string{samplerKey: value})
		v := readVariables()
		s := v.sampler(sdktrace.NeverSample())
		if err := errors.Join(v.problems...); err == nil || !strings.Contains(err.Error(), value) || s.Description() != "AlwaysOffSampler" {
			t.Errorf("%s: %v, error %v, want an error with the value, and the fallback", value, s, err)
		}
	}
}

// TestSDKReportsNoSampler: the SDK knows fewer samplers, and must not report ours as unsupported.
func TestSDKReportsNoSampler(t *testing.T) {
	var mu sync.Mutex
	var lines []string
	logger := funcr.New(func(_, args string) {
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(args, "sampler") { // Providers of other tests may still log that their collector stopped.
			lines = append(lines, args)
		}
	}, funcr.Options{})
	t.Cleanup(func() { otel.SetErrorHandler(newErrorHandler(logr.Discard())) })
	const name = "parentbased_linksbased_randomratio"
	environment(t, map[string]string{samplerKey: name, exporterKey: "none"})
	p, err := New(t.Context(), WithLogger(logger))
	mu.Lock()
	if err != nil || len(lines) > 0 {
		t.Errorf("error %v, logged %q", err, lines)
	}
	mu.Unlock()
	if got := os.Getenv(samplerKey); got != name {
		t.Errorf("%s is %q afterwards", samplerKey, got)
	}
	if err := p.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestWithSampler: the environment has precedence, and nil is ignored.
func TestWithSampler(t *testing.T) {
	for name, tc := range map[string]struct {
		env     string
		sampler sdktrace.Sampler
		want    bool
	}{
		"the operator's":    {"", sdktrace.NeverSample(), false},
		"the environment's": {"always_on", sdktrace.NeverSample(), true},
		"nil":               {"", nil, true},
	} {
		environment(t, map[string]string{samplerKey: tc.env, exporterKey: "none"})
		p, err := New(t.Context(), WithSampler(tc.sampler))
		if err != nil {
			t.Fatal(err)
		}
		_, span := p.TracerProvider().Tracer("test").Start(t.Context(), "span")
		if got := span.SpanContext().IsSampled(); got != tc.want {
			t.Errorf("%s: sampled %t, want %t", name, got, tc.want)
		}
		if err := p.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if !recorded(t.Context(), IgnoreUntrusted(nil), trace.SpanContext{}) {
		t.Error("IgnoreUntrusted(nil) does not sample a root, as the SDK's default does")
	}
}
