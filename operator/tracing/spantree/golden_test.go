package spantree_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

// recorder is a test that records its failures.
type recorder struct{ failures []string }

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func TestGolden(t *testing.T) {
	golden := spantree.Golden{Path: filepath.Join(t.TempDir(), "x.tree"), Options: spantree.RecordOptions{Variables: map[string]string{"X": "reconcile"}}}
	got := forest(t, "a\n  reconcile")
	check := func(got *spantree.Forest, update, ok bool, say string) {
		t.Helper()
		r := &recorder{}
		text := ""
		passed := golden.Check(r, got, update, spantree.ExplainOptions{})
		if text = strings.Join(r.failures, "\n"); passed != ok || (len(r.failures) == 0) != ok || !strings.Contains(text, say) {
			t.Errorf("Check = %t with failure %q, want %t with %q", passed, text, ok, say)
		}
	}
	check(got, false, false, "no such file or directory; create it with -update")
	if _, err := golden.Read(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error = %v, want one for a missing file", err)
	}
	check(got, true, true, "")
	if text, err := os.ReadFile(golden.Path); err != nil || string(text) != "a\n  $X\n" {
		t.Errorf("the file is %q, error %v", text, err)
	}
	check(got, false, true, "")
	check(forest(t, "a\n  b"), false, false, "the spans differ from "+golden.Path+"; run with -update to record them\n2 differences")
	check(nil, true, false, "recording a forest without spans")

	before, err := os.Stat(golden.Path)
	if err != nil {
		t.Fatal(err)
	}
	check(got, true, true, "")
	if after, err := os.Stat(golden.Path); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("Update wrote a file that matches; error = %v", err)
	}

	golden.Options.Variables = nil
	check(got, false, false, "filling in the expected tree "+golden.Path+": line 2: no value for the variable $X")
	check(got, true, false, "line 2: no value for the variable $X")
	if err := os.WriteFile(golden.Path, []byte("a [\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	var syntax *spantree.ParseError
	if _, err := golden.Read(); !errors.As(err, &syntax) || syntax.File != golden.Path || syntax.Line != 1 {
		t.Errorf("error = %v, want a syntax error", err)
	}
	golden.Path = t.TempDir()
	check(got, true, false, "updating the expected tree: ")
}
