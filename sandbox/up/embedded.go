package up

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/build"
	"github.com/operator-tracing/sandbox/sandbox/component"
	cluster "github.com/operator-tracing/sandbox/sandbox/embedded"
	"github.com/operator-tracing/sandbox/sandbox/manifest"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/state"
)

// embedded is what a run on an embedded cluster has found out.
type embedded struct {
	processes *cluster.Cluster
	programs  *build.Programs

	controlPlane        artifact.ControlPlane
	kwok                string
	jaegerPath          string
	certManagerPrograms artifact.CertManagerPaths
	operatorPath        string
	operatorVersion     string

	certManagerRendered, operatorRendered rendered
}

// useProcesses makes this run one of an embedded cluster.
func (r *Run) useProcesses() (err error) {
	r.processes, err = r.newProcesses()
	return err
}

// useEmbedded does so for an up, if the operator can be a process.
func (r *Run) useEmbedded() error {
	if _, err := r.manifests.Process(project.Place{}); err != nil {
		return err
	}
	if err := r.useProcesses(); err != nil {
		return err
	}
	r.processes.OperatorPort = r.manifests.WebhookPort()
	return nil
}

func (r *Run) newProcesses() (*cluster.Cluster, error) {
	cache, err := state.CachePath()
	if err != nil {
		return nil, err
	}
	processes := cluster.New(r.Dir, filepath.Join(cache, "bin"), &r.Record)
	processes.Tracing = r.TracesControlPlane()
	return processes, nil
}

// Embedded tells whether the run's cluster is embedded.
func (r *Run) Embedded() bool { return r.processes != nil }

// PrepareProcesses chooses ports and makes certificates.
func (r *Run) PrepareProcesses(ctx context.Context, report report) error {
	r.Record.Name, r.Record.Cluster, r.Record.Images = r.Name, component.Embedded, "source"
	r.Record.OperatorEnv = r.OperatorEnv
	r.programs = build.NewPrograms(r.builder)
	if r.Images != "source" {
		mirror, err := r.mirror()
		if err != nil {
			return err
		}
		r.programs.Published = artifact.NewRegistry(r.builder.Cache, "", mirror)
	}
	return r.processes.Prepare(ctx, r.Ports, report)
}

// GetControlPlane gets the programs of Kubernetes.
func (r *Run) GetControlPlane(ctx context.Context, report report) (err error) {
	r.controlPlane, err = r.programs.ControlPlane(ctx, report)
	return err
}

// GetKwok gets kwok.
func (r *Run) GetKwok(ctx context.Context, report report) (err error) {
	r.kwok, err = r.programs.Kwok(ctx, report)
	return err
}

// GetJaeger gets Jaeger.
func (r *Run) GetJaeger(ctx context.Context, report report) (err error) {
	r.jaegerPath, err = r.programs.Jaeger(ctx, report)
	return err
}

// GetCertManager gets cert-manager's programs.
func (r *Run) GetCertManager(ctx context.Context, report report) (err error) {
	r.certManagerPrograms, err = r.programs.CertManager(ctx, report)
	return err
}

// GetOperator builds the operator.
func (r *Run) GetOperator(ctx context.Context, report report) (err error) {
	if _, err := r.manifests.Process(project.Place{}); err != nil {
		return err
	}
	r.operatorPath, r.operatorVersion, err = r.programs.Operator(ctx, r.program(), report)
	return err
}

// StartControlPlane starts the control plane.
func (r *Run) StartControlPlane(ctx context.Context, report report) error {
	outcome, err := r.processes.ControlPlane(ctx, r.controlPlane, report)
	if err != nil {
		return err
	}
	report("%s", outcome)
	_, err = r.Target()
	return err
}

// DefineKinds defines cert-manager's kinds and the operator's: early, because the API server holds up the first objects of a
// kind that is younger than two seconds.
func (r *Run) DefineKinds(ctx context.Context, _ report) error {
	certManager, err := r.certManagerComponent()
	if err != nil {
		return err
	}
	operator, err := r.operatorComponent()
	if err != nil {
		return err
	}
	return apply.Apply(ctx, r.target, slices.Concat(certManager.Definitions(), operator.Definitions()))
}

