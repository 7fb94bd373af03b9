package install

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	// FieldManager is the field manager of every server-side apply of the sandbox.
	FieldManager = "operator-tracing-sandbox"
	// ManagedByLabel is on every applied object, with the value [FieldManager].
	ManagedByLabel = "app.kubernetes.io/managed-by"
	// ComponentLabel is on every object of a component, with the component's name.
	ComponentLabel = "operator-tracing-sandbox/component"
	// VersionAnnotation is on every object of a component, with the component's version.
	VersionAnnotation = "operator-tracing-sandbox/version"
)

// Apply applies objects server-side.
func Apply(ctx context.Context, c *Cluster, objects []*unstructured.Unstructured) error { return nil }

// Delete deletes objects and waits until they are gone.
func Delete(ctx context.Context, c *Cluster, objects []*unstructured.Unstructured) error { return nil }
