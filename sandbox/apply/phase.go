package apply

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

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
	case group == "apps", group == "batch", group == "admissionregistration.k8s.io", group == "" && gvk.Kind == "Pod":
		return phaseWorkloads
	case !kinds.Custom(group):
		return phaseSupport
	default:
		return phaseCustom
	}
}

// Split separates the CustomResourceDefinitions from the other objects.
func Split(objects []*unstructured.Unstructured) (definitions, others []*unstructured.Unstructured) {
	ordered := phases(objects)
	return ordered[phaseDefinitions], slices.Concat(ordered[phaseDefinitions+1:]...)
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
