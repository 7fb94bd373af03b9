package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/kind/pkg/cluster"

	"github.com/operator-tracing/sandbox/e2e/triage"
)

// This file changes Deployments and containers of a kind cluster, if the sandbox has no command for
// the change.

const (
	operatorNamespace = "operator-tracing-system"
	jaegerNamespace   = "jaeger"
	managerContainer  = "manager"
	// leaseName is the lease for the election of the operator's leader.
	leaseName = "operator-tracing.dummy.example.com"
)

// managerLabels select the operator. The name of its Deployment depends on the prefix of the
// manifests.
var managerLabels = client.MatchingLabels{
	"app.kubernetes.io/name": "operator-tracing", "app.kubernetes.io/component": "manager",
}

// operatorDeployment returns the operator's Deployment.
func (c *Cluster) operatorDeployment(ctx context.Context) (*appsv1.Deployment, error) {
	list := &appsv1.DeploymentList{}
	if err := c.Client.List(ctx, list, client.InNamespace(operatorNamespace), managerLabels); err != nil {
		return nil, fmt.Errorf("finding the operator's Deployment: %w", err)
	}
	if len(list.Items) != 1 {
		return nil, fmt.Errorf("finding the operator's Deployment: %d in namespace %s have its labels, want 1", len(list.Items), operatorNamespace)
	}
	return &list.Items[0], nil
}

// settled returns nil if a Deployment is rolled out and no Pod of an earlier template exists. A
// terminating operator can still hold the lease and answer admission requests.
func (c *Cluster) settled(ctx context.Context, deployment *appsv1.Deployment) error {
	if err := rolledOut(deployment); err != nil {
		return err
	}
	pods, err := c.podsOf(ctx, deployment)
	if err != nil {
		return err
	}
	if len(pods) != int(deployment.Status.Replicas) {
		return fmt.Errorf("deployment %s/%s: found %d Pods, want %d", deployment.Namespace, deployment.Name, len(pods), deployment.Status.Replicas)
	}
	return nil
}

// rolledOut returns nil if all wanted Pods of a Deployment are available, and all are of the current
// template.
func rolledOut(d *appsv1.Deployment) error {
	want := int32(1)
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	s := d.Status
	if s.ObservedGeneration >= d.Generation && s.UpdatedReplicas == want && s.Replicas == want && s.AvailableReplicas == want && s.ReadyReplicas == want {
		return nil
	}
	return fmt.Errorf("deployment %s/%s: want %d Pods, got %d, %d updated, %d available; generation %d of %d observed",
		d.Namespace, d.Name, want, s.Replicas, s.UpdatedReplicas, s.AvailableReplicas, s.ObservedGeneration, d.Generation)
}

// podsOf returns the Pods of a Deployment, terminating Pods included.
func (c *Cluster) podsOf(ctx context.Context, deployment *appsv1.Deployment) ([]corev1.Pod, error) {
	pods := &corev1.PodList{}
	err := c.Client.List(ctx, pods, client.InNamespace(deployment.Namespace), client.MatchingLabels(deployment.Spec.Selector.MatchLabels))
	if err != nil {
		return nil, fmt.Errorf("listing the pods of Deployment %s/%s: %w", deployment.Namespace, deployment.Name, err)
	}
	return pods.Items, nil
}

// removeJaegerPods scales Jaeger to 0 and waits until its Pods are gone. `sandbox up` scales it back.
func (c *Cluster) removeJaegerPods(ctx context.Context) error {
	jaeger := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: jaegerNamespace, Name: "jaeger"}}
	if err := c.Client.Patch(ctx, jaeger, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicas":0}}`))); err != nil {
		return err
	}
	return Eventually(ctx, rolloutLimit, "the end of Jaeger's Pods", func(ctx context.Context) error {
		if err := c.Client.Get(ctx, client.ObjectKeyFromObject(jaeger), jaeger); err != nil {
			return err
		}
		return c.settled(ctx, jaeger)
	})
}

