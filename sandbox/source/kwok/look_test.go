package main

import (
	"context"
	"fmt"
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// nodeProblem returns an empty string if the node is ready.
func (c cluster) nodeProblem(ctx context.Context) string {
	node, err := c.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
	if err != nil {
		return err.Error()
	}
	for i := range node.Status.Conditions {
		if condition := &node.Status.Conditions[i]; condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
			return ""
		}
	}
	return fmt.Sprintf("node is not ready: %+v", node.Status.Conditions)
}

func (c cluster) readyCondition(t *testing.T) corev1.NodeCondition {
	t.Helper()
	node, err := c.CoreV1().Nodes().Get(t.Context(), nodeName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range node.Status.Conditions {
		if node.Status.Conditions[i].Type == corev1.NodeReady {
			return node.Status.Conditions[i]
		}
	}
	t.Fatalf("node %s does not have the condition Ready", nodeName)
	return corev1.NodeCondition{}
}

// available returns a check that the Deployment is completely available.
func (c cluster) available(name string) func(context.Context) string {
	return func(ctx context.Context) string {
		d, err := c.AppsV1().Deployments("default").Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		s := d.Status
		if s.ObservedGeneration != d.Generation || s.AvailableReplicas != *d.Spec.Replicas || s.UpdatedReplicas != *d.Spec.Replicas || s.UnavailableReplicas != 0 {
			return fmt.Sprintf("Deployment %s is not available: %+v", name, s)
		}
		return ""
	}
}

// scheduled returns a check that want Pods of app are scheduled to the node.
func (c cluster) scheduled(app string, want int) func(context.Context) string {
	return func(ctx context.Context) string {
		pods, err := c.CoreV1().Pods("default").List(ctx, metav1.ListOptions{LabelSelector: "app=" + app, FieldSelector: "spec.nodeName=" + nodeName})
		if err != nil {
			return err.Error()
		}
		if len(pods.Items) != want {
			return fmt.Sprintf("got %d scheduled Pods of %s, want %d", len(pods.Items), app, want)
		}
		return ""
	}
}

func (c cluster) pods(t *testing.T, selector string) []corev1.Pod {
	t.Helper()
	pods, err := c.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		t.Fatalf("listing Pods: %v", err)
	}
	return pods.Items
}

func (c cluster) volumes(t *testing.T) []corev1.PersistentVolume {
	t.Helper()
	volumes, err := c.CoreV1().PersistentVolumes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatalf("listing PersistentVolumes: %v", err)
	}
	return volumes.Items
}

// checkAddresses fails the test if two Pods share an address, or if an address is outside the
// range.
func (c cluster) checkAddresses(t *testing.T) {
	t.Helper()
	owner := make(map[string]string)
	pods := c.pods(t, "")
	for i := range pods {
		ip, name := pods[i].Status.PodIP, pods[i].Name
		if address, err := netip.ParseAddr(ip); err != nil || !podRange.Contains(address) {
			t.Errorf("address of Pod %s = %q, want one in %s", name, ip, podRange)
		}
		if other, taken := owner[ip]; taken {
			t.Errorf("Pods %s and %s share the address %s", name, other, ip)
		}
		owner[ip] = name
	}
}
