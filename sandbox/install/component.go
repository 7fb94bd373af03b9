package install

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

// check asks a component's service once, and returns what is missing.
type check func(context.Context) error

// readiness prepares, for the components that are ready later than their Pods, the check of the service itself.
var readiness = map[string]func(*Cluster) (check, error){
	component.CertManager: certManagerReady,
	component.Operator: func(c *Cluster) (check, error) {
		return func(ctx context.Context) error { return operatorReady(ctx, c) }, nil
	},
	component.Sample: func(c *Cluster) (check, error) {
		return func(ctx context.Context) error { return sampleReady(ctx, c) }, nil
	},
	ApplierName: func(c *Cluster) (check, error) {
		return func(ctx context.Context) error { return applierReady(ctx, c) }, nil
	},
	component.Node: func(c *Cluster) (check, error) {
		return func(ctx context.Context) error { return nodeReady(ctx, c) }, nil
	},
}

// checkOf returns the check of the named component's service; one that has none passes.
func checkOf(c *Cluster, name string) (check, error) {
	prepare := readiness[name]
	if prepare == nil {
		return func(context.Context) error { return nil }, nil
	}
	return prepare(c)
}

// Serves asks the named component once whether it serves its users: cert-manager and the operator answer admission
// requests as they should, the sample is ready, the node takes Pods. It looks at no Deployment, so it suits components that
// run as processes too. Components without such a check, Jaeger and unknown ones, pass. The error says what is missing.
func Serves(ctx context.Context, c *Cluster, name string) error {
	serves, err := checkOf(c, name)
	if err != nil {
		return err
	}
	return serves(ctx)
}

// Component is something that the sandbox installs. It holds rendered objects and talks to no cluster until one of its
// methods is called. It is immutable after its constructor and safe for concurrent use.
type Component struct {
	// Name is one of the names above.
	Name string
	// Version is what [StatusOf] reports once the component is applied, for example "v1.21.2".
	Version string
	// Objects are what is applied, in the order they were rendered.
	Objects []*unstructured.Unstructured
}

// FromTable renders a component that the table describes completely.
func FromTable(row component.Component, image Image) *Component {
	var objects []*unstructured.Unstructured
	for _, object := range row.Objects(image.Ref) {
		objects = append(objects, &unstructured.Unstructured{Object: object})
	}
	return newComponent(row.Name, row.Version, objects)
}

// newComponent marks objects, which it takes over, as belonging to the component.
func newComponent(name, version string, objects []*unstructured.Unstructured) *Component {
	for _, obj := range objects {
		labels := obj.GetLabels()
		if labels == nil {
			labels = make(map[string]string)
		}
		labels[ManagedByLabel] = FieldManager
		labels[ComponentLabel] = name
		obj.SetLabels(labels)
		if version == "" {
			continue
		}
		annotations := obj.GetAnnotations()
		if annotations == nil {
			annotations = make(map[string]string)
		}
		annotations[VersionAnnotation] = version
		obj.SetAnnotations(annotations)
	}
	return &Component{Name: name, Version: version, Objects: objects}
}

// Apply applies the component's objects; see [Apply]. A second Apply of the same component changes nothing.
func (p *Component) Apply(ctx context.Context, c *Cluster) error {
	if err := Apply(ctx, c, p.Objects); err != nil {
		return fmt.Errorf("installing %s: %w", p.Name, err)
	}
	return nil
}

// Wait waits until the component serves its users, which is more than its Pods being ready: cert-manager and the
// operator also have to answer admission requests as they should. A component without Pods is ready when it [Serves]. It
// polls until ctx ends; the error then names what wasn't ready and the last thing seen.
func (p *Component) Wait(ctx context.Context, c *Cluster) error {
	var workloads []*unstructured.Unstructured
	for _, obj := range p.Objects {
		if obj.GroupVersionKind().Group == appsv1.GroupName {
			workloads = append(workloads, obj)
		}
	}
	if err := WaitReady(ctx, c, workloads); err != nil {
		return fmt.Errorf("waiting for %s: %w", p.Name, err)
	}
	serves, err := checkOf(c, p.Name)
	if err != nil {
		return err
	}
	if err := c.settle(ctx); err != nil {
		return fmt.Errorf("waiting for %s: %w", p.Name, err)
	}
	return poll(ctx, "waiting for "+p.Name, serves)
}

// Definitions are the component's definitions of kinds. Applied before the rest, with those of other components, they are old
// enough to be used when the rest is ready.
func (p *Component) Definitions() []*unstructured.Unstructured {
	return phases(p.Objects)[phaseDefinitions]
}

// ApplyWithoutDefinitions applies all but [Component.Definitions], which must be there.
func (p *Component) ApplyWithoutDefinitions(ctx context.Context, c *Cluster) error {
	ordered := phases(p.Objects)
	if err := Apply(ctx, c, slices.Concat(ordered[phaseDefinitions+1:]...)); err != nil {
		return fmt.Errorf("installing %s: %w", p.Name, err)
	}
	return nil
}

// Install applies the component and waits for it.
func (p *Component) Install(ctx context.Context, c *Cluster) error {
	if err := p.Apply(ctx, c); err != nil {
		return err
	}
	return p.Wait(ctx, c)
}

// Delete deletes the component's objects and waits until they are gone; see [Delete].
func (p *Component) Delete(ctx context.Context, c *Cluster) error {
	if err := Delete(ctx, c, p.Objects); err != nil {
		return fmt.Errorf("deleting %s: %w", p.Name, err)
	}
	return nil
}

// DeleteWithDependents is [DeleteWithDependents] for the component's objects.
func (p *Component) DeleteWithDependents(ctx context.Context, c *Cluster) error {
	if err := DeleteWithDependents(ctx, c, p.Objects); err != nil {
		return fmt.Errorf("deleting %s: %w", p.Name, err)
	}
	return nil
}
