package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/companion"
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

// newFake returns a sandbox on a fake cluster. It has no observer, which would be a process of this
// test's program.
func newFake(t *testing.T, kind string, traced bool) (*lifecycle.Sandbox, *fakeCluster) {
	t.Helper()
	s := &session.Session{
		Record: state.Record{Name: "a", Cluster: kind, ControlPlaneTracing: traced, NotObserved: true},
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

// The reset point is kept when the components have their objects, by up and by load.
func TestPlanKeepsTheResetPoint(t *testing.T) {
	t.Parallel()
	for name, test := range kinds {
		for command, want := range map[string][]string{"up": {"start operator", "start jaeger"}, "load": {"start operator"}} {
			s, cluster := newFake(t, test.kind, test.traced)
			steps := loadPlan(s, true)[1:] // The first one needs a project.
			if command == "up" {
				steps = plan(s)
			}
			if err := graph.Do(t.Context(), nil, graph.Planned(steps)); err != nil {
				t.Fatal(err)
			}
			for _, call := range want {
				if !slices.Contains(cluster.beforeKeep, call) {
					t.Errorf("%s, %s: the reset point was kept after %q, want it after %s", name, command, cluster.beforeKeep, call)
				}
			}
		}
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

// Whatever a step takes, it starts after all steps that it needs have ended, and every step runs once.
func TestPlanOrderWithAnySpeed(t *testing.T) {
	t.Parallel()
	for name, test := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := newFake(t, test.kind, test.traced)
			for seed := range 20 {
				random := rand.New(rand.NewPCG(1, uint64(seed)))
				var mu sync.Mutex
				ended := map[string]bool{}
				steps := plan(s)
				for i, step := range steps {
					pause := time.Duration(random.IntN(1000)) * time.Microsecond
					steps[i].Run = func(context.Context, func(string, ...any)) error {
						mu.Lock()
						for _, need := range step.Needs {
							if !ended[need] {
								t.Errorf("seed %d: %s started before the end of %s", seed, step.Name, need)
							}
						}
						mu.Unlock()
						<-time.After(pause)
						mu.Lock()
						defer mu.Unlock()
						if ended[step.Name] {
							t.Errorf("seed %d: %s ran twice", seed, step.Name)
						}
						ended[step.Name] = true
						return nil
					}
				}
				if err := graph.Do(t.Context(), nil, steps); err != nil || len(ended) != len(steps) {
					t.Fatalf("seed %d: Do() = %v after %d of %d steps", seed, err, len(ended), len(steps))
				}
			}
		})
	}
}

// needs returns all steps that a step needs, directly or not.
func needs(steps []graph.Step, name string) (all []string) {
	for _, step := range steps {
		if step.Name != name {
			continue
		}
		for _, need := range step.Needs {
			all = append(append(all, need), needs(steps, need)...)
		}
	}
	return all
}

// What every plan guarantees: everything is prepared first, a component starts after its phases and
// the components that it needs, and the observer has listed the objects before the sample exists.
func TestPlanNeeds(t *testing.T) {
	t.Parallel()
	for name, test := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := newFake(t, test.kind, test.traced)
			steps := plan(s)
			has := func(name string) bool {
				return slices.ContainsFunc(steps, func(step graph.Step) bool { return step.Name == name })
			}
			for _, step := range steps {
				if step.Name != prepare && !slices.Contains(needs(steps, step.Name), prepare) {
					t.Errorf("%s does not need %s", step.Name, prepare)
				}
				if step.Limit <= 0 {
					t.Errorf("%s has no limit", step.Name)
				}
			}
			for _, c := range component.On(test.kind) {
				wanted := append([]string{"fetch " + c.Name, "deliver " + c.Name}, c.Needs...)
				if c.Name != component.ControlPlane && !c.IsOutside(test.kind) && test.kind != component.Existing && test.kind != component.Kind {
					wanted = append(wanted, component.ControlPlane)
				}
				all := needs(steps, c.Name)
				for _, want := range wanted {
					if has(want) && !slices.Contains(all, want) {
						t.Errorf("%s does not need %s: %q", c.Name, want, all)
					}
				}
				if has("fetch "+c.Name) && has("deliver "+c.Name) && !slices.Contains(needs(steps, "deliver "+c.Name), "fetch "+c.Name) {
					t.Errorf("%s is delivered before it is fetched", c.Name)
				}
			}
			if !slices.Contains(needs(steps, component.Sample), companion.Name) {
				t.Errorf("%s does not need the observer", component.Sample)
			}
		})
	}
}

