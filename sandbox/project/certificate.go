package project

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// volume returns the Secret of a volume of the manager, if a Certificate of the manifests creates it
// in the manager's namespace, and reports whether the volume is an emptyDir.
func (m *Manifests) volume(name string) (secret string, empty bool) {
	for _, v := range m.Deployment.Spec.Template.Spec.Volumes {
		if v.Name != name {
			continue
		}
		for _, obj := range m.Objects {
			issued, _, _ := unstructured.NestedString(obj.Object, "spec", "secretName")
			if obj.GetKind() == "Certificate" && obj.GetNamespace() == m.Deployment.Namespace && v.Secret != nil && v.Secret.SecretName == issued {
				secret = issued
			}
		}
		empty = v.EmptyDir != nil
	}
	return secret, empty
}

// certificateMount returns the volume mount of the webhook's certificate, or nil. If there are
// several certificates, it prefers one with "webhook" in its names.
func (m *Manifests) certificateMount() *corev1.VolumeMount {
	var found *corev1.VolumeMount
	for _, vm := range m.container().VolumeMounts {
		secret, _ := m.volume(vm.Name)
		if secret != "" && (found == nil || strings.Contains(secret+vm.Name+vm.MountPath, "webhook")) {
			found = &vm
		}
	}
	return found
}
