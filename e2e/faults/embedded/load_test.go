package embedded

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/e2e/faults/rig"
)

// TestParallelCommands runs commands that only read, 30 at a time: 1,000 in total, or as many as
// possible in two minutes on a slow machine. All of them succeed.
func TestParallelCommands(t *testing.T) {
	const calls, parallel, limit = 1000, 30, 2 * time.Minute
	s := newSandbox(t)
	s.up()
	s.wantTrace("parallel")
	commands := []struct{ args, want string }{
		{"status", "control plane"},
		{"trace parallel", "reconcile Head"},
		{"status -o json", `"state": "up"`},
		{"trace head/parallel -o json", `"spans"`},
	}
	var (
		mu     sync.Mutex
		failed = map[string]int{} // by command and output
		wg     sync.WaitGroup
	)
	work := make(chan int)
	start := time.Now()
	for range parallel {
		wg.Go(func() {
			for i := range work {
				c := commands[i%len(commands)]
				began := time.Now()
				out, err := s.Run(t.Context(), 2*rig.AskLimit, strings.Fields(c.args)...)
				if err == nil && strings.Contains(out, c.want) {
					continue
				}
				mu.Lock()
				if failed[fmt.Sprintf("%s: %v, want %q\n%s", c.args, err, c.want, out)]++; len(failed) == 1 {
					t.Logf("first failure: %s after %s: %v", c.args, time.Since(began), err)
				}
				mu.Unlock()
			}
		})
	}
	done := 0
	for ; done < calls && time.Since(start) < limit; done++ {
		work <- done
	}
	close(work)
	wg.Wait()
	t.Logf("%d commands took %s", done, time.Since(start).Round(time.Second))
	for failure, count := range failed {
		t.Errorf("%d of %d calls of %s", count, done, failure)
	}
}
