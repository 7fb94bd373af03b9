package apply

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/project/kinds"
)

// parallelism limits the concurrent requests; a small API server only queues more.
const parallelism = 8

// The phases of [Apply], in their order.
const (
	phaseDefinitions = iota
	phaseNamespaces
	phaseSupport
	phaseCustom
	phaseWorkloads
	phaseIntrusive // webhooks that can reject the operator's own Pods
	phaseCount
)

func phases(objects []*unstructured.Unstructured) [phaseCount][]*unstructured.Unstructured {
	var out [phaseCount][]*unstructured.Unstructured
	for _, obj := range objects {
		p := phaseOf(obj)
		out[p] = append(out[p], obj)
	}
	return out
}

func phaseOf(obj *unstructured.Unstructured) int {
	gvk := obj.GroupVersionKind()
	switch group := gvk.Group; {
	case gvk.Kind == "CustomResourceDefinition":
		return phaseDefinitions
	case group == "" && gvk.Kind == "Namespace":
		return phaseNamespaces
	case intrusive(obj):
		return phaseIntrusive
	case group == "apps", group == "batch", group == "admissionregistration.k8s.io", group == "" && gvk.Kind == "Pod":
		return phaseWorkloads
	case !kinds.Custom(group):
		return phaseSupport
	default:
		return phaseCustom
	}
}

// Split separates the CustomResourceDefinitions, and the webhooks that can reject what their own
// server needs to start, from the other objects.
func Split(objects []*unstructured.Unstructured) (definitions, others, intrusive []*unstructured.Unstructured) {
	ordered := phases(objects)
	return ordered[phaseDefinitions], slices.Concat(ordered[phaseDefinitions+1 : phaseIntrusive]...), ordered[phaseIntrusive]
}

// intrusive reports whether an object has webhooks that reject objects of Kubernetes' own kinds, for
// example Pods, while their server is down.
func intrusive(obj *unstructured.Unstructured) bool {
	if !strings.HasSuffix(obj.GetKind(), "WebhookConfiguration") {
		return false
	}
	return slices.ContainsFunc(kinds.Maps(obj.Object, "webhooks"), func(hook map[string]any) bool {
		return hook["failurePolicy"] != "Ignore" && slices.ContainsFunc(kinds.Maps(hook, "rules"), func(rule map[string]any) bool {
			groups, _, _ := unstructured.NestedStringSlice(rule, "apiGroups")
			return slices.ContainsFunc(groups, func(group string) bool { return group == "*" || !kinds.Custom(group) })
		})
	})
}

// FreeWebhooks deletes the sandbox's webhook configurations that reject objects of Kubernetes' own
// kinds because their server is down: it could not start again. [Apply] writes them last.
func FreeWebhooks(ctx context.Context, c *Cluster) error {
	for _, kind := range []string{"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"} {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(admissionregistrationv1.SchemeGroupVersion.WithKind(kind + "List"))
		if err := c.client.List(ctx, list, c.LabelsOf("")); err != nil {
			return fmt.Errorf("listing webhooks: %w", err)
		}
		for i := range list.Items {
			obj := &list.Items[i]
			if !intrusive(obj) || c.called(ctx, obj) {
				continue
			}
			if err := ignore(Gone, c.delete(ctx, obj)); err != nil {
				return fmt.Errorf("deleting %s, whose server is down: %w", Describe(obj), err)
			}
		}
	}
	return nil
}

// called reports whether all servers of an object's webhooks can be reached. It returns true if that
// can't be known.
func (c *Cluster) called(ctx context.Context, obj *unstructured.Unstructured) bool {
	for _, config := range project.ClientConfigs(obj) {
		if address, ok := config["url"].(string); ok {
			parsed, err := url.Parse(address)
			if err != nil {
				continue
			}
			dialer := net.Dialer{Timeout: time.Second}
			connection, err := dialer.DialContext(ctx, "tcp", parsed.Host)
			if err != nil {
				return false
			}
			_ = connection.Close()
			continue
		}
		service, _ := config["service"].(map[string]any)
		namespace, _ := service["namespace"].(string)
		name, _ := service["name"].(string)
		endpoints := &discoveryv1.EndpointSliceList{}
		if err := c.client.List(ctx, endpoints, client.InNamespace(namespace), client.MatchingLabels{discoveryv1.LabelServiceName: name}); err == nil && !hasReady(endpoints) {
			return false
		}
	}
	return true
}

func hasReady(list *discoveryv1.EndpointSliceList) bool {
	return slices.ContainsFunc(list.Items, func(s discoveryv1.EndpointSlice) bool {
		return slices.ContainsFunc(s.Endpoints, func(e discoveryv1.Endpoint) bool { return e.Conditions.Ready == nil || *e.Conditions.Ready })
	})
}

// each calls do for all items, several at once. It returns the results in the order of the items,
// and the first error.
func each[T, R any](ctx context.Context, items []T, do func(context.Context, T) (R, error)) ([]R, error) {
	results := make([]R, len(items))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelism)
	for i, item := range items {
		group.Go(func() (err error) {
			results[i], err = do(ctx, item)
			return err
		})
	}
	return results, group.Wait()
}
