package up

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/artifact/build"
	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/cluster"
	"github.com/operator-tracing/sandbox/sandbox/engine"
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
	search := engine.Search{Provider: r.Provider, ContainersConf: r.Dir.ContainersConf()}
	if engine.Installed() { // Nobody should need Go and a compilation to learn that there is no engine.
		probe, err := r.probe(ctx)
		if err != nil {
			return err
		}
		cache.NoteImage(r.builder.Cache, probe.Name())
		search.Probe = engine.Probe{Name: probe.Name(), Write: archive(probe)}
	}
	if r.Record.Provider != "" && (r.Provider == "" || r.Provider == "auto") {
		search.Provider = r.Record.Provider
	}
	found, err := engine.Detect(ctx, search)
	if err != nil {
		return err
	}
	r.engine = found
	r.builder.Arch = r.engine.Host.Architecture
	r.nodeRuns, r.apiServes = make(chan struct{}), make(chan struct{})
	r.cluster, err = cluster.New(r.engine, r.Name, r.Dir)
	return err
}

// ChooseImages decides where the images come from.
func (r *Run) ChooseImages(ctx context.Context, report report) error {
	if r.images != nil { // The choice between kind and embedded depended on it.
		report("from %s", r.images.Origin())
		return nil
	}
	mirror, err := r.mirror()
	if err != nil {
		return err
	}
	registry, source := artifact.NewRegistry(r.builder.Cache, r.builder.Arch, mirror), build.NewSource(r.builder)
	origin := r.Images
	if origin == "auto" && r.Record.Images != "" && r.Record.Name == r.Name && !r.Record.Creating {
		origin = r.Record.Images // What the cluster was made from: switching would make it anew. One half-made is made anew anyway.
	}
	switch origin {
	case "registry":
		r.images = registry
	case "source":
		r.images = source
	default:
		r.images = artifact.NewFallback(registry, source, build.CanBuildNode, r.Note)
		if err := registry.Answers(ctx); err != nil {
			report("no registry answers (%s)", strings.Join(strings.Fields(err.Error()), " "))
			r.images = source
		}
	}
	report("from %s", r.images.Origin())
	return nil
}

// mirror is the registry mirror that was asked for.
func (r *Run) mirror() (artifact.Mirror, error) {
	if r.RegistryMirror == "" {
		return artifact.Mirror{}, nil
	}
	return artifact.NewMirror(r.RegistryMirror, r.RegistryPins)
}

// GetNodeImage gets the node's image and gives it to the engine.
func (r *Run) GetNodeImage(ctx context.Context, report report) error {
	node, err := r.images.Node(ctx, report)
	if err != nil {
		return err
	}
	versions, own, err := node.NodeVersions()
	if err != nil {
		return err
	}
	r.node = cluster.Node{Image: node.Name(), Source: own, EtcdTag: versions.EtcdTag, CoreDNSTag: versions.CoreDNSTag, Tracing: r.TracesControlPlane()}
	r.Record.Images = r.images.Origin() // Now it is known, as the node decides.
	if r.bundle == nil {
		r.Record.Bundle = ""
	}
	report("giving it to %s", r.engine.Name)
	cache.NoteImage(r.builder.Cache, node.Name())
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

// EnsureCluster makes, adopts or repairs the cluster. Others may use what there is of it sooner: see AwaitNode and AwaitAPIServer.
func (r *Run) EnsureCluster(ctx context.Context, report report) error {
	r.sayNodeGoes()
	outcome, err := r.cluster.Ensure(ctx, cluster.Spec{
		Node: r.node, Ports: r.Ports,
		OnNode: func() { close(r.nodeRuns) }, OnAPIServer: func() { close(r.apiServes) },
	}, &r.Record, report)
	if err != nil {
		return err
	}
	report("%s", outcome)
	return nil
}

// AwaitNode waits until EnsureCluster, beside which it runs, has a node that takes images.
func (r *Run) AwaitNode(ctx context.Context, _ report) error { return await(ctx, r.nodeRuns) }

// AwaitAPIServer waits until EnsureCluster, beside which it runs, has an API server that takes requests.
func (r *Run) AwaitAPIServer(ctx context.Context, _ report) error {
	if err := await(ctx, r.apiServes); err != nil {
		return err
	}
	_, err := r.Target()
	return err
}

func await(ctx context.Context, reached <-chan struct{}) error {
	select {
	case <-reached:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// LoadImages streams what the cluster needs beside the operator into the node.
func (r *Run) LoadImages(ctx context.Context, report report) error {
	samples, err := r.images.Samples(ctx, report)
	if err != nil {
		return err
	}
	return r.loadImages(ctx, report, slices.Concat(r.certManager, []artifact.Image{r.jaeger}, samples)...)
}

// LoadOperator streams the operator's images into the node.
func (r *Run) LoadOperator(ctx context.Context, report report) error {
	return r.loadImages(ctx, report, append([]artifact.Image{r.operator}, r.operatorImages...)...)
}

// loadImages streams those images into the node that it does not have.
func (r *Run) loadImages(ctx context.Context, report report, images ...artifact.Image) error {
	have, err := r.cluster.Images(ctx)
	if err != nil {
		return err
	}
	missing := slices.DeleteFunc(images, func(i artifact.Image) bool {
		return !slices.ContainsFunc(i.Names, func(name string) bool { return !have[name] })
	})
	if len(missing) == 0 {
		report("the node has them")
		return nil
	}
	if err := r.cluster.Import(ctx, archive(missing...)); err != nil {
		return err
	}
	report("%d loaded", len(missing))
	return nil
}

// ControlPlaneBinaries builds what envtest needs, for this machine.
func (r *Run) ControlPlaneBinaries(ctx context.Context, report report) (string, error) {
	if err := r.useBuilder(); err != nil {
		return "", err
	}
	return r.builder.ControlPlaneBinaries(ctx, report)
}
