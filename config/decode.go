package config

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

// Decode returns the objects of a YAML stream. It skips documents without content. It returns an
// error for an object without a name.
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
		case obj.GetName() == "":
			return nil, fmt.Errorf("decoding document %d: %s without a name", number, obj.GetKind())
		}
		objects = append(objects, obj)
	}
}
