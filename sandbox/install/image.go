package install

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Image is a container image and when a node may pull it.
type Image struct {
	// Ref is the full reference: a repository with a tag, a digest or both.
	Ref string
	// PullPolicy is written into the Pod templates; empty means IfNotPresent.
	PullPolicy corev1.PullPolicy
}

func (i Image) pullPolicy() corev1.PullPolicy {
	if i.PullPolicy == "" {
		return corev1.PullIfNotPresent
	}
	return i.PullPolicy
}

// split cuts the reference into the three parts that charts and kustomize take; tag or digest may be empty, not both.
func (i Image) split() (repository, tag, digest string, err error) {
	repository, digest, _ = strings.Cut(i.Ref, "@")
	// A colon before the last slash belongs to the registry's port.
	if colon := strings.LastIndex(repository, ":"); colon > strings.LastIndex(repository, "/") {
		repository, tag = repository[:colon], repository[colon+1:]
	}
	if repository == "" || tag == "" && digest == "" {
		return "", "", "", fmt.Errorf("image %q: want a repository with a tag or a digest", i.Ref)
	}
	return repository, tag, digest, nil
}
