package manifest

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/config"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/project/kinds"
)

// TableOptions configures [FromTable].
type TableOptions struct {
	// ChartDir is the folder of the component's chart. Required if it has one.
	ChartDir string
	// Images are the images of the component's programs, in their order. Without a chart, there must
	// be one. If one is zero or missing, the chart's own applies, at the component's version.
	Images []Image
	// Shared is true if others use the cluster too. Pods then do not run on control plane nodes.
	Shared bool
	// Processes is true if its programs are processes beside the API server. Then no Deployments and
	// Services are rendered, and the images have no effect.
	Processes bool
	// WebhookAddress is "localhost:PORT" if such a process serves webhooks. The API server then calls
	// them there.
	WebhookAddress string
}

// FromTable renders a component that the table describes completely, by its objects or its chart.
// The chart's definitions and the component's Namespace are among the objects.
func FromTable(row component.Component, o TableOptions) (*Component, error) {
	objects, err := objectsOf(row, o)
	if err != nil {
		return nil, fmt.Errorf("rendering %s: %w", row.Name, err)
	}
	if o.Processes {
		objects = withoutPods(objects)
	}
	return newComponent(row.Name, row.Version, objects), nil
}

func objectsOf(row component.Component, o TableOptions) ([]*unstructured.Unstructured, error) {
	switch {
	case row.Chart != nil:
		return renderChart(row, o)
	case row.Objects == nil:
		return nil, errors.New("no manifests")
	case len(o.Images) != 1:
		return nil, fmt.Errorf("got %d images, want 1", len(o.Images))
	}
	var objects []*unstructured.Unstructured
	for _, object := range row.Objects(o.Images[0].Ref) {
		objects = append(objects, &unstructured.Unstructured{Object: object})
	}
	return objects, nil
}

// controlPlaneToleration admits Pods to a kind node that is not complete: kubeadm taints it, and
// kind removes the taint near the end.
var controlPlaneToleration = map[string]any{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"}

func renderChart(row component.Component, o TableOptions) ([]*unstructured.Unstructured, error) {
	chosen, err := chartValues(row, o)
	if err != nil {
		return nil, err
	}
	chart, err := loader.LoadDir(o.ChartDir)
	if err != nil {
		return nil, fmt.Errorf("loading the chart: %w", err)
	}
	// A chart in a module can have the version v0.0.0. Upstream's release tool sets the version, which
	// is the tag of the images.
	chart.Metadata.Version, chart.Metadata.AppVersion = row.Version, row.Version
	// The release has the name of the namespace, as in upstream's instructions.
	release := common.ReleaseOptions{Name: row.Namespace, Namespace: row.Namespace, Revision: 1, IsInstall: true}
	values, err := util.ToRenderValues(chart, chosen, release, nil)
	if err != nil {
		return nil, fmt.Errorf("checking the chart's values: %w", err)
	}
	files, err := engine.Render(chart, values)
	if err != nil {
		return nil, fmt.Errorf("rendering the chart: %w", err)
	}

	objects := []*unstructured.Unstructured{kinds.New(corev1.SchemeGroupVersion.WithKind("Namespace"), "", row.Namespace)}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if path.Base(name) == "NOTES.txt" {
			continue
		}
		decoded, err := config.Decode(files[name])
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		for _, obj := range decoded {
			if _, hook := obj.GetAnnotations()["helm.sh/hook"]; !hook {
				objects = append(objects, obj)
			}
		}
	}
	return objects, nil
}

func chartValues(row component.Component, o TableOptions) (map[string]any, error) {
	options := component.ChartOptions{WebhookAddress: o.WebhookAddress, Images: make([]map[string]any, len(o.Images))}
	if o.WebhookAddress != "" {
		if err := checkWebhookAddress(o.WebhookAddress); err != nil {
			return nil, err
		}
	}
	if !o.Shared {
		options.Tolerations = []any{controlPlaneToleration}
	}
	for i, image := range o.Images {
		if image.Ref == "" {
			continue
		}
		repository, tag, digest, err := image.split()
		if err != nil {
			return nil, err
		}
		options.Images[i] = map[string]any{"repository": repository, "tag": tag, "digest": digest, "pullPolicy": string(image.pullPolicy())}
	}
	return row.Chart.Values(options), nil
}
