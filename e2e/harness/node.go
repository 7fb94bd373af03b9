package harness

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// playedNode is the node that the tests play.
	playedNode = "e2e-played"
	// heartbeat is well below the 40 s after which a silent node counts as lost.
	heartbeat = 5 * time.Second
	// roomLimit bounds the end of all Pods in a namespace.
	roomLimit = 3 * time.Minute
	// playedCalls is how many requests about Pods are under way at a time.
	playedCalls = 8
)

// MakeRoom lets the cluster take many Pods until the end of the scene. An embedded
// cluster does anyway. A kind node takes 110, and fewer where its engine allows its
// container 2048 processes, as podman does; so on kind the tests play a second node,
// which runs nothing, and the real one takes no Pods meanwhile. No other feature may
// run beside.
func (s *Scene) MakeRoom(ctx context.Context) error {
	if !s.RunsContainers() {
		return nil
	}
	playing, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	s.Restore(ctx, restoreLimit+roomLimit, "taking the played node away", func(ctx context.Context) error {
		var err error
		if !s.t.Failed() {
			// The node's Pods end only as long as it is played. Those of a failure are kept
			// for its artifacts; the cluster removes Pods whose node is gone.
			err = s.empty(ctx)
		}
		stop()
		return errors.Join(err, <-ended, s.removePlayedNode(ctx), s.Uncordon(ctx))
	})
	if err := s.createPlayedNode(ctx); err != nil {
		ended <- nil
		return err
	}
	go func() { ended <- s.play(playing) }()
	return s.cordonExcept(ctx, playedNode)
}

// empty deletes the scene's namespace, and waits until it has no Pods.
func (s *Scene) empty(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.Namespace}}
	if err := s.Client.Delete(ctx, namespace); err != nil {
		return fmt.Errorf("deleting namespace %s: %w", s.Namespace, err)
	}
	return Eventually(ctx, roomLimit, "the end of all Pods in namespace "+s.Namespace, func(ctx context.Context) error {
		pods := &corev1.PodList{}
		if err := s.Client.List(ctx, pods, client.InNamespace(s.Namespace)); err != nil {
			return err
		}
		if len(pods.Items) > 0 {
			return fmt.Errorf("%d are there, for one %s", len(pods.Items), pods.Items[0].Name)
		}
		return nil
	})
}

// createPlayedNode makes a node that no DaemonSet runs on: those want Linux.
func (c *Cluster) createPlayedNode(ctx context.Context) error {
	room := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("32"), corev1.ResourceMemory: resource.MustParse("256Gi"), corev1.ResourcePods: resource.MustParse("1000"),
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: playedNode}, Status: corev1.NodeStatus{Allocatable: room, Capacity: room}}
	if err := c.Client.Create(ctx, node); err != nil {
		return fmt.Errorf("creating node %s: %w", playedNode, err)
	}
	return c.beat(ctx)
}

// removePlayedNode does nothing where there is none.
func (c *Cluster) removePlayedNode(ctx context.Context) error {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: playedNode}}
	if err := client.IgnoreNotFound(c.Client.Delete(ctx, node)); err != nil {
		return fmt.Errorf("deleting node %s: %w", playedNode, err)
	}
	return nil
}

// beat says that the played node is ready.
func (c *Cluster) beat(ctx context.Context) error {
	now := metav1.Now()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: playedNode}}
	before := client.StrategicMergeFrom(node.DeepCopy())
	node.Status.Conditions = []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastHeartbeatTime: now, Reason: "Played", Message: "the end-to-end tests play this node",
	}}
	if err := c.Client.Status().Patch(ctx, node, before); err != nil {
		return fmt.Errorf("reporting on node %s: %w", playedNode, err)
	}
	return nil
}

// play does what a kubelet does, until ctx ends: it reports on the node, says that its
// Pods run, and lets those go that are deleted. What fails is tried again; the error
// is the last one, if nothing succeeded since.
func (s *Scene) play(ctx context.Context) error {
	var last error
	beaten := time.Now()
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return last
		case <-ticker.C:
		}
		now := s.playPods(ctx)
		if time.Since(beaten) > heartbeat {
			if err := s.beat(ctx); err != nil {
				now = errors.Join(now, err)
			} else {
				beaten = time.Now()
			}
		}
		if ctx.Err() == nil {
			last = now
		}
	}
}

func (s *Scene) playPods(ctx context.Context) error {
	pods := &corev1.PodList{}
	if err := s.Client.List(ctx, pods, client.InNamespace(s.Namespace), client.MatchingFields{"spec.nodeName": playedNode}); err != nil {
		return fmt.Errorf("listing the Pods of node %s: %w", playedNode, err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(playedCalls)
	for i := range pods.Items {
		pod := &pods.Items[i]
		switch {
		case pod.DeletionTimestamp != nil:
			group.Go(func() error {
				return client.IgnoreNotFound(s.Client.Delete(ctx, pod, client.GracePeriodSeconds(0), client.Preconditions{UID: ptr.To(pod.UID)}))
			})
		case pod.Status.Phase == corev1.PodPending:
			group.Go(func() error { return client.IgnoreNotFound(s.runPod(ctx, pod)) })
		}
	}
	return group.Wait()
}

// runPod says that a Pod runs.
func (s *Scene) runPod(ctx context.Context, pod *corev1.Pod) error {
	before := client.StrategicMergeFrom(pod.DeepCopy())
	now := metav1.Now()
	pod.Status.Phase, pod.Status.StartTime = corev1.PodRunning, &now
	for _, kind := range []corev1.PodConditionType{corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now})
	}
	for _, c := range pod.Spec.Containers {
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, Ready: true, Started: ptr.To(true),
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		})
	}
	return s.Client.Status().Patch(ctx, pod, before)
}
