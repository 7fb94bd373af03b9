package install

import corev1 "k8s.io/api/core/v1"

// Image is a container image and when a node may pull it.
type Image struct {
	// Ref is the full reference: repository and tag, digest, or both.
	Ref string
	// PullPolicy is written into the Pod templates; empty means IfNotPresent.
	PullPolicy corev1.PullPolicy
}
