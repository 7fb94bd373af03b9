package manifest

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/config"
	"github.com/operator-tracing/sandbox/sandbox/artifact/cache"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/project/kinds"
)

// JaegerOptions configures [Jaeger].
type JaegerOptions struct {
	// Image is Jaeger v2's image; its entry point is the jaeger binary. Required.
	Image Image
	// Config is a configuration of the user; see [CheckJaegerConfig]. Empty means the sandbox's.
	Config []byte
	// Shared is true if others use the cluster too. Jaeger then does not use the node's network and
	// ports.
	Shared bool
	// Page is an index.html that replaces Jaeger's own page, which is absent if Jaeger is built as a
	// Go module. Empty means Jaeger's page.
	Page []byte
	// Password is required by Jaeger's page and HTTP query API. Empty means that they require none.
	Password string
}

// Jaeger renders Jaeger, all in one. It stores traces in memory unless its configuration has
// another storage. It uses the network and the ports of the node unless the cluster is shared.
func Jaeger(o JaegerOptions) (*Component, error) {
	objects, err := jaegerObjects(o)
	if err != nil {
		return nil, fmt.Errorf("rendering jaeger: %w", err)
	}
	return newComponent(component.Jaeger, component.Named(component.Jaeger).Version, objects), nil
}

func jaegerObjects(o JaegerOptions) ([]*unstructured.Unstructured, error) {
	overlay := "jaeger"
	if o.Shared {
		overlay = "jaeger-shared"
	}
	objects, err := config.Build(overlay, "")
	if err != nil {
		return nil, err
	}
	deployment, container, err := deploymentOf(objects, "jaeger", "jaeger", "jaeger")
	if err != nil {
		return nil, err
	}
	if len(o.Config) > 0 {
		if err := setJaegerConfig(objects, deployment, o.Config); err != nil {
			return nil, err
		}
	}
	if o.Password != "" {
		setEnv(container, map[string]string{"JAEGER_UI_AUTH": component.JaegerAuth, "JAEGER_UI_PASSWORD": o.Password})
	}
	if len(o.Page) > 0 {
		objects = append(objects, jaegerPage(container, deployment.GetNamespace(), o.Page))
	}
	return objects, o.Image.set(container)
}

// The ConfigMap and the folder of a page in the manifests in config/jaeger.
const (
	jaegerPageName   = "jaeger-page"
	jaegerPageFolder = "/etc/jaeger-page"
)

// jaegerPage returns a ConfigMap with a page and configures Jaeger to serve it. Jaeger reads the
// page only when it starts. So a variable that Jaeger ignores has the hash of the page: a new page
// then creates a new Pod.
func jaegerPage(container map[string]any, namespace string, page []byte) *unstructured.Unstructured {
	setEnv(container, map[string]string{"JAEGER_UI_ASSETS": jaegerPageFolder, "JAEGER_PAGE_SUM": cache.Key(page)})
	object := kinds.New(corev1.SchemeGroupVersion.WithKind("ConfigMap"), namespace, jaegerPageName)
	object.Object["data"] = map[string]any{"index.html": string(page)}
	return object
}
