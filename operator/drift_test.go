package main

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/operator-tracing/sandbox/operator/api/v1alpha1"
)

func TestDeploymentDriftIsCorrected(t *testing.T) {
	f := newReadyFamily(t)
	good := f.deployment.Spec.DeepCopy()
	for name, edit := range map[string]func(*corev1.PodSpec){
		"image":            func(p *corev1.PodSpec) { p.Containers[0].Image = "example.com/other:1" },
		"pull policy":      func(p *corev1.PodSpec) { p.Containers[0].ImagePullPolicy = corev1.PullAlways },
		"command":          func(p *corev1.PodSpec) { p.Containers[0].Command = []string{"sh"} },
		"arguments":        func(p *corev1.PodSpec) { p.Containers[0].Args = []string{"-x"} },
		"environment":      func(p *corev1.PodSpec) { p.Containers[0].Env = []corev1.EnvVar{{Name: "A", Value: "b"}} },
		"second container": func(p *corev1.PodSpec) { p.Containers = append(p.Containers, corev1.Container{Name: "x", Image: "x"}) },
		"other container":  func(p *corev1.PodSpec) { p.Containers[0].Name = "x" },
		"init container":   func(p *corev1.PodSpec) { p.InitContainers = []corev1.Container{{Name: "x", Image: "x"}} },
		"capability": func(p *corev1.PodSpec) {
			p.Containers[0].SecurityContext.Capabilities = &corev1.Capabilities{Add: []corev1.Capability{"NET_ADMIN"}}
		},
		"no security context": func(p *corev1.PodSpec) { p.Containers[0].SecurityContext = nil },
		"privileged": func(p *corev1.PodSpec) {
			p.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: new(true)}
		},
		"host network":    func(p *corev1.PodSpec) { p.HostNetwork = true },
		"service account": func(p *corev1.PodSpec) { p.AutomountServiceAccountToken = new(true) },
		"replicas":        func(*corev1.PodSpec) { f.deployment.Spec.Replicas = new(int32(3)) },
		"paused":          func(*corev1.PodSpec) { f.deployment.Spec.Paused = true },
		"identity": func(*corev1.PodSpec) {
			delete(f.deployment.Labels, "app.kubernetes.io/name")
			f.deployment.Spec.Replicas = new(int32(0))
		},
	} {
		t.Run(name, func(t *testing.T) {
			f.change(t, f.deployment, func() { edit(&f.deployment.Spec.Template.Spec) })
			f.deploymentIs(t, "corrected", func() func(*appsv1.Deployment) error {
				edited := f.deployment.Generation
				return func(*appsv1.Deployment) error {
					if f.deployment.Generation <= edited {
						return fmt.Errorf("no write since the edit")
					}
					if diff := cmp.Diff(good, &f.deployment.Spec); diff != "" {
						return fmt.Errorf("spec (-want +got):\n%s", diff)
					}
					if f.deployment.Labels["app.kubernetes.io/name"] != "child-a" {
						return fmt.Errorf("labels: %v", f.deployment.Labels)
					}
					return nil
				}
			}())
		})
	}
}

func TestChildDriftIsCorrected(t *testing.T) {
	f := newReadyFamily(t)
	f.change(t, f.child, func() { f.child.Spec.Image = "example.com/other:1" })
	eventually(t, "the ChildA is corrected", func(ctx context.Context) error {
		if err := f.admin.Get(ctx, client.ObjectKeyFromObject(f.child), f.child); err != nil {
			return err
		}
		if f.child.Spec.Image != f.head.Spec.ChildA || f.child.Generation < 3 {
			return fmt.Errorf("image is %s at generation %d", f.child.Spec.Image, f.child.Generation)
		}
		// Before that, the controller may still write the Deployment for an older spec.
		if f.child.Status.ObservedGeneration != f.child.Generation {
			return fmt.Errorf("observed generation is %d, want %d", f.child.Status.ObservedGeneration, f.child.Generation)
		}
		return nil
	})
	f.deploymentIs(t, "corrected too", func(*appsv1.Deployment) error {
		if got := f.deployment.Spec.Template.Spec.Containers[0].Image; got != f.head.Spec.ChildA {
			return fmt.Errorf("image is %s", got)
		}
		return nil
	})
	f.rollOut(t)
	f.headIs(t, true, v1alpha1.ReasonChildReady)
}

