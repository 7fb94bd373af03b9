package apply

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/hint"
)

// removalLimit limits the deletion of a component. It takes longer only if the controller of a
// finalizer is not running.
const removalLimit = time.Minute

// Removed is the result of [Remove].
type Removed struct {
	// Objects is the number of objects in the inventory.
	Objects int
	// Stayed are the sandbox's namespaces that remain, each with objects of other owners in it.
	Stayed []string
}

// Remove deletes the inventory of a shared cluster and waits until it is gone. The order is:
// webhook configurations, so that the API server calls no webhook that stops; then the
// components in the reverse order of the table, each while the components that it needs still run;
// then namespaces.
//
// A namespace stays if another owner has objects in it. In namespaces that stay, Remove also
// deletes the Secrets and Leases that Certificates and elections of the sandbox left. report
// receives progress messages. The error about a finalizer contains a remedy.
func Remove(ctx context.Context, c *Cluster, inventory []*unstructured.Unstructured, report func(format string, args ...any)) (Removed, error) {
	removed := Removed{Objects: len(inventory)}
	leftovers, err := c.leftovers(ctx, inventory)
	if err != nil {
		return removed, err
	}
	hooks := slices.DeleteFunc(slices.Clone(inventory), func(obj *unstructured.Unstructured) bool {
		return !strings.HasSuffix(obj.GetKind(), "WebhookConfiguration")
	})
	report("webhooks")
	if err := Delete(ctx, c, hooks); err != nil {
		return removed, fmt.Errorf("removing webhook configurations: %w", err)
	}
	for _, part := range inParts(inventory) {
		report("%s", part.name)
		if err := c.removePart(ctx, part); err != nil {
			return removed, fmt.Errorf("removing %s: %w", part.name, err)
		}
	}
	report("remaining objects")
	for _, obj := range leftovers {
		if err := c.client.Delete(ctx, obj, client.Preconditions{UID: new(obj.GetUID())}); err != nil && !Gone(err) {
			return removed, fmt.Errorf("removing %s/%s: %w", obj.GetNamespace(), obj.GetName(), err)
		}
	}
	removed.Stayed, err = c.removeNamespaces(ctx, phases(inventory)[phaseNamespaces])
	return removed, err
}

func (c *Cluster) removePart(ctx context.Context, p part) error {
	remove := Delete
	if p.name == component.Sample {
		remove = DeleteWithDependents
	}
	limited, cancel := context.WithTimeout(ctx, removalLimit)
	defer cancel()
	err := remove(limited, c, p.objects)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w; the controller of its finalizer is not running: run %s, then retry %s", err, hint.Run("up"), hint.Run("down"))
	}
	return err
}

// part is a component of an inventory, without its namespaces.
type part struct {
	name    string
	objects []*unstructured.Unstructured
}

// inParts divides an inventory by component, in the order of removal. Objects of unknown components
// follow the sample.
func inParts(inventory []*unstructured.Unstructured) []part {
	const unknown = 1
	var parts []part
	for _, row := range slices.Backward(component.All()) {
		parts = append(parts, part{name: row.Name})
	}
	parts = slices.Insert(parts, unknown, part{name: "other objects"})
	for _, obj := range inventory {
		if phaseOf(obj) == phaseNamespaces {
			continue
		}
		name := obj.GetLabels()[ComponentLabel]
		at := slices.IndexFunc(parts, func(p part) bool { return p.name == name })
		if at < 0 {
			at = unknown
		}
		parts[at].objects = append(parts[at].objects, obj)
	}
	return slices.DeleteFunc(parts, func(p part) bool { return len(p.objects) == 0 })
}

// leftovers returns the objects that no controller deletes from a namespace that stays: Secrets of
// the sandbox's Certificates, and Leases that the Pods of its Deployments hold.
func (c *Cluster) leftovers(ctx context.Context, inventory []*unstructured.Unstructured) ([]client.Object, error) {
	type names struct{ certificates, deployments []string }
	namespaces := map[string]names{}
	for _, obj := range inventory {
		in := namespaces[obj.GetNamespace()]
		switch obj.GetKind() {
		case "Certificate":
			in.certificates = append(in.certificates, obj.GetName())
		case "Deployment":
			in.deployments = append(in.deployments, obj.GetName())
		default:
			continue
		}
		namespaces[obj.GetNamespace()] = in
	}
	var found []client.Object
	for _, namespace := range slices.Sorted(maps.Keys(namespaces)) {
		in := namespaces[namespace]
		secrets := &corev1.SecretList{}
		if err := c.client.List(ctx, secrets, client.InNamespace(namespace)); err != nil {
			return nil, fmt.Errorf("listing Secrets: %w", err)
		}
		for i := range secrets.Items {
			if slices.Contains(in.certificates, secrets.Items[i].Annotations[component.CertificateName]) {
				found = append(found, &secrets.Items[i])
			}
		}
		leases := &coordinationv1.LeaseList{}
		if err := c.client.List(ctx, leases, client.InNamespace(namespace)); err != nil {
			return nil, fmt.Errorf("listing Leases: %w", err)
		}
		for i := range leases.Items {
			holder := leases.Items[i].Spec.HolderIdentity
			if holder != nil && slices.ContainsFunc(in.deployments, func(name string) bool { return strings.HasPrefix(*holder, name+"-") }) {
				found = append(found, &leases.Items[i])
			}
		}
	}
	return found, nil
}

// removeNamespaces deletes the sandbox's namespaces in which no other owner has objects.
func (c *Cluster) removeNamespaces(ctx context.Context, namespaces []*unstructured.Unstructured) (stayed []string, err error) {
	if len(namespaces) == 0 {
		return nil, nil
	}
	resources, err := c.resources()
	if err != nil {
		return nil, err
	}
	resources = slices.DeleteFunc(resources, func(r resource) bool { return !r.namespaced })
	var empty []*unstructured.Unstructured
	for _, namespace := range namespaces {
		guests, err := c.guests(ctx, resources, Generated, client.InNamespace(namespace.GetName()))
		if err != nil {
			return nil, err
		}
		if len(guests) == 0 {
			empty = append(empty, namespace)
			continue
		}
		stayed = append(stayed, fmt.Sprintf("namespace %s, which holds %s", namespace.GetName(), some(guests)))
	}
	return stayed, Delete(ctx, c, empty)
}

// some joins the first names of a list for a message, and adds the number of the others.
func some(names []string) string {
	const most = 5
	text := strings.Join(names[:min(most, len(names))], ", ")
	if more := len(names) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
