package traces

import (
	"slices"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

func TestNameOperator(t *testing.T) {
	t.Parallel()
	for cluster, want := range map[string][]string{
		component.Embedded: {"demo-services-for-tracing", "kubelet"},
		component.Kind:     {"demo-services-for-tracing", "kubelet"},
		component.Existing: {"operator", "kubelet"}, // It may be another operator.
	} {
		t.Run(cluster, func(t *testing.T) {
			t.Parallel()
			spans := ptrace.NewTraces()
			for _, name := range []string{"operator", "kubelet"} {
				spans.ResourceSpans().AppendEmpty().Resource().Attributes().PutStr("service.name", name)
			}
			s := &session.Session{Dir: state.Dir{Path: t.TempDir()}, Record: state.Record{Cluster: cluster}}
			if err := NewReader(s, nil).NameOperator(spans); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, resource := range spans.ResourceSpans().All() {
				name, _ := resource.Resource().Attributes().Get("service.name")
				got = append(got, name.AsString())
			}
			if !slices.Equal(got, want) {
				t.Errorf("services = %q, want %q", got, want)
			}
		})
	}
}
