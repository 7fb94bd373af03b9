package e2e

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/operator-tracing/sandbox/sandbox/view"
)

// transcript is the output of a command so far.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *transcript) Write(data []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(data)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// TestWatch watches before it applies. The command prints each span once, when it arrives, and then
// ends.
func TestWatch(t *testing.T) {
	newFeature("a watched Head is followed to its end", needPods).assess("each span is printed once", func(ctx context.Context, s *step) {
		var out, progress transcript
		ended := make(chan error, 1)
		go func() {
			ended <- s.Sandbox(ctx, &out, &progress, "trace", "head/watched", "-n", s.Namespace, "--watch", "--until-complete", "--watch-timeout=90s")
		}()
		began := func(context.Context) (bool, error) {
			return strings.Contains(progress.String(), "there is none of that name"), nil
		}
		if err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 30*time.Second, true, began); err != nil {
			s.Fatalf("watching a Head that isn't there: %v\n%s", err, &progress)
		}
		head, err := s.CreateHead(ctx, "watched", nil)
		if err != nil {
			s.Fatal(err)
		}
		if err := <-ended; err != nil {
			s.Fatalf("watch = %v\n%s%s", err, &out, &progress)
		}
		trace, err := s.WaitTrace(ctx, head, "create.tree")
		if err != nil {
			s.Fatal(err)
		}
		whole, err := s.Observed.GetTrace(ctx, trace.ID)
		if err != nil {
			s.Fatal(err)
		}
		// The trace can have spans of the observer that arrived after the end of the command.
		lines := slices.DeleteFunc(strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n"), func(line string) bool {
			return strings.Contains(line, "  … ") // A wait is not a span.
		})
		if lines[0] != "trace "+trace.ID || len(lines) < 1+trace.Len() || len(lines) > 1+whole.Len() {
			s.Errorf("%d lines, the first is %q; want 1+%d to 1+%d, and the id of %s\n%s", len(lines), lines[0], trace.Len(), whole.Len(), trace.ID, &out)
		}
		for _, row := range view.New(trace.Forest()).Rows {
			if !row.Wait && !strings.Contains(out.String(), "  "+row.Name+" ") {
				s.Errorf("the span %s was not printed:\n%s", row.Name, &out)
			}
		}
	}).runBeside(t)
}
