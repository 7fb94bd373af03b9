package manifest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path"
	"path/filepath"
	"slices"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/config"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

const (
	// certManagerNamespace is also the name of the release, as in upstream's instructions.
	certManagerNamespace = "cert-manager"
	certManagerModule    = "github.com/cert-manager/cert-manager"
)

// controlPlaneToleration admits Pods to a kind node that is not complete: kubeadm taints it, and
// kind removes the taint near the end.
var controlPlaneToleration = map[string]any{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"}

// certManagerVersion is the version in the table. The module in go.mod must have the same.
var certManagerVersion = component.Get(component.CertManager).Version

// CertManagerOptions configures [CertManager].
type CertManagerOptions struct {
	// ChartDir is the folder of the chart, as [ChartDir] returns it. Required.
	ChartDir string
	// Controller, CAInjector and Webhook are the images; a zero Image means the chart's own at
	// certManagerVersion. The chart runs them as non-root without a user, so an image must name a
	// numeric user.
	Controller, CAInjector, Webhook Image
	// Shared is true if others use the cluster too. Pods then do not run on control plane nodes.
	Shared bool
	// WebhookAddress is "localhost:PORT" if cert-manager's programs are processes beside the API
	// server. The API server then calls webhooks at that address; no Deployments and Services are
	// rendered, and the images have no effect. Empty means Pods.
	WebhookAddress string
}

// ChartDir returns the folder of cert-manager's chart in the Go module cache. It downloads the
// module if necessary. It runs the go command in dir, which must be inside this repository.
func ChartDir(ctx context.Context, dir string) (string, error) {
	// "go mod download -json" also prints the folder of a module that is in the cache, and then needs
	// no network.
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", certManagerModule)
	cmd.Dir = dir
	out, err := cmd.Output()
	var module struct{ Dir, Version, Error string }
	if decodeErr := json.Unmarshal(out, &module); decodeErr != nil {
		return "", fmt.Errorf("finding module %s: %w", certManagerModule, errors.Join(err, exitText(err), decodeErr))
	}
	switch {
	case module.Error != "":
		return "", fmt.Errorf("finding module %s: %s", certManagerModule, module.Error)
	case module.Version != certManagerVersion:
		return "", fmt.Errorf("finding module %s: go.mod has %s, want %s", certManagerModule, module.Version, certManagerVersion)
	}
	return filepath.Join(module.Dir, "deploy", "charts", "cert-manager"), nil
}

// exitText returns the stderr of a failed command.
func exitText(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return errors.New(string(exit.Stderr))
	}
	return nil
}

// CertManager renders cert-manager from its chart, with its definitions and its Namespace.
func CertManager(o CertManagerOptions) (*Component, error) {
	if o.WebhookAddress != "" {
		if err := checkWebhookAddress(o.WebhookAddress); err != nil {
			return nil, fmt.Errorf("rendering %s: %w", component.CertManager, err)
		}
	}
	objects, err := renderCertManager(o)
	if err != nil {
		return nil, fmt.Errorf("rendering %s: %w", component.CertManager, err)
	}
	if o.WebhookAddress != "" {
		objects = withoutPods(objects)
	}
	return newComponent(component.CertManager, certManagerVersion, objects), nil
}

func renderCertManager(o CertManagerOptions) ([]*unstructured.Unstructured, error) {
	chart, err := loader.LoadDir(o.ChartDir)
	if err != nil {
		return nil, fmt.Errorf("loading the chart: %w", err)
	}
	// The chart in the module has the version v0.0.0. Upstream's release tool sets the version, which
	// is the tag of the images.
	chart.Metadata.Version, chart.Metadata.AppVersion = certManagerVersion, certManagerVersion
	chosen, err := certManagerValues(o)
	if err != nil {
		return nil, err
	}
	release := common.ReleaseOptions{Name: certManagerNamespace, Namespace: certManagerNamespace, Revision: 1, IsInstall: true}
	values, err := util.ToRenderValues(chart, chosen, release, nil)
	if err != nil {
		return nil, fmt.Errorf("checking the chart's values: %w", err)
	}
	files, err := engine.Render(chart, values)
	if err != nil {
		return nil, fmt.Errorf("rendering the chart: %w", err)
	}

	namespace := &unstructured.Unstructured{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	namespace.SetName(certManagerNamespace)
	objects := []*unstructured.Unstructured{namespace}
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

// certManagerValues returns the chart's values that differ from its defaults.
func certManagerValues(o CertManagerOptions) (map[string]any, error) {
	controller := map[string]any{
		// No Helm release owns the definitions.
		"creator":    "static",
		"crds":       map[string]any{"enabled": true},
		"prometheus": map[string]any{"enabled": false},
		// workload.Serves does the same without an image and a Pod.
		"startupapicheck": map[string]any{"enabled": false},
		"global":          map[string]any{"leaderElection": map[string]any{"namespace": certManagerNamespace}},
		// There is one replica each. The lease of a killed leader would block its successor for a
		// minute.
		"extraArgs": []any{"--leader-elect=false"},
	}
	cainjector := map[string]any{"extraArgs": []any{"--leader-elect=false"}}
	webhook := map[string]any{
		// The defaults delay every start by 5 s.
		"readinessProbe": map[string]any{"initialDelaySeconds": 0, "periodSeconds": 1},
	}
	if o.WebhookAddress != "" {
		// The chart also adds this as a DNS name to the serving certificate, with the port, but only in
		// the Deployment.
		webhook["url"] = map[string]any{"host": o.WebhookAddress}
	}
	controller["cainjector"], controller["webhook"] = cainjector, webhook
	if !o.Shared {
		for _, values := range []map[string]any{controller, cainjector, webhook} {
			values["tolerations"] = []any{controlPlaneToleration}
		}
	}
	for _, program := range []struct {
		values map[string]any
		image  Image
	}{{controller, o.Controller}, {cainjector, o.CAInjector}, {webhook, o.Webhook}} {
		if program.image.Ref == "" {
			continue
		}
		repository, tag, digest, err := program.image.split()
		if err != nil {
			return nil, err
		}
		program.values["image"] = map[string]any{
			"repository": repository, "tag": tag, "digest": digest, "pullPolicy": string(program.image.pullPolicy()),
		}
	}
	return controller, nil
}
