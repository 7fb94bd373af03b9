package harness

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/operator-tracing/sandbox/sandbox/project"
)

func TestSetEnv(t *testing.T) {
	deployment := func(env ...corev1.EnvVar) *appsv1.Deployment {
		d := &appsv1.Deployment{}
		d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "other"}, {Name: managerContainer, Env: env}}
		return d
	}
	own := corev1.EnvVar{Name: project.NodeAddress, Value: "n"} // the sandbox's
	service, renamed := corev1.EnvVar{Name: ServiceVariable, Value: Service}, corev1.EnvVar{Name: ServiceVariable, Value: "x"}
	a1, a2 := corev1.EnvVar{Name: ExporterVariable, Value: "1"}, corev1.EnvVar{Name: ExporterVariable, Value: "2"}
	b := corev1.EnvVar{Name: ConvergedAgeVariable, Value: "b"}
	tests := map[string]struct {
		before  []corev1.EnvVar
		env     map[string]string
		after   []corev1.EnvVar
		changed bool
	}{
		"add":               {[]corev1.EnvVar{service, own}, map[string]string{a1.Name: "1"}, []corev1.EnvVar{service, own, a1}, true},
		"replace":           {[]corev1.EnvVar{service, own, a1}, map[string]string{a1.Name: "2"}, []corev1.EnvVar{service, own, a2}, true},
		"another instead":   {[]corev1.EnvVar{service, own, a1}, map[string]string{b.Name: "b"}, []corev1.EnvVar{service, own, b}, true},
		"two":               {[]corev1.EnvVar{service, own}, map[string]string{a1.Name: "1", b.Name: "b"}, []corev1.EnvVar{service, own, b, a1}, true},
		"is so":             {[]corev1.EnvVar{service, own, a1}, map[string]string{a1.Name: "1"}, []corev1.EnvVar{service, own, a1}, false},
		"remove":            {[]corev1.EnvVar{a1, service, own, b}, nil, []corev1.EnvVar{service, own}, true},
		"nothing to remove": {[]corev1.EnvVar{service, own}, nil, []corev1.EnvVar{service, own}, false},
		"rename":            {[]corev1.EnvVar{service, own}, map[string]string{ServiceVariable: "x"}, []corev1.EnvVar{own, renamed}, true},
		"is renamed":        {[]corev1.EnvVar{own, renamed}, map[string]string{ServiceVariable: "x"}, []corev1.EnvVar{own, renamed}, false},
		"name again":        {[]corev1.EnvVar{own, renamed}, nil, []corev1.EnvVar{own, service}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := deployment(test.before...)
			if changed := setEnv(d, test.env); changed != test.changed {
				t.Errorf("changed is %t, want %t", changed, test.changed)
			}
			if diff := cmp.Diff(test.after, d.Spec.Template.Spec.Containers[1].Env); diff != "" {
				t.Errorf("variables (-want +got):\n%s", diff)
			}
		})
	}
}

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
			t.Errorf("%s: taken for rolled out", what)
		}
	}
}
