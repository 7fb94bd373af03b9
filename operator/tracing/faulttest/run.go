package faulttest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/inject"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/oracle"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
)

// run is one run of the operator in a namespace of its own.
type run struct {
	*session

	plan      plan.Plan
	namespace string
	admin     client.Client // neither recorded nor hit by faults
	user      client.Client // of the test, recorded
	applied   *inject.Injector
	injector  *inject.Injector
}

// once runs a plan once. The zero plan is a clean run.
func (s *session) once(ctx context.Context, p plan.Plan) (_ Result, err error) {
	began := time.Now()
	r := &run{session: s, plan: p}
	if r.admin, err = s.client(nil); err != nil {
		return Result{}, err
	}
	if r.namespace, err = s.newNamespace(ctx, r.admin); err != nil {
		return Result{}, err
	}
	log := &logLines{}
	life := &life{start: s.op.Start, cfg: s.cfg, log: log}
	r.injector, err = inject.New(nil, inject.Options{
		Namespace: r.namespace, Plan: p, Recording: s.report.Recording,
		Kill: life.kill, Delay: s.o.Delay, Outage: s.o.Outage, Hold: s.o.Hold,
	})
	if err != nil {
		return Result{}, err
	}
	if r.applied, err = inject.New(nil, inject.Options{Namespace: r.namespace}); err != nil {
		return Result{}, err
	}
	if r.user, err = s.client(r.applied); err != nil {
		return Result{}, err
	}
	outcome := r.drive(ctx, life)
	if err := errors.Join(ctx.Err(), r.cleanUp(ctx)); err != nil {
		return Result{}, err
	}
	result := Result{
		Plan: p, Run: outcome, Log: log.last(), Took: time.Since(began), clean: s.report.Recording,
	}
	if s.oracle != nil {
		result.Target = s.report.Recording.Describe(p)
		result.Verdicts = s.oracle.Judge(outcome)
	}
	return result, nil
}

// drive runs the operator and does the steps.
func (r *run) drive(ctx context.Context, l *life) *oracle.Run {
	ctx, cancel := context.WithCancel(ctx)
	var background sync.WaitGroup
	var clusterErr error
	background.Go(func() { l.run(ctx, r.injector) })
	if r.collects {
		background.Go(func() { r.collect(ctx) })
	}
	if r.op.Cluster != nil {
		background.Go(func() {
			if err := r.op.Cluster(ctx, r.admin); err != nil && ctx.Err() == nil {
				clusterErr = fmt.Errorf("running Cluster: %w", err)
			}
		})
	}
	o := inject.DriveOptions{
		Injector: r.injector, Steps: r.steps(), Snapshot: r.snapshot,
		Oracle: r.oracle, Bound: r.o.Bound, Quiet: r.o.Quiet, Plan: r.plan,
	}
	if r.oracle != nil {
		o.Watched = r.report.Recording.Watched
		if o.Bound == 0 {
			o.Bound = r.oracle.Bound(minBound)
		}
	} else {
		o.Quiet = max(3*o.Quiet, time.Second) // a clean run must find writes that come late
	}
	out := inject.Drive(ctx, o)
	cancel()
	background.Wait()
	out.Exits = l.exits
	out.Err = errors.Join(out.Err, clusterErr)
	return out
}

func (r *run) snapshot(ctx context.Context) (oracle.Snapshot, error) {
	mine, theirs := r.injector.Recording(), r.applied.Recording()
	return oracle.TakeSnapshot(ctx, r.http, r.base, r.namespace, r.know(mine, theirs), mine, theirs)
}

// steps returns what the run does.
func (r *run) steps() []inject.Step {
	do := func(f func(context.Context, client.Client, string) error) func(context.Context) error {
		return func(ctx context.Context) error { return f(ctx, r.user, r.namespace) }
	}
	check := func(f func(context.Context, client.Client, string) (bool, error)) func(context.Context) (bool, error) {
		return func(ctx context.Context) (bool, error) { return f(ctx, r.admin, r.namespace) }
	}
	steps := []inject.Step{{Name: "apply", Do: do(r.op.Apply), Ready: check(r.op.Ready)}}
	if r.op.Update != nil {
		steps = append(steps, inject.Step{Name: "update", Do: do(r.op.Update), Ready: check(r.op.Ready)})
	}
	last := inject.Step{Name: "delete", Do: r.deleteApplied, Ready: r.appliedGone, Deletes: true}
	if r.op.Delete != nil {
		last.Do = do(r.op.Delete)
	}
	if r.op.Gone != nil {
		last.Ready = check(r.op.Gone)
	}
	return append(steps, last)
}