// A load fails and ends as an up does, and can be repeated after each failure.
func TestLoadPlanFails(t *testing.T) {
	t.Parallel()
	for name, test := range kinds {
		for _, call := range []string{"fetch operator", "deliver operator", "start operator", "start sample"} {
			for _, how := range []string{"fails", "is cancelled"} {
				t.Run(fmt.Sprintf("%s, %s %s", name, call, how), func(t *testing.T) {
					t.Parallel()
					s, cluster := newFake(t, test.kind, test.traced)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					failure := errors.New("no space left on device")
					want := failure
					if how == "is cancelled" {
						want = context.Canceled
					}
					cluster.Before = func(ctx context.Context, begun string) error {
						switch {
						case begun != call:
							return ctx.Err()
						case errors.Is(want, failure):
							return failure
						}
						cancel()
						<-ctx.Done()
						return ctx.Err()
					}
					load := func(ctx context.Context) error {
						steps := loadPlan(s, true)
						steps[0].Run = func(context.Context, func(string, ...any)) error { return nil } // It needs the sources.
						return graph.Do(ctx, nil, steps)
					}
					if err := load(ctx); !errors.Is(err, want) {
						t.Errorf("Do() = %v, want %v", err, want)
					}
					if calls := cluster.Calls(); slices.Contains(calls, call) {
						t.Errorf("%s is among the calls that succeeded: %q", call, calls)
					}
					cluster.Before = nil
					if err := load(t.Context()); err != nil || !slices.Contains(cluster.Calls(), "start sample") {
						t.Errorf("after the repair: %v, calls %q", err, cluster.Calls())
					}
				})
			}
		}
	}
}

// A fetch that fails ends a build, and the next build completes it.
func TestFetchesFail(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{component.Kind, component.Embedded} {
		s, _ := newFake(t, kind, false)
		for _, step := range fetches(s) {
			t.Run(kind+", "+step.Name, func(t *testing.T) {
				t.Parallel()
				s, cluster := newFake(t, kind, false)
				failure := errors.New("no such image")
				cluster.Before = func(_ context.Context, begun string) error {
					if begun == step.Name {
						return failure
					}
					return nil
				}
				if err := graph.Do(t.Context(), nil, fetches(s)); !errors.Is(err, failure) || !strings.HasPrefix(err.Error(), step.Name+": ") {
					t.Errorf("Do() = %v, want an error of the step %q", err, step.Name)
				}
				cluster.Before = nil
				if err := graph.Do(t.Context(), nil, fetches(s)); err != nil || cluster.Changes() != len(fetches(s)) {
					t.Errorf("after the repair: %v, %d changes, want %d", err, cluster.Changes(), len(fetches(s)))
				}
			})
		}
	}
}

// Down ends in the same state however often it is repeated, from each state that an up can leave.
func TestDownFromEachState(t *testing.T) {
	t.Parallel()
	eachCall(t, func(t *testing.T, s *lifecycle.Sandbox, cluster *fakeCluster, call string) {
		cluster.Before = func(_ context.Context, begun string) error {
			if begun == call {
				return errors.New("no space left on device")
			}
			return nil
		}
		if err := graph.Do(t.Context(), nil, plan(s)); err == nil {
			t.Fatal("the plan succeeded")
		}
		for range 2 {
			if err := s.Down(t.Context(), false, func(string, ...any) {}); err != nil {
				t.Errorf("Down() after %s failed = %v", call, err)
			}
		}
		status := provider.Status{State: provider.StateDown}
		if err := cluster.Status(t.Context(), &status); err != nil {
			t.Fatal(err)
		}
		for _, c := range status.Components {
			if c.Ready {
				t.Errorf("after Down, %s is ready", c.Name)
			}
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
