package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/operator-tracing/sandbox/e2e/harness"
	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
)

// correctionLimit is the maximum time until the operator reverts a manual change.
const correctionLimit = 30 * time.Second

func TestDeletedByHand(t *testing.T) {
	var created creation
	created.assess(newFeature("what is deleted by hand is made again", needPods)).
		assess("the Deployment", func(ctx context.Context, s *step) {
			recreated(ctx, s.T, s.Fixture, childName(created.head), func() client.Object { return &appsv1.Deployment{} })
		}).
		assess("the trace of the change shows that", func(ctx context.Context, s *step) {
			if _, err := s.WaitTrace(ctx, created.head, "recreate.tree"); err != nil {
				s.Error(err)
			}
		}).
		assess("the ChildA, and its Deployment with it", func(ctx context.Context, s *step) {
			deployment := &appsv1.Deployment{}
			if err := s.Get(ctx, childName(created.head), deployment); err != nil {
				s.Fatal(err)
			}
			recreated(ctx, s.T, s.Fixture, childName(created.head), func() client.Object { return &v1alpha1.ChildA{} })
			if err := eventuallyOther(ctx, s.Fixture, childName(created.head), deployment.UID, &appsv1.Deployment{}); err != nil {
				s.Fatal(err)
			}
			if err := s.WaitReady(ctx, created.head.Name); err != nil {
				s.Fatal(err)
			}
		}).runBeside(t)
}

// recreated deletes an object and waits until a new one exists and the Head is ready again.
func recreated(ctx context.Context, t *testing.T, s *harness.Fixture, name string, empty func() client.Object) {
	t.Helper()
	obj := empty()
	if err := s.Get(ctx, name, obj); err != nil {
		t.Fatal(err)
	}
	if err := s.Client.Delete(ctx, obj, client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
		t.Fatalf("deleting %T %s: %v", obj, name, err)
	}
	if err := eventuallyOther(ctx, s, name, obj.GetUID(), empty()); err != nil {
		t.Fatal(err)
	}
	if err := s.WaitReady(ctx, "head"); err != nil {
		t.Fatal(err)
	}
}

func eventuallyOther(ctx context.Context, s *harness.Fixture, name string, old types.UID, obj client.Object) error {
	return harness.Eventually(ctx, correctionLimit, fmt.Sprintf("another %T %s", obj, name), func(ctx context.Context) error {
		if err := s.Get(ctx, name, obj); err != nil {
			return err
		}
		if obj.GetUID() == old {
			return errors.New("the old one is still there")
		}
		return nil
	})
}

func TestChangedByHand(t *testing.T) {
	newFeature("what is changed by hand is corrected", needPods).
		assess("a Head is ready", func(ctx context.Context, s *step) {
			if _, err := s.CreateHead(ctx, "head", nil); err != nil {
				s.Fatal(err)
			}
			if err := s.WaitReady(ctx, "head"); err != nil {
				s.Fatal(err)
			}
		}).
		assess("the Deployment's image", func(ctx context.Context, s *step) {
			corrected(ctx, s.T, s.Fixture, &appsv1.Deployment{}, `{"spec":{"template":{"spec":{"containers":[{"name":"child-a","image":"`+harness.OtherImage+`"}]}}}}`, deploymentImage)
		}).
		assess("the ChildA's image", func(ctx context.Context, s *step) {
			corrected(ctx, s.T, s.Fixture, &v1alpha1.ChildA{}, `{"spec":{"image":"`+harness.OtherImage+`"}}`, childImage)
			corrected(ctx, s.T, s.Fixture, &appsv1.Deployment{}, `{}`, deploymentImage)
		}).
		assess("the number of replicas", func(ctx context.Context, s *step) {
			corrected(ctx, s.T, s.Fixture, &appsv1.Deployment{}, `{"spec":{"replicas":3}}`, func(obj client.Object) error {
				if replicas := obj.(*appsv1.Deployment).Spec.Replicas; replicas == nil || *replicas != 1 {
					return fmt.Errorf("replicas are %v, want 1", replicas)
				}
				return nil
			})
		}).runBeside(t)
}

// corrected merges a patch into the object with the Head's name, and waits until the object is
// correct and the Head ready.
func corrected(ctx context.Context, t *testing.T, s *harness.Fixture, obj client.Object, patch string, right func(client.Object) error) {
	t.Helper()
	obj.SetNamespace(s.Namespace)
	obj.SetName("head-child-a")
	before := int64(0)
	if patch != "{}" {
		if err := s.Client.Patch(ctx, obj, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
			t.Fatalf("changing %T by hand: %v", obj, err)
		}
		before = obj.GetGeneration()
	}
	err := harness.Eventually(ctx, correctionLimit, fmt.Sprintf("%T to be corrected", obj), func(ctx context.Context) error {
		if err := s.Get(ctx, obj.GetName(), obj); err != nil {
			return err
		}
		if obj.GetGeneration() <= before {
			return fmt.Errorf("generation is still %d", before)
		}
		return right(obj)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.WaitReady(ctx, "head"); err != nil {
		t.Fatal(err)
	}
}

func deploymentImage(obj client.Object) error {
	for _, c := range obj.(*appsv1.Deployment).Spec.Template.Spec.Containers {
		if c.Image != harness.Image {
			return fmt.Errorf("container %s has image %s, want %s", c.Name, c.Image, harness.Image)
		}
	}
	return nil
}

func childImage(obj client.Object) error {
	if image := obj.(*v1alpha1.ChildA).Spec.Image; image != harness.Image {
		return fmt.Errorf("the image is %s, want %s", image, harness.Image)
	}
	return nil
}
