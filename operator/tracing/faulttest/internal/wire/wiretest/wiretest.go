// Package wiretest encodes objects for tests.
package wiretest

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// ConfigMap returns a ConfigMap in the protobuf encoding of Kubernetes
// (k8s.io/apimachinery/pkg/runtime/serializer/protobuf).
// Its uid is "u", its resourceVersion "7" and its generateName "g-".
func ConfigMap(name string) []byte {
	cm := corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "ns-1", Name: name, UID: "u", ResourceVersion: "7", GenerateName: "g-"}, Data: map[string]string{"k": "v"}}
	raw, err := cm.Marshal()
	if err != nil {
		panic(err)
	}
	unknown := runtime.Unknown{TypeMeta: runtime.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, Raw: raw}
	data, err := unknown.Marshal()
	if err != nil {
		panic(err)
	}
	return append([]byte("k8s\x00"), data...)
}
