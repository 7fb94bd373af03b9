package manifest

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// Component is a named list of rendered objects. Only its methods send requests. It is immutable
// after its constructor and safe for concurrent use.
type Component struct {
	// Name is a name of package component, or [workload.ApplierName].
	Name string
	// Version is the version that status reports once the component is applied: "v1.21.2".
	Version string
	// Objects are the objects to apply, in the order in which they were rendered.
	Objects []*unstructured.Unstructured
}

// newComponent labels objects in place as parts of the component.
func newComponent(name, version string, objects []*unstructured.Unstructured) *Component {
	apply.Label(objects, name, version)
	return &Component{Name: name, Version: version, Objects: objects}
}

// Apply applies the component's objects; see [apply.Apply]. A second call changes nothing. The first
// object of the sample is last: a webhook can require the objects that it refers to.
func (p *Component) Apply(ctx context.Context, c *apply.Cluster) error {
	if p.Name != component.Sample || len(p.Objects) < 2 {
		return p.applyObjects(ctx, c, p.Objects)
	}
	if err := p.applyObjects(ctx, c, p.Objects[1:]); err != nil {
		return err
	}
	return p.applyObjects(ctx, c, p.Objects[:1])
}

// Definitions returns the component's definitions of kinds. If they are applied before the other
// objects, with the definitions of other components, the API server accepts objects of their kinds
// without a delay.
func (p *Component) Definitions() []*unstructured.Unstructured {
	definitions, _, _ := apply.Split(p.Objects)
	return definitions
}

// ApplyBeforeStart applies all objects except [Component.Definitions], which must exist, and webhooks
// that could reject what the component needs to start.
func (p *Component) ApplyBeforeStart(ctx context.Context, c *apply.Cluster) error {
	_, others, _ := apply.Split(p.Objects)
	return p.applyObjects(ctx, c, others)
}

// ApplyAfterStart applies the other webhooks. The component runs.
func (p *Component) ApplyAfterStart(ctx context.Context, c *apply.Cluster) error {
	_, _, intrusive := apply.Split(p.Objects)
	return p.applyObjects(ctx, c, intrusive)
}

// Prune deletes objects that an earlier version of the component had; see [apply.Prune].
func (p *Component) Prune(ctx context.Context, c *apply.Cluster) error {
	if _, err := apply.Prune(ctx, c, p.Name, p.Objects, p.Name == component.Sample); err != nil {
		return fmt.Errorf("deleting leftovers of %s: %w", p.Name, err)
	}
	return nil
}

func (p *Component) applyObjects(ctx context.Context, c *apply.Cluster, objects []*unstructured.Unstructured) error {
	if err := apply.Apply(ctx, c, objects); err != nil {
		return fmt.Errorf("installing %s: %w", p.Name, err)
	}
	return nil
}

// Wait waits until the Deployments are ready and the component serves its users; see
// [workload.Serves]. It polls until ctx ends, and reports why Pods do not become ready; see
// [workload.Explain]. For the sample it also reports the state of its condition. The error then names an object that is not ready, the last failure, and the
// reasons of its Pods. report may be nil.
func (p *Component) Wait(ctx context.Context, c *apply.Cluster, report func(string, ...any)) error {
	return workload.Explain(ctx, c, p.Name, report, func(ctx context.Context) error { return p.wait(ctx, c, report) })
}

func (p *Component) wait(ctx context.Context, c *apply.Cluster, report func(string, ...any)) error {
	if err := apply.WaitReady(ctx, c, apply.RolledOut(p.Objects)); err != nil {
		return fmt.Errorf("waiting for %s: %w", p.Name, err)
	}
	serves, err := workload.CheckOf(c, p.Name)
	if err != nil {
		return err
	}
	if err := c.Settle(ctx); err != nil {
		return fmt.Errorf("waiting for %s: %w", p.Name, err)
	}
	said := ""
	return apply.Poll(ctx, "waiting for "+p.Name, func(ctx context.Context) error {
		if p.Name == component.Operator {
			if err := workload.Ended(ctx, c, p.Name); err != nil {
				return err
			}
		}
		err := serves(ctx)
		if p.Name == component.Sample && report != nil && err != nil && ctx.Err() == nil && err.Error() != said {
			said = err.Error()
			report("%s", said)
		}
		return err
	})
}

// Install applies the component, prunes the operator or the sample, and waits for the component;
// see [Component.Wait].
func (p *Component) Install(ctx context.Context, c *apply.Cluster, report func(string, ...any)) error {
	if p.Name == component.Operator || p.Name == component.Sample {
		// First: a webhook without a server would reject objects.
		if err := p.Prune(ctx, c); err != nil {
			return err
		}
	}
	if err := p.Apply(ctx, c); err != nil {
		return err
	}
	return p.Wait(ctx, c, report)
}

// Delete deletes the component's objects and waits until they are gone; see [apply.Delete].
func (p *Component) Delete(ctx context.Context, c *apply.Cluster) error {
	if err := apply.Delete(ctx, c, p.Objects); err != nil {
		return fmt.Errorf("deleting %s: %w", p.Name, err)
	}
	return nil
}

// DeleteWithDependents also waits for the dependents; see [apply.DeleteWithDependents].
func (p *Component) DeleteWithDependents(ctx context.Context, c *apply.Cluster) error {
	if err := apply.DeleteWithDependents(ctx, c, p.Objects); err != nil {
		return fmt.Errorf("deleting %s: %w", p.Name, err)
	}
	return nil
}
