package install

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// SandboxLabel is on every object that a sandbox has on a shared cluster, with the sandbox's name.
const SandboxLabel = "operator-tracing-sandbox/sandbox"

// Share says that the cluster is not the sandbox's own, but was there before and is used by others too. Every object then
// carries the sandbox's name, objects without it are never written or deleted, and a Namespace of somebody else's is used as it
// is. It is called before the first use.
func (c *Cluster) Share(sandbox string) { c.sandbox = sandbox }

// ForeignError says that an object which the sandbox needs is there already and is not its own. It is left alone.
type ForeignError struct {
	// Object names it: "Deployment jaeger/jaeger".
	Object string
	// Sandbox is the name of the sandbox that it belongs to; empty where it belongs to none, or to one that made the whole cluster.
	Sandbox string
	// Made is whether a sandbox made the object.
	Made bool
}

// Error names the object and what to do.
func (e *ForeignError) Error() string {
	switch {
	case e.Sandbox != "":
		return fmt.Sprintf("%s belongs to the sandbox %s: take that down first, or use it by --name=%s", e.Object, e.Sandbox, e.Sandbox)
	case e.Made:
		return e.Object + " belongs to the sandbox that made this cluster: use that one"
	}
	return e.Object + " is there already and is not the sandbox's: it is left alone; remove it, or use another cluster"
}

// owns tells whether a live object is the sandbox's. On a cluster of its own that is everything that a sandbox applied.
func (c *Cluster) owns(live client.Object) bool {
	labels := live.GetLabels()
	return labels[ManagedByLabel] == FieldManager && (c.sandbox == "" || labels[SandboxLabel] == c.sandbox)
}

// mayWrite tells whether the sandbox may change a live object.
func (c *Cluster) mayWrite(live *unstructured.Unstructured) bool {
	return c.sandbox == "" || c.owns(live)
}

// spare is the answer to an object that may not be written: none where it serves as it is.
func (c *Cluster) spare(live *unstructured.Unstructured) error {
	if phaseOf(live) == phaseNamespaces {
		return nil
	}
	return foreign(live)
}

func foreign(live *unstructured.Unstructured) *ForeignError {
	labels := live.GetLabels()
	e := &ForeignError{Object: describe(live), Made: labels[ManagedByLabel] == FieldManager}
	if e.Made {
		e.Sandbox = labels[SandboxLabel]
	}
	return e
}

// signed is obj with the sandbox's name, on a shared cluster.
func (c *Cluster) signed(obj *unstructured.Unstructured) *unstructured.Unstructured {
	if c.sandbox == "" {
		return obj
	}
	out := obj.DeepCopy()
	labels := out.GetLabels()
	if labels == nil {
		labels = make(map[string]string)
	}
	labels[SandboxLabel] = c.sandbox
	out.SetLabels(labels)
	return out
}

// labelsOf are those of the objects of a component, or of everything that is the sandbox's for "".
func (c *Cluster) labelsOf(component string) client.MatchingLabels {
	labels := client.MatchingLabels{ManagedByLabel: FieldManager}
	if component != "" {
		labels[ComponentLabel] = component
	}
	if c.sandbox != "" {
		labels[SandboxLabel] = c.sandbox
	}
	return labels
}
