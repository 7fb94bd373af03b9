package cli

import (
	"fmt"
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
	"github.com/operator-tracing/sandbox/sandbox/jaeger/tracetree"
	"github.com/operator-tracing/sandbox/sandbox/state"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

// recording is the sample Head's trace from a sandbox on kind.
const recording = "../../docs/trace.json"

// The README's picture is the output of trace for the recording.
func TestReadmePictureIsCurrent(t *testing.T) {
	want, err := os.ReadFile("../../docs/trace.svg")
	if err != nil {
		t.Fatal(err)
	}
	got := execute(t, nil, "trace", "--from="+recording, "-o", "svg", "--title=Head default/head-sample")
	if got.code != exitOK || got.stderr != "" {
		t.Fatalf("exit code %d, stderr %q", got.code, got.stderr)
	}
	if got.stdout != string(want) {
		t.Error("docs/trace.svg is outdated; run: go run ./sandbox trace --from=docs/trace.json -o svg --title='Head default/head-sample' > docs/trace.svg")
	}
}

func TestRecordedTrace(t *testing.T) {
	const zeros, ones = "0000000000000000", "1111111111111111"
	document := func(id, name string) string {
		return `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"` + id + `","spanId":"` + ones + `","name":"` + name + `"}]}]}]}` + "\n"
	}
	two := filepath.Join(t.TempDir(), "two.json")
	if err := os.WriteFile(two, []byte(document(ones+zeros, `\u001b[2J<b>$(reboot)`)+document(ones+ones, "other")), 0o600); err != nil {
		t.Fatal(err)
	}

	got := execute(t, nil, "trace", "--from", recording)
	if lines := strings.Split(strings.TrimSpace(got.stdout), "\n"); got.code != exitOK || len(lines) != 2+1+12 || !strings.HasPrefix(lines[3], "admit Head head-sample ") {
		t.Errorf("exit code %d, the tree is\n%s", got.code, got.stdout)
	}
	// The output of -o json, on the standard input.
	pipe(t, execute(t, nil, "trace", "--from", recording, "-o", "json").stdout)
	if again := execute(t, nil, "trace", "--from", "-"); again.stdout != got.stdout {
		t.Errorf("the tree of the output of -o json is\n%s%s, want\n%s", again.stdout, again.stderr, got.stdout)
	}
	if got := execute(t, nil, "trace", "--from", two, ones+"0"); got.code != exitOK || !strings.Contains(got.stdout, `\x1b[2J<b>$(reboot)`) || strings.Contains(got.stdout, "\x1b") {
		t.Errorf("a trace of several: %+v", got)
	}
	if got := execute(t, nil, "trace", "--from", two, strings.ToUpper(ones+ones), "-o", "svg"); got.code != exitOK || !strings.Contains(got.stdout, ">other<") {
		t.Errorf("a trace of several: %+v", got)
	}

	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--from", two}, "has several traces; pass an ID or its first digits: " + ones + zeros + ", " + ones + ones},
		{[]string{"--from", two, "abc"}, `starts with "abc"; the IDs are ` + ones + zeros},
		{[]string{"--from", t.TempDir()}, "is a folder; pass the path of a file"},
		{[]string{"--from", "none.json"}, "none.json"},
		{[]string{"--from", "\x1b[2Jnone.json"}, `\x1b[2Jnone.json`},
	} {
		if got := execute(t, nil, append([]string{"trace"}, test.args...)...); got.code != exitFailure || got.stdout != "" || !strings.Contains(got.stderr, test.want) || strings.Count(got.stderr, "\n") != 1 || strings.Contains(got.stderr, "\x1b") {
			t.Errorf("trace %v: %+v, want %q in one line", test.args, got, test.want)
		}
	}
}

