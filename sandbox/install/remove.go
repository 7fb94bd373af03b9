package install

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

// finalizerLimit is how long a component's objects may take to go. Who is slower waits for a controller that does not run.
const finalizerLimit = time.Minute

// Removed is what came of a removal.
type Removed struct {
	// Objects is how many there were.
	Objects int
	// Stayed are namespaces of the sandbox's that are left, each with what others have in it.
	Stayed []string
}

// Remove removes the inventory of a shared cluster and waits until it is gone. Webhook configurations go first, so that nothing
// is called that is about to end; then the sample, the operator, Jaeger and cert-manager, each while what it needs still works; and
// the namespaces at last, unless others have something in them. What a Certificate or an election of the sandbox's left in a
// namespace that stays goes too.
func Remove(ctx context.Context, c *Cluster, inventory []*unstructured.Unstructured, report func(format string, args ...any)) (Removed, error) {
	removed := Removed{Objects: len(inventory)}
	leftovers, err := c.leftovers(ctx, inventory)
	if err != nil {
		return removed, err
	}
	isHook := func(obj *unstructured.Unstructured) bool {
		return strings.HasSuffix(obj.GetKind(), "WebhookConfiguration")
	}
	hooks := slices.DeleteFunc(slices.Clone(inventory), func(obj *unstructured.Unstructured) bool { return !isHook(obj) })
	report("webhooks")
	if err := Delete(ctx, c, hooks); err != nil {
		return removed, fmt.Errorf("removing webhook configurations: %w", err)
	}
	for _, part := range inParts(inventory) {
		report("%s", part.name)
		remove := Delete
		if part.name == component.Sample {
			remove = DeleteWithDependents
		}
		limited, cancel := context.WithTimeout(ctx, finalizerLimit)
		err := remove(limited, c, part.objects)
		cancel()
		if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("%w; who takes its finalizers off does not run: `sandbox up` mends it, and then `sandbox down` goes on", err)
		}
		if err != nil {
			return removed, fmt.Errorf("removing %s: %w", part.name, err)
		}
	}
	report("what is left")
	if err := c.deleteEach(ctx, leftovers); err != nil {
		return removed, err
	}
	removed.Stayed, err = c.removeNamespaces(ctx, phases(inventory)[phaseNamespaces])
	return removed, err
}

// part is a component of an inventory, without its namespaces.
type part struct {
	name    string
	objects []*unstructured.Unstructured
}

// inParts takes an inventory apart, in the order in which it goes: what is of no component that is known comes after the sample.
func inParts(inventory []*unstructured.Unstructured) []part {
	order := []string{component.Sample, "", component.Operator, component.Jaeger, component.CertManager}
	parts := make([]part, len(order))
	for i, name := range order {
		parts[i].name = name
	}
	parts[1].name = "other objects"
	for _, obj := range inventory {
		if phaseOf(obj) == phaseNamespaces {
			continue
		}
		at := max(1, slices.Index(order, obj.GetLabels()[ComponentLabel]))
		if obj.GetLabels()[ComponentLabel] == component.Sample {
			at = 0
		}
		parts[at].objects = append(parts[at].objects, obj)
	}
	return slices.DeleteFunc(parts, func(p part) bool { return len(p.objects) == 0 })
}

// leftovers are what nobody takes away from a namespace that is somebody else's: Secrets of the sandbox's Certificates, and Leases
// that its Deployments' Pods hold.
func (c *Cluster) leftovers(ctx context.Context, inventory []*unstructured.Unstructured) ([]client.Object, error) {
	certificates, deployments := map[string]bool{}, map[string][]string{}
	for _, obj := range inventory {
		switch obj.GetKind() {
		case "Certificate":
			certificates[obj.GetNamespace()+"/"+obj.GetName()] = true
		case "Deployment":
			deployments[obj.GetNamespace()] = append(deployments[obj.GetNamespace()], obj.GetName())
		}
	}
	var found []client.Object
	for _, namespace := range namespacesOf(inventory) {
		secrets := &corev1.SecretList{}
		if err := c.client.List(ctx, secrets, client.InNamespace(namespace)); err != nil {
			return nil, fmt.Errorf("listing Secrets: %w", err)
		}
		for i := range secrets.Items {
			if name := secrets.Items[i].Annotations["cert-manager.io/certificate-name"]; certificates[namespace+"/"+name] {
				found = append(found, &secrets.Items[i])
			}
		}
		leases := &coordinationv1.LeaseList{}
		if err := c.client.List(ctx, leases, client.InNamespace(namespace)); err != nil {
			return nil, fmt.Errorf("listing Leases: %w", err)
		}
		for i := range leases.Items {
			holder := leases.Items[i].Spec.HolderIdentity
			if holder != nil && slices.ContainsFunc(deployments[namespace], func(name string) bool { return strings.HasPrefix(*holder, name+"-") }) {
				found = append(found, &leases.Items[i])
			}
		}
	}
	return found, nil
}

// namespacesOf are those that the inventory's Deployments and Certificates are in, each once.
func namespacesOf(inventory []*unstructured.Unstructured) []string {
	var names []string
	for _, obj := range inventory {
		if kind := obj.GetKind(); kind == "Deployment" || kind == "Certificate" {
			names = append(names, obj.GetNamespace())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (c *Cluster) deleteEach(ctx context.Context, objects []client.Object) error {
	for _, obj := range objects {
		if err := c.client.Delete(ctx, obj, client.Preconditions{UID: new(obj.GetUID())}); err != nil && !gone(err) {
			return fmt.Errorf("removing %s/%s: %w", obj.GetNamespace(), obj.GetName(), err)
		}
	}
	return nil
}

// removeNamespaces removes the sandbox's namespaces in which nobody else has anything.
func (c *Cluster) removeNamespaces(ctx context.Context, namespaces []*unstructured.Unstructured) (stayed []string, err error) {
	if len(namespaces) == 0 {
		return nil, nil
	}
	resources, err := c.resources()
	if err != nil {
		return nil, err
	}
	var empty []*unstructured.Unstructured
	for _, namespace := range namespaces {
		guests, err := c.guests(ctx, resources, namespace.GetName())
		if err != nil {
			return nil, err
		}
		if len(guests) == 0 {
			empty = append(empty, namespace)
			continue
		}
		stayed = append(stayed, fmt.Sprintf("namespace %s, which holds %s", namespace.GetName(), Some(guests)))
	}
	return stayed, Delete(ctx, c, empty)
}

// Some is the beginning of a list, for a message.
func Some(names []string) string {
	const most = 5
	text := strings.Join(names[:min(most, len(names))], ", ")
	if more := len(names) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
