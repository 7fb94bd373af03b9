package up

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/artifact"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/manifest"
	"github.com/operator-tracing/sandbox/sandbox/workload"
)

// notYet stands for images that are not known yet: what is looked for is not their Pods.
var notYet = manifest.Image{Ref: "image:not-yet"}

// Changes are what up will do to an existing cluster that it has not done before, a line each: what a user has to agree to. There
// are none where all of it is the sandbox's already, and on other clusters.
func (r *Run) Changes() []string { return r.changes }

// Where names the existing cluster that is to be changed.
func (r *Run) Where() string {
	return fmt.Sprintf("context %s (%s)", r.wanted.Context, r.wanted.Server)
}

// survey finds out what is to be changed, and whether something of somebody else's is in the way.
func (r *Run) survey(ctx context.Context, target *apply.Cluster, report report) error {
	r.changes = nil
	if err := r.surveyCertManager(ctx, target, report); err != nil {
		return err
	}
	if err := r.surveyJaeger(ctx, target); err != nil {
		return err
	}
	operator, err := manifest.Operator(manifest.OperatorOptions{Manifests: r.manifests, Image: notYet, Version: "new"})
	if err != nil {
		return err
	}
	if err := r.lookFor(ctx, target, operator, "operator", fmt.Sprintf("%s, %s", r.project.Name(), r.describeDelivery())); err != nil {
		return err
	}
	return r.lookFor(ctx, target, manifest.Sample(*r.runs), "sample", "")
}

func (r *Run) surveyCertManager(ctx context.Context, target *apply.Cluster, report report) error {
	version, err := workload.ForeignCertManager(ctx, target)
	if err != nil {
		return err
	}
	r.wanted.CertManager = version
	if version != "" {
		if err := workload.Serves(ctx, target, component.CertManager); err != nil {
			return fmt.Errorf("the cluster has a cert-manager, %s, that does not answer: mend or remove it: %w", version, err)
		}
		if r.Record.Name == "" {
			r.changes = append(r.changes, line("cert-manager", version+" is there already: left alone"))
		}
		return nil
	}
	chart, err := r.chart(ctx, report)
	if err != nil {
		return err
	}
	rendered, err := manifest.CertManager(manifest.CertManagerOptions{ChartDir: chart, Shared: true})
	if err != nil {
		return err
	}
	return r.lookFor(ctx, target, rendered, "cert-manager", rendered.Version)
}

func (r *Run) surveyJaeger(ctx context.Context, target *apply.Cluster) error {
	if endpoint := r.wanted.JaegerEndpoint; endpoint != "" {
		if r.Record.Name == "" {
			r.changes = append(r.changes, line("Jaeger", "yours at "+endpoint+": none is installed"))
		}
		return nil
	}
	data, err := r.jaegerConfig()
	if err != nil {
		return err
	}
	rendered, err := manifest.Jaeger(manifest.JaegerOptions{Image: notYet, Version: "v" + artifact.JaegerVersion, Config: data, Shared: true})
	if err != nil {
		return err
	}
	return r.lookFor(ctx, target, rendered, "Jaeger", rendered.Version)
}

// lookFor looks for a component's objects. One of which nothing is there is a change.
func (r *Run) lookFor(ctx context.Context, target *apply.Cluster, rendered *manifest.Component, name, about string) error {
	found, err := rendered.Look(ctx, target)
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
	r.changes = append(r.changes, line(name, strings.Join(append(parts, describeFound(found)...), "; ")))
	return nil
}

func line(name, text string) string { return fmt.Sprintf("%-13s %s", name, text) }

// describeFound words what will be made: what a cluster's owner cares about by name, and the number of the rest.
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
	for _, kind := range []struct{ kind, one, many string }{
		{"Namespace", "namespace", "namespaces"}, {"CustomResourceDefinition", "kind", "kinds"},
		{"MutatingWebhookConfiguration", "mutating webhook configuration", "mutating webhook configurations"},
		{"ValidatingWebhookConfiguration", "validating webhook configuration", "validating webhook configurations"},
		{"ClusterRole", "cluster role", "cluster roles"},
	} {
		names := named[kind.kind]
		delete(named, kind.kind)
		switch {
		case len(names) == 1:
			parts = append(parts, kind.one+" "+names[0])
		case kind.kind == "ClusterRole" && len(names) > 0:
			parts = append(parts, fmt.Sprintf("%d %s", len(names), kind.many))
		case len(names) > 0:
			parts = append(parts, kind.many+" "+strings.Join(names, ", "))
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
