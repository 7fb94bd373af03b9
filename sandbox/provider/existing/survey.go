package existing

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/manifest"
	"github.com/operator-tracing/sandbox/sandbox/provider"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// notYet stands for images that are not known yet. The survey does not compare Pods.
var notYet = manifest.Image{Ref: "image:not-yet"}

// Changes implements [provider.Consenting]. There are none if everything is the sandbox's already.
func (c *Cluster) Changes() []string { return c.changes }

// Where implements [provider.Consenting].
func (c *Cluster) Where() string {
	return fmt.Sprintf("context %s (%s)", c.wanted.Context, c.wanted.Server)
}

// survey collects the changes. It returns an error if an object that is not the sandbox's has the same name.
func (c *Cluster) survey(ctx context.Context, target *apply.Cluster, report provider.Report) error {
	c.changes, c.wanted.Found = nil, map[string]string{}
	for _, part := range component.On(component.Existing) {
		var err error
		switch part.Name {
		case component.Jaeger:
			err = c.surveyJaeger(ctx, target)
		case component.Operator:
			err = c.surveyOperator(ctx, target)
		case component.Sample:
			err = c.surveySample(ctx, target)
		default:
			err = c.surveyFromTable(ctx, target, part, report)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) surveyOperator(ctx context.Context, target *apply.Cluster) error {
	operator, err := manifest.Operator(manifest.OperatorOptions{Manifests: c.session.Manifests, Image: notYet, Version: "new"})
	if err != nil {
		return err
	}
	return c.lookFor(ctx, target, operator, "operator", fmt.Sprintf("%s, %s", c.session.Project.Name(), c.describeDelivery()))
}

func (c *Cluster) surveySample(ctx context.Context, target *apply.Cluster) error {
	subject, err := c.session.Subject()
	if err != nil {
		return err
	}
	return c.lookFor(ctx, target, manifest.Sample(subject), "sample", "")
}

// surveyFromTable looks for a component that the table describes, which the cluster may have already.
func (c *Cluster) surveyFromTable(ctx context.Context, target *apply.Cluster, part component.Component, report provider.Report) error {
	version, err := workload.Foreign(ctx, target, part)
	if err != nil {
		return err
	}
	if version != "" {
		c.wanted.Found[part.Name] = version
		if err := workload.Serves(ctx, target, part.Name); err != nil {
			return fmt.Errorf("the cluster has a %s, %s, that does not answer; repair or remove it: %w", part.Called(), version, err)
		}
		if c.session.Record.Name == "" {
			c.changes = append(c.changes, line(part.Called(), version+" is already installed: not changed"))
		}
		return nil
	}
	options := manifest.TableOptions{Images: []manifest.Image{notYet}, Shared: true}
	if part.Chart != nil {
		if options.ChartDir, err = c.session.Chart(ctx, part, report); err != nil {
			return err
		}
	}
	rendered, err := manifest.FromTable(part, options)
	if err != nil {
		return err
	}
	return c.lookFor(ctx, target, rendered, part.Called(), rendered.Version)
}

func (c *Cluster) surveyJaeger(ctx context.Context, target *apply.Cluster) error {
	if endpoint := c.wanted.JaegerEndpoint; endpoint != "" {
		if c.session.Record.Name == "" {
			c.changes = append(c.changes, line("Jaeger", "yours at "+endpoint+": none is installed"))
		}
		return nil
	}
	data, err := c.session.ReadJaegerConfig()
	if err != nil {
		return err
	}
	rendered, err := manifest.Jaeger(manifest.JaegerOptions{Image: notYet, Config: data, Shared: true})
	if err != nil {
		return err
	}
	return c.lookFor(ctx, target, rendered, "Jaeger", rendered.Version)
}

// lookFor adds a change if the cluster has no object of the component.
func (c *Cluster) lookFor(ctx context.Context, target *apply.Cluster, rendered *manifest.Component, name, about string) error {
	found, err := apply.Look(ctx, target, rendered.Objects)
	if err != nil {
		return err
	}
	if len(found.Own) > 0 || len(found.Missing) == 0 {
		return nil
	}
	var parts []string
	if about != "" {
		parts = append(parts, about)
	}
	c.changes = append(c.changes, line(name, strings.Join(append(parts, describeFound(found)...), "; ")))
	return nil
}

func line(name, text string) string { return fmt.Sprintf("%-13s %s", name, text) }

// describeFound names the objects that will be created if they matter to the cluster's owner, and
// counts the others.
func describeFound(found apply.Found) []string {
	named := map[string][]string{}
	rest := 0
	for _, obj := range found.Missing {
		switch kind := obj.GetKind(); {
		case kind == "CustomResourceDefinition", kind == "Namespace", kind == "ClusterRole", strings.HasSuffix(kind, "WebhookConfiguration"):
			named[kind] = append(named[kind], obj.GetName())
		case len(found.Missing) == 1:
			named[kind] = append(named[kind], qualifiedName(obj))
		default:
			rest++
		}
	}
	var parts []string
	for _, kept := range found.Kept {
		parts = append(parts, fmt.Sprintf("the namespace %s is there already and is used", kept.GetName()))
	}
	for _, kind := range []struct{ kind, name string }{
		{"Namespace", "namespace"}, {"CustomResourceDefinition", "kind"},
		{"MutatingWebhookConfiguration", "mutating webhook configuration"},
		{"ValidatingWebhookConfiguration", "validating webhook configuration"},
		{"ClusterRole", "cluster role"},
	} {
		names := named[kind.kind]
		delete(named, kind.kind)
		switch {
		case len(names) == 1:
			parts = append(parts, kind.name+" "+names[0])
		case kind.kind == "ClusterRole" && len(names) > 0:
			parts = append(parts, fmt.Sprintf("%d %ss", len(names), kind.name))
		case len(names) > 0:
			parts = append(parts, kind.name+"s "+strings.Join(names, ", "))
		}
	}
	for kind, names := range named {
		parts = append(parts, kind+" "+strings.Join(names, ", "))
	}
	if rest > 0 {
		parts = append(parts, fmt.Sprintf("%d more objects", rest))
	}
	return parts
}

func qualifiedName(obj *unstructured.Unstructured) string {
	return strings.TrimPrefix(obj.GetNamespace()+"/"+obj.GetName(), "/")
}
