package manifest

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/project/kinds"
)

// Image is a container image and its pull policy.
type Image struct {
	// Ref is the full reference: a repository with a tag, a digest or both.
	Ref string
	// PullPolicy is the policy in the Pod templates; empty means IfNotPresent.
	PullPolicy corev1.PullPolicy
}

func (i Image) pullPolicy() corev1.PullPolicy {
	if i.PullPolicy == "" {
		return corev1.PullIfNotPresent
	}
	return i.PullPolicy
}

// split returns the parts of the reference, as charts and kustomize need them. Either the tag or
// the digest may be empty.
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

// deploymentOf returns a Deployment or StatefulSet among objects, for changes in place, and its
// container.
func deploymentOf(objects []*unstructured.Unstructured, namespace, name, containerName string) (deployment *unstructured.Unstructured, found map[string]any, err error) {
	for _, obj := range objects {
		if kind := obj.GetKind(); (kind == "Deployment" || kind == "StatefulSet") && obj.GetNamespace() == namespace && obj.GetName() == name {
			found, err = container(obj, containerName)
			return obj, found, err
		}
	}
	return nil, nil, fmt.Errorf("no Deployment %s/%s", namespace, name)
}

// container returns the container of a Deployment with a name, for changes in place.
func container(deployment *unstructured.Unstructured, name string) (map[string]any, error) {
	for _, c := range kinds.Maps(deployment.Object, "spec", "template", "spec", "containers") {
		if c["name"] == name {
			return c, nil
		}
	}
	return nil, fmt.Errorf("%s: no container %s", apply.Describe(deployment), name)
}

func (i Image) set(container map[string]any) error {
	if _, _, _, err := i.split(); err != nil {
		return err
	}
	container["image"], container["imagePullPolicy"] = i.Ref, string(i.pullPolicy())
	return nil
}
