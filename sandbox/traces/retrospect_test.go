package traces

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/observe/retrospect/fetch"
)

// A reconstructed trace names what could not be read, once.
func TestGaps(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		family fetch.Family
		want   []string
	}{
		"complete": {},
		"no permission": {
			family: fetch.Family{Skipped: []string{"Event", "Secret"}},
			want:   []string{"incomplete: no permission to read Event, Secret"},
		},
		"too many": {
			family: fetch.Family{Cut: true},
			want:   []string{"incomplete: at most 1000 objects and 10000 Events are read"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			traces := ptrace.NewTraces()
			spans := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
			for id := range byte(3) {
				span := spans.AppendEmpty()
				span.SetTraceID([16]byte{1})
				span.SetSpanID([8]byte{id + 1})
			}
			markGaps(traces, &test.family)
			if diff := cmp.Diff(test.want, Gaps(tracetree.FromOTLP(traces)[0])); diff != "" {
				t.Errorf("Gaps() (-want +got):\n%s", diff)
			}
		})
	}
}
