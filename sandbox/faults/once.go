package faults

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/inject"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/oracle"
	"github.com/operator-tracing/sandbox/operator/tracing/faulttest/plan"
	"github.com/operator-tracing/sandbox/operator/tracing/spantree"
)

const (
	// leaveLimit is the time limit for deleting what a run left.
	leaveLimit = 30 * time.Second
	// webhookLimit is the time limit of an apply while the webhook is down.
	webhookLimit = 5 * time.Second
)

// once does one run with a fresh operator in a namespace of its own. The returned error is about the
// sandbox; errors of the run are in its result.
func (r *runner) once(ctx context.Context, name string, drive inject.DriveOptions, options inject.Options) (*oracle.Run, []*spantree.Forest, error) {
	namespace := r.stage.namespaceOf(name)
	s := &supervisor{operator: r.Operator, proxy: r.Proxy}
	options.Namespace, options.Kill = namespace, s.kill
	injector, err := inject.New(nil, options)
	if err != nil {
		return nil, nil, err
	}
	s.injector = injector
	if err := r.stage.enter(ctx, namespace); err != nil {
		return nil, nil, err
	}
	defer func() {
		// Also after an interrupt. The next command repeats it, if it fails.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveLimit)
		defer cancel()
		_ = r.stage.leave(ctx, namespace)
	}()
	r.observer.reset()
	if err := s.start(ctx); err != nil {
		return nil, nil, err
	}
	started := s.awaitStart(ctx, drive.Bound)
	drive.Injector, drive.Steps = injector, r.steps(s, namespace, drive.Plan)
	drive.Snapshot = func(ctx context.Context) (oracle.Snapshot, error) { return r.snapshot(ctx, namespace, injector) }
	run := inject.Drive(ctx, drive)
	run.Exits = s.stop()
	if len(run.Exits) == 0 && started != nil && ctx.Err() == nil {
		run.Exits = append(run.Exits, started.Error())
	}
	forests := r.observer.forests()
	run.Findings = findings(forests, namespace)
	return run, forests, ctx.Err()
}

// snapshot reads the objects of the kinds that the clean run or this one writes.
func (r *runner) snapshot(ctx context.Context, namespace string, injector *inject.Injector) (oracle.Snapshot, error) {
	recordings := []*plan.Recording{injector.Recording()}
	if r.clean != nil {
		recordings = append(recordings, r.clean.Recording)
	}
	return r.stage.snapshot(ctx, namespace, recordings...)
}

// steps returns the steps of a run.
func (r *runner) steps(s *supervisor, namespace string, p plan.Plan) []inject.Step {
	samples, update := r.stage.place(r.stage.samples, namespace), r.stage.place(r.stage.update, namespace)
	ready := func(ctx context.Context) (bool, error) {
		ok, err := r.stage.ready(ctx, samples)
		if failure := s.failure(); err != nil && failure != nil {
			err = fmt.Errorf("%w; the operator does not run: %w", err, failure)
		}
		return ok, err
	}
	apply := func(ctx context.Context) error { return r.stage.apply(ctx, samples, r.send) }
	create := apply
	if p.Fault == plan.WebhookDown {
		create = func(ctx context.Context) error { return r.withoutWebhook(ctx, s, apply) }
	}
	steps := []inject.Step{{Name: "apply", Do: create, Ready: ready}}
	if len(update) > 0 {
		steps = append(steps, inject.Step{
			Name: "update", Ready: ready,
			Do: func(ctx context.Context) error { return r.stage.apply(ctx, update, r.send) },
		})
	}
	return append(steps, inject.Step{
		Name: "delete", Deletes: true,
		Do:    func(ctx context.Context) error { return r.stage.delete(ctx, samples) },
		Ready: func(ctx context.Context) (bool, error) { return r.stage.gone(ctx, samples) },
	})
}

// withoutWebhook applies the sample while the operator is down. The API server may refuse that; then
// the sample is applied again when the operator runs.
func (r *runner) withoutWebhook(ctx context.Context, s *supervisor, apply func(context.Context) error) error {
	s.pause()
	limited, cancel := context.WithTimeout(ctx, webhookLimit)
	err := apply(limited)
	cancel()
	s.resume()
	if err == nil || ctx.Err() != nil {
		return err
	}
	if retried := apply(ctx); retried != nil {
		return errors.Join(retried, err)
	}
	return nil
}
