package explain_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

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
			e := explained(t, parse(t, string(archive.Files[0].Data)), explain.Options{})
			result := map[string]string{"path": pathOf(e), "why": strings.Join(report.Lines(e, 0), "\n") + "\n", "summary": strings.Join(report.Summary(e, 0), "\n") + "\n"}
			got := &txtar.Archive{Comment: archive.Comment, Files: archive.Files[:1]}
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

func TestOfErrors(t *testing.T) {
	t.Parallel()
	if _, err := explain.Of(nil, explain.Options{}); !errors.Is(err, explain.ErrNoSpans) {
		t.Errorf("Of(nil) = %v, want %v", err, explain.ErrNoSpans)
	}
}
