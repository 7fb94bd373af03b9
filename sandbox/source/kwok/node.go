package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/component-helpers/apimachinery/lease"
	"k8s.io/utils/clock"
	"sigs.k8s.io/kwok/pkg/log"
)

// waitForNode waits until the Node exists and kwok may read it, without a time limit. It logs the
// reason whenever the reason changes.
func waitForNode(ctx context.Context, client kubernetes.Interface, name string) error {
	logger := log.FromContext(ctx)
	var last string
	err := wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		_, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil && err.Error() != last {
			last = err.Error()
			logger.Info("Waiting for the node", "node", name, "reason", last)
		}
		return err == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for node %s: %w (%s)", name, err, last)
	}
	return nil
}

// renewLease renews the node's lease until ctx is cancelled, with the code of the kubelet. Without
// the lease, the controller manager would mark the node as not ready.
func renewLease(ctx context.Context, client kubernetes.Interface, node string, duration time.Duration) {
	owned := func(l *coordinationv1.Lease) error {
		if len(l.OwnerReferences) > 0 {
			return nil
		}
		owner, err := client.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("getting node %s, the owner of its lease: %w", node, err)
		}
		l.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: owner.Name, UID: owner.UID}}
		return nil
	}
	logger := log.FromContext(ctx)
	failing := func() { logger.Warn("Repeatedly failed to renew the lease of the node", "node", node) }
	lease.NewController(clock.RealClock{}, client, node, int32(duration/time.Second), failing, duration/4,
		node, corev1.NamespaceNodeLease, owned).Run(ctx)
}

// podAddresses returns the addresses of the node's Pods, except Pods in the host network.
func podAddresses(ctx context.Context, client kubernetes.Interface, node string) (map[types.UID]netip.Addr, error) {
	selector := fields.OneTermEqualSelector("spec.nodeName", node).String()
	pods, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("listing the Pods of node %s: %w", node, err)
	}
	addresses := make(map[types.UID]netip.Addr)
	for i := range pods.Items {
		pod := &pods.Items[i]
		if address, err := netip.ParseAddr(pod.Status.PodIP); err == nil && !pod.Spec.HostNetwork {
			addresses[pod.UID] = address
		}
	}
	return addresses, nil
}
