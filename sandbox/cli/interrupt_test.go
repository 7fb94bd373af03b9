package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/graph"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
)

// An interrupted command says so, in one line, and names no step as failed.
func TestInterrupted(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", home)
	for name, test := range map[string]struct {
		failure error
		args    []string
		want    string
	}{
		"steps":   {errors.New("signal: killed"), []string{"up"}, "Error: interrupted; finished steps stay, and the same command continues; `sandbox down --state-dir=" + home + "/up` deletes the sandbox\n"},
		"no plan": {nil, []string{"reset"}, "Error: interrupted: "},
	} {
		t.Run(name, func(t *testing.T) {
			stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
			if err != nil {
				t.Fatal(err)
			}
			defer stderr.Close()
			ctx, interrupt := context.WithCancel(t.Context())
			if test.failure == nil {
				interrupt() // It waits for the lock.
			}
			choice := func(*lifecycle.Sandbox) []graph.Step {
				return []graph.Step{{Name: "cluster", Limit: time.Minute, Run: func(context.Context, func(string, ...any)) error {
					interrupt()
					return test.failure
				}}}
			}
			code := Execute(ctx, append(test.args, "--state-dir="+filepath.Join(home, test.args[0])), stderr, stderr, Plan{Choice: choice})
			said, err := os.ReadFile(stderr.Name())
			if _, message, _ := strings.Cut(string(said), "Error: "); err != nil || code != exitInterrupted || !strings.HasPrefix("Error: "+message, test.want) || strings.Count(message, "\n") != 1 {
				t.Errorf("%q: exit code %d, %s, %v; want %d, %s", test.args, code, said, err, exitInterrupted, test.want)
			}
		})
	}
}
