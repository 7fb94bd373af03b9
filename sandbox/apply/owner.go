package apply

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// FieldManager is the field manager of every server-side apply of the sandbox.
	FieldManager = "operator-tracing-sandbox"
	// ManagedByLabel is on every object of a component, with the value [FieldManager].
	ManagedByLabel = "app.kubernetes.io/managed-by"
	// ComponentLabel is on every object of a component, with the component's name.
	ComponentLabel = "operator-tracing-sandbox/component"
	// VersionAnnotation is on every object of a component that has a version.
	VersionAnnotation = "operator-tracing-sandbox/version"
	// SandboxLabel is on every object of a sandbox on a shared cluster, with the sandbox's name.
	SandboxLabel = "operator-tracing-sandbox/sandbox"
)

// Label marks objects in place as the sandbox's, as a part of a component. An empty version leaves
// them without a version.
func Label(objects []*unstructured.Unstructured, component, version string) {
	for _, obj := range objects {
		obj.SetLabels(with(with(obj.GetLabels(), ManagedByLabel, FieldManager), ComponentLabel, component))
		if version != "" {
			obj.SetAnnotations(with(obj.GetAnnotations(), VersionAnnotation, version))
		}
	}
}

// with adds a key to labels or annotations, which can be nil.
func with(values map[string]string, key, value string) map[string]string {
	if values == nil {
		values = make(map[string]string)
	}
	values[key] = value
	return values
}

// Share declares that the cluster existed before the sandbox and that others use it too. Every
// object then has a label with the sandbox's name. Objects without that label are never written or
// deleted, and Namespaces of other owners are used as they are. Share must be called before the
// first use of the cluster.
func (c *Cluster) Share(sandbox string) { c.sandbox = sandbox }

// Shared reports whether [Cluster.Share] was called.
func (c *Cluster) Shared() bool { return c.sandbox != "" }

// Owns reports whether a live object is the sandbox's. On a cluster of its own, the sandbox owns
// every object that a sandbox applied.
func (c *Cluster) Owns(live client.Object) bool {
	labels := live.GetLabels()
	return labels[ManagedByLabel] == FieldManager && (c.sandbox == "" || labels[SandboxLabel] == c.sandbox)
}

// LabelsOf returns the labels of the sandbox's objects of a component; of all its objects for "".
func (c *Cluster) LabelsOf(component string) client.MatchingLabels {
	labels := client.MatchingLabels{ManagedByLabel: FieldManager}
	if component != "" {
		labels[ComponentLabel] = component
	}
	if c.sandbox != "" {
		labels[SandboxLabel] = c.sandbox
	}
	return labels
}

// ForeignError reports that an object which the sandbox needs exists and has another owner. The
// sandbox does not change it.
type ForeignError struct {
	// Object is the kind and the name: "Deployment jaeger/jaeger".
	Object string
	// Sandbox is the name of the sandbox that owns it. It is empty if no sandbox does, or one that
	// created the whole cluster.
	Sandbox string
	// Made is true if a sandbox created the object.
	Made bool
}

// Foreign returns the error for a live object of another owner.
func Foreign(live *unstructured.Unstructured) *ForeignError {
	labels := live.GetLabels()
	e := &ForeignError{Object: Describe(live), Made: labels[ManagedByLabel] == FieldManager}
	if e.Made {
		e.Sandbox = labels[SandboxLabel]
	}
	return e
}

// Error names the object and a remedy.
func (e *ForeignError) Error() string {
	switch {
	case e.Sandbox != "":
		return fmt.Sprintf("%s belongs to the sandbox %s; delete that sandbox first, or use it with --name=%s", e.Object, e.Sandbox, e.Sandbox)
	case e.Made:
		return e.Object + " belongs to the sandbox that created this cluster; use that sandbox"
	}
	return e.Object + " exists and does not belong to the sandbox; delete it, or use another cluster"
}

// Found lists the objects of a component by their state on a shared cluster.
type Found struct {
	// Missing objects do not exist yet; the sandbox has applied its Own objects before.
	Missing, Own []*unstructured.Unstructured
	// Kept are Namespaces of other owners. The sandbox uses them as they are.
	Kept []*unstructured.Unstructured
}

// Look returns which objects exist, and changes none. The error is a [*ForeignError] if one of them
// has another owner.
func Look(ctx context.Context, c *Cluster, objects []*unstructured.Unstructured) (Found, error) {
	var found Found
	lives, err := each(ctx, objects, func(ctx context.Context, obj *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		live, err := read(ctx, c, obj)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", Describe(obj), err)
		}
		return live, nil
	})
	if err != nil {
		return found, err
	}
	for i, obj := range objects {
		switch live := lives[i]; {
		case live == nil:
			found.Missing = append(found.Missing, obj)
		case c.Owns(live):
			found.Own = append(found.Own, obj)
		case phaseOf(obj) == phaseNamespaces:
			found.Kept = append(found.Kept, obj)
		default:
			return found, Foreign(live)
		}
	}
	return found, nil
}
