package harness

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/kind/pkg/cluster"

	"github.com/operator-tracing/sandbox/sandbox/project"
)

// leaseName is the lease that the operator that reconciles holds.
const leaseName = "operator-tracing.dummy.example.com"

// operator gives the operator's Deployment.
func (d *deployments) operator(ctx context.Context) (*appsv1.Deployment, error) {
	list := &appsv1.DeploymentList{}
	if err := d.client.List(ctx, list, client.InNamespace(operatorNamespace), managerLabels); err != nil {
		return nil, fmt.Errorf("finding the operator's Deployment: %w", err)
	}
	if len(list.Items) != 1 {
		return nil, fmt.Errorf("finding the operator's Deployment: %d in namespace %s have its labels, want 1", len(list.Items), operatorNamespace)
	}
	return &list.Items[0], nil
}

func (d *deployments) setOperatorEnv(ctx context.Context, env map[string]string) error {
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		operator, err := d.operator(ctx)
		if err != nil || !setEnv(operator, env) {
			return err
		}
		return d.client.Update(ctx, operator)
	})
	if err != nil {
		return err
	}
	return d.startOperator(ctx)
}

// setEnv changes the template, where what is among operatorVariables becomes env,
// and reports whether there was anything to change. The service's name is what the
// sandbox says, unless env has another.
func setEnv(d *appsv1.Deployment, env map[string]string) bool {
	containers := d.Spec.Template.Spec.Containers
	at := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == managerContainer })
	if at < 0 {
		return false
	}
	before := containers[at].Env
	own := corev1.EnvVar{Name: ServiceVariable, Value: Service}
	_, renamed := env[ServiceVariable]
	after := slices.DeleteFunc(slices.Clone(before), func(e corev1.EnvVar) bool {
		return slices.Contains(operatorVariables, e.Name) && (renamed || e != own)
	})
	if !renamed && !slices.Contains(after, own) {
		after = append(after, own)
	}
	// At the end: a value may refer to what stands before it.
	for _, name := range slices.Sorted(maps.Keys(env)) {
		after = append(after, corev1.EnvVar{Name: name, Value: env[name]})
	}
	containers[at].Env = after
	return !slices.Equal(before, after)
}

// otlpHTTP names the node as the sandbox's own variables do.
func (d *deployments) otlpHTTP(Status) string {
	return "http://$(" + project.NodeAddress + "):4318/v1/traces"
}

func (d *deployments) scaleOperator(ctx context.Context, replicas int32) error {
	return d.scale(ctx, replicas, d.operator)
}

func (d *deployments) startOperator(ctx context.Context) error {
	return Eventually(ctx, rolloutLimit, "the operator's rollout", func(ctx context.Context) error {
		operator, err := d.operator(ctx)
		if err != nil {
			return err
		}
		return d.settled(ctx, operator)
	})
}

// killOperator kills the leader's process on the node: the API server only ever asks
// a kubelet to end a container, and that asks the process. The kubelet starts it again.
func (d *deployments) killOperator(ctx context.Context) error {
	pod, err := d.leader(ctx)
	if err != nil {
		return err
	}
	key := client.ObjectKeyFromObject(pod)
	at := slices.IndexFunc(pod.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool { return s.Name == managerContainer })
	if at < 0 {
		return fmt.Errorf("pod %s has no container %s", key, managerContainer)
	}
	container := pod.Status.ContainerStatuses[at].ContainerID
	if err := d.killContainer(ctx, strings.TrimPrefix(container, "containerd://")); err != nil {
		return fmt.Errorf("killing container %s of pod %s: %w", container, key, err)
	}
	return Eventually(ctx, rolloutLimit, "the end of container "+container, func(ctx context.Context) error {
		if err := d.client.Get(ctx, key, pod); err != nil {
			return err
		}
		for _, s := range pod.Status.ContainerStatuses {
			if s.Name == managerContainer && s.ContainerID == container && s.State.Running != nil {
				return errors.New("the kubelet says that it runs")
			}
		}
		return nil
	})
}

// leader gives the pod that holds the operator's lease.
func (d *deployments) leader(ctx context.Context) (*corev1.Pod, error) {
	lease := &coordinationv1.Lease{}
	if err := d.client.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: leaseName}, lease); err != nil {
		return nil, fmt.Errorf("reading the operator's lease: %w", err)
	}
	// The holder is the pod's name, and an id after an underscore.
	name, _, _ := strings.Cut(ptr.Deref(lease.Spec.HolderIdentity, ""), "_")
	pod := &corev1.Pod{}
	if err := d.client.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: name}, pod); err != nil {
		return nil, fmt.Errorf("reading pod %q, which holds the operator's lease: %w", name, err)
	}
	return pod, nil
}

func (d *deployments) killContainer(ctx context.Context, id string) error {
	engine, err := d.engine()
	if err != nil {
		return err
	}
	nodes, err := cluster.NewProvider(engine).ListNodes(d.name)
	if err != nil || len(nodes) != 1 {
		return fmt.Errorf("finding the node of cluster %s: there are %d: %w", d.name, len(nodes), err)
	}
	return nodes[0].CommandContext(ctx, "ctr", "--namespace=k8s.io", "tasks", "kill", "--signal=SIGKILL", id).Run()
}

// engine is what the node runs on.
func (d *deployments) engine() (cluster.ProviderOption, error) {
	option := map[string]cluster.ProviderOption{
		"docker": cluster.ProviderWithDocker(), "podman": cluster.ProviderWithPodman(), "nerdctl": cluster.ProviderWithNerdctl("nerdctl"),
	}[d.provider]
	if option == nil {
		return nil, fmt.Errorf("finding the node's engine: unknown engine %q", d.provider)
	}
	return option, nil
}
