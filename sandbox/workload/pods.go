package workload

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

// Pods lists the Pods of a component or of one of its programs, the oldest first. The list is empty
// if the component is not installed. The error is the API server's.
func Pods(ctx context.Context, c *apply.Cluster, name string) ([]corev1.Pod, error) {
	of, program, isProgram := component.ProgramNamed(name)
	programs := []component.Program{program}
	if named := component.Named(name); named.Name != "" {
		of, programs = named, named.Main()
	} else if !isProgram {
		of.Name, programs = name, nil // a component that is not in the table, as the applier
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

func systemPods(ctx context.Context, c *apply.Cluster, programs []component.Program) ([]corev1.Pod, error) {
	var found []corev1.Pod
	for _, p := range programs {
		pods := &corev1.PodList{}
		if err := c.Client().List(ctx, pods, client.InNamespace(metav1.NamespaceSystem), client.MatchingLabels(p.Labels)); err != nil {
			return nil, err
		}
		found = append(found, pods.Items...)
	}
	return found, nil
}

func componentPods(ctx context.Context, c *apply.Cluster, name string) ([]corev1.Pod, error) {
	deployments, err := objectsOf(ctx, c, name, appsv1.SchemeGroupVersion.WithKind("Deployment"))
	if err != nil {
		return nil, err
	}
	var found []corev1.Pod
	for i := range deployments {
		pods, err := podsOf(ctx, c, &deployments[i])
		if err != nil {
			return nil, err
		}
		found = append(found, pods...)
	}
	return found, nil
}

// Ended returns an error while Pods of a component that are being deleted may still run: they can
// hold the operator's lease and answer the API server. It ignores Pods whose grace period is over: a
// node that is gone keeps them forever.
func Ended(ctx context.Context, c *apply.Cluster, name string) error {
	pods, err := Pods(ctx, c, name)
	if err != nil {
		return err
	}
	for _, p := range pods {
		if p.DeletionTimestamp != nil && time.Now().Before(p.DeletionTimestamp.Time) {
			return fmt.Errorf("pod %s/%s of the previous version is still ending", p.Namespace, p.Name)
		}
	}
	return nil
}

// PodReady reports whether a Pod is ready and is not being deleted.
func PodReady(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// Running summarizes what the containers of some Pods run.
type Running struct {
	// Images are the sorted names of the images, Digests the sorted digests of the images that the
	// container runtime really runs, each once. A digest is the manifest's or, if the image came
	// from no registry, its configuration's.
	Images, Digests []string
	// Since is when the newest container started; zero if none runs.
	Since time.Time
	// Restarts is the number of restarts of all containers.
	Restarts int
	// Crashing names each container that crashes again and again, even if it runs at the moment.
	Crashing []string
	// Unready names each container that is not ready, one a line. It leaves out containers that run
	// and wait for their startup probe: kubeadm's static Pods get the first probe after ten seconds,
	// although their programs answer long before.
	Unready []string
}

// RunningOf summarizes the status of Pods.
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
			if isCrashing(s, time.Now()) {
				r.Crashing = append(r.Crashing, fmt.Sprintf("Pod %s/%s: container %s crashes again and again: %d restarts", pod.Namespace, pod.Name, s.Name, s.RestartCount))
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

// podsOf lists the Pods that the selector of a Deployment or StatefulSet selects.
func podsOf(ctx context.Context, c *apply.Cluster, obj *unstructured.Unstructured) ([]corev1.Pod, error) {
	d := &appsv1.Deployment{} // The selector of a StatefulSet is at the same place.
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, d); err != nil {
		return nil, err
	}
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil || selector.Empty() {
		return nil, err
	}
	pods := &corev1.PodList{}
	err = c.Client().List(ctx, pods, client.InNamespace(d.Namespace), client.MatchingLabelsSelector{Selector: selector})
	return pods.Items, err
}

// isCrashing reports whether a container waits for its restart after several crashes, or runs since
// less time than the kubelet waited for that restart.
func isCrashing(s corev1.ContainerStatus, now time.Time) bool {
	if s.State.Waiting != nil {
		return s.State.Waiting.Reason == crashLoop
	}
	last := s.LastTerminationState.Terminated
	if s.State.Running == nil || last == nil || s.RestartCount < 3 || !slices.Contains([]string{"Error", "OOMKilled", "StartError"}, last.Reason) {
		return false
	}
	// The pause starts at 10 s, doubles with each crash up to five minutes, and starts again after a
	// run of ten minutes.
	const longest, reset = 5 * time.Minute, 10 * time.Minute
	pause := min(10*time.Second<<min(s.RestartCount-1, 5), longest)
	return last.FinishedAt.Sub(last.StartedAt.Time) < reset && now.Sub(s.State.Running.StartedAt.Time) < pause
}
