package guard_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/cause"
	"github.com/operator-tracing/sandbox/sandbox/embedded/guard"
)

func TestRun(t *testing.T) {
	t.Parallel()
	failure, temporary := errors.New("failure"), errors.New("the process table is locked")
	exit := &cause.Exit{Name: "operator"}
	for name, test := range map[string]struct {
		exited error // after run started
		marked bool
		run    func(context.Context) error
		want   error
	}{
		"all processes run":                  {marked: true, run: func(context.Context) error { return nil }},
		"run fails":                          {marked: true, run: func(context.Context) error { return failure }, want: failure},
		"a process exits during a wait":      {exited: exit, marked: true, run: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, want: exit},
		"a process exits before the end":     {exited: exit, marked: true, run: func(context.Context) error { return nil }, want: exit},
		"a process exits that was not ready": {exited: exit, run: func(context.Context) error { return nil }},
		"a process cannot be examined":       {exited: temporary, marked: true, run: func(context.Context) error { return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var started atomic.Bool
			g := guard.Guard{Exited: func(string) error {
				if started.Load() {
					return test.exited
				}
				return nil
			}}
			g.Mark("operator", test.marked)
			err := g.Run(t.Context(), func(ctx context.Context) error {
				started.Store(true)
				return test.run(ctx)
			})
			if !errors.Is(err, test.want) || test.want == nil && err != nil {
				t.Errorf("Run() = %v, want %v", err, test.want)
			}
		})
	}
}
