package config_test

import (
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/config"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	objects, err := config.Decode("# only a comment\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: one}\n---\n\n---\n{apiVersion: v1, kind: Namespace, metadata: {name: two}}\n")
	if err != nil || len(objects) != 2 || objects[1].GetName() != "two" {
		t.Errorf("Decode = %v, %v, want two objects", objects, err)
	}
	for name, text := range map[string]string{"no kind": "apiVersion: v1\nmetadata: {name: x}\n", "no name": "apiVersion: v1\nkind: Pod\n", "no YAML": "a: [\n"} {
		if _, err := config.Decode(text); err == nil || !strings.Contains(err.Error(), "document 1") {
			t.Errorf("Decode of %s: got error %v, want one with the number of the document", name, err)
		}
	}
}
