package assess

import (
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/explain/finding"
)

// "no findings" is said only of a finished trace.
func TestReportOfAnUnfinishedTrace(t *testing.T) {
	t.Parallel()
	for unfinished, want := range map[string]string{
		"": "trace 1\nno findings\n",
		"Head default/web: the condition Ready is False so far": "trace 1\nno findings so far\nthe trace is not finished: Head default/web: the condition Ready is False so far; repeat the command when the object is ready\n",
	} {
		got := report{TraceID: "1", Findings: []finding.Finding{}, Unfinished: unfinished}.String()
		if got != want {
			t.Errorf("String() = %q, want %q", got, want)
		}
	}
	found := report{TraceID: "1", Findings: []finding.Finding{{ID: "hot-loop"}}, Unfinished: "a"}.String()
	if !strings.Contains(found, "1 finding\nthe trace is not finished: a;") {
		t.Errorf("String() with a finding = %q", found)
	}
}
