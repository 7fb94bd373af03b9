package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/graph"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// kinds are the kinds of clusters, with a tracing control plane or without.
var kinds = map[string]struct {
	kind   string
	traced bool
}{
	"kind":             {component.Kind, false},
	"kind, traced":     {component.Kind, true},
	"embedded":         {component.Embedded, false},
	"embedded, traced": {component.Embedded, true},
	"existing":         {component.Existing, false},
}

// newFake returns a sandbox on a fake cluster.
func newFake(t *testing.T, kind string, traced bool) (*lifecycle.Sandbox, *fakeCluster) {
	t.Helper()
	s := &session.Session{
		Record: state.Record{Name: "a", Cluster: kind, ControlPlaneTracing: traced},
		Dir:    state.Dir{Path: filepath.Join(t.TempDir(), "state")},
	}
	gated := &fakeGated{fakeCluster{Kind: kind}}
	var used provider.Cluster = &gated.fakeCluster
	if kind == component.Kind {
		used = gated
	}
	sandbox := lifecycle.New(s, map[string]lifecycle.Factory{kind: {
		Attach: func(*session.Session) (provider.Cluster, error) { return used, nil },
	}})
	if err := sandbox.Attach(); err != nil {
		t.Fatal(err)
	}
	return sandbox, &gated.fakeCluster
}

// before reports whether a call succeeded before another one.
func before(calls []string, first, second string) bool {
	i := slices.Index(calls, first)
	return i >= 0 && i < slices.Index(calls, second)
}

func TestPlanStartsEachComponent(t *testing.T) {
	t.Parallel()
	for name, test := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, cluster := newFake(t, test.kind, test.traced)
			if err := graph.Do(t.Context(), nil, plan(s)); err != nil {
				t.Fatal(err)
			}
			calls := cluster.Calls()
			if calls[0] != "prepare" {
				t.Errorf("the first call is %q, want prepare", calls[0])
			}
			for _, c := range component.On(test.kind) {
				start := "start " + c.Name
				if !slices.Contains(calls, start) {
					t.Errorf("%s was not started: %q", c.Name, calls)
				}
				for _, phase := range []string{"fetch ", "deliver "} {
					if slices.Contains(calls, phase+c.Name) && !before(calls, phase+c.Name, start) {
						t.Errorf("%s was started before its %s: %q", c.Name, phase, calls)
					}
				}
				for _, need := range c.Needs {
					if slices.Contains(calls, "start "+need) && !before(calls, "start "+need, start) {
						t.Errorf("%s was started before %s: %q", c.Name, need, calls)
					}
				}
			}
			status := provider.Status{}
			if err := cluster.Status(t.Context(), &status); err != nil || status.State != provider.StateUp {
				t.Errorf("after the plan, the state is %q: %s, %v", status.State, status.Message, err)
			}
		})
	}
}

// The order that only one kind of cluster needs.
func TestPlanOrder(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ kind, first, second string }{
		{"kind", "deliver control plane", "node runs"},
		{"kind", "node runs", "deliver jaeger"},
		{"kind", "API server", "start jaeger"},
		{"kind", "start control plane", "start operator"},
		{"embedded", "start control plane", "deliver operator"},
		{"embedded", "deliver operator", "start operator"},
		{"embedded", "start node", "start sample"},
		{"embedded, traced", "start jaeger", "start control plane"},
	} {
		t.Run(test.kind+": "+test.first+", "+test.second, func(t *testing.T) {
			t.Parallel()
			s, cluster := newFake(t, kinds[test.kind].kind, kinds[test.kind].traced)
			if err := graph.Do(t.Context(), nil, plan(s)); err != nil {
				t.Fatal(err)
			}
			if calls := cluster.Calls(); !before(calls, test.first, test.second) {
				t.Errorf("%q is not before %q: %q", test.first, test.second, calls)
			}
		})
	}
}

func TestPlanRepeatedChangesNothing(t *testing.T) {
	t.Parallel()
	for name, test := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, cluster := newFake(t, test.kind, test.traced)
			if err := graph.Do(t.Context(), nil, plan(s)); err != nil {
				t.Fatal(err)
			}
			changes := cluster.Changes()
			if err := graph.Do(t.Context(), nil, plan(s)); err != nil {
				t.Fatal(err)
			}
			if again := cluster.Changes(); again != changes || changes == 0 {
				t.Errorf("%d changes after the second plan, want the %d of the first", again, changes)
			}
		})
	}
}

