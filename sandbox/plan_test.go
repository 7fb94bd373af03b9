package main

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/up"
)

// The plans are run with steps that only note their names: Do refuses a plan with mistakes.
func TestPlansAreWellFormed(t *testing.T) {
	run := &up.Run{}
	t.Run("choice", func(t *testing.T) { wellFormed(t, choice(run), "this machine", "kind of cluster") })
	t.Run("kind", func(t *testing.T) { wellFormed(t, plan(run), "images", "sample") })
	t.Run("embedded", func(t *testing.T) { wellFormed(t, embeddedPlan(run), "ports, certificates", "sample") })
	for _, cluster := range []string{component.Kind, component.Embedded} {
		run.Record.Cluster = cluster
		t.Run("load into "+cluster, func(t *testing.T) { wellFormed(t, loadPlan(run, false), "sandbox", "operator") })
		t.Run("load into "+cluster+", with a sample", func(t *testing.T) { wellFormed(t, loadPlan(run, true), "sandbox", "sample") })
	}
}

func wellFormed(t *testing.T, steps []up.Step, first, last string) {
	t.Helper()
	var mu sync.Mutex
	var order []string
	for i, s := range steps {
		if s.Run == nil {
			t.Errorf("step %q does nothing", s.Name)
		}
		steps[i].Run = func(context.Context, func(string, ...any)) error {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, s.Name)
			return nil
		}
	}
	if err := up.Do(t.Context(), nil, steps); err != nil {
		t.Fatal(err)
	}
	if len(order) != len(steps) || order[0] != first || order[len(order)-1] != last {
		t.Errorf("the steps ran as %q", order)
	}
	for _, s := range steps {
		for _, need := range s.Needs {
			if slices.Index(order, need) > slices.Index(order, s.Name) {
				t.Errorf("%q ran before %q, which it needs", s.Name, need)
			}
		}
	}
}
