package explain_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
	"github.com/operator-tracing/sandbox/sandbox/explain"
	"github.com/operator-tracing/sandbox/sandbox/explain/report"
)

// update rewrites the results in testdata/cases.
var update = flag.Bool("update", false, "rewrite the expected results")

// Each case is a trace of a cause of slowness, with its critical path and the text of the command.
func TestCases(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/cases/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			e := explained(t, parse(t, string(archive.Files[0].Data)))
			result := map[string]string{"path": pathOf(e), "why": strings.Join(report.Lines(e, 0), "\n") + "\n", "summary": strings.Join(report.Summary(e, 0), "\n") + "\n"}
			got := &txtar.Archive{Comment: archive.Comment, Files: slices.Clip(archive.Files[:1])}
			for _, name := range []string{"path", "why", "summary"} {
				got.Files = append(got.Files, txtar.File{Name: name, Data: []byte(result[name])})
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(txtar.Format(archive)), string(txtar.Format(got))); diff != "" {
				t.Errorf("explanation of %s (-want +got); run with -update to accept it:\n%s", file, diff)
			}
		})
	}
}

// twice is a Head that converges, is not ready for a while after that, and whose Deployment was available before.
const twice = `
a1 -  operator SERVER   admit~Head            0   1   name=h
r1 a1 operator CONSUMER reconcile~Head        3   20  name=h uid=H trigger=create~Head intent=desired_state,status
w1 r1 operator PRODUCER create~Deployment     5   8   name=d uid=D rv=1
o1 w1 other    observed update_status~Deployment 8 15 kind=Deployment name=d uid=D rv=2 cause.uid=D cause.rv=1 event=Available:~none→True
s1 r1 operator CLIENT   update_status~Head    10  20  kind=Head name=h uid=H rv=3 event=Ready:~Unknown→True
z1 a1 operator INTERNAL converge~Head         0   19  name=h uid=H
r2 a1 operator CONSUMER reconcile~Head        50  80  name=h uid=H trigger=update~Deployment intent=status
s2 r2 operator CLIENT   update_status~Head    55  65  kind=Head name=h uid=H rv=4 event=Ready:~True→False event=Synced:~none→True
s3 r2 operator CLIENT   update_status~Head    66  80  kind=Head name=h uid=H rv=5 event=Ready:~False→True
`

