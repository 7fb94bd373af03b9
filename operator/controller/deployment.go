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

// overlayDeployment sets what a ChildA decides about its Deployment: how many
// pods, which program they run and with which rights. Everything else (labels and
// annotations of others, resources, probes, scheduling) is left as it is.
//
// The pod template's annotations are nobody's business here: a changing one, such
// as a trace context, would roll the pods.
func overlayDeployment(d *appsv1.Deployment, image string) {
	identity := map[string]string{labelName: "child-a", labelInstance: d.Name}

	d.Labels = merged(d.Labels, identity)
	d.Labels[labelManagedBy] = managedBy
	d.Spec.Replicas = ptr.To[int32](1)
	d.Spec.Paused = false
	if d.Spec.Selector == nil {
		// The selector can't be changed later, neither by us nor by hand.
		d.Spec.Selector = &metav1.LabelSelector{MatchLabels: identity}
	}
	d.Spec.Template.Labels = merged(d.Spec.Template.Labels, identity)

	pod := &d.Spec.Template.Spec
	pod.InitContainers = nil
	pod.AutomountServiceAccountToken = ptr.To(false)
	pod.HostNetwork, pod.HostPID, pod.HostIPC = false, false, false
	pod.Containers = []corev1.Container{overlayContainer(pod.Containers, image)}
}

// overlayContainer returns the one container of the pod: the stored one of that
// name, with what decides which program runs and with which rights put right.
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

	// As restricted as any image can bear: whether one runs as another user than its
	// own, or without the capabilities that root starts with, is the image's to say.
	if c.SecurityContext == nil {
		c.SecurityContext = &corev1.SecurityContext{}
	}
	c.SecurityContext.Privileged = nil
	c.SecurityContext.AllowPrivilegeEscalation = ptr.To(false)
	c.SecurityContext.Capabilities = nil
	c.SecurityContext.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	return c
}

// merged returns have with the entries of want put over it; neither is changed.
func merged(have, want map[string]string) map[string]string {
	out := make(map[string]string, len(have)+len(want))
	maps.Copy(out, have)
	maps.Copy(out, want)
	return out
}

// judgeDeployment says whether the Deployment runs its present template, all of
// it and nothing else. The counts are those that kubectl rollout status goes by.
//
// How far a rollout has come is in the Deployment's own status. Repeating it here
// would cost a write for each step, to this object and to the Head above it.
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

// deploymentFailure returns what stops the Deployment, or an empty string.
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
