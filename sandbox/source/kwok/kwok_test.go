package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
)

const limit = 15 * time.Second

// TestNode runs kwok with a real control plane and the permissions of config/node. The subtests
// share one cluster, because its start takes seconds. They depend on each other and run in order.
func TestNode(t *testing.T) {
	c := newCluster(t)
	whole := t // A kwok that is started with this T outlives the subtests.
	stop := c.start(whole)
	eventually(t, limit, c.nodeProblem)
	ready := c.readyCondition(t)

	t.Run("Deployment becomes available, changes its image and is deleted", c.testDeployment)
	t.Run("image of invalid.example cannot be pulled", c.testUnpullable)
	t.Run("Job completes", c.testJob)
	t.Run("init containers and sidecars", c.testInitContainers)
	t.Run("a claim has a volume as long as it exists", c.testClaim)

	t.Run("addresses stay unique after a restart of kwok", func(t *testing.T) {
		c.create(t, deployment("before", "registry.k8s.io/pause:3.10.2", 3))
		eventually(t, limit, c.available("before"))
		stop()
		// Without the check for used addresses, these Pods would get the addresses of existing
		// Pods.
		c.create(t, deployment("after", "registry.k8s.io/pause:3.10.2", 15))
		eventually(t, limit, c.scheduled("after", 15))
		c.start(whole)
		// The new kwok handles Pods immediately. It does not wait until the lease of the first
		// expires.
		eventually(t, leaseDuration/2, c.available("after"))
		c.checkAddresses(t)
	})
	t.Run("node stays ready beyond its lease", func(t *testing.T) {
		pass(t, time.Until(ready.LastTransitionTime.Add(2*leaseDuration)))
		// kwok would immediately repair a node that is not ready, but the transition time would
		// change.
		if now := c.readyCondition(t); now.Status != corev1.ConditionTrue || now.LastTransitionTime != ready.LastTransitionTime {
			t.Errorf("condition Ready = %+v, want True since %s", now, ready.LastTransitionTime)
		}
	})
	t.Run("node recovers", func(t *testing.T) {
		patch := `{"status":{"conditions":[{"type":"Ready","status":"Unknown","reason":"NodeStatusUnknown"}]}}`
		_, err := c.CoreV1().Nodes().Patch(t.Context(), nodeName, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}, "status")
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, limit, c.nodeProblem)
	})
	t.Run("Pods recover", func(t *testing.T) {
		// The controller manager sets this condition if it marks the node as not ready.
		pod := c.pods(t, "app=before")[0].Name
		patch := `{"status":{"conditions":[{"type":"Ready","status":"False","reason":"NodeNotReady"}]}}`
		_, err := c.CoreV1().Pods("default").Patch(t.Context(), pod, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}, "status")
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, limit, func(context.Context) string {
			got, err := c.CoreV1().Pods("default").Get(t.Context(), pod, metav1.GetOptions{})
			if err != nil {
				return err.Error()
			}
			for _, condition := range got.Status.Conditions {
				if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
					return ""
				}
			}
			return fmt.Sprintf("Pod %s is not ready: %+v", pod, got.Status.Conditions)
		})
		eventually(t, limit, c.available("before"))
	})
}

