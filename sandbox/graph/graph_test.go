package graph

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// journal notes when steps start and end.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) note(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

// step takes a while and notes both its ends.
func (j *journal) step(name string, takes time.Duration, needs ...string) Step {
	return Step{Name: name, Needs: needs, Limit: time.Hour, Run: func(ctx context.Context, _ func(string, ...any)) error {
		j.note("start " + name)
		select {
		case <-time.After(takes):
			j.note("end " + name)
			return nil
		case <-ctx.Done():
			j.note("stop " + name)
			return ctx.Err()
		}
	}}
}

func failing(name string, err error, needs ...string) Step {
	return Step{Name: name, Needs: needs, Limit: time.Hour, Run: func(context.Context, func(string, ...any)) error { return err }}
}

func TestDoRunsAStepWhenItsNeedsHaveEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		start := time.Now()
		err := Do(t.Context(), nil, []Step{
			j.step("engine", time.Second),
			j.step("long", 10*time.Second, "engine"),
			j.step("short", 2*time.Second, "engine"),
			j.step("after short", 3*time.Second, "short"),
			j.step("last", time.Second, "long", "after short"),
		})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 12*time.Second {
			t.Errorf("it took %s: steps that need nothing of each other did not run at the same time", took)
		}
		for _, order := range [][2]string{
			{"end engine", "start long"}, {"end engine", "start short"}, {"end short", "start after short"},
			{"start after short", "end long"}, {"end long", "start last"}, {"end after short", "start last"},
		} {
			if slices.Index(j.lines, order[0]) > slices.Index(j.lines, order[1]) || !slices.Contains(j.lines, order[0]) {
				t.Errorf("%q is not before %q in %q", order[0], order[1], j.lines)
			}
		}
	})
}

func TestDoEndsWithTheFirstError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		failure := errors.New("no space left")
		err := Do(t.Context(), nil, []Step{
			failing("fails", failure), j.step("runs", time.Minute), j.step("waits", time.Minute, "fails"), j.step("waits too", time.Minute, "waits"),
		})
		if !errors.Is(err, failure) || err.Error() != "fails: no space left" {
			t.Errorf("error %v", err)
		}
		for _, line := range j.lines {
			if line == "end runs" || strings.Contains(line, "waits") {
				t.Errorf("%q after a step had failed", line)
			}
		}
	})
}

func TestDoNamesTheStepThatRanWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		j := &journal{}
		err := Do(ctx, nil, []Step{j.step("runs", time.Hour), j.step("waits", time.Minute, "runs")})
		if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "runs: ") {
			t.Errorf("error %v, want one about the step that ran", err)
		}
	})
}

func TestDoIsNoSuccessIfStepsWereNotStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		deaf := Step{Name: "deaf", Limit: time.Hour, Run: func(context.Context, func(string, ...any)) error {
			cancel()
			synctest.Wait() // The step that waits has seen it.
			return nil
		}}
		j := &journal{}
		err := Do(ctx, nil, []Step{deaf, j.step("waits", 0, "deaf")})
		if !errors.Is(err, ErrInterrupted) {
			t.Errorf("error %v, want %v", err, ErrInterrupted)
		}
	})
}

// The error after Ctrl-C names no step: which one ends first is chance.
func TestDoInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		killed := Step{Name: "killed", Limit: time.Hour, Run: func(ctx context.Context, _ func(string, ...any)) error {
			<-ctx.Done()
			return errors.New("signal: killed")
		}}
		j := &journal{}
		if err := Do(ctx, nil, []Step{killed, j.step("runs", time.Hour)}); !errors.Is(err, ErrInterrupted) || !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want %v", err, ErrInterrupted)
		}
	})
}

func TestDoBoundsAStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		slow := j.step("slow", time.Hour)
		slow.Limit = 90 * time.Second
		start := time.Now()
		err := Do(t.Context(), nil, []Step{slow})
		if err == nil || err.Error() != "slow: giving up after 1m30s: context deadline exceeded" {
			t.Errorf("error %v", err)
		}
		if took := time.Since(start); took != slow.Limit {
			t.Errorf("it took %s", took)
		}
	})
}

func TestCheckFindsBadPlans(t *testing.T) {
	step := func(name string, limit time.Duration, needs ...string) Step {
		return Step{Name: name, Limit: limit, Needs: needs, Run: func(context.Context, func(string, ...any)) error {
			t.Errorf("step %s of a bad plan was run", name)
			return nil
		}}
	}
	for _, test := range []struct {
		name  string
		steps []Step
		want  string
	}{
		{"unknown need", []Step{step("a", 1, "b")}, `step "a" needs "b"`},
		{"a step that needs itself", []Step{step("a", 1, "a")}, `steps wait for each other: a`},
		{"steps that wait for each other", []Step{step("c", 1), step("a", 1, "b", "c"), step("b", 1, "a")}, `steps wait for each other: a, b`},
		{"no limit", []Step{step("a", 0)}, `step "a" has no limit`},
		{"two of one name", []Step{step("a", 1), step("a", 1)}, `step "a" is listed twice`},
	} {
		if err := Do(t.Context(), nil, test.steps); err == nil || !strings.HasPrefix(err.Error(), "planning: "+test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
}
