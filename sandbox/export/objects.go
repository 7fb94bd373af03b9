package export

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/operator-tracing/sandbox/sandbox/export/redact"
)

const pageSize = 250

// Objects returns a part for each kind that the API server lists, named
// objects/RESOURCE.GROUP.yaml. It contains the objects for which keep returns true; nil keeps all. In Secrets,
// values are replaced by their size; elsewhere, secret settings are hidden. Managed fields are
// omitted.
func Objects(ctx context.Context, config *rest.Config, keep func(*unstructured.Unstructured) bool) ([]Part, error) {
	config = rest.CopyConfig(config)
	config.WarningHandlerWithContext = rest.NoWarnings{} // Deprecated kinds cause warnings.
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("exporting objects: %w", err)
	}
	discoverer, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("exporting objects: %w", err)
	}
	lists, err := discoverer.ServerPreferredResourcesWithContext(ctx)
	if len(lists) == 0 && err != nil { // If discovery of some groups fails, export the others.
		return nil, fmt.Errorf("listing the kinds of the API server: %w", err)
	}
	var parts []Part
	for _, list := range lists {
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, fmt.Errorf("listing the kinds of the API server: %w", err)
		}
		for _, resource := range list.APIResources {
			if !slices.Contains(resource.Verbs, "list") {
				continue
			}
			target := group.WithResource(resource.Name)
			parts = append(parts, Part{
				Name: "objects/" + target.GroupResource().String() + ".yaml",
				Get: func(ctx context.Context, out io.Writer) error {
					return writeObjects(ctx, client.Resource(target), resource.Kind, keep, out)
				},
			})
		}
	}
	slices.SortFunc(parts, func(a, b Part) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(parts, func(a, b Part) bool { return a.Name == b.Name }), nil
}

// writeObjects writes all objects of a kind as YAML documents.
func writeObjects(ctx context.Context, client dynamic.ResourceInterface, kind string, keep func(*unstructured.Unstructured) bool, out io.Writer) error {
	written := 0
	err := each(ctx, client, func(object *unstructured.Unstructured) error {
		if keep != nil && !keep(object) {
			return nil
		}
		clean(object)
		text, err := yaml.Marshal(object.Object)
		if err != nil {
			return fmt.Errorf("writing %s %s: %w", kind, object.GetName(), err)
		}
		written++
		_, err = fmt.Fprintf(out, "---\n%s", text)
		return err
	})
	if apierrors.IsMethodNotSupported(err) || apierrors.IsNotFound(err) {
		return fmt.Errorf("%w: %w", ErrNothing, err)
	}
	if err != nil {
		return err
	}
	if written == 0 {
		return fmt.Errorf("%w: no %s", ErrNothing, kind)
	}
	return nil
}

// clean removes secrets and irrelevant fields from an object. It returns the removed settings, but
// not the data of Secrets.
func clean(object *unstructured.Unstructured) []redact.Known {
	object.SetManagedFields(nil)
	annotations := object.GetAnnotations()
	delete(annotations, corev1.LastAppliedConfigAnnotation)
	if len(annotations) == 0 {
		annotations = nil
	}
	object.SetAnnotations(annotations)
	if object.GroupVersionKind().GroupKind() == (schema.GroupKind{Kind: "Secret"}) {
		for _, field := range []string{"data", "stringData"} {
			hideAll(object.Object, field)
		}
		return nil
	}
	return redact.Tree(object.Object, object.GetNamespace() != "kube-system")
}

func hideAll(object map[string]any, field string) {
	values, found := object[field].(map[string]any)
	if !found {
		return
	}
	for key, value := range values {
		text, _ := value.(string) // All values of a Secret are strings.
		values[key] = fmt.Sprintf("%s, %d characters", redact.Hidden, len(text))
	}
}