// A file with a trace and the trace of another process that continues it is one tree, in every
// form.
func TestRecordedTreeOfTwoTraces(t *testing.T) {
	const first = "0123456789abcdef0123456789abcdef"
	second := tracetree.Continuation("some-uid", 2)
	line := func(trace, span, name, more string, second int) string {
		return fmt.Sprintf(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":%q,"spanId":%q,"name":%q,"startTimeUnixNano":"%[5]d000000000","endTimeUnixNano":"%[5]d500000000"%[4]s}]}]}]}`+"\n",
			trace, span, name, more, second)
	}
	file := filepath.Join(t.TempDir(), "tree.json")
	document := line(second, "2222222222222222", "reconcile Cache", "", 2) + line(first, "1111111111111111", "update Cache",
		`,"attributes":[{"key":"operator.object.uid","value":{"stringValue":"some-uid"}},{"key":"operator.object.generation","value":{"intValue":"2"}}],
		"links":[{"traceId":"`+second+`","spanId":"3333333333333333"}]`, 1)
	if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	tree := execute(t, nil, "trace", "--from", file)
	lines := strings.Split(tree.stdout, "\n")
	if tree.code != exitOK || len(lines) != 6 || lines[0] != "trace "+first || !strings.HasPrefix(lines[4], "└─ reconcile Cache ") || !strings.HasSuffix(lines[4], "  continued in trace "+second) {
		t.Errorf("exit code %d, stderr %q, the tree is\n%s", tree.code, tree.stderr, tree.stdout)
	}
	if got := execute(t, nil, "trace", "--from", file, second[:8]); got.code != exitOK || strings.Contains(got.stdout, "update Cache") || !strings.Contains(got.stdout, "reconcile Cache") {
		t.Errorf("the second trace by its id: %+v", got)
	}
	for output, want := range map[string]string{
		"svg": "reconcile Cache (continued in trace " + second[:8] + "…)", "html": `data-continued="{&#34;` + second,
	} {
		if got := execute(t, nil, "trace", "--from", file, "-o", output); got.code != exitOK || !strings.Contains(got.stdout, want) {
			t.Errorf("-o %s: exit code %d, no %q", output, got.code, want)
		}
	}
	// The output of -o json has both traces unchanged, and results in the same tree.
	again := filepath.Join(t.TempDir(), "again.json")
	if err := os.WriteFile(again, []byte(execute(t, nil, "trace", "--from", file, "-o", "json").stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := execute(t, nil, "trace", "--from", again); got.stdout != tree.stdout {
		t.Errorf("the tree of the output of -o json is\n%swant\n%s", got.stdout, tree.stdout)
	}
	data, err := os.ReadFile(again)
	if err != nil {
		t.Fatal(err)
	}
	traces, err := tracetree.ReadOTLP(again, data)
	if err != nil || len(traces) != 2 || !traces[0].Spans()[0].IsRoot() || !traces[1].Spans()[0].IsRoot() {
		t.Errorf("%d traces, error %v; want two, each with one root", len(traces), err)
	}
}

func TestPageOfARecording(t *testing.T) {
	got := execute(t, nil, "trace", "--from", recording, "-o", "html")
	if got.code != exitOK || !strings.HasPrefix(got.stdout, "<!DOCTYPE html>") || !strings.Contains(got.stdout, "<title>Trace ") || !strings.Contains(got.stdout, "create Deployment") {
		t.Errorf("exit code %d, stderr %q, page %.300q", got.code, got.stderr, got.stdout)
	}
}

// pipe replaces the standard input by a text until the end of the test.
func pipe(t *testing.T, text string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stdin")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	before := os.Stdin
	os.Stdin = file
	t.Cleanup(func() { os.Stdin = before; _ = file.Close() })
}

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

func TestWatchUsage(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"web --until-complete", "--until-complete and --watch-timeout need --watch"},
		{"web --watch-timeout=1s", "--until-complete and --watch-timeout need --watch"},
		{"web --watch --watch-timeout=-1s", "--watch-timeout=-1s: use a positive duration"},
		{"web -w -o html", "--watch draws a tree and can't be combined with --output=html"},
		{"--from=x --watch", "--watch follows an object and can't be combined with --from"},
		{"a/b/c -w", `reading the name of an object "a/b/c"`},
	} {
		got := execute(t, nil, append([]string{"trace"}, strings.Fields(test.args)...)...)
		if got.code != exitUsage || !strings.Contains(got.stderr, test.want) {
			t.Errorf("trace %s: exit code %d, stderr %q; want %d and %q", test.args, got.code, got.stderr, exitUsage, test.want)
		}
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
			r := execute(t, nil, args...)
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
