package up

import (
	"context"
	"io"

	"github.com/operator-tracing/sandbox/sandbox/cluster"
	"github.com/operator-tracing/sandbox/sandbox/image"
	"github.com/operator-tracing/sandbox/sandbox/install"
)

type (
	archiveWriter = io.Writer
	report        = func(format string, args ...any)
)

// FindEngine finds a container engine that works. A sandbox that is up keeps the engine that it was made with, and only
// has to be asked whether it still answers.
func (r *Run) FindEngine(ctx context.Context, report report) error {
	if err := r.useBuilder(); err != nil {
		return err
	}
	search := cluster.Search{Provider: r.Provider, ContainersConf: r.Dir.ContainersConf()}
	if cluster.Installed() { // Nobody should need Go and a compilation to learn that there is no engine.
		probe, err := r.builder.Probe(ctx)
		if err != nil {
			return err
		}
		search.Probe = cluster.Probe{Name: probe.Name(), Write: archive(probe)}
	}
	if r.Record.Provider != "" && (r.Provider == "" || r.Provider == "auto") {
		search.Provider = r.Record.Provider
	}
	engine, err := cluster.Detect(ctx, search)
	if err != nil {
		return err
	}
	r.engine = engine
	r.builder.Arch = r.engine.Host.Architecture
	r.cluster, err = cluster.New(r.engine, r.Name, r.Dir, cluster.Report(report))
	return err
}

// ChooseImages decides where the images come from.
func (r *Run) ChooseImages(ctx context.Context, report report) error {
	if r.images != nil { // The choice between kind and embedded depended on it.
		report("from %s", r.images.Origin())
		return nil
	}
	origin := r.Images
	if origin == "auto" && r.Record.Images != "" && r.Record.Name == r.Name {
		origin = r.Record.Images // What the cluster was made from: switching would make it anew.
	}
	if origin == "auto" {
		origin = "registry"
		if err := image.Answers(ctx, r.builder.Arch); err != nil {
			report("no registry answers (%v)", err)
			origin = "source"
		}
	}
	if origin == "registry" {
		r.images = image.NewRegistry(r.builder)
	} else {
		r.images = image.NewSource(r.builder)
	}
	r.Record.Images = origin
	report("from %s", origin)
	return nil
}

// GetNodeImage gets the node's image and gives it to the engine.
func (r *Run) GetNodeImage(ctx context.Context, report report) error {
	node, err := r.images.Node(ctx, report)
	if err != nil {
		return err
	}
	r.node = cluster.Node{Image: node.Name(), Source: r.images.Origin() == "source"}
	if r.node.Source {
		versions, err := r.builder.Versions()
		if err != nil {
			return err
		}
		r.node.EtcdTag, r.node.CoreDNSTag = versions.EtcdTag, versions.CoreDNSTag
	}
	report("giving it to %s", r.engine.Name)
	loaded, err := r.engine.EnsureImage(ctx, node.Name(), archive(node))
	if err != nil {
		return err
	}
	report("%s%s", node.Name(), map[bool]string{true: ", loaded"}[loaded])
	return nil
}

// GetCertManagerImages gets cert-manager's images.
func (r *Run) GetCertManagerImages(ctx context.Context, report report) (err error) {
	r.certManager, err = r.images.CertManager(ctx, report)
	return err
}

// GetJaegerImage gets Jaeger's image.
func (r *Run) GetJaegerImage(ctx context.Context, report report) (err error) {
	r.jaeger, err = r.images.Jaeger(ctx, report)
	return err
}

// BuildOperator builds the operator.
func (r *Run) BuildOperator(ctx context.Context, report report) (err error) {
	if err := r.useBuilder(); err != nil {
		return err
	}
	r.operator, err = r.builder.Operator(ctx, r.program(), report)
	return err
}

// EnsureCluster makes, adopts or repairs the cluster.
func (r *Run) EnsureCluster(ctx context.Context, report report) error {
	outcome, err := r.cluster.Ensure(ctx, cluster.Wanted{Node: r.node, Ports: r.Ports}, &r.Record, cluster.Report(report))
	if err != nil {
		return err
	}
	report("%s", outcome)
	_, err = r.Target()
	return err
}

// loadImages streams images into the node unless it has them.
func (r *Run) loadImages(ctx context.Context, report report, images ...image.Image) error {
	var names []string
	for _, i := range images {
		names = append(names, i.Names...)
	}
	have, err := r.cluster.HasImages(ctx, names...)
	if err != nil || have {
		return err
	}
	report("loading images into the node")
	return r.cluster.Import(ctx, archive(images...))
}

// InstallCertManager installs cert-manager and waits until its webhook judges objects.
func (r *Run) InstallCertManager(ctx context.Context, report report) error {
	if err := r.loadImages(ctx, report, r.certManager...); err != nil {
		return err
	}
	chart, err := r.builder.Chart(ctx, report)
	if err != nil {
		return err
	}
	component, err := install.CertManager(install.CertManagerOptions{
		ChartDir:   chart,
		Controller: local(r.certManager[0]), CAInjector: local(r.certManager[1]), Webhook: local(r.certManager[2]),
	})
	if err != nil {
		return err
	}
	report("installing %s", component.Version)
	return r.install(ctx, component, report)
}

// InstallJaeger installs Jaeger and waits until it takes spans and answers queries.
func (r *Run) InstallJaeger(ctx context.Context, report report) error {
	if err := r.loadImages(ctx, report, r.jaeger); err != nil {
		return err
	}
	component, err := install.Jaeger(install.JaegerOptions{Image: local(r.jaeger), Version: "v" + image.JaegerVersion})
	if err != nil {
		return err
	}
	report("installing %s", component.Version)
	return r.install(ctx, component, report)
}

// InstallOperator installs the operator and waits until it serves.
func (r *Run) InstallOperator(ctx context.Context, report report) error {
	if err := r.loadImages(ctx, report, r.operator); err != nil {
		return err
	}
	component, err := install.Operator(install.OperatorOptions{Manifests: r.manifests, Image: local(r.operator), Version: tagOf(r.operator), Env: variables(r.OperatorEnv)})
	if err != nil {
		return err
	}
	report("installing %s", component.Version)
	if err := r.install(ctx, component, report); err != nil {
		return err
	}
	r.Record.OperatorImage = r.operator.Name()
	return r.Save()
}

// ApplySample applies the sample and waits until it has come to its condition.
func (r *Run) ApplySample(ctx context.Context, report report) error {
	samples, err := r.images.Samples(ctx, report)
	if err != nil {
		return err
	}
	if err := r.loadImages(ctx, report, samples...); err != nil {
		return err
	}
	return r.applySample(ctx, report)
}

func (r *Run) applySample(ctx context.Context, report report) error {
	component := install.Sample(*r.runs)
	lost, err := r.sampleTraceLost(ctx)
	if err != nil {
		return err
	}
	if lost {
		report("Jaeger lost its trace: making it anew")
		if err := component.Delete(ctx, r.target); err != nil {
			return err
		}
	}
	return r.install(ctx, component, report)
}

func (r *Run) install(ctx context.Context, component *install.Component, report report) error {
	if err := component.Install(ctx, r.target); err != nil {
		return err
	}
	report("%s", component.Version)
	return nil
}

// ControlPlaneBinaries builds what envtest needs, for this machine.
func (r *Run) ControlPlaneBinaries(ctx context.Context, report report) (string, error) {
	if err := r.useBuilder(); err != nil {
		return "", err
	}
	return r.builder.ControlPlaneBinaries(ctx, report)
}