func TestFieldsOfOtherClientsStay(t *testing.T) {
	f := newReadyFamily(t)
	f.change(t, f.deployment, func() {
		f.deployment.Labels["team"] = "theirs"
		f.deployment.Annotations = map[string]string{"note": "theirs"}
		f.deployment.Spec.Template.Annotations = map[string]string{"kubectl.kubernetes.io/restartedAt": "now"}
		f.deployment.Spec.Template.Spec.PriorityClassName = "" // the server's defaults stay too
		f.deployment.Spec.MinReadySeconds = 1
	})
	f.change(t, f.head, func() { f.head.Spec.ChildA = "example.com/image:2" })
	f.deploymentIs(t, "at the new image", func(*appsv1.Deployment) error {
		if got := f.deployment.Spec.Template.Spec.Containers[0].Image; got != "example.com/image:2" {
			return fmt.Errorf("image is %s", got)
		}
		return nil
	})
	d := f.deployment
	if d.Labels["team"] != "theirs" || d.Annotations["note"] != "theirs" || d.Spec.MinReadySeconds != 1 ||
		len(d.Spec.Template.Annotations) != 1 {
		t.Errorf("labels %v, annotations %v, pod annotations %v, minReadySeconds %d: a field of another client is lost, or the pods have a new annotation",
			d.Labels, d.Annotations, d.Spec.Template.Annotations, d.Spec.MinReadySeconds)
	}
}

// TestSettledFamilyIsNotWritten triggers both controllers several times. The operator must not write.
func TestSettledFamilyIsNotWritten(t *testing.T) {
	f := newReadyFamily(t)
	var before []string
	for i := range 6 {
		if i == 1 {
			// Not sooner, because the API server logs a write after its response.
			before = f.writesTo(t)
		}
		heads, children := reconcilesOf(t, "head"), reconcilesOf(t, "childa")
		for _, obj := range []client.Object{f.head, f.child, f.deployment} {
			f.change(t, obj, func() {
				obj.SetLabels(map[string]string{
					"app.kubernetes.io/name": "child-a", "app.kubernetes.io/instance": "h-child-a",
					"app.kubernetes.io/managed-by": "operator-tracing", "round": fmt.Sprint(i),
				})
			})
		}
		eventually(t, "both controllers have reconciled", func(context.Context) error {
			if h, c := reconcilesOf(t, "head")-heads, reconcilesOf(t, "childa")-children; h < 1 || c < 1 {
				return fmt.Errorf("%d reconciles of Head, %d of ChildA", h, c)
			}
			return nil
		})
	}
	if diff := cmp.Diff(before, f.writesTo(t)); diff != "" {
		t.Errorf("the operator wrote to objects without drift (-before +after):\n%s", diff)
	}
}

// TestFewWritesToReady counts the writes until a Head is ready, with an event for each step of the rollout.
func TestFewWritesToReady(t *testing.T) {
	f := newFamily(t)
	for _, status := range []appsv1.DeploymentStatus{
		{ObservedGeneration: 1},
		{ObservedGeneration: 1, Replicas: 1},
		{ObservedGeneration: 1, Replicas: 1, UpdatedReplicas: 1},
		{ObservedGeneration: 1, Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1, ReadyReplicas: 1},
	} {
		seen := reconcilesOf(t, "childa")
		f.change(t, f.deployment, func() { f.deployment.Status = status }, true)
		eventually(t, "the controller has reconciled the step", func(context.Context) error {
			if reconcilesOf(t, "childa") == seen {
				return fmt.Errorf("no reconcile since")
			}
			return nil
		})
	}
	f.headIs(t, true, v1alpha1.ReasonChildReady)

	want := []string{
		"create childas.dummy.example.com",
		"create deployments.apps",
		"patch childas/status.dummy.example.com",
		"patch childas/status.dummy.example.com",
		"patch heads/status.dummy.example.com",
		"patch heads/status.dummy.example.com",
	}
	// The API server logs a write after its response.
	eventually(t, "the audit log contains exactly these writes", func(context.Context) error {
		got := f.writesTo(t)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("writes (-want +got):\n%s", diff)
		}
		return nil
	})
}

// writesTo returns the operator's writes in the family's namespace.
func (f *family) writesTo(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, r := range f.requests(t) {
		if r.writes() && r.Ref.Namespace == f.head.Namespace {
			out = append(out, r.Verb+" "+r.resource())
		}
	}
	return out
}

// reconcilesOf returns the number of reconciles without error of a controller.
func reconcilesOf(t *testing.T, controller string) int {
	t.Helper()
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "controller_runtime_reconcile_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if labels["controller"] == controller && labels["result"] == "success" {
				return int(m.GetCounter().GetValue())
			}
		}
	}
	return 0
}
