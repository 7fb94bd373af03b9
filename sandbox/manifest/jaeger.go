package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/config"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

// JaegerOptions configures [Jaeger].
type JaegerOptions struct {
	// Image is Jaeger v2's image; its entry point is the jaeger binary. Required.
	Image Image
	// Version is the version that status reports: "v2.13.0". Required.
	Version string
	// Config is a configuration of the user; see [CheckJaegerConfig]. Empty means the sandbox's.
	Config []byte
	// Shared is true if others use the cluster too. Jaeger then does not use the node's network and
	// ports.
	Shared bool
	// Page is an index.html that replaces Jaeger's own page, which is absent if Jaeger is built as a
	// Go module. Empty means Jaeger's page.
	Page []byte
}

// Jaeger renders Jaeger, all in one. It stores traces in memory unless its configuration has
// another storage. It uses the network and the ports of the node unless the cluster is shared.
func Jaeger(o JaegerOptions) (*Component, error) {
	if o.Version == "" {
		return nil, errors.New("rendering jaeger: no version")
	}
	overlay := "jaeger"
	if o.Shared {
		overlay = "jaeger-shared"
	}
	objects, err := config.Build(overlay, "")
	if err != nil {
		return nil, err
	}
	if len(o.Config) > 0 {
		if err := setJaegerConfig(objects, o.Config); err != nil {
			return nil, fmt.Errorf("rendering jaeger: %w", err)
		}
	}
	if err := setImage(objects, "jaeger", o.Image); err != nil {
		return nil, fmt.Errorf("rendering jaeger: %w", err)
	}
	if len(o.Page) > 0 {
		page, err := jaegerPage(objects, o.Page)
		if err != nil {
			return nil, fmt.Errorf("rendering jaeger: %w", err)
		}
		objects = append(objects, page)
	}
	return newComponent(component.Jaeger, o.Version, objects), nil
}

// The ConfigMap and the folder of a page in the manifests in config/jaeger.
const (
	jaegerPageName   = "jaeger-page"
	jaegerPageFolder = "/etc/jaeger-page"
)

// jaegerPage returns a ConfigMap with a page and configures Jaeger to serve it. Jaeger reads the
// page only when it starts. So a variable that Jaeger ignores has the hash of the page: a new page
// then creates a new Pod.
func jaegerPage(objects []*unstructured.Unstructured, page []byte) (*unstructured.Unstructured, error) {
	container, err := onlyContainer(objects, "jaeger")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(page)
	setEnv(container, map[string]string{"JAEGER_UI_ASSETS": jaegerPageFolder, "JAEGER_PAGE_SUM": hex.EncodeToString(sum[:8])})
	namespace := ""
	for _, obj := range objects {
		if obj.GetKind() == "Deployment" {
			namespace = obj.GetNamespace()
		}
	}
	object := &unstructured.Unstructured{Object: map[string]any{"data": map[string]any{"index.html": string(page)}}}
	object.SetAPIVersion("v1")
	object.SetKind("ConfigMap")
	object.SetName(jaegerPageName)
	object.SetNamespace(namespace)
	return object, nil
}
