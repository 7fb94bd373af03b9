package finding

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
)

// lines returns the findings as in the tests.
func lines(found []Finding) []string {
	var out []string
	for _, f := range found {
		var ids []string
		for _, e := range f.Evidence {
			ids = append(ids, e.SpanID)
		}
		out = append(out, fmt.Sprintf("%s %s: %s [%s]", f.ID, f.Object, f.Summary, strings.Join(ids, " ")))
	}
	return out
}

func TestFind(t *testing.T) {
	t.Parallel()
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := &builder{}
			tc.build(b)
			if diff := cmp.Diff(tc.want, lines(Find(spantree.Build(b.spans), tc.options))); diff != "" {
				t.Errorf("Find (-want +got):\n%s", diff)
			}
		})
	}
	if got := Find(nil, Options{}); got != nil {
		t.Errorf("Find(nil) = %v, want nil", got)
	}
}

// TestEvidenceIsBounded: a finding lists at most MaxEvidence spans and counts the others.
func TestEvidenceIsBounded(t *testing.T) {
	t.Parallel()
	b := &builder{}
	chain(b, 100)
	found := Find(spantree.Build(b.spans), Options{})
	if len(found) != 1 || len(found[0].Evidence) != MaxEvidence || found[0].More != 101-MaxEvidence {
		t.Errorf("Find = %+v, want one finding with %d spans and %d more", found, MaxEvidence, 101-MaxEvidence)
	}
}

// TestDetectors: each detector has a test above, two lines of explanation, and a section in the
// document.
func TestDetectors(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../../docs/findings.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range Detectors() {
		if strings.Count(d.Explanation, "\n") != 1 || d.Title == "" {
			t.Errorf("%s: title %q, explanation %q; want two lines", d.ID, d.Title, d.Explanation)
		}
		if !strings.Contains(string(document), "\n## "+d.ID+"\n") {
			t.Errorf("docs/findings.md has no section %s", d.ID)
		}
		tested := false
		for _, tc := range tests {
			for _, want := range tc.want {
				tested = tested || strings.HasPrefix(want, d.ID+" ")
			}
		}
		if !tested {
			t.Errorf("no test finds %s", d.ID)
		}
	}
}

// TestHealthyTraces: the recorded trace of the documentation, and a trace with one span for each line of
// the trees that the end-to-end tests expect, have no finding.
func TestHealthyTraces(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../../docs/trace.json")
	if err != nil {
		t.Fatal(err)
	}
	traces, err := tracetree.ReadOTLP("trace.json", data)
	if err != nil {
		t.Fatal(err)
	}
	if got := Find(traces[0].Forest(), Options{}); got != nil {
		t.Errorf("docs/trace.json: Find = %v, want none", lines(got))
	}
	files, err := filepath.Glob("../../../e2e/testdata/*.tree")
	if err != nil || len(files) < 10 {
		t.Fatalf("Glob = %d files, %v, want the trees of e2e", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tree, err := spantree.Parse(file, string(text))
		if err != nil {
			t.Fatal(err)
		}
		s := &sketch{}
		s.add("", "", tree.Roots)
		if got := Find(spantree.Build(s.spans), Options{}); got != nil {
			t.Errorf("%s: Find = %v, want none", filepath.Base(file), lines(got))
		}
	}
}

// sketch has a span for each line of expected trees.
type sketch struct{ spans []spantree.Span }

func (s *sketch) add(parent, service string, expected []*spantree.Expected) {
	for _, line := range expected {
		if line.Service != "" {
			service = line.Service
		}
		span := spantree.Span{
			TraceID: "1", SpanID: fmt.Sprintf("%x", len(s.spans)+1), ParentSpanID: parent, Name: line.Name, Kind: line.Kind, Service: service,
			Start: begin.Add(time.Duration(len(s.spans)) * time.Millisecond), Attributes: map[string]any{},
		}
		for _, c := range line.Conditions {
			switch {
			case c.Subject == spantree.SubjectAttribute && c.Operator == spantree.Equals:
				span.Attributes[c.Key] = c.Value
			case c.Subject == spantree.SubjectEvent && c.Operator == spantree.Equals:
				span.Events = append(span.Events, spantree.Event{Name: c.Value, Time: span.Start})
			}
		}
		s.spans = append(s.spans, span)
		s.add(span.SpanID, service, line.Children)
	}
}

// TestRecordedTraces: of the recordings, only the webhook that is down shows a defect, and an adopter,
// whose second reconcile read an old version of its object.
func TestRecordedTraces(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../testdata/recorded/*.json")
	if err != nil || len(files) < 5 {
		t.Fatalf("Glob = %d files, %v, want the recorded scenarios", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		traces, err := tracetree.ReadOTLP(file, data)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"webhook-down.json": "constant-error", "adopter.json": "stale-read-conflict"}[filepath.Base(file)]
		var got []string
		for _, trace := range tracetree.Join(traces) {
			for _, f := range Find(trace.Forest(), Options{}) {
				got = append(got, f.ID)
			}
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: Find = %q, want %q", filepath.Base(file), got, want)
		}
	}
}

// A live trace is unfinished while its object may still reach its condition.
func TestUnfinished(t *testing.T) {
	t.Parallel()
	const soon, late = 30 * time.Second, time.Hour
	for name, test := range map[string]struct {
		status string
		after  time.Duration
		want   string
	}{
		"not ready yet":  {"Ready: none→False", soon, "Cache default/web: the condition Ready is False so far"},
		"no condition":   {"", soon, "Cache default/web: no write set the condition Ready or Available"},
		"ready":          {"Ready: False→True", soon, ""},
		"a minute later": {"Ready: none→False", late, ""},
		"a file":         {"Ready: none→False", 0, ""},
	} {
		var b builder
		r := b.reconcile(-1, nil)
		if test.status != "" {
			b.add(r, "update_status", "Cache", "CLIENT", nil, test.status)
		}
		var o Options
		if test.after > 0 {
			o.Now = b.at.Add(test.after)
		}
		if got := Unfinished(spantree.Build(b.spans), o); got != test.want {
			t.Errorf("%s: Unfinished() = %q, want %q", name, got, test.want)
		}
	}
}
