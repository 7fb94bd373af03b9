package main

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/up"
)

// The plan is run with steps that only note their names: Do refuses a plan with mistakes.
func TestPlanIsWellFormed(t *testing.T) {
	var mu sync.Mutex
	var order []string
	steps := plan(&up.Run{})
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
	if len(order) != len(steps) || order[0] != "container engine" || order[len(order)-1] != "sample Head" {
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
