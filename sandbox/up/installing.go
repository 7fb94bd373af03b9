package up

import (
	"context"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/manifest"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// InstallCertManager installs cert-manager and waits until its webhook judges objects.
func (r *Run) InstallCertManager(ctx context.Context, report report) error {
	if version := r.wanted.CertManager; version != "" {
		report("%s, as it is", version)
		return nil
	}
	chart, err := r.chart(ctx, report)
	if err != nil {
		return err
	}
	component, err := manifest.CertManager(manifest.CertManagerOptions{
		ChartDir: chart, Shared: r.existing,
		Controller: r.reference(r.certManager[0]), CAInjector: r.reference(r.certManager[1]), Webhook: r.reference(r.certManager[2]),
	})
	if err != nil {
		return err
	}
	report("installing %s", component.Version)
	return r.install(ctx, component, report)
}

// InstallJaeger installs Jaeger and waits until it takes spans and answers queries.
func (r *Run) InstallJaeger(ctx context.Context, report report) error {
	if endpoint := r.wanted.JaegerEndpoint; endpoint != "" {
		report("yours at %s", endpoint)
		return nil
	}
	options := manifest.JaegerOptions{Image: r.reference(r.jaeger), Version: "v" + artifact.JaegerVersion, Shared: r.existing}
	var err error
	if options.Config, err = r.jaegerConfig(); err != nil {
		return err
	}
	placeholder := false
	if !r.public {
		if placeholder, err = r.jaeger.FromSource(); err != nil {
			return err
		}
	}
	if placeholder { // Its Go module has no web page.
		page, err := jaegerPage()
		if err != nil {
			return err
		}
		options.Page = page
	}
	component, err := manifest.Jaeger(options)
	if err != nil {
		return err
	}
	report("installing %s", component.Version)
	if err := r.keepJaegerConfig(); err != nil {
		return err
	}
	return r.install(ctx, component, report)
}

// InstallOperator installs the operator and waits until it serves.
func (r *Run) InstallOperator(ctx context.Context, report report) error {
	telemetry, err := r.telemetry()
	if err != nil {
		return err
	}
	client, err := r.operatorClient(ctx)
	if err != nil {
		return err
	}
	component, err := manifest.Operator(manifest.OperatorOptions{
		Manifests: r.manifests, Image: r.reference(r.operator), Version: tagOf(r.operator), Env: r.operatorEnv(),
		Telemetry: telemetry, Replicas: r.replicas(), Client: client,
	})
	if err != nil {
		return err
	}
	report("installing %s", component.Version)
	if err := r.install(ctx, component, report); err != nil {
		return err
	}
	if err := workload.FreeLeases(ctx, r.target, r.manifests.Deployment); err != nil {
		return err
	}
	r.Record.OperatorImage, r.Record.OperatorEnv, r.Record.OperatorReplicas = r.operator.Name(), r.OperatorEnv, r.replicas()
	return r.Save()
}

// ApplySample applies the sample and waits until it has come to its condition.
func (r *Run) ApplySample(ctx context.Context, report report) error {
	return r.applySample(ctx, report)
}

func (r *Run) applySample(ctx context.Context, report report) error {
	component := manifest.Sample(*r.runs)
	lost, err := r.sampleTraceLost(ctx)
	if err != nil {
		return err
	}
	if lost {
		report("Jaeger lost its trace: making it anew")
		if err := component.DeleteWithDependents(ctx, r.target); err != nil {
			return err
		}
	}
	return r.installSample(ctx, component, report)
}

// installSample applies the sample, with the control plane in its trace where that is on, and waits for it.
func (r *Run) installSample(ctx context.Context, component *manifest.Component, report report) error {
	apply := func(ctx context.Context, _ *manifest.Component) error { return r.untrace(ctx) }
	if r.TracesControlPlane() {
		apply = r.applyTraced
	}
	if err := apply(ctx, component); err != nil {
		return err
	}
	return r.install(ctx, component, report) // What is applied is left as it is.
}

func (r *Run) install(ctx context.Context, component *manifest.Component, report report) error {
	if err := component.Install(ctx, r.target); err != nil {
		return err
	}
	report("%s", component.Version)
	return nil
}
