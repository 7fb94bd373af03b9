package controller

import (
	"fmt"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
)

const (
	containerName = "child-a"
	managedBy     = "operator-tracing"

	labelName      = "app.kubernetes.io/name"
	labelInstance  = "app.kubernetes.io/instance"
	labelManagedBy = "app.kubernetes.io/managed-by"
)

// overlayDeployment sets the fields of a Deployment that its ChildA decides: the number of pods, their program
// and its privileges. It does not change other fields, for example labels and annotations of other clients,
// resources, probes and scheduling.
//
// It never sets an annotation of the pod template, because a change there would restart the pods.
func overlayDeployment(d *appsv1.Deployment, image string) {
	identity := map[string]string{labelName: "child-a", labelInstance: d.Name}

	d.Labels = merged(d.Labels, identity)
	d.Labels[labelManagedBy] = managedBy
	d.Spec.Replicas = ptr.To[int32](1)
	d.Spec.Paused = false
	if d.Spec.Selector == nil {
		// The selector is immutable.
		d.Spec.Selector = &metav1.LabelSelector{MatchLabels: identity}
	}
	d.Spec.Template.Labels = merged(d.Spec.Template.Labels, identity)

	pod := &d.Spec.Template.Spec
	pod.InitContainers = nil
	pod.AutomountServiceAccountToken = ptr.To(false)
	pod.HostNetwork, pod.HostPID, pod.HostIPC = false, false, false
	pod.Containers = []corev1.Container{overlayContainer(pod.Containers, image)}
}

// overlayContainer returns the only container of the pod: the stored one of that name, with the fields set that
// decide its program and privileges.
func overlayContainer(stored []corev1.Container, image string) corev1.Container {
	c := corev1.Container{Name: containerName}
	for i := range stored {
		if stored[i].Name == containerName {
			stored[i].DeepCopyInto(&c)
		}
	}
	c.Image = image
	c.ImagePullPolicy = corev1.PullIfNotPresent
	c.Command, c.Args, c.Env, c.EnvFrom = nil, nil, nil, nil

	// Restrictions that work with any image. Another user, or fewer capabilities of root, would break
	// some images.
	if c.SecurityContext == nil {
		c.SecurityContext = &corev1.SecurityContext{}
	}
	c.SecurityContext.Privileged = nil
	c.SecurityContext.AllowPrivilegeEscalation = ptr.To(false)
	c.SecurityContext.Capabilities = nil
	c.SecurityContext.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	return c
}

// merged returns a new map with the entries of have and want. Entries of want take precedence.
func merged(have, want map[string]string) map[string]string {
	out := make(map[string]string, len(have)+len(want))
	maps.Copy(out, have)
	maps.Copy(out, want)
	return out
}

// judgeDeployment returns whether all pods of the Deployment run its current template and are available. It
// reads the same counts as kubectl rollout status.
//
// The progress of a rollout is in the status of the Deployment. Its repetition here would cost one write for
// each step, to the ChildA and to its Head.
func judgeDeployment(d *appsv1.Deployment) verdict {
	want := ptr.Deref(d.Spec.Replicas, 1)
	status := d.Status
	observed := status.ObservedGeneration >= d.Generation
	name := "Deployment " + d.Name
	if observed && status.UpdatedReplicas >= want && status.Replicas <= status.UpdatedReplicas && status.AvailableReplicas >= want {
		return verdict{ready: true, reason: v1alpha1.ReasonDeploymentAvailable, message: name + " is available"}
	}
	if failure := deploymentFailure(status.Conditions); observed && failure != "" {
		return verdict{reason: v1alpha1.ReasonDeploymentFailed, message: name + ": " + failure}
	}
	return verdict{
		reason:  v1alpha1.ReasonDeploymentProgressing,
		message: fmt.Sprintf("%s is rolling out generation %d", name, d.Generation),
	}
}

// deploymentFailure returns the error of the Deployment, or an empty string.
func deploymentFailure(conditions []appsv1.DeploymentCondition) string {
	for _, c := range conditions {
		switch {
		case c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue,
			c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse && c.Reason == "ProgressDeadlineExceeded":
			return c.Reason + ": " + c.Message
		}
	}
	return ""
}
