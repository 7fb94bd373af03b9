package up

import (
	"context"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/artifact/build"
	"github.com/operator-tracing/sandbox/sandbox/cluster"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

// BuildAll builds everything from source for this machine's architecture: with the cluster "embedded" its programs alone.
func (r *Run) BuildAll(ctx context.Context, progress *ui.Progress) error {
	if err := r.useBuilder(); err != nil {
		return err
	}
	if err := r.useProject(); err != nil {
		return err
	}
	if r.Cluster == "auto" {
		if err := build.CanBuildNode(); err != nil {
			progress.Printf("kind's node can't be built here: %v", err)
			return r.buildPrograms(ctx, progress)
		}
	}
	if r.Cluster == component.Embedded {
		return r.buildPrograms(ctx, progress)
	}
	source := build.NewSource(r.builder)
	const limit = 35 * time.Minute
	err := Do(ctx, progress, []Step{
		{Name: "node image", Limit: limit, Run: func(ctx context.Context, report report) error {
			node, err := source.Node(ctx, report)
			if err == nil {
				report("%s", node.Name())
			}
			return err
		}},
		{Name: "cert-manager images", Limit: limit, Run: func(ctx context.Context, report report) error {
			_, err := source.CertManager(ctx, report)
			return err
		}},
		{Name: "Jaeger image", Limit: limit, Run: func(ctx context.Context, report report) error {
			_, err := source.Jaeger(ctx, report)
			return err
		}},
		{Name: "operator image", Limit: limit, Run: func(ctx context.Context, report report) error {
			if !r.manifests.Built() {
				report("%s: nothing to build", r.project.File.Operator.Image)
				return nil
			}
			_, err := r.builder.Operator(ctx, r.program(), report)
			return err
		}},
	})
	if err != nil || r.Cluster == component.Kind {
		return err
	}
	return r.buildPrograms(ctx, progress)
}

// buildPrograms builds what an embedded cluster runs.
func (r *Run) buildPrograms(ctx context.Context, progress *ui.Progress) error {
	r.programs = build.NewPrograms(r.builder)
	const limit = 35 * time.Minute
	return Do(ctx, progress, []Step{
		{Name: "Kubernetes programs", Limit: limit, Run: r.GetControlPlane},
		{Name: "cert-manager programs", Limit: limit, Run: r.GetCertManager},
		{Name: "Jaeger program", Limit: limit, Run: r.GetJaeger},
		{Name: "kwok program", Limit: limit, Run: r.GetKwok},
		{Name: "operator program", Limit: limit, Run: r.GetOperator},
	})
}

// KindConfig gets the node image into the engine and returns the configuration by which plain kind makes the same node.
func (r *Run) KindConfig(ctx context.Context, progress *ui.Progress) (string, error) {
	const limit = 35 * time.Minute
	r.chooseTracing()
	err := Do(ctx, progress, []Step{
		{Name: "container engine", Limit: limit, Run: r.FindEngine},
		{Name: "images", Limit: limit, Run: r.ChooseImages, Needs: []string{"container engine"}},
		{Name: "node image", Limit: limit, Run: r.GetNodeImage, Needs: []string{"images"}},
	})
	if err != nil {
		return "", err
	}
	return cluster.KindConfig(r.Name, r.node, *r.engine.Host, r.Dir)
}
