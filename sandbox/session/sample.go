package session

import (
	"cmp"
	"context"
	"fmt"

	"go.opentelemetry.io/otel/trace"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/applytrace"
	"github.com/operator-tracing/sandbox/sandbox/manifest"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// StartSample applies the sample and waits for its condition. If RenewSample is set, or if
// SampleLost reports that Jaeger no longer has its trace, it deletes the sample first, with the
// objects that its operator created for it. The trace of a changed sample starts with its apply.
func (s *Session) StartSample(ctx context.Context, report Report) error {
	target, err := s.Target()
	if err != nil {
		return err
	}
	if s.Record.IgnoredFailures, err = workload.IgnoredFailures(ctx, target); err != nil && !apierrors.IsForbidden(err) {
		return fmt.Errorf("starting the sample: %w", err)
	}
	if err := s.Save(); err != nil {
		return err
	}
	sample := manifest.Sample(*s.subject)
	renew := s.RenewSample
	if !renew && s.SampleLost != nil {
		if renew, err = s.SampleLost(ctx); err != nil {
			return err
		}
		if renew {
			report("recreating it, since Jaeger lost its trace")
		}
	}
	if renew {
		// An object of another owner with the name of the sample would be taken over.
		if _, err := apply.Look(ctx, target, sample.Objects); err != nil {
			return fmt.Errorf("recreating the sample: %w", err)
		}
		if err := sample.DeleteWithDependents(ctx, target); err != nil {
			return err
		}
	}
	if err := sample.Prune(ctx, target); err != nil { // First: a webhook without a server would reject objects.
		return fmt.Errorf("starting the sample: %w", err)
	}
	if err := s.applySample(ctx, sample); err != nil {
		return fmt.Errorf("starting the sample: %w", err)
	}
	if err := sample.Wait(ctx, target, report); err != nil {
		return fmt.Errorf("starting the sample: %w", err)
	}
	report("%s", sample.Version)
	return nil
}

// applySample applies the sample, each object that has to be written below a span of its own, and
// sends these spans. If the control plane is traced, the API server continues their contexts;
// otherwise the objects have them. Objects that need no change are not written and have no span.
func (s *Session) applySample(ctx context.Context, sample *manifest.Component) error {
	receiver, err := s.spanReceiver(ctx)
	if err != nil {
		return err
	}
	tracer := applytrace.New(apply.FieldManager)
	tracer.Unchanged, tracer.HeaderOnly = apply.AppliedAnnotation, s.TracesControlPlane()
	tracer.Refused = func(obj *unstructured.Unstructured, err error) {
		s.Notef("   applied %s without a trace context: %v", apply.Describe(obj), err)
	}
	var target *apply.Cluster
	if tracer.HeaderOnly {
		target, err = s.tracedTarget(ctx)
	} else if err = s.Untrace(ctx); err == nil {
		target, err = s.applier()
	}
	if err != nil {
		return err
	}
	if receiver != "" {
		target.OnApply(tracer.Apply)
	}
	// Looking at what is there is a part of this command's own trace, which the API server need not continue.
	untraced := trace.ContextWithSpanContext(ctx, trace.SpanContext{})
	if err := sample.Apply(untraced, target); err != nil {
		return err
	}
	return tracer.Send(ctx, receiver)
}

// spanReceiver returns where the spans of the sample's apply are sent; "" if it is not traced. Nothing
// would continue the context of an operator that is neither observed nor has a webhook for contexts.
func (s *Session) spanReceiver(ctx context.Context) (string, error) {
	if s.Receiver == nil || s.Record.NotObserved && s.subject.Annotation == "" && !s.TracesControlPlane() {
		return "", nil
	}
	return s.Receiver(ctx)
}

// applier returns the API server as seen by the user that applies the sample.
func (s *Session) applier() (*apply.Cluster, error) {
	target, err := s.Target()
	if err != nil {
		return nil, err
	}
	config := rest.CopyConfig(target.Config())
	if s.trustsApplier() {
		config.Impersonate = rest.ImpersonationConfig{UserName: workload.ApplierUser, Groups: []string{"system:masters"}}
	}
	own, err := apply.NewCluster(config, *s.subject)
	if err == nil && s.shared {
		own.Share(cmp.Or(s.Record.Name, s.Name))
	}
	return own, err
}