// killLeader sends SIGKILL to the leader's process, on the node: the deletion of a Pod would send
// SIGTERM first. The kubelet restarts the container.
func (c *Cluster) killLeader(ctx context.Context) error {
	pod, err := c.leader(ctx)
	if err != nil {
		return err
	}
	key := client.ObjectKeyFromObject(pod)
	at := slices.IndexFunc(pod.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool { return s.Name == managerContainer })
	if at < 0 {
		return fmt.Errorf("pod %s has no container %s", key, managerContainer)
	}
	container := pod.Status.ContainerStatuses[at].ContainerID
	if err := c.killContainer(ctx, strings.TrimPrefix(container, "containerd://")); err != nil {
		return fmt.Errorf("killing container %s of Pod %s: %w", container, key, err)
	}
	return Eventually(ctx, rolloutLimit, "the end of container "+container, func(ctx context.Context) error {
		if err := c.Client.Get(ctx, key, pod); err != nil {
			return err
		}
		for _, s := range pod.Status.ContainerStatuses {
			if s.Name == managerContainer && s.ContainerID == container && s.State.Running != nil {
				return errors.New("it is running")
			}
		}
		return nil
	})
}

// leader returns the Pod that holds the operator's lease.
func (c *Cluster) leader(ctx context.Context) (*corev1.Pod, error) {
	lease := &coordinationv1.Lease{}
	if err := c.Client.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: leaseName}, lease); err != nil {
		return nil, fmt.Errorf("reading the operator's lease: %w", err)
	}
	// client-go's identity is the name of the Pod, an underscore and a random suffix.
	name, _, _ := strings.Cut(ptr.Deref(lease.Spec.HolderIdentity, ""), "_")
	pod := &corev1.Pod{}
	if err := c.Client.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: name}, pod); err != nil {
		return nil, fmt.Errorf("reading Pod %q, which holds the operator's lease: %w", name, err)
	}
	return pod, nil
}

func (c *Cluster) killContainer(ctx context.Context, id string) error {
	engine, err := c.engine()
	if err != nil {
		return err
	}
	nodes, err := cluster.NewProvider(engine).ListNodes(c.Status.Name)
	if err != nil || len(nodes) != 1 {
		return fmt.Errorf("finding the node of cluster %s: got %d nodes, want 1: %w", c.Status.Name, len(nodes), err)
	}
	return nodes[0].CommandContext(ctx, "ctr", "--namespace=k8s.io", "tasks", "kill", "--signal=SIGKILL", id).Run()
}

// engine returns kind's option for the engine of the node's container.
func (c *Cluster) engine() (cluster.ProviderOption, error) {
	option := map[string]cluster.ProviderOption{
		"docker": cluster.ProviderWithDocker(), "podman": cluster.ProviderWithPodman(), "nerdctl": cluster.ProviderWithNerdctl("nerdctl"),
	}[c.Status.Provider]
	if option == nil {
		return nil, fmt.Errorf("finding the node's engine: unknown engine %q", c.Status.Provider)
	}
	return option, nil
}

// deployedState returns the state of the operator's Deployment and Pods. Variables with a valueFrom are
// missing, and references to them are not expanded.
func (c *Cluster) deployedState(ctx context.Context) (triage.Operator, error) {
	deployment, err := c.operatorDeployment(ctx)
	if err != nil {
		return triage.Operator{}, err
	}
	operator := triage.Operator{Env: map[string]string{}}
	for _, container := range deployment.Spec.Template.Spec.Containers {
		for _, variable := range container.Env {
			if container.Name == managerContainer && variable.ValueFrom == nil {
				operator.Env[variable.Name] = variable.Value
			}
		}
	}
	pods, err := c.podsOf(ctx, deployment)
	if err != nil {
		return operator, err
	}
	operator.Lost = map[string]int{}
	var errs []error
	for _, pod := range pods {
		families, err := c.metrics(ctx, client.ObjectKeyFromObject(&pod))
		addLost(operator.Lost, families)
		errs = append(errs, err)
		for _, s := range pod.Status.ContainerStatuses {
			operator.Restarts += int(s.RestartCount)
			if r := s.State.Running; r != nil && r.StartedAt.After(operator.Started) {
				operator.Started = r.StartedAt.Time
			}
		}
	}
	return operator, errors.Join(errs...)
}
