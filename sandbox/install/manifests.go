package install

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// container returns the first container of a Deployment with the given name, for changes in place.
func container(deployment *unstructured.Unstructured, name string) (map[string]any, error) {
	// NestedFieldNoCopy, so that a change reaches the object.
	field, _, err := unstructured.NestedFieldNoCopy(deployment.Object, "spec", "template", "spec", "containers")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", describe(deployment), err)
	}
	list, _ := field.([]any)
	for _, item := range list {
		if c, ok := item.(map[string]any); ok && c["name"] == name {
			return c, nil
		}
	}
	return nil, fmt.Errorf("%s: no container %s", describe(deployment), name)
}

// onlyContainer returns the named container of the only Deployment among objects, for changes in place.
func onlyContainer(objects []*unstructured.Unstructured, name string) (map[string]any, error) {
	var found map[string]any
	for _, obj := range objects {
		if obj.GetKind() != "Deployment" {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("%s: a second Deployment where one was expected", describe(obj))
		}
		c, err := container(obj, name)
		if err != nil {
			return nil, err
		}
		found = c
	}
	if found == nil {
		return nil, errors.New("no Deployment")
	}
	return found, nil
}

// setImage sets the image of the named container of the only Deployment among objects.
func setImage(objects []*unstructured.Unstructured, name string, image Image) error {
	if _, _, _, err := image.split(); err != nil {
		return err
	}
	c, err := onlyContainer(objects, name)
	if err != nil {
		return err
	}
	c["image"], c["imagePullPolicy"] = image.Ref, string(image.pullPolicy())
	return nil
}
