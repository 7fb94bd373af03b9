package install

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
	// Version is what status reports, for example "v2.13.0". Required.
	Version string
	// Config is a configuration of the user's instead of the sandbox's; see [CheckJaegerConfig]. Empty is the sandbox's.
	Config []byte
	// Shared is whether the cluster is used by others too: Jaeger then has a network of its own and none of the node's ports.
	Shared bool
	// Page is an index.html for Jaeger to serve instead of its own page, which it lacks when it is built as a Go module. Empty
	// leaves Jaeger's.
	Page []byte
}

// Jaeger renders Jaeger, all-in-one, in memory unless its configuration says otherwise, and on the node's own network, where its
// ports are those of the node, unless the cluster is shared.
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

// Where the manifests in config/jaeger mount a page, if there is one.
const (
	jaegerPageName   = "jaeger-page"
	jaegerPageFolder = "/etc/jaeger-page"
)

// jaegerPage puts a page into a ConfigMap and has Jaeger serve it. Jaeger reads it when it starts, so another page is another
// Pod: a variable that Jaeger doesn't know tells them apart.
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
