package show

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/view/format"
)

// run runs trace on a recorded trace.
func run(t *testing.T, out *os.File, name string, args ...string) error {
	t.Helper()
	cmd := NewTrace(&command.Shared{})
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetOut(out)
	cmd.SetArgs(append([]string{"--from=" + filepath.Join("../../explain/testdata/recorded", name+".json")}, args...))
	return cmd.ExecuteContext(t.Context())
}

// Every text fits a terminal of 40 columns, and a terminal without capabilities gets no control
// sequences.
func TestNarrowAndDumbTerminals(t *testing.T) {
	for _, dumb := range []bool{false, true} {
		for _, name := range []string{"head", "certificate", "polling", "webhook-down", "reconstructed"} {
			for _, args := range [][]string{nil, {"--why"}, {"--only=path"}, {"--only=failures"}, {"--findings"}} {
				t.Setenv("NO_COLOR", "1")
				t.Setenv("TERM", map[bool]string{false: "xterm", true: "dumb"}[dumb])
				if dumb {
					t.Setenv("NO_COLOR", "")
				}
				out, _, read := terminal(t, 40, 24)
				if err := run(t, out, name, args...); err != nil {
					t.Fatalf("%s %q: %v", name, args, err)
				}
				for line := range strings.Lines(strings.ReplaceAll(read(), "\r\n", "\n")) {
					line = strings.TrimSuffix(line, "\n")
					if strings.ContainsRune(line, '\x1b') {
						t.Errorf("%s %q, dumb %t: line %q has a control sequence", name, args, dumb, line)
					}
					if len(args) > 0 && args[0] == "--findings" {
						continue // Sentences, which the terminal wraps.
					}
					if columns := format.Cells(line); columns > 40 && !strings.HasPrefix(line, "trace ") && !strings.HasPrefix(line, "reconstructed ") { // The terminal wraps these.
						t.Errorf("%s %q: a line of %d columns, want at most 40: %q", name, args, columns, line)
					}
				}
			}
		}
	}
}

// A reader that closes the pipe ends the command with an error of writing.
func TestClosedPipe(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"--why"}, {"--findings"}, {"-o", "json"}, {"-o", "svg"}, {"-o", "html"}, {"--why", "-o", "json"}} {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := read.Close(); err != nil {
			t.Fatal(err)
		}
		if err := run(t, write, "head", args...); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("%q: %v, want %v", args, err, syscall.EPIPE)
		}
		if err := write.Close(); err != nil {
			t.Error(err)
		}
	}
}
