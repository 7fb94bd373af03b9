package install

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"
)

// decode reads the objects of a YAML stream; documents without content are skipped.
func decode(text string) ([]*unstructured.Unstructured, error) {
	reader := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	var objects []*unstructured.Unstructured
	for number := 1; ; number++ {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		obj := &unstructured.Unstructured{}
		if err == nil {
			document, err = sigsyaml.YAMLToJSON(document)
		}
		if err == nil && string(document) != "null" {
			// Not json.Unmarshal, which makes every number a float64.
			err = obj.UnmarshalJSON(document)
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("decoding document %d: %w", number, err)
		case len(obj.Object) == 0:
			continue
		case obj.GetName() == "":
			return nil, fmt.Errorf("decoding document %d: %s without a name", number, obj.GetKind())
		}
		objects = append(objects, obj)
	}
}

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
