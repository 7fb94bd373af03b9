// Package leftover deletes the namespaces of fault runs, also after a command was killed.
package leftover

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Label marks the namespaces of fault runs.
const Label = "sandbox.operator-tracing.dev/faults"

// interval is the pause between two looks at namespaces that are being deleted.
const interval = 100 * time.Millisecond

// Delete deletes the namespaces of runs, and waits until they are gone. Finalizers of an operator that
// does not run can delay that until ctx ends.
func Delete(ctx context.Context, c client.Client) error {
	for first := true; ; first = false {
		list := &corev1.NamespaceList{}
		if err := c.List(ctx, list, client.HasLabels{Label}); err != nil {
			return fmt.Errorf("listing the namespaces of fault runs: %w", err)
		}
		if len(list.Items) == 0 {
			return nil
		}
		for i := range list.Items {
			if err := client.IgnoreNotFound(c.Delete(ctx, &list.Items[i])); first && err != nil && !apierrors.IsConflict(err) {
				return fmt.Errorf("deleting namespace %s: %w", list.Items[i].Name, err)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("deleting namespace %s: %w", list.Items[0].Name, ctx.Err())
		case <-time.After(interval):
		}
	}
}