// appliedObjects returns the objects that Apply and Update created, the last first.
func (r *run) appliedObjects() ([]*metav1.PartialObjectMetadata, error) {
	var out []*metav1.PartialObjectMetadata
	for _, w := range r.applied.Recording().Writes {
		if !w.Created() {
			continue
		}
		gvk, err := r.mapper.KindFor(schema.GroupVersionResource{Group: w.Group, Version: w.Version, Resource: w.Resource})
		if err != nil {
			return nil, fmt.Errorf("finding the kind of %s: %w", w.Resource, err)
		}
		obj := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: w.ActualNamespace, Name: w.ActualName}}
		obj.SetGroupVersionKind(gvk)
		out = append(out, obj)
	}
	slices.Reverse(out)
	return out, nil
}

func (r *run) deleteApplied(ctx context.Context) error {
	objects, err := r.appliedObjects()
	if err != nil {
		return err
	}
	for _, obj := range objects {
		err := r.user.Delete(ctx, obj, client.PropagationPolicy(metav1.DeletePropagationBackground))
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting %s %s: %w", obj.Kind, obj.Name, err)
		}
	}
	return nil
}

func (r *run) appliedGone(ctx context.Context) (bool, error) {
	objects, err := r.appliedObjects()
	if err != nil {
		return false, err
	}
	for _, obj := range objects {
		switch err := r.admin.Get(ctx, client.ObjectKeyFromObject(obj), obj); {
		case err == nil:
			return false, fmt.Errorf("%s %s still exists", obj.Kind, obj.Name)
		case !apierrors.IsNotFound(err):
			return false, err
		}
	}
	return true, nil
}

// life runs the operator, and restarts it when it is killed or ends on its own.
type life struct {
	start func(context.Context, *rest.Config) error
	cfg   *rest.Config
	log   *logLines
	exits []string

	mu     sync.Mutex
	cancel context.CancelFunc
}

const (
	// stopTimeout is the time that an operator has to return after its context has ended. A manager
	// waits 30 s for its runnables.
	stopTimeout = 40 * time.Second
	// maxRestarts bounds the restarts of an operator that ends on its own.
	maxRestarts = 10
)

// kill ends the context of the operator. It does not wait, because the operator waits for the
// request that kills it.
func (l *life) kill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cancel()
}

// run runs the operator until ctx ends.
func (l *life) run(ctx context.Context, i *inject.Injector) {
	ctx = l.log.into(ctx)
	killed := i.Killed()
	for len(l.exits) <= maxRestarts {
		current, cancel := context.WithCancel(ctx)
		l.mu.Lock()
		l.cancel = cancel
		l.mu.Unlock()
		cfg := rest.CopyConfig(l.cfg)
		cfg.Wrap(i.Wrap)
		ended := make(chan error, 1)
		go func() { ended <- l.start(current, cfg) }()
		select {
		case err := <-ended:
			cancel()
			if wasKilled(killed) {
				break
			}
			if ctx.Err() != nil {
				return
			}
			l.exits = append(l.exits, fmt.Sprint(err))
			select {
			case <-time.After(time.Duration(len(l.exits)) * 50 * time.Millisecond):
			case <-ctx.Done():
			}
		case <-current.Done():
			select {
			case err := <-ended:
				_ = err // about requests that failed after the end
			case <-time.After(stopTimeout):
				l.exits = append(l.exits, fmt.Sprintf("the operator did not stop within %s", stopTimeout))
				cancel()
				return
			}
		}
		cancel()
		if ctx.Err() != nil {
			return
		}
		if wasKilled(killed) {
			killed = nil
		}
		i.Restart()
	}
}

// wasKilled reports whether the operator was killed and has not been restarted since.
func wasKilled(killed <-chan struct{}) bool {
	select {
	case <-killed:
		return killed != nil
	default:
		return false
	}
}