func (c cluster) testDeployment(t *testing.T) {
	start := time.Now()
	c.create(t, deployment("web", "registry.k8s.io/pause:3.10.2", 2))
	eventually(t, limit, c.available("web"))
	t.Logf("available after %s", time.Since(start).Round(time.Millisecond))

	change := `{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"registry.k8s.io/pause:3.10.1"}]}}}}`
	if _, err := c.AppsV1().Deployments("default").Patch(t.Context(), "web", types.StrategicMergePatchType, []byte(change), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, limit, c.available("web"))
	eventually(t, limit, func(ctx context.Context) string {
		pods := c.pods(t, "app=web")
		for i := range pods {
			if got := pods[i].Status.ContainerStatuses[0].Image; got != "registry.k8s.io/pause:3.10.1" {
				return fmt.Sprintf("image of Pod %s = %s, want the new one", pods[i].Name, got)
			}
		}
		if len(pods) != 2 {
			return fmt.Sprintf("got %d Pods, want 2", len(pods))
		}
		return ""
	})
	c.checkAddresses(t)

	victim := c.pods(t, "app=web")[0]
	if err := c.CoreV1().Pods("default").Delete(t.Context(), victim.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, limit, func(ctx context.Context) string {
		_, err := c.CoreV1().Pods("default").Get(ctx, victim.Name, metav1.GetOptions{})
		if !apierrors.IsNotFound(err) {
			return fmt.Sprintf("getting the deleted Pod %s: got error %v, want not found", victim.Name, err)
		}
		return c.available("web")(ctx)
	})
	if err := c.AppsV1().Deployments("default").Delete(t.Context(), "web", metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationForeground)}); err != nil {
		t.Fatal(err)
	}
	eventually(t, limit, func(context.Context) string {
		if pods := c.pods(t, "app=web"); len(pods) > 0 {
			return fmt.Sprintf("Pod %s still exists in phase %s", pods[0].Name, pods[0].Status.Phase)
		}
		return ""
	})
}

func (c cluster) testUnpullable(t *testing.T) {
	c.create(t, deployment("bad", "invalid.example/x:1", 1))
	var pod corev1.Pod
	eventually(t, limit, func(context.Context) string {
		pods := c.pods(t, "app=bad")
		if len(pods) != 1 || len(pods[0].Status.ContainerStatuses) != 1 {
			return fmt.Sprintf("got %d Pods, want one with a container status", len(pods))
		}
		pod = pods[0]
		if why := pod.Status.ContainerStatuses[0].State.Waiting; why == nil || why.Reason != reasonBackOff || !strings.Contains(why.Message, "invalid.example/x:1") {
			return fmt.Sprintf("waiting state = %v, want reason %s and a message with the image", why, reasonBackOff)
		}
		return ""
	})
	if pod.Status.Phase != corev1.PodPending {
		t.Errorf("phase of the Pod = %s, want Pending", pod.Status.Phase)
	}
	if c.available("bad")(t.Context()) == "" {
		t.Error("Deployment is available, but its image cannot be pulled")
	}
	eventually(t, limit, func(ctx context.Context) string {
		selector := fields.Set{"involvedObject.uid": string(pod.UID), "type": corev1.EventTypeWarning}.String()
		events, err := c.CoreV1().Events("default").List(ctx, metav1.ListOptions{FieldSelector: selector})
		if err != nil {
			return err.Error()
		}
		if len(events.Items) == 0 || !strings.Contains(events.Items[0].Message, pullMessage) {
			return fmt.Sprintf("got warning events %+v, want one with %q", events.Items, pullMessage)
		}
		return ""
	})
	// A user can correct the image of an existing Pod.
	fix := `{"spec":{"containers":[{"name":"main","image":"registry.k8s.io/pause:3.10.2"}]}}`
	if _, err := c.CoreV1().Pods("default").Patch(t.Context(), pod.Name, types.StrategicMergePatchType, []byte(fix), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, limit, c.available("bad"))
}

func (c cluster) testJob(t *testing.T) {
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "job", Namespace: "default"}}
	job.Spec.Template.Spec = corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever,
		Containers:    []corev1.Container{{Name: "main", Image: "registry.k8s.io/pause:3.10.2"}},
	}
	if _, err := c.BatchV1().Jobs("default").Create(t.Context(), job, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, limit, func(ctx context.Context) string {
		job, err := c.BatchV1().Jobs("default").Get(ctx, "job", metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		if job.Status.Succeeded != 1 || job.Status.CompletionTime == nil {
			return fmt.Sprintf("status of the Job = %+v, want one success", job.Status)
		}
		return ""
	})
}

