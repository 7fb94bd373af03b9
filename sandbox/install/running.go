package install

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/component"
)

// Pods lists the Pods of a component or of one of its programs, the oldest first. There are none of
// a component that is not installed. The error is the API server's.
func Pods(ctx context.Context, c *Cluster, name string) ([]corev1.Pod, error) {
	of, program, isProgram := component.ProgramNamed(name)
	programs := []component.Program{program}
	if named, found := component.Named(name); found {
		of, programs = named, named.Main()
	} else if !isProgram {
		of.Name, programs = name, nil // an applier
	}
	var found []corev1.Pod
	var err error
	if len(programs) > 0 && programs[0].System {
		found, err = systemPods(ctx, c, programs)
	} else {
		found, err = componentPods(ctx, c, of.Name)
		if isProgram && program.Labels != nil {
			selected := labels.SelectorFromSet(program.Labels)
			found = slices.DeleteFunc(found, func(p corev1.Pod) bool { return !selected.Matches(labels.Set(p.Labels)) })
		}
	}
	if err != nil {
		return nil, fmt.Errorf("listing the Pods of %s: %w", name, err)
	}
	slices.SortStableFunc(found, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	return found, nil
}

// systemPods lists the Pods of programs in kube-system.
func systemPods(ctx context.Context, c *Cluster, programs []component.Program) ([]corev1.Pod, error) {
	var found []corev1.Pod
	for _, p := range programs {
		pods := &corev1.PodList{}
		if err := c.client.List(ctx, pods, client.InNamespace(metav1.NamespaceSystem), client.MatchingLabels(p.Labels)); err != nil {
			return nil, err
		}
		found = append(found, pods.Items...)
	}
	return found, nil
}

// componentPods lists the Pods of a component's Deployments.
func componentPods(ctx context.Context, c *Cluster, name string) ([]corev1.Pod, error) {
	deployments := &appsv1.DeploymentList{}
	if err := c.client.List(ctx, deployments, c.labelsOf(name)); err != nil {
		return nil, err
	}
	var found []corev1.Pod
	for _, d := range deployments.Items {
		selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
		if err != nil || selector.Empty() {
			selector = labels.Nothing()
		}
		pods := &corev1.PodList{}
		if err := c.client.List(ctx, pods, client.InNamespace(d.Namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
			return nil, err
		}
		found = append(found, pods.Items...)
	}
	return found, nil
}

// PodReady tells whether a Pod is ready and is to stay.
func PodReady(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// Running is what the containers of some Pods run.
type Running struct {
	// Images are the images' names, Digests what the node's container runtime calls what it really runs: both sorted, each
	// once. A digest is that of the image's manifest or, for one that came from no registry, of its configuration.
	Images, Digests []string
	// Since is when the youngest container was started; zero where none runs.
	Since time.Time
	// Restarts is how often containers were started again.
	Restarts int
	// Unready says what is wrong with containers that are not ready, one line for each. A container that runs and whose startup
	// probe has not been answered yet is none of them: the first probe of kubeadm's static Pods comes after ten seconds, while what
	// they run answers long before.
	Unready []string
}

// RunningOf sums up Pods as they say they are.
func RunningOf(pods []corev1.Pod) Running {
	var r Running
	for i := range pods {
		pod := &pods[i]
		for _, s := range pod.Status.ContainerStatuses {
			r.Images = append(r.Images, s.Image)
			r.Restarts += int(s.RestartCount)
			if _, digest, found := strings.Cut(s.ImageID, "@"); found {
				r.Digests = append(r.Digests, digest)
			} else if s.ImageID != "" {
				r.Digests = append(r.Digests, s.ImageID)
			}
			if running := s.State.Running; running != nil && running.StartedAt.After(r.Since) {
				r.Since = running.StartedAt.Time
			}
			if starting := s.State.Running != nil && s.Started != nil && !*s.Started; !s.Ready && !starting {
				r.Unready = append(r.Unready, fmt.Sprintf("Pod %s/%s: container %s is not ready", pod.Namespace, pod.Name, s.Name))
			}
		}
	}
	slices.Sort(r.Images)
	slices.Sort(r.Digests)
	r.Images, r.Digests = slices.Compact(r.Images), slices.Compact(r.Digests)
	return r
}
