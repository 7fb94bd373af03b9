package show

import (
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/observe/retrospect"
)

// A reconstructed trace says so above the tree, and in the title of a page or picture.
func TestReconstructedHeading(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		marked, gaps    bool
		title           string
		heading, titled string
	}{
		"observed":      {false, false, "Head a", "trace 01000000000000000000000000000000\n", "Head a"},
		"reconstructed": {true, false, "Head a", "trace 01000000000000000000000000000000\nreconstructed from objects and Events, times have a resolution of 1 s\n", "Head a (reconstructed, resolution 1 s)"},
		"no title":      {true, false, "", "trace 01000000000000000000000000000000\nreconstructed from objects and Events, times have a resolution of 1 s\n", "Trace 01000000000000000000000000000000 (reconstructed, resolution 1 s)"},
		"with gaps": {true, true, "Head a", "trace 01000000000000000000000000000000\nreconstructed from objects and Events, times have a resolution of 1 s\n" +
			"incomplete: no permission to read Secret, Event\nincomplete: at most 1000 objects and 10000 Events are read\n", "Head a (reconstructed, resolution 1 s)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			traces := ptrace.NewTraces()
			span := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
			span.SetTraceID([16]byte{1})
			span.SetSpanID([8]byte{1})
			if test.marked {
				span.Attributes().PutBool(retrospect.AttributeReconstructed, true)
			}
			if test.gaps {
				span.Attributes().PutStr(retrospect.AttributeUnread, "Secret, Event")
				span.Attributes().PutBool(retrospect.AttributeTruncated, true)
			}
			trace := tracetree.FromOTLP(traces)[0]
			if got := heading(trace, 0); got != test.heading {
				t.Errorf("heading = %q, want %q", got, test.heading)
			}
			if got := titleOf(trace, test.title); got != test.titled {
				t.Errorf("titleOf(%q) = %q, want %q", test.title, got, test.titled)
			}
		})
	}
}
