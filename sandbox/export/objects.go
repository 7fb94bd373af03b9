package export

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

// pageSize is the number of objects per request.
const pageSize = 250

// Objects returns a part for each kind that the API server lists, named
// objects/RESOURCE.GROUP.yaml. It contains the objects of one namespace, or of all namespaces for
// "". In Secrets, values are replaced by their size. Managed fields are omitted.
func Objects(ctx context.Context, config *rest.Config, namespace string) ([]Part, error) {
	return ObjectsWhere(ctx, config, namespace, nil)
}

// ObjectsWhere is like Objects, but only includes objects for which keep returns true. A nil keep
// includes all objects.
func ObjectsWhere(ctx context.Context, config *rest.Config, namespace string, keep func(*unstructured.Unstructured) bool) ([]Part, error) {
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
			if !slices.Contains(resource.Verbs, "list") || namespace != "" && !resource.Namespaced {
				continue
			}
			target := group.WithResource(resource.Name)
			parts = append(parts, Part{
				Name: "objects/" + target.GroupResource().String() + ".yaml",
				Get: func(ctx context.Context, out io.Writer) error {
					return writeObjects(ctx, client.Resource(target).Namespace(namespace), resource.Kind, keep, out)
				},
			})
		}
	}
	slices.SortFunc(parts, func(a, b Part) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(parts, func(a, b Part) bool { return a.Name == b.Name }), nil
}

// writeObjects writes all objects of a kind as YAML documents.
func writeObjects(ctx context.Context, client dynamic.ResourceInterface, kind string, keep func(*unstructured.Unstructured) bool, out io.Writer) error {
	options := metav1.ListOptions{Limit: pageSize}
	written := 0
	for {
		list, err := client.List(ctx, options)
		if apierrors.IsMethodNotSupported(err) || apierrors.IsNotFound(err) {
			return fmt.Errorf("%w: %w", ErrNothing, err)
		}
		if err != nil {
			return err
		}
		for i := range list.Items {
			if keep != nil && !keep(&list.Items[i]) {
				continue
			}
			clean(&list.Items[i])
			text, err := yaml.Marshal(list.Items[i].Object)
			if err != nil {
				return fmt.Errorf("writing %s %s: %w", kind, list.Items[i].GetName(), err)
			}
			if _, err := fmt.Fprintf(out, "---\n%s", text); err != nil {
				return err
			}
			written++
		}
		if options.Continue = list.GetContinue(); options.Continue == "" {
			break
		}
	}
	if written == 0 {
		return fmt.Errorf("%w: no %s", ErrNothing, kind)
	}
	return nil
}

// clean removes secrets and irrelevant fields from an object.
func clean(object *unstructured.Unstructured) {
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
	}
	hideVariables(object.Object)
}

// hideAll replaces the values of a map by their sizes.
func hideAll(object map[string]any, field string) {
	values, found := object[field].(map[string]any)
	if !found {
		return
	}
	for key, value := range values {
		text, _ := value.(string) // All values of a Secret are strings.
		values[key] = fmt.Sprintf("%s, %d characters", Hidden, len(text))
	}
}

// hideVariables hides the values of environment variables with a telling name, anywhere in an
// object.
func hideVariables(node any) {
	switch n := node.(type) {
	case map[string]any:
		name, named := n["name"].(string)
		if _, valued := n["value"].(string); named && valued && Telling(name) {
			n["value"] = Hidden
		}
		for _, child := range n {
			hideVariables(child)
		}
	case []any:
		for _, child := range n {
			hideVariables(child)
		}
	}
}

// SecretValues returns the values of all Secrets in the given namespaces for [NewRedactor]; without
// namespaces, of all Secrets of the cluster. It omits certificates, which are public.
func SecretValues(ctx context.Context, config *rest.Config, namespaces ...string) ([]string, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("reading Secrets: %w", err)
	}
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	var values []string
	for _, namespace := range namespaces {
		more, err := secretsIn(ctx, client, namespace)
		if err != nil {
			return nil, err
		}
		values = append(values, more...)
	}
	return values, nil
}

func secretsIn(ctx context.Context, client dynamic.Interface, namespace string) (values []string, err error) {
	list, err := client.Resource(corev1.SchemeGroupVersion.WithResource("secrets")).Namespace(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading Secrets: %w", err)
	}
	var errs []error
	for _, secret := range list.Items {
		data, _, err := unstructured.NestedStringMap(secret.Object, "data")
		errs = append(errs, err)
		for key, encoded := range data {
			value, err := decode(encoded)
			errs = append(errs, err)
			if key != "ca.crt" && key != "tls.crt" && key != "namespace" {
				values = append(values, value)
			}
		}
	}
	return values, errors.Join(errs...)
}

func decode(encoded string) (string, error) {
	data, err := base64.StdEncoding.DecodeString(encoded)
	return string(data), err
}