// A step that fails ends the plan with an error that names it. No step that needs it starts. After
// the repair, the same plan succeeds.
func TestPlanWithAFailingStep(t *testing.T) {
	t.Parallel()
	eachCall(t, func(t *testing.T, s *lifecycle.Sandbox, cluster *fakeCluster, call string) {
		failure := errors.New("no space left on device")
		cluster.Before = func(_ context.Context, begun string) error {
			if begun == call {
				return failure
			}
			return nil
		}
		err := graph.Do(t.Context(), nil, plan(s))
		step := strings.TrimPrefix(call, "start ")
		if !errors.Is(err, failure) || !strings.HasPrefix(err.Error(), step+": ") {
			t.Fatalf("Do() = %v, want an error of the step %q", err, step)
		}
		calls := cluster.Calls()
		if slices.Contains(calls, call) || slices.Contains(calls, "start sample") {
			t.Errorf("calls after %s failed: %q", call, calls)
		}
		cluster.Before = nil
		if err := graph.Do(t.Context(), nil, plan(s)); err != nil {
			t.Errorf("after the repair: %v", err)
		}
	})
}

// A plan that is cancelled in any step ends with the context's error, and starts nothing more.
func TestPlanCancelledInEachStep(t *testing.T) {
	t.Parallel()
	eachCall(t, func(t *testing.T, s *lifecycle.Sandbox, cluster *fakeCluster, call string) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		cluster.Before = func(ctx context.Context, begun string) error {
			if begun == call {
				cancel()
				<-ctx.Done()
			}
			return ctx.Err()
		}
		if err := graph.Do(ctx, nil, plan(s)); !errors.Is(err, context.Canceled) {
			t.Errorf("Do() = %v, want %v", err, context.Canceled)
		}
		if calls := cluster.Calls(); slices.Contains(calls, "start sample") {
			t.Errorf("calls after the end of the context: %q", calls)
		}
	})
}

// eachCall runs a test for each call of each plan.
func eachCall(t *testing.T, run func(*testing.T, *lifecycle.Sandbox, *fakeCluster, string)) {
	t.Helper()
	for name, test := range kinds {
		s, cluster := newFake(t, test.kind, test.traced)
		if err := graph.Do(t.Context(), nil, plan(s)); err != nil {
			t.Fatal(err)
		}
		for _, call := range cluster.Calls() {
			t.Run(fmt.Sprintf("%s, %s", name, call), func(t *testing.T) {
				t.Parallel()
				s, cluster := newFake(t, test.kind, test.traced)
				run(t, s, cluster, call)
			})
		}
	}
}

func TestLoadPlan(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind   string
		sample bool
		want   []string
	}{
		{component.Kind, false, []string{"fetch operator", "deliver operator", "start operator"}},
		{component.Embedded, true, []string{"fetch operator", "deliver operator", "start operator", "start sample"}},
		{component.Existing, true, []string{"fetch operator", "deliver operator", "start operator", "start sample"}},
	} {
		t.Run(fmt.Sprintf("%s, sample %t", test.kind, test.sample), func(t *testing.T) {
			t.Parallel()
			s, cluster := newFake(t, test.kind, false)
			steps := loadPlan(s, test.sample)
			steps[0].Run = func(context.Context, func(string, ...any)) error { return nil } // It needs the sources.
			if err := graph.Do(t.Context(), nil, steps); err != nil {
				t.Fatal(err)
			}
			if calls := cluster.Calls(); !slices.Equal(calls, test.want) || s.RenewSample != test.sample {
				t.Errorf("calls %q, renew %t; want %q, %t", calls, s.RenewSample, test.want, test.sample)
			}
		})
	}
}

func TestFetches(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string][]string{
		component.Kind:     {"fetch cert-manager", "fetch control plane", "fetch jaeger", "fetch operator", "fetch sample"},
		component.Embedded: {"fetch cert-manager", "fetch control plane", "fetch jaeger", "fetch node", "fetch operator"},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s, cluster := newFake(t, kind, false)
			if err := graph.Do(t.Context(), nil, fetches(s)); err != nil {
				t.Fatal(err)
			}
			if calls := slices.Sorted(slices.Values(cluster.Calls())); !slices.Equal(calls, want) {
				t.Errorf("calls %q, want %q", calls, want)
			}
		})
	}
}

func TestChoice(t *testing.T) {
	t.Parallel()
	s, _ := newFake(t, component.Kind, false)
	var names []string
	for _, step := range choice(s) {
		names = append(names, step.Name)
	}
	if want := []string{"this machine", "kind of cluster"}; !slices.Equal(names, want) {
		t.Errorf("choice() = %q, want %q", names, want)
	}
}
