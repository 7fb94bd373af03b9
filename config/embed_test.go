package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/operator-tracing/sandbox/config"
)

const (
	namespace = "operator-tracing-system"
	prefix    = "operator-tracing-"
)

// rendered contains the objects of an overlay by kind and name.
type rendered map[string]*unstructured.Unstructured

func render(t *testing.T, overlay, image string) rendered {
	t.Helper()
	objects, err := config.Build(overlay, image)
	if err != nil {
		t.Fatal(err)
	}
	out := rendered{}
	for _, o := range objects {
		out[o.GetKind()+"/"+o.GetName()] = o
	}
	if len(out) != len(objects) {
		t.Errorf("Build(%q): got %d objects with %d names", overlay, len(objects), len(out))
	}
	return out
}

// as decodes one object strictly, so that a misspelt field fails the test.
func as[T any](t *testing.T, r rendered, name string) *T {
	t.Helper()
	u, ok := r[name]
	if !ok {
		t.Fatalf("got no %s", name)
	}
	obj := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(u.Object, obj, true); err != nil {
		t.Fatalf("decoding %s: %v", name, err)
	}
	return obj
}

func TestDefaultUsesOneNamespace(t *testing.T) {
	t.Parallel()
	objects, err := config.Build("default", "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range objects {
		got = append(got, strings.Trim(o.GetKind()+" "+o.GetNamespace()+"/"+o.GetName(), "/"))
	}
	want := []string{
		"Namespace /" + namespace,
		"CustomResourceDefinition /childas.dummy.example.com",
		"CustomResourceDefinition /heads.dummy.example.com",
		"ServiceAccount " + namespace + "/operator-tracing-manager",
		"Role " + namespace + "/operator-tracing-leader-election-role",
		"ClusterRole /operator-tracing-manager-role",
		"RoleBinding " + namespace + "/operator-tracing-leader-election-rolebinding",
		"ClusterRoleBinding /operator-tracing-manager-rolebinding",
		"Service " + namespace + "/operator-tracing-webhook-service",
		"Deployment " + namespace + "/operator-tracing-manager",
		"Certificate " + namespace + "/operator-tracing-serving-cert",
		"Issuer " + namespace + "/operator-tracing-selfsigned-issuer",
		"MutatingWebhookConfiguration /operator-tracing-mutating-webhook-configuration",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects, in the order of their application (-want +got):\n%s", diff)
	}
	ns := as[corev1.Namespace](t, render(t, "default", ""), "Namespace/"+namespace)
	if got := ns.Labels["pod-security.kubernetes.io/enforce"]; got != "restricted" {
		t.Errorf("pod security of the namespace = %q, want restricted", got)
	}
}

func TestCertificateMatchesTheWebhook(t *testing.T) {
	t.Parallel()
	r := render(t, "default", "")
	hook := as[admissionregistrationv1.MutatingWebhookConfiguration](t, r, "MutatingWebhookConfiguration/"+prefix+"mutating-webhook-configuration")
	service := hook.Webhooks[0].ClientConfig.Service
	if _, ok := r["Service/"+service.Name]; !ok || service.Namespace != namespace {
		t.Errorf("Service of the webhook = %s/%s, which is not rendered", service.Namespace, service.Name)
	}

	certificate := r["Certificate/"+prefix+"serving-cert"]
	names, _, _ := unstructured.NestedStringSlice(certificate.Object, "spec", "dnsNames")
	host := service.Name + "." + service.Namespace + ".svc"
	if diff := cmp.Diff([]string{host, host + ".cluster.local"}, names); diff != "" {
		t.Errorf("DNS names of the certificate (-want +got):\n%s", diff)
	}
	if got, want := hook.Annotations["cert-manager.io/inject-ca-from"], namespace+"/"+certificate.GetName(); got != want {
		t.Errorf("inject-ca-from = %q, want %q", got, want)
	}
	issuer, _, _ := unstructured.NestedString(certificate.Object, "spec", "issuerRef", "name")
	if _, ok := r["Issuer/"+issuer]; !ok {
		t.Errorf("Issuer of the certificate = %q, which is not rendered", issuer)
	}
	secret, _, _ := unstructured.NestedString(certificate.Object, "spec", "secretName")
	manager := as[appsv1.Deployment](t, r, "Deployment/"+prefix+"manager")
	if got := manager.Spec.Template.Spec.Volumes[0].Secret.SecretName; got != secret {
		t.Errorf("Secret of the manager = %q, want %q", got, secret)
	}
}

func TestWebhookNeverBlocksRequests(t *testing.T) {
	t.Parallel()
	configuration := as[admissionregistrationv1.MutatingWebhookConfiguration](t, render(t, "default", ""),
		"MutatingWebhookConfiguration/"+prefix+"mutating-webhook-configuration")
	if len(configuration.Webhooks) != 1 {
		t.Fatalf("got %d webhooks, want 1", len(configuration.Webhooks))
	}
	hook := configuration.Webhooks[0]
	hook.ClientConfig = admissionregistrationv1.WebhookClientConfig{}
	want := admissionregistrationv1.MutatingWebhook{
		Name:                    "head.dummy.example.com",
		FailurePolicy:           new(admissionregistrationv1.Ignore),
		MatchPolicy:             new(admissionregistrationv1.Equivalent),
		SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
		TimeoutSeconds:          new(int32(5)),
		ReinvocationPolicy:      new(admissionregistrationv1.NeverReinvocationPolicy),
		AdmissionReviewVersions: []string{"v1"},
		Rules: []admissionregistrationv1.RuleWithOperations{{
			Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
			Rule: admissionregistrationv1.Rule{
				APIGroups: []string{"dummy.example.com"}, APIVersions: []string{"v1alpha1"}, Resources: []string{"heads"},
			},
		}},
	}
	if diff := cmp.Diff(want, hook); diff != "" {
		t.Errorf("webhook (-want +got):\n%s", diff)
	}
}

