package generated

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/operator-tracing/sandbox/operator/tracing"
)

const (
	managers = 5 // generated operators that run in a manager
	patience = 30 * time.Second
	quiet    = 5 * time.Second
)

// managed is an operator in a manager, with caches and controller-runtime's own queue.
type managed struct {
	*world

	reconciles atomic.Int64
	stop       func() error
}

// startManaged starts the manager of an operator and creates its objects.
func startManaged(ctx context.Context, s *scenario, mode string) (*managed, error) {
	w, err := newWorld(ctx, s, mode)
	if err != nil {
		return nil, err
	}
	m := &managed{world: w}
	options := ctrl.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}, Cache: cache.Options{DefaultNamespaces: map[string]cache.Config{w.namespace: {}}},
		Client: client.Options{Cache: &client.CacheOptions{Unstructured: true}},
	}
	if mode != plain {
		options.NewClient = tracing.NewClientFunc(w.opts...)
	}
	mgr, err := ctrl.NewManager(w.config(), options)
	if err != nil {
		return nil, err
	}
	p := &program{op: w.operator, log: w.log, client: mgr.GetClient(), second: client.WithFieldOwner(mgr.GetClient(), "second")}
	if err := m.addController(mgr, p); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	m.stop = func() error { cancel(); return <-ended }
	err = m.create(ctx)
	return m, err
}

func (m *managed) addController(mgr ctrl.Manager, p *program) error {
	var r reconcile.Reconciler = reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		m.reconciles.Add(1)
		return p.Reconcile(ctx, req)
	})
	obj := newObject(m.Primary, m.Typed)
	options := controller.Options{SkipNameValidation: new(true), UsePriorityQueue: &m.Priority, RecoverPanic: new(true)}
	byLabel := handler.EnqueueRequestsFromMapFunc(ownerByLabel)
	b := ctrl.NewControllerManagedBy(mgr).Named("generated")
	if m.mode != plain {
		q := tracing.NewQueueObserver(obj, m.opts...)
		options = q.Options(options)
		byLabel = tracing.WrapEventHandler(q, byLabel)
		b = b.WithEventFilter(q.Predicate())
		r = tracing.WrapReconciler(obj, r, append([]tracing.Option{tracing.WithQueueObserver(q)}, m.opts...)...)
	}
	if m.Generation {
		b = b.For(obj, builder.WithPredicates(predicate.GenerationChangedPredicate{}))
	} else {
		b = b.For(obj)
	}
	seen := []string{m.Primary}
	for _, s := range m.Steps {
		if childVerbs[s.Verb] == nil || slices.Contains(seen, s.Kind) {
			continue
		}
		seen = append(seen, s.Kind)
		if m.Watches {
			b = b.Watches(newObject(s.Kind, s.Typed), byLabel)
		} else {
			b = b.Owns(newObject(s.Kind, s.Typed))
		}
	}
	return b.WithOptions(options).Complete(r)
}

// settle waits until there was no request and no reconcile for a while. This proves nothing;
// the end of the test does.
func (m *managed) settle(ctx context.Context) error {
	last, since := int64(-1), time.Now()
	return wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		if now := m.reconciles.Load() + m.wire.writes.Load(); now != last {
			last, since = now, time.Now()
		}
		return last > 0 && time.Since(since) > 500*time.Millisecond, nil
	})
}

// run runs the actions of all users.
func (m *managed) run(ctx context.Context) error {
	if err := m.settle(ctx); err != nil {
		return fmt.Errorf("waiting until the operator is idle after the creates: %w", err)
	}
	for _, verb := range m.Users {
		if err := m.edit(ctx, verb); err != nil {
			return fmt.Errorf("user's %s: %w", verb, err)
		}
		if err := m.settle(ctx); err != nil {
			return fmt.Errorf("waiting until the operator is idle after the user's %s: %w", verb, err)
		}
	}
	return nil
}

// ordinals matches names in normalized text that depend on the order of events.
var ordinals = regexp.MustCompile(`(uid|version)-\d+`)

// final returns the objects at the end, without the parts that depend on the order of events.
func (m *managed) final(ctx context.Context) ([]string, error) {
	lines, err := m.end(ctx)
	for i, line := range lines {
		u := &unstructured.Unstructured{}
		if err := json.Unmarshal([]byte(ordinals.ReplaceAllString(line, "$1")), &u.Object); err != nil {
			return nil, err
		}
		for _, path := range [][]string{{"metadata", "resourceVersion"}, {"metadata", "generation"}, {"metadata", "managedFields"}, {"status", "observedGeneration"}, {"status", "conditions"}} {
			unstructured.RemoveNestedField(u.Object, path...)
		}
		data, err := json.Marshal(u.Object)
		if err != nil {
			return nil, err
		}
		lines[i] = string(data)
	}
	return lines, err
}

// TestManagersComeToRest runs operators in managers. The objects at the end must be the same with
// and without the library. After that no operator may write anything for five seconds.
func TestManagersComeToRest(t *testing.T) {
	t.Parallel()
	chosen := manageable()
	pairs := make([][2]*managed, len(chosen))
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	for i, o := range chosen {
		s := &scenario{operator: o}
		for j, mode := range []string{plain, *compared} {
			m, err := startManaged(t.Context(), s, mode)
			if err != nil {
				t.Fatalf("starting the %s operator of seed %d: %v", mode, o.Seed, err)
			}
			t.Cleanup(func() {
				if err := m.stop(); err != nil {
					t.Error(err)
				}
			})
			pairs[i][j] = m
			running.Go(func() {
				if err := m.run(t.Context()); err != nil {
					t.Errorf("running the %s operator of seed %d: %v\n%s", mode, o.Seed, err, o)
				}
			})
		}
	}
	running.Wait()
	checkRest(t, pairs)
	for _, pair := range pairs {
		want, err := pair[0].final(t.Context())
		if err != nil {
			t.Error(err)
			continue
		}
		got, err := pair[1].final(t.Context())
		if d := difference(want, got); err != nil || d != "" {
			t.Errorf("the %s operator of seed %d ends with objects that differ from plain: error %v\n%s\n%s", pair[1].mode, pair[1].Seed, err, d, pair[1].operator)
		}
	}
}

// checkRest checks that all operators write nothing for a while.
func checkRest(t *testing.T, pairs [][2]*managed) {
	t.Helper()
	var before []int64
	for _, pair := range pairs {
		before = append(before, pair[0].wire.writes.Load(), pair[1].wire.writes.Load())
	}
	select { // the test checks that nothing happens, so there is no condition to wait for
	case <-time.After(quiet):
	case <-t.Context().Done():
	}
	for i, pair := range pairs {
		for j, m := range pair {
			if n := m.wire.writes.Load() - before[2*i+j]; n != 0 {
				t.Errorf("the %s operator of seed %d writes %d times in %s, want none\n%s", m.mode, m.Seed, n, quiet, m.operator)
			}
		}
	}
}

// manageable returns the known operators, and generated operators whose end does not depend on the
// order of events. The order matters if a cache may miss a child with a generated name, which
// creates a second child, or if a predicate drops users' changes.
func manageable() []operator {
	out := slices.Clone(known)
	for next := uint64(10_001); len(out) < len(known)+managers; next++ {
		o := generate(next)
		if !o.Generation && !slices.ContainsFunc(o.Steps, func(s step) bool { return s.Verb == "generate-name" || s.Verb == "terminal" }) {
			out = append(out, o)
		}
	}
	return out
}
