package faultcmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/cli/command"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/embedded/detour"
	"github.com/operator-tracing/sandbox/sandbox/faults"
	"github.com/operator-tracing/sandbox/sandbox/faults/leftover"
	"github.com/operator-tracing/sandbox/sandbox/faults/proxy"
	"github.com/operator-tracing/sandbox/sandbox/faults/report"
	"github.com/operator-tracing/sandbox/sandbox/hint"
	"github.com/operator-tracing/sandbox/sandbox/lifecycle"
	"github.com/operator-tracing/sandbox/sandbox/manifest"
	"github.com/operator-tracing/sandbox/sandbox/session"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

// Limits of the work after the last plan, also after Ctrl-C.
const (
	restoreLimit = time.Minute
	cleanLimit   = time.Minute
)

// run runs the plans, and restores the sandbox whatever happens. The report is nil if it did not
// start.
func (o *options) run(ctx context.Context, run *lifecycle.Sandbox, progress *ui.Progress) (r *report.Report, err error) {
	unlock, err := run.Lock(ctx, progress.Printf)
	if err != nil {
		return nil, err
	}
	defer unlock()
	given, err := o.options(ctx, run)
	if err != nil {
		return nil, err
	}
	operator, err := detour.New(run.Dir, run.Record.ComponentPorts)
	if err != nil {
		return nil, err
	}
	recorded := newRecorded(run.Dir, operator.Spec(), given)
	if o.list {
		if r := recorded.load(progress); r != nil {
			return r, nil
		}
		progress.Printf("Recording what the operator writes without a fault; the next --list is fast if nothing changes.")
	}
	server, err := proxy.Start(ctx, proxy.Options{
		Upstream: operator.Client, Certificate: operator.Certificate.CertFile, Key: operator.Certificate.KeyFile, ClientCA: operator.ClientCA,
	})
	if err != nil {
		return nil, err
	}
	given.Operator, given.Proxy = operator, server
	given.Step = func(name string) func(string, bool) {
		step := progress.Step(name)
		return func(detail string, ok bool) {
			step.Detail("%s", detail)
			var failure error
			if !ok {
				failure = errors.New(detail)
			}
			step.End(failure)
		}
	}
	// A crash of this command leaves the operator behind the proxy; then up restores it.
	defer func() {
		err = errors.Join(err, o.restore(ctx, run, operator, progress), server.Close())
	}()
	if o.inPlace {
		if err := manifest.Sample(given.Cluster.Subject()).DeleteWithDependents(ctx, given.Cluster); err != nil {
			return nil, err
		}
	}
	if r, err = faults.Run(ctx, given); err == nil && o.list && r.Problem == "" {
		err = recorded.save(r)
	}
	var alone *faults.InPlaceError
	var unknown *faults.UnknownPlanError
	switch {
	case errors.As(err, &alone):
		return nil, fmt.Errorf("testing %s: %w; use --in-place", r.Sample, err)
	case errors.As(err, &unknown):
		return nil, command.Usagef("--only: %w; --list lists the plans", err)
	case ctx.Err() != nil:
		err = errors.New("interrupted")
	}
	return r, err
}

// options returns the options that need the sandbox.
func (o *options) options(ctx context.Context, run *lifecycle.Sandbox) (faults.Options, error) {
	if kind := run.Kind(); kind != component.Embedded {
		return faults.Options{}, fmt.Errorf("faults run works on embedded clusters, and the sandbox %s runs on %s; run `%s up --cluster=embedded --name=faults` and then `%s faults run --name=faults`",
			run.Name, kind, hint.Program(), hint.Program())
	}
	if run.File != "" {
		if _, err := run.OpenProject(); err != nil { // It runs another operator.
			return faults.Options{}, err
		}
	}
	cluster, err := run.Target()
	if err != nil {
		return faults.Options{}, err
	}
	webhook, err := hasWebhook(ctx, cluster)
	if err != nil {
		return faults.Options{}, err
	}
	update := o.changed
	if !o.updateSet {
		update = cluster.Subject().Update
	}
	return faults.Options{
		Cluster: cluster, Name: cmp.Or(run.Record.File, "the reference operator"), Samples: cluster.Subject().Samples, Update: update,
		InPlace: o.inPlace, Webhook: webhook, Only: o.plans, Full: o.full, List: o.list, Budget: o.budget, Bound: o.bound, Quiet: o.quiet,
		Labels: session.Labels(), Repeat: o.repeat,
	}, nil
}

// hasWebhook reports whether the operator has an admission webhook.
func hasWebhook(ctx context.Context, c *apply.Cluster) (bool, error) {
	mutating, validating := &admissionregistrationv1.MutatingWebhookConfigurationList{}, &admissionregistrationv1.ValidatingWebhookConfigurationList{}
	labels := c.LabelsOf(component.Operator)
	if err := cmp.Or(c.Client().List(ctx, mutating, labels), c.Client().List(ctx, validating, labels)); err != nil {
		return false, fmt.Errorf("looking for webhooks of the operator: %w", err)
	}
	return len(mutating.Items)+len(validating.Items) > 0, nil
}

// restore makes the operator run without the proxy, applies the sample again, and waits until the
// namespaces of the runs are gone.
func (o *options) restore(ctx context.Context, run *lifecycle.Sandbox, operator *detour.Operator, progress *ui.Progress) error {
	step := progress.Step("restoring the operator")
	err := o.restored(context.WithoutCancel(ctx), run, operator, step.Detail)
	step.End(err)
	return err
}

func (o *options) restored(ctx context.Context, run *lifecycle.Sandbox, operator *detour.Operator, report func(string, ...any)) error {
	limited, cancel := context.WithTimeout(ctx, restoreLimit)
	defer cancel()
	err := operator.Restore(limited)
	if err == nil && o.inPlace {
		err = run.Start(component.Named(component.Sample))(limited, report)
	}
	if err != nil {
		return fmt.Errorf("restoring the operator: %w; run %s", err, hint.Run("up"))
	}
	cluster, err := run.Target()
	if err != nil {
		return err
	}
	report("deleting the namespaces of the runs")
	cleaning, cancel := context.WithTimeout(ctx, cleanLimit)
	defer cancel()
	if err := leftover.Delete(cleaning, cluster.Client()); err != nil {
		return fmt.Errorf("%w; remove the finalizers of its objects, or take the sandbox down (%s)", err, hint.Run("down"))
	}
	return nil
}