func TestGoal(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		options explain.Options
		want    string // the last span and the condition, or a part of the error
	}{
		"the converged object":      {explain.Options{}, "s1 Ready"},
		"another object":            {explain.Options{Object: explain.Object{Kind: "Deployment", Name: "d"}}, "o1 Available"},
		"an object of a namespace":  {explain.Options{Object: explain.Object{Namespace: "default", Name: "d"}}, "o1 Available"},
		"another condition":         {explain.Options{Condition: "Synced"}, "s2 Synced"},
		"a span":                    {explain.Options{SpanID: "w1"}, "w1 "},
		"the span of the whole":     {explain.Options{SpanID: "z1"}, "z1 "},
		"an unknown object":         {explain.Options{Object: explain.Object{Kind: "Head", Name: "other"}}, "no write of Head other"},
		"a condition that is False": {explain.Options{Condition: "Degraded"}, "no write made Degraded of Head h true"},
		"an unknown span":           {explain.Options{SpanID: "x"}, `no span "x"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := explain.Of(spantree.Build(parse(t, twice)), test.options)
			if err != nil {
				if !strings.Contains(err.Error(), test.want) {
					t.Errorf("Of() = %v, want an error with %q", err, test.want)
				}
				return
			}
			if got := e.Chain[len(e.Chain)-1].SpanID + " " + e.Condition; got != test.want {
				t.Errorf("the path ends with %q, want %q", got, test.want)
			}
			if err := check(e); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := explain.Of(nil, explain.Options{}); !errors.Is(err, explain.ErrNoSpans) {
		t.Errorf("Of(nil) = %v, want %v", err, explain.ErrNoSpans)
	}
}

// Spans can be nested and repeated as deep and often as a trace allows.
func TestLongTraces(t *testing.T) {
	t.Parallel()
	const size = 100_000
	span := func(i, parent int, name string, from, to int) spantree.Span {
		return spantree.Span{
			TraceID: traceID, SpanID: strconv.Itoa(i), ParentSpanID: strconv.Itoa(parent), Name: name, Kind: spantree.KindInternal,
			Start: epoch.Add(time.Duration(from) * time.Millisecond), End: epoch.Add(time.Duration(to) * time.Millisecond),
			Attributes: map[string]any{"operator.object.kind": "Head", "operator.object.name": "h", "operator.reconcile.requeue_reason": "error", "operator.reconcile.delay": 0.001},
		}
	}
	for name, make := range map[string]func(i int) spantree.Span{
		"nested": func(i int) spantree.Span { return span(i, i-1, "step", i, 2*size-i) },
		"flat":   func(i int) spantree.Span { return span(i, min(i-1, 1), "step", i, i+1) },
		"retries": func(i int) spantree.Span {
			s := span(i, 0, "reconcile Head", 2*i, 2*i+1)
			s.Kind = spantree.KindConsumer
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var spans []spantree.Span
			for i := range size {
				spans = append(spans, make(i+1))
			}
			e := explained(t, spans)
			if lines := report.Lines(e, 80); len(lines) > report.MaxLines {
				t.Errorf("%d lines, want at most %d", len(lines), report.MaxLines)
			}
		})
	}
}

// A delete names no writer. Only one controller created and wrote the object, so it is inferred.
func TestInferredWriter(t *testing.T) {
	t.Parallel()
	const begin = `
1 - kubectl observed create~Head 0 1 name=web uid=h rv=1
2 1 keys observed create~Secret 1 11 name=tmp uid=s rv=2 cause.uid=h cause.rv=1 certainty=same
`
	const end = `
4 2 unknown observed remove~Secret 11 41 name=tmp uid=s rv=4 cause.uid=s cause.rv=2 certainty=same
5 4 status observed update_status~Head 41 51 name=web uid=h rv=5 cause.uid=s cause.rv=4 certainty=owner event=Ready:~False→True
`
	for name, test := range map[string]struct{ trace, actor string }{
		"created it":           {begin + end, "keys"},
		"and wrote it":         {begin + "3 2 keys observed update~Secret 5 9 name=tmp uid=s rv=3\n" + end, "keys"},
		"unknown write":        {begin + "3 2 unknown observed update~Secret 5 9 name=tmp uid=s rv=3\n" + end, "keys"},
		"others wrote it, too": {begin + "3 2 other observed update~Secret 5 9 name=tmp uid=s rv=3\n" + end, ""},
		"only wrote it":        {strings.ReplaceAll(begin, "create~Secret", "update~Secret") + end, ""},
		"not a delete":         {begin + strings.ReplaceAll(end, "remove~Secret", "update~Secret"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := explained(t, parse(t, test.trace))
			for _, s := range e.Path {
				if s.Duration != 30*time.Millisecond {
					continue
				}
				if s.Actor != test.actor || s.Inferred != (test.actor != "") || (s.Reason == explain.ReasonUnknown) != (test.actor == "") {
					t.Errorf("segment = %+v, want the actor %q", s, test.actor)
				}
				return
			}
			t.Errorf("no segment of 30 ms:\n%s", pathOf(e))
		})
	}
}

// Times and parents that cannot be are counted, and the explanation still adds up.
func TestImpossibleSpans(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		trace             string
		backwards, cycles int
	}{
		"possible":           {"1 - a SERVER admit~Head 0 10 name=x", 0, 0},
		"end before start":   {"1 - a SERVER admit~Head 10 0 name=x\n2 1 a CLIENT get~Head 3 4", 1, 0},
		"all end before":     {"1 - a SERVER admit~Head 10 0 name=x\n2 1 a CLIENT get~Head 5 4", 2, 0},
		"own parent":         {"1 1 a SERVER admit~Head 0 10 name=x", 0, 1},
		"a cycle":            {"1 2 a SERVER admit~Head 0 10 name=x\n2 1 a CLIENT get~Head 3 4", 0, 1},
		"a cycle of links":   {"1 - a CONSUMER reconcile~A 0 10 name=x link=2\n2 - a CONSUMER reconcile~B 11 20 name=y link=1", 0, 1},
		"a link to itself":   {"1 - a CONSUMER reconcile~A 0 10 name=x link=1", 0, 1},
		"links to others":    {"1 - a CONSUMER reconcile~A 0 10 name=x link=9\n2 - a CONSUMER reconcile~B 11 20 name=y link=1", 0, 0},
		"two cycles, one -1": {"1 2 a SERVER admit~Head 0 10 name=x\n2 1 a CLIENT get~Head 5 4\n3 3 a CLIENT get~Head 3 4", 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if e := explained(t, parse(t, test.trace)); e.Backwards != test.backwards || e.Cycles != test.cycles {
				t.Errorf("%d backwards and %d cycles, want %d and %d", e.Backwards, e.Cycles, test.backwards, test.cycles)
			}
		})
	}
}
