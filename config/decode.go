package config

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"
)

// Decode returns the objects of a YAML stream. It skips documents without content, and returns the
// items of lists. It returns an error for an object without a name and without a generateName.
func Decode(text string) ([]*unstructured.Unstructured, error) {
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
			// json.Unmarshal would decode every number as float64.
			err = obj.UnmarshalJSON(document)
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("decoding document %d: %w", number, err)
		case len(obj.Object) == 0:
			continue
		}
		items := []*unstructured.Unstructured{obj}
		if obj.IsList() {
			if items, err = itemsOf(obj); err != nil {
				return nil, fmt.Errorf("decoding document %d: %w", number, err)
			}
		}
		for _, item := range items {
			if item.GetName() == "" && item.GetGenerateName() == "" {
				return nil, fmt.Errorf("decoding document %d: %s without a name", number, item.GetKind())
			}
		}
		objects = append(objects, items...)
	}
}

// itemsOf returns the objects of a list, also of lists in it.
func itemsOf(list *unstructured.Unstructured) (items []*unstructured.Unstructured, err error) {
	err = list.EachListItem(func(object runtime.Object) error {
		item := object.(*unstructured.Unstructured)
		if item.GetKind() == "" {
			return errors.New("an item of the list has no kind")
		}
		if !item.IsList() {
			items = append(items, item)
			return nil
		}
		more, err := itemsOf(item)
		items = append(items, more...)
		return err
	})
	return items, err
}
