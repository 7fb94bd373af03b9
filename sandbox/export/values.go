package export

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/pager"

	"github.com/operator-tracing/sandbox/sandbox/export/redact"
)

// carriers are the kinds whose settings can be secret, besides Secrets.
var carriers = []schema.GroupVersionResource{
	corev1.SchemeGroupVersion.WithResource("configmaps"), corev1.SchemeGroupVersion.WithResource("pods"),
	{Group: "apps", Version: "v1", Resource: "deployments"}, {Group: "apps", Version: "v1", Resource: "statefulsets"},
	{Group: "apps", Version: "v1", Resource: "daemonsets"}, {Group: "batch", Version: "v1", Resource: "jobs"},
	{Group: "batch", Version: "v1", Resource: "cronjobs"},
}

// KnownValues returns the values of all Secrets in the given namespaces for [redact.New], and the
// secret settings of ConfigMaps and workloads; without namespaces, of the whole cluster. It omits
// certificates, which are public. It returns an error if it cannot read the Secrets.
func KnownValues(ctx context.Context, config *rest.Config, namespaces ...string) ([]redact.Known, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("reading Secrets: %w", err)
	}
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	var known []redact.Known
	for _, namespace := range namespaces {
		err := each(ctx, client.Resource(corev1.SchemeGroupVersion.WithResource("secrets")).Namespace(namespace), func(secret *unstructured.Unstructured) error {
			more, err := ofSecret(secret)
			known = append(known, more...)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("reading Secrets: %w", err)
		}
		for _, resource := range carriers {
			err := each(ctx, client.Resource(resource).Namespace(namespace), func(object *unstructured.Unstructured) error {
				known = append(known, clean(object)...)
				return nil
			})
			if err != nil && ctx.Err() != nil { // Other errors are in the part of this kind.
				return nil, fmt.Errorf("reading %s: %w", resource.Resource, err)
			}
		}
	}
	return known, nil
}

// each calls visit with all objects, a page at a time.
func each(ctx context.Context, client dynamic.ResourceInterface, visit func(*unstructured.Unstructured) error) error {
	pages := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return client.List(ctx, options)
	})
	pages.PageSize, pages.PageBufferSize = pageSize, 0
	return pages.EachListItem(ctx, metav1.ListOptions{}, func(obj runtime.Object) error { return visit(obj.(*unstructured.Unstructured)) })
}

func ofSecret(secret *unstructured.Unstructured) ([]redact.Known, error) {
	data, _, err := unstructured.NestedStringMap(secret.Object, "data")
	errs := []error{err}
	var known []redact.Known
	for key, encoded := range data {
		value, err := base64.StdEncoding.DecodeString(encoded)
		errs = append(errs, err)
		if key != "ca.crt" && key != "tls.crt" && key != "namespace" && !strings.HasPrefix(string(value), "-----BEGIN CERTIFICATE-----") {
			known = append(known, redact.Known{Name: key, Value: string(value), Sure: true})
		}
	}
	return known, errors.Join(errs...)
}
