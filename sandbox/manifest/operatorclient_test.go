package manifest

import (
	"encoding/base64"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

// The manager has its certificate in a Secret and finds it by its kubeconfig. The Pod keeps all its
// other fields.
func TestOperatorClient(t *testing.T) {
	t.Parallel()
	options := OperatorOptions{Manifests: applytest.Manifests(t), Image: Image{Ref: operatorImage}}
	before := deployments(t, mustOperator(t, options))[0].Spec.Template
	options.Client = &OperatorClient{
		Server: "https://10.96.0.1:443", CA: []byte("the authority"), Certificate: []byte("a certificate"), Key: []byte("its key"), Revision: "one",
	}
	component := mustOperator(t, options)
	after := deployments(t, component)[0].Spec.Template
	pod, was := after.Spec.Containers[0], before.Spec.Containers[0]

	if got := after.Annotations[clientAnnotation]; got != "one" || before.Annotations[clientAnnotation] != "" {
		t.Errorf("annotation = %q, want the revision of the certificate", got)
	}
	folder := ""
	for _, m := range pod.VolumeMounts {
		for _, v := range after.Spec.Volumes {
			if v.Name == m.Name && v.Secret != nil && v.Secret.SecretName == clientSecret && m.ReadOnly {
				folder = m.MountPath
			}
		}
	}
	env := map[string]string{}
	for _, e := range pod.Env {
		env[e.Name] = e.Value
	}
	if folder == "" || env["KUBECONFIG"] != folder+"/kubeconfig" {
		t.Errorf("the Secret is mounted at %q, KUBECONFIG is %q", folder, env["KUBECONFIG"])
	}
	if len(pod.VolumeMounts) != len(was.VolumeMounts)+1 || len(after.Spec.Volumes) != len(before.Spec.Volumes)+1 || len(pod.Env) != len(was.Env)+1 {
		t.Errorf("%d mounts, %d volumes and %d variables, want one more than %d, %d and %d",
			len(pod.VolumeMounts), len(after.Spec.Volumes), len(pod.Env), len(was.VolumeMounts), len(before.Spec.Volumes), len(was.Env))
	}
	if diff := cmp.Diff(before.Spec.SecurityContext, after.Spec.SecurityContext); diff != "" {
		t.Errorf("the Pod's security (-before +after):\n%s", diff)
	}

	data := secretData(t, component)
	if data["tls.crt"] != "a certificate" || data["tls.key"] != "its key" {
		t.Errorf("data of the Secret = %q", data)
	}
	config, err := clientcmd.Load([]byte(data["kubeconfig"]))
	if err != nil {
		t.Fatal(err)
	}
	current := config.Contexts[config.CurrentContext]
	user, cluster := config.AuthInfos[current.AuthInfo], config.Clusters[current.Cluster]
	if cluster.Server != "https://10.96.0.1:443" || string(cluster.CertificateAuthorityData) != "the authority" {
		t.Errorf("server = %s, CA = %q", cluster.Server, cluster.CertificateAuthorityData)
	}
	if user.ClientCertificate != folder+"/tls.crt" || user.ClientKey != folder+"/tls.key" || user.Token != "" {
		t.Errorf("certificate = %s, key = %s, want files in %s", user.ClientCertificate, user.ClientKey, folder)
	}
}

// A kubeconfig in the manifests has priority.
func TestOperatorClientKeepsAKubeconfig(t *testing.T) {
	t.Parallel()
	component := mustOperator(t, OperatorOptions{
		Manifests: applytest.Manifests(t), Image: Image{Ref: operatorImage}, Env: map[string]string{"KUBECONFIG": "/its/own"},
		Client: &OperatorClient{Server: "https://10.96.0.1", CA: []byte("ca"), Certificate: []byte("c"), Key: []byte("k")},
	})
	var got []string
	for _, e := range deployments(t, component)[0].Spec.Template.Spec.Containers[0].Env {
		if e.Name == "KUBECONFIG" {
			got = append(got, e.Value)
		}
	}
	if diff := cmp.Diff([]string{"/its/own"}, got); diff != "" {
		t.Errorf("KUBECONFIG (-want +got):\n%s", diff)
	}
}

func TestOperatorClientWithoutAServer(t *testing.T) {
	t.Parallel()
	_, err := Operator(OperatorOptions{
		Manifests: applytest.Manifests(t), Image: Image{Ref: operatorImage}, Client: &OperatorClient{CA: []byte("ca")},
	})
	if err == nil {
		t.Error("Operator(client without a server) = nil, want an error")
	}
}

func mustOperator(t *testing.T, o OperatorOptions) *Component {
	t.Helper()
	component, err := Operator(o)
	if err != nil {
		t.Fatal(err)
	}
	return component
}

// secretData returns the data of the client's Secret. The Secret must be in the operator's
// namespace and have the labels of the component.
func secretData(t *testing.T, rendered *Component) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, obj := range rendered.Objects {
		if obj.GroupVersionKind() != corev1.SchemeGroupVersion.WithKind("Secret") || obj.GetName() != clientSecret {
			continue
		}
		if namespace := applytest.Manifests(t).Deployment.Namespace; obj.GetNamespace() != namespace || obj.GetLabels()[apply.ComponentLabel] != component.Operator {
			t.Errorf("%s has the labels %v, want it in %s", apply.Describe(obj), obj.GetLabels(), namespace)
		}
		data, _, err := unstructured.NestedStringMap(obj.Object, "data")
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range data {
			text, err := base64.StdEncoding.DecodeString(value)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			found[name] = string(text)
		}
	}
	return found
}
