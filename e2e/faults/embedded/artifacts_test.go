package embedded

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/jaeger"
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/observe"
)

// headTrace is the end-to-end test that these tests run, and the folder of its artifacts.
const (
	headTrace          = "-test.run=^TestHeadTrace$"
	headTraceArtifacts = "TestHeadTrace_a_new_Head_is_one_trace"
)

// TestArtifactsOfAFailure makes an end-to-end test fail with a missing span. Its artifacts have the
// reason, and a new Jaeger can load them. Then -update writes the expected tree of the actual
// trace, so that the test passes.
func TestArtifactsOfAFailure(t *testing.T) {
	s := newSandbox(t)
	s.up()
	repository := s.Repository()
	tree := filepath.Join(repository, "e2e", "testdata", "create.tree")
	committed := s.read(tree)
	const unmade = "  dance Head [INTERNAL]\n"
	if err := os.WriteFile(tree, []byte(strings.TrimRight(committed, "\n")+"\n"+unmade), 0o644); err != nil {
		t.Fatal(err)
	}

	said, code := s.Tests(repository, headTrace, "-trace-limit=8s")
	if code != 1 || !strings.Contains(said, "dance Head") || !strings.Contains(said, filepath.Join("artifacts", headTraceArtifacts)) {
		t.Fatalf("exit code %d, want 1, the span that is missing, and where the artifacts are:\n%s", code, said)
	}
	id := s.wantArtifacts(filepath.Join(repository, "artifacts", headTraceArtifacts))
	s.WantNoSecrets(filepath.Join(repository, "artifacts"))
	s.wantLoaded(filepath.Join(repository, "artifacts", headTraceArtifacts), id)

	if said, code := s.Tests(repository, headTrace, "-update"); code != 0 {
		t.Fatalf("-update: exit code %d:\n%s", code, said)
	}
	if diff := cmp.Diff(committed, s.read(tree)); diff != "" {
		t.Errorf("the updated tree (-as it was committed +now):\n%s", diff)
	}
	if said, code := s.Tests(repository, headTrace); code != 0 {
		t.Errorf("with the updated tree: exit code %d:\n%s", code, said)
	}
	if said, code := s.Tests(repository, headTrace, "--labels=needs=kubelet"); code != 0 || !strings.Contains(said, "SKIP: TestHeadTrace/") {
		t.Errorf("with a label that the feature does not have: exit code %d, want it to be left out:\n%s", code, said)
	}
}

// wantArtifacts checks the artifacts of a failed test, and returns the id of its trace.
func (s *sandbox) wantArtifacts(folder string) string {
	s.T.Helper()
	traces, err := filepath.Glob(filepath.Join(folder, "trace-*.json"))
	if err != nil || len(traces) != 1 {
		s.T.Fatalf("traces %q (%v), want one", traces, err)
	}
	id := regexp.MustCompile(`[0-9a-f]{32}`).FindString(filepath.Base(traces[0]))
	for file, word := range map[string]string{
		"trace-" + id + ".tree":          "create ChildA",
		"trace-" + id + ".expected.tree": "dance Head",
		"trace-" + id + ".diff":          "dance Head",
		"triage-" + id + ".txt":          "FAILED  expected spans",
		"README.txt":                     "sandbox trace import",
		"heads.yaml":                     "traceparent",
		"childas.yaml":                   "kind: ChildA",
		"events.yaml":                    "items:",
	} {
		if text := s.read(filepath.Join(folder, file)); !strings.Contains(text, word) {
			s.T.Errorf("%s has no %q:\n%s", file, word, text)
		}
	}
	if logs, err := filepath.Glob(filepath.Join(folder, "log-*")); err != nil || len(logs) < 2 {
		s.T.Errorf("logs %q (%v), want the logs of the operator and of Jaeger", logs, err)
	}
	return id
}

// wantLoaded restarts Jaeger, which loses its traces, and loads the artifacts as their README
// describes. It ignores spans that the observer sends at the same time.
func (s *sandbox) wantLoaded(folder, id string) {
	s.T.Helper()
	file := filepath.Join(folder, "trace-"+id+".json")
	kept, err := tracetree.ReadOTLP(file, []byte(s.read(file)))
	if err != nil || len(kept) != 1 {
		s.T.Fatalf("%s has %d traces, %v", file, len(kept), err)
	}
	for _, args := range [][]string{{"stop", "jaeger"}, {"up"}} {
		if out, err := s.Run(s.T.Context(), upLimit, args...); err != nil {
			s.T.Fatalf("%s: %v\n%s", args[0], err, out)
		}
	}
	if out, err := s.Run(s.T.Context(), upLimit, "trace", "import", file); err != nil {
		s.T.Fatalf("trace import: %v\n%s", err, out)
	}
	if diff := cmp.Diff(byID(kept[0].Without(observe.Scope)), s.trace(id)); diff != "" {
		s.T.Errorf("the trace's spans (-kept +loaded):\n%s", diff)
	}
}

// trace returns a trace's spans by id.
func (s *sandbox) trace(id string) map[string]spantree.Span {
	s.T.Helper()
	reader, err := jaeger.Dial(s.WantUp().Jaeger[component.UI], jaeger.WithoutScopes(observe.Scope))
	if err != nil {
		s.T.Fatal(err)
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(s.T.Context(), upLimit)
	defer cancel()
	trace, err := reader.GetTrace(ctx, id)
	if err != nil {
		s.T.Fatal(err)
	}
	return byID(trace)
}

func byID(trace tracetree.Trace) map[string]spantree.Span {
	spans := map[string]spantree.Span{}
	for _, span := range trace.Spans() {
		spans[span.SpanID] = span
	}
	return spans
}

func (s *sandbox) read(file string) string {
	s.T.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		s.T.Fatal(err)
	}
	return string(data)
}
