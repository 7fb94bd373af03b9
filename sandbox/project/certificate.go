package project

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// certificates returns the names of the Secrets that Certificates of the manifests create, in the
// manager's namespace.
func (m *Manifests) certificates() map[string]bool {
	secrets := map[string]bool{}
	for _, obj := range m.Objects {
		if obj.GetKind() == "Certificate" && obj.GetNamespace() == m.Deployment.Namespace {
			name, _, _ := unstructured.NestedString(obj.Object, "spec", "secretName")
			secrets[name] = true
		}
	}
	return secrets
}

// certificateMount returns the volume mount of the webhook's certificate, or nil. If there are
// several certificates, it prefers one with "webhook" in its names.
func (m *Manifests) certificateMount() *corev1.VolumeMount {
	issued := m.certificates()
	secrets := map[string]string{}
	for _, v := range m.Deployment.Spec.Template.Spec.Volumes {
		if v.Secret != nil && issued[v.Secret.SecretName] {
			secrets[v.Name] = v.Secret.SecretName
		}
	}
	var found *corev1.VolumeMount
	for _, vm := range m.container().VolumeMounts {
		secret, ok := secrets[vm.Name]
		if ok && (found == nil || strings.Contains(secret+vm.Name+vm.MountPath, "webhook")) {
			found = &vm
		}
	}
	return found
}

// certificateFolder returns the folder of the webhook's certificate for the process, or "".
func (m *Manifests) certificateFolder(place Place) string {
	if vm := m.certificateMount(); vm != nil {
		return folderOf(place, *vm)
	}
	return ""
}
