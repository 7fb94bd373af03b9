package workload

import (
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/component"
	"github.com/operator-tracing/sandbox/sandbox/hint"
)

// stuckLimit is the time after which a Pod counts as unable to recover. In this time the
// kubelet restarts a container five times, and most autoscalers add a node.
const stuckLimit = 5 * time.Minute

// patience records since when Pods are stuck. The zero value has seen no Pod.
type patience struct{ since map[types.UID]time.Time }

// exhausted returns the troubles of Pods that were stuck in every look for stuckLimit. found is the
// result of the present look.
func (p *patience) exhausted(now time.Time, found []trouble) (late []trouble) {
	since := map[types.UID]time.Time{}
	for _, t := range found {
		if !t.stuck {
			continue
		}
		began, known := p.since[t.pod.UID]
		if !known {
			began = now
		}
		since[t.pod.UID] = began
		if now.Sub(began) >= stuckLimit {
			late = append(late, t)
		}
	}
	p.since = since
	return late
}

// stuckError returns the error about Pods of a component that are stuck for too long; nil if all of
// them may recover.
func stuckError(ctx context.Context, c *apply.Cluster, name string, late []trouble) error {
	text := describe(late, func(t trouble) bool { return !isReplaced(ctx, c, t.pod) && !isPulling(ctx, c, t.pod) })
	if text == "" {
		return nil
	}
	correct := "the manifests of the operator"
	if name == component.Sample {
		correct = "the sample"
	}
	return &hopelessError{fmt.Sprintf("%s; no progress for %s; correct %s, then run %s", text, stuckLimit, correct, hint.Run("up"))}
}

// isPulling reports whether the last Event about a Pod's images is the start of a pull. The status
// of a container has the error of the last pull until the next one succeeds.
func isPulling(ctx context.Context, c *apply.Cluster, pod *corev1.Pod) bool {
	events := &corev1.EventList{}
	if err := c.Client().List(ctx, events, client.InNamespace(pod.Namespace), client.MatchingFields{"involvedObject.uid": string(pod.UID)}); err != nil {
		return false
	}
	about := slices.DeleteFunc(events.Items, func(e corev1.Event) bool {
		return !slices.Contains([]string{"Pulling", "Pulled", "Failed", "BackOff"}, e.Reason)
	})
	if len(about) == 0 {
		return false
	}
	last := slices.MaxFunc(about, func(a, b corev1.Event) int { return a.LastTimestamp.Compare(b.LastTimestamp.Time) })
	return last.Reason == "Pulling"
}

// isOfCurrent reports whether a Pod has the present template of its Deployment.
func isOfCurrent(ctx context.Context, c *apply.Cluster, pod *corev1.Pod) bool {
	current, found := ofCurrent(ctx, c, pod)
	return found && current
}

// isReplaced reports whether a Pod has an earlier template of its Deployment, which replaces it.
func isReplaced(ctx context.Context, c *apply.Cluster, pod *corev1.Pod) bool {
	current, found := ofCurrent(ctx, c, pod)
	return found && !current
}

// ofCurrent reports whether a Pod has a Deployment, and whether it has its present template.
func ofCurrent(ctx context.Context, c *apply.Cluster, pod *corev1.Pod) (current, found bool) {
	set, deployment := &appsv1.ReplicaSet{}, &appsv1.Deployment{}
	if !getOwner(ctx, c, pod, set) || !getOwner(ctx, c, set, deployment) {
		return false, false
	}
	return deployment.Status.ObservedGeneration == deployment.Generation && set.Annotations[revision] == deployment.Annotations[revision], true
}

const revision = "deployment.kubernetes.io/revision"

func getOwner(ctx context.Context, c *apply.Cluster, of, owner client.Object) bool {
	reference := metav1.GetControllerOf(of)
	return reference != nil && c.Client().Get(ctx, types.NamespacedName{Namespace: of.GetNamespace(), Name: reference.Name}, owner) == nil &&
		owner.GetUID() == reference.UID
}
