package up

import (
	"context"
	"time"

	"github.com/operator-tracing/sandbox/sandbox/cluster"
	"github.com/operator-tracing/sandbox/sandbox/image"
	"github.com/operator-tracing/sandbox/sandbox/ui"
)

// BuildAll builds every image from source, for this machine's architecture.
func (r *Run) BuildAll(ctx context.Context, progress *ui.Progress) error {
	if err := r.useBuilder(); err != nil {
		return err
	}
	source := image.NewSource(r.builder)
	const limit = 35 * time.Minute
	return Do(ctx, progress, []Step{
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
			_, err := r.builder.Operator(ctx, report)
			return err
		}},
	})
}

// KindConfig gets the node image into the engine and returns the configuration by which plain kind makes the same node.
func (r *Run) KindConfig(ctx context.Context, progress *ui.Progress) (string, error) {
	const limit = 35 * time.Minute
	err := Do(ctx, progress, []Step{
		{Name: "container engine", Limit: limit, Run: r.FindEngine},
		{Name: "images", Limit: limit, Run: r.ChooseImages, Needs: []string{"container engine"}},
		{Name: "node image", Limit: limit, Run: r.GetNodeImage, Needs: []string{"images"}},
	})
	if err != nil {
		return "", err
	}
	return cluster.KindConfig(r.Name, r.node, *r.engine.Host)
}