// certManagerComponent and operatorComponent render once, unless a webhook moved to another port.
func (r *Run) certManagerComponent() (*manifest.Component, error) {
	return r.certManagerRendered.get(r.processes.CertManagerWebhookAddress(), func(address string) (*manifest.Component, error) {
		return manifest.CertManager(manifest.CertManagerOptions{ChartDir: r.certManagerPrograms.ChartDir, WebhookAddress: address})
	})
}

func (r *Run) operatorComponent() (*manifest.Component, error) {
	return r.operatorRendered.get(r.processes.OperatorWebhookAddress(), func(address string) (*manifest.Component, error) {
		return manifest.Operator(manifest.OperatorOptions{Manifests: r.manifests, WebhookAddress: address, Version: r.operatorVersion})
	})
}

// rendered is a component as it was rendered last, for one address of its webhook.
type rendered struct {
	address  string
	rendered *manifest.Component
}

func (c *rendered) get(address string, render func(address string) (*manifest.Component, error)) (*manifest.Component, error) {
	if c.rendered != nil && c.address == address {
		return c.rendered, nil
	}
	rendered, err := render(address)
	if err == nil {
		c.address, c.rendered = address, rendered
	}
	return rendered, err
}

// StartNode makes the node, and waits until it takes Pods.
func (r *Run) StartNode(ctx context.Context, report report) error {
	rendered, err := manifest.Node()
	if err != nil {
		return err
	}
	if err := rendered.Apply(ctx, r.target); err != nil {
		return err
	}
	if err := r.processes.Node(ctx, r.kwok, report); err != nil {
		return err
	}
	return rendered.Wait(ctx, r.target)
}

// StartJaeger starts Jaeger.
func (r *Run) StartJaeger(ctx context.Context, report report) error {
	var page []byte
	if !artifact.IsPublished(r.jaegerPath) {
		var err error
		if page, err = jaegerPage(); err != nil {
			return err
		}
	}
	if err := r.processes.Jaeger(ctx, cluster.JaegerOptions{Program: r.jaegerPath, Page: page}, report); err != nil {
		return err
	}
	report("v%s", artifact.JaegerVersion)
	return nil
}

// StartCertManager installs cert-manager's kinds, roles and webhooks, starts its programs and waits until they judge objects.
func (r *Run) StartCertManager(ctx context.Context, report report) error {
	for {
		address := r.processes.CertManagerWebhookAddress()
		rendered, err := r.certManagerComponent()
		if err != nil {
			return err
		}
		if err := rendered.ApplyWithoutDefinitions(ctx, r.target); err != nil {
			return err
		}
		if err := r.processes.CertManager(ctx, r.certManagerPrograms, report); err != nil {
			return err
		}
		if address != r.processes.CertManagerWebhookAddress() {
			continue // Its port was taken: the API server has to learn the new one.
		}
		if err := rendered.Wait(ctx, r.target); err != nil {
			return err
		}
		report("%s", rendered.Version)
		return nil
	}
}

// StartOperator installs the operator's kinds, roles, certificate and webhook, starts it and waits until it serves.
func (r *Run) StartOperator(ctx context.Context, report report) error {
	for {
		address := r.processes.OperatorWebhookAddress()
		rendered, err := r.operatorComponent()
		if err != nil {
			return err
		}
		if err := rendered.ApplyWithoutDefinitions(ctx, r.target); err != nil {
			return err
		}
		err = r.processes.Operator(ctx, cluster.OperatorOptions{
			Program: r.operatorPath, Process: r.manifests.Process, Env: r.operatorEnv(),
		}, report)
		if err != nil {
			return err
		}
		if address != r.processes.OperatorWebhookAddress() {
			continue
		}
		if err := rendered.Wait(ctx, r.target); err != nil {
			return err
		}
		report("%s", rendered.Version)
		return nil
	}
}

// variables are NAME=VALUE by name.
func variables(list []string) map[string]string {
	env := map[string]string{}
	for _, variable := range list {
		name, value, _ := strings.Cut(variable, "=")
		env[name] = value
	}
	return env
}

// ApplySampleToProcesses applies the sample and waits until it has come to its condition.
func (r *Run) ApplySampleToProcesses(ctx context.Context, report report) error {
	if err := r.applySample(ctx, report); err != nil {
		return err
	}
	return r.processes.WantAll() // One may have died after it was started.
}
