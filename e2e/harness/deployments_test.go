package harness

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

func TestRolledOut(t *testing.T) {
	good := appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Generation: 2}}
	good.Spec.Replicas = ptr.To[int32](1)
	good.Status = appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1, ReadyReplicas: 1}
	if err := rolledOut(&good); err != nil {
		t.Error(err)
	}
	for what, spoil := range map[string]func(*appsv1.DeploymentStatus){
		"unobserved": func(s *appsv1.DeploymentStatus) { s.ObservedGeneration = 1 },
		"old pod":    func(s *appsv1.DeploymentStatus) { s.Replicas = 2 },
		"not new":    func(s *appsv1.DeploymentStatus) { s.UpdatedReplicas = 0 },
		"not ready":  func(s *appsv1.DeploymentStatus) { s.ReadyReplicas, s.AvailableReplicas = 0, 0 },
	} {
		bad := good
		spoil(&bad.Status)
		if rolledOut(&bad) == nil {
			t.Errorf("rolledOut(%s) = nil, want an error", what)
		}
	}
}
