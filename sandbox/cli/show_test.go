package cli

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/operator-tracing/sandbox/sandbox/bundle"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/state"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

// recording is the sample Head's trace from a sandbox on kind.
const recording = "../../docs/trace.json"

// full is a writer without space.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// A failed write of the result is an error, so that scripts can detect it.
func TestResultsThatCantBeWritten(t *testing.T) {
	folder := t.TempDir()
	dir, err := state.Open(filepath.Join(folder, "state"))
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.Save(state.Record{Name: "mine", Cluster: component.Embedded}); err != nil {
		t.Fatal(err)
	}
	stderr, err := os.Create(filepath.Join(folder, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	for _, args := range [][]string{
		{"manifests"}, {"env", "--state-dir=" + dir.Path}, {"status", "--state-dir=" + filepath.Join(folder, "none")},
		{"trace", "--from", recording}, {"trace", "--from", recording, "-o", "html"}, {"trace", "--from", recording, "-o", "svg"},
		{"trace", "--from", recording, "-o", "json"},
	} {
		if code := Execute(t.Context(), args, full{}, stderr, Plan{}); code != exitFailure {
			t.Errorf("%q: exit code %d", args, code)
		}
	}
	said, err := os.ReadFile(stderr.Name())
	if count := strings.Count(string(said), syscall.ENOSPC.Error()); err != nil || count != 7 {
		t.Errorf("%d errors of writing, %v:\n%s", count, err, said)
	}
}

// Names in files are printed as text. Traces and bundles come from other people.
func TestNamesFromFilesAreEscaped(t *testing.T) {
	endpoint, query := startStore(t, &store{taken: map[string]ptrace.Traces{}})
	for _, name := range []string{"\\u001b[2J", "\\u001b]0;t\\u0007", "\\u009b31m", "\\u202eabc", "\\u2066abc", "a\\r\\nloaded  trace 00", "\\u007f\\b", "\xff\xfe", "\\u2028"} {
		file := filepath.Join(t.TempDir(), "trace.json")
		document := strings.NewReplacer(`"a"`, `"`+name+`"`, "shop", name).Replace(otlp(trace1, "1"))
		if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{
			{"trace", "--from=" + file}, {"trace", "--from=" + file, "-o", "json"}, {"trace", "--from=" + file, "-o", "svg"}, {"trace", "--from=" + file, "-o", "html"},
			{"trace", "import", "--endpoint=" + endpoint, "--query=" + query, file}, {"trace", "--from=" + file, name},
		} {
			r := execute(t, args...)
			for line := range strings.Lines(r.stdout + r.stderr) {
				if !utf8.ValidString(line) || strings.ContainsFunc(line, func(c rune) bool { return !strconv.IsPrint(c) && c != '\n' && c != '\t' }) {
					t.Errorf("%s of a span named %s printed %q, want escapes", args[:2], name, line)
				}
				if strings.HasPrefix(line, "loaded  trace 00") {
					t.Errorf("%s printed a row from a name: %q", args[:2], line)
				}
			}
		}
	}
}

func TestRecordOfABundleIsEscaped(t *testing.T) {
	hostile := "v1\x1b[2J\u202e\nsha256  00\t"
	s := bundle.Summary{File: hostile, Record: bundle.Record{
		Platform: hostile, Sandbox: hostile, Source: hostile,
		Images:   []bundle.Entry{{Role: hostile, Names: []string{hostile}}},
		Programs: []bundle.Program{{Component: hostile, Name: hostile}},
	}}
	var out strings.Builder
	if err := writeSummary(ui.NewPrinter(&out), "text", s); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\u202e\t") || strings.Count(out.String(), "\n") != 8 || strings.Count(out.String(), `v1\x1b[2J\u202e\nsha256  00\t`) != 8 {
		t.Errorf("printed %q, want 8 rows with escapes", out.String())
	}
}
