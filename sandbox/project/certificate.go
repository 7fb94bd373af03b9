package project

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
)

// volume is the origin of the files in a volume of the manager. Without a Secret and a ConfigMap, it
// starts empty.
type volume struct {
	secret, configMap string
	// issued is true if a Certificate of the manifests creates the Secret.
	issued bool
}

// volume returns a volume of the manager. ok is false if a process can't have it.
func (m *Manifests) volume(name string) (v volume, ok bool) {
	volumes := m.Deployment.Spec.Template.Spec.Volumes
	i := slices.IndexFunc(volumes, func(v corev1.Volume) bool { return v.Name == name })
	if i < 0 {
		return v, m.Deployment.Kind == "StatefulSet" // Its claims are volumes, too.
	}
	switch source := volumes[i].VolumeSource; {
	case source.EmptyDir != nil, source.PersistentVolumeClaim != nil:
		return v, true
	case source.Secret != nil && whole(source.Secret.Items):
		v.issued = m.has(source.Secret.SecretName, "Certificate", "spec", "secretName")
		if v.issued || m.has(source.Secret.SecretName, "Secret", "metadata", "name") {
			v.secret = source.Secret.SecretName
		}
		return v, v.secret != "" || ptr.Deref(source.Secret.Optional, false)
	case source.ConfigMap != nil && whole(source.ConfigMap.Items):
		if m.has(source.ConfigMap.Name, "ConfigMap", "metadata", "name") {
			v.configMap = source.ConfigMap.Name
		}
		return v, v.configMap != "" || ptr.Deref(source.ConfigMap.Optional, false)
	}
	return v, false
}

// whole reports whether the files of a volume are called like their keys, so that more keys do no
// harm.
func whole(items []corev1.KeyToPath) bool {
	return !slices.ContainsFunc(items, func(i corev1.KeyToPath) bool { return i.Key != i.Path })
}

// has reports whether the manifests have an object of a kind in the manager's namespace that has a
// value in a field.
func (m *Manifests) has(value, kind string, field ...string) bool {
	return slices.ContainsFunc(m.Objects, func(obj *unstructured.Unstructured) bool {
		found, _, _ := unstructured.NestedString(obj.Object, field...)
		return obj.GetKind() == kind && obj.GetNamespace() == m.Deployment.Namespace && found == value
	})
}

// certificateMount returns the volume mount of the webhook's certificate, or nil. If there are
// several certificates, it prefers one with "webhook" in its names.
func (m *Manifests) certificateMount() *corev1.VolumeMount {
	var found *corev1.VolumeMount
	for _, vm := range m.container().VolumeMounts {
		v, _ := m.volume(vm.Name)
		if v.issued && (found == nil || strings.Contains(v.secret+vm.Name+vm.MountPath, "webhook")) {
			found = &vm
		}
	}
	return found
}