func (c cluster) testInitContainers(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "init", Namespace: "default"}}
	pod.Spec.InitContainers = []corev1.Container{
		{Name: "first", Image: "registry.k8s.io/pause:3.10.2"},
		{Name: "sidecar", Image: "registry.k8s.io/pause:3.10.2", RestartPolicy: new(corev1.ContainerRestartPolicyAlways)},
	}
	pod.Spec.Containers = []corev1.Container{{Name: "main", Image: "registry.k8s.io/pause:3.10.2"}}
	if _, err := c.CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, limit, func(ctx context.Context) string {
		pod, err := c.CoreV1().Pods("default").Get(ctx, "init", metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		s := pod.Status.InitContainerStatuses
		if pod.Status.Phase != corev1.PodRunning || len(s) != 2 || s[0].State.Terminated == nil || s[1].State.Running == nil {
			return fmt.Sprintf("status of the Pod = %+v, want a completed init container and a running sidecar", pod.Status)
		}
		return ""
	})
}

func (c cluster) testClaim(t *testing.T) {
	claim := corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "data"}}
	claim.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	claim.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("3Gi")}
	template := deployment("database", "registry.k8s.io/pause:3.10.2", 2)
	set := &appsv1.StatefulSet{ObjectMeta: template.ObjectMeta, Spec: appsv1.StatefulSetSpec{
		Replicas: template.Spec.Replicas, Selector: template.Spec.Selector, Template: template.Spec.Template,
		VolumeClaimTemplates:                 []corev1.PersistentVolumeClaim{claim},
		PersistentVolumeClaimRetentionPolicy: &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{WhenDeleted: appsv1.DeletePersistentVolumeClaimRetentionPolicyType},
	}}
	other := claim.DeepCopy()
	other.Name, other.Spec.StorageClassName = "other", new("fast")
	_, err := c.CoreV1().PersistentVolumeClaims("default").Create(t.Context(), other, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if set, err = c.AppsV1().StatefulSets("default").Create(t.Context(), set, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, limit, func(ctx context.Context) string {
		set, err := c.AppsV1().StatefulSets("default").Get(ctx, set.Name, metav1.GetOptions{})
		if err != nil || set.Status.AvailableReplicas != 2 {
			return fmt.Sprintf("status of the StatefulSet = %+v, error %v; want 2 available replicas", set.Status, err)
		}
		return ""
	})
	var bound []string
	for _, volume := range c.volumes(t) {
		capacity := volume.Spec.Capacity[corev1.ResourceStorage]
		bound = append(bound, fmt.Sprintf("%s %s %s", volume.Spec.ClaimRef.Name, volume.Status.Phase, capacity.String()))
	}
	slices.Sort(bound)
	if want := []string{"data-database-0 Bound 3Gi", "data-database-1 Bound 3Gi"}; !slices.Equal(bound, want) {
		t.Errorf("volumes = %q, want %q: one for each claim of the class", bound, want)
	}
	if err := c.AppsV1().StatefulSets("default").Delete(t.Context(), set.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*limit, func(context.Context) string {
		if left := c.volumes(t); len(left) > 0 {
			return fmt.Sprintf("%d volumes exist, the first in phase %s", len(left), left[0].Status.Phase)
		}
		return ""
	})
}

func (c cluster) create(t *testing.T, d *appsv1.Deployment) {
	t.Helper()
	if _, err := c.AppsV1().Deployments("default").Create(t.Context(), d, metav1.CreateOptions{}); err != nil {
		t.Fatalf("creating Deployment %s: %v", d.Name, err)
	}
}

func deployment(name, image string, replicas int32) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"}}
	d.Spec.Replicas = &replicas
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	d.Spec.Template.Labels = labels
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "main", Image: image}}
	return d
}

// pass waits for d. Tests use it only if the duration itself is under test.
func pass(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-t.Context().Done():
	case <-time.After(d):
	}
}
