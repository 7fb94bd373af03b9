package harness

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// emptyLimit is the timeout for the end of all Pods in a namespace.
const emptyLimit = 5 * time.Minute

// Empty deletes the fixture's namespace at the end of the fixture, and waits until it has no Pods,
// because many terminating Pods delay the next features. After a failure, Empty keeps the Pods for
// the artifacts.
func (s *Fixture) Empty(ctx context.Context) {
	s.Restore(ctx, emptyLimit, "ending the Pods of the fixture", func(ctx context.Context) error {
		if s.t.Failed() {
			return nil
		}
		return s.empty(ctx)
	})
}

func (s *Fixture) empty(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.Namespace}}
	if err := client.IgnoreNotFound(s.Client.Delete(ctx, namespace)); err != nil {
		return fmt.Errorf("deleting namespace %s: %w", s.Namespace, err)
	}
	return Eventually(ctx, emptyLimit, "the end of all Pods in namespace "+s.Namespace, func(ctx context.Context) error {
		pods := &corev1.PodList{}
		if err := s.Client.List(ctx, pods, client.InNamespace(s.Namespace)); err != nil {
			return err
		}
		if len(pods.Items) > 0 {
			return fmt.Errorf("%d Pods exist, for example %s", len(pods.Items), pods.Items[0].Name)
		}
		return nil
	})
}