func TestBindingsNameRenderedObjects(t *testing.T) {
	t.Parallel()
	r := render(t, "default", "")
	manager := as[appsv1.Deployment](t, r, "Deployment/"+prefix+"manager")
	account := rbacv1.Subject{Kind: "ServiceAccount", Namespace: namespace, Name: manager.Spec.Template.Spec.ServiceAccountName}
	if _, ok := r["ServiceAccount/"+account.Name]; !ok {
		t.Errorf("ServiceAccount of the manager = %q, which is not rendered", account.Name)
	}
	cluster := as[rbacv1.ClusterRoleBinding](t, r, "ClusterRoleBinding/"+prefix+"manager-rolebinding")
	local := as[rbacv1.RoleBinding](t, r, "RoleBinding/"+prefix+"leader-election-rolebinding")
	for _, subjects := range [][]rbacv1.Subject{cluster.Subjects, local.Subjects} {
		if diff := cmp.Diff([]rbacv1.Subject{account}, subjects); diff != "" {
			t.Errorf("subjects (-want +got):\n%s", diff)
		}
	}
	for _, ref := range []rbacv1.RoleRef{cluster.RoleRef, local.RoleRef} {
		if _, ok := r[ref.Kind+"/"+ref.Name]; !ok {
			t.Errorf("role of a binding = %s %q, which is not rendered", ref.Kind, ref.Name)
		}
	}
}

func TestManagerRunsAnywhere(t *testing.T) {
	t.Parallel()
	for _, overlay := range []string{"default"} {
		pod := as[appsv1.Deployment](t, render(t, overlay, ""), "Deployment/"+prefix+"manager").Spec.Template.Spec
		c := pod.Containers[0]
		// A fixed user id would be outside the range that OpenShift assigns to a namespace.
		if pod.SecurityContext.RunAsUser != nil || pod.SecurityContext.FSGroup != nil || c.SecurityContext.RunAsUser != nil {
			t.Errorf("overlay %s sets a user or group", overlay)
		}
		restricted := *pod.SecurityContext.RunAsNonRoot &&
			pod.SecurityContext.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault &&
			!*c.SecurityContext.AllowPrivilegeEscalation && *c.SecurityContext.ReadOnlyRootFilesystem &&
			cmp.Equal(c.SecurityContext.Capabilities, &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}})
		if !restricted {
			t.Errorf("overlay %s violates the restricted profile: %+v %+v", overlay, pod.SecurityContext, c.SecurityContext)
		}
		if c.Resources.Limits.Memory().IsZero() || c.LivenessProbe == nil || c.ReadinessProbe == nil {
			t.Errorf("overlay %s has no memory limit or no probe", overlay)
		}
	}
}

func TestBuildReplacesTheImage(t *testing.T) {
	t.Parallel()
	digest := "sha256:" + strings.Repeat("a", 64)
	for given, want := range map[string]string{
		"":                                    config.OperatorImage + ":latest",
		"example.com/op:v1":                   "example.com/op:v1",
		"localhost:5000/op:v1":                "localhost:5000/op:v1",
		"localhost:5000/op":                   "localhost:5000/op:latest",
		"localhost:5000/op@" + digest:         "localhost:5000/op@" + digest,
		"example.com/op:v1@" + digest:         "example.com/op:v1@" + digest,
		"sandbox.local/operator:sha-0123abcd": "sandbox.local/operator:sha-0123abcd",
	} {
		got := as[appsv1.Deployment](t, render(t, "default", given), "Deployment/"+prefix+"manager").Spec.Template.Spec.Containers[0].Image
		if got != want {
			t.Errorf("Build(%q): got image %q, want %q", given, got, want)
		}
	}
}

func TestEveryOverlayRenders(t *testing.T) {
	t.Parallel()
	for _, overlay := range []string{"crd", "rbac", "manager", "webhook", "certmanager", "default", "node", "samples", "jaeger"} {
		if len(render(t, overlay, "")) == 0 {
			t.Errorf("overlay %s is empty", overlay)
		}
	}
	if _, err := config.Build("nowhere", ""); err == nil || !strings.Contains(err.Error(), `"nowhere"`) {
		t.Errorf("Build(nowhere): got error %v, want one with its name", err)
	}
}

func TestSample(t *testing.T) {
	t.Parallel()
	head := render(t, "samples", "")["Head/head-sample"]
	if head == nil {
		t.Fatal("no Head called head-sample")
	}
	if image, _, _ := unstructured.NestedString(head.Object, "spec", "child_a"); image == "" {
		t.Error("the sample has no image")
	}
	if _, err := config.Files.ReadFile(config.SampleHead); err != nil {
		t.Error(err)
	}
}
