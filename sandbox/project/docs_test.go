package project

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/project/condition"
)

// leaves returns the fields of a type without subfields, with the names of their types in the
// document, in the order of the type.
func leaves(t reflect.Type, field string) (rows [][2]string) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	names := map[reflect.Kind]string{reflect.String: "text", reflect.Slice: "list of text", reflect.Map: "fields of text"}
	if name, ok := names[t.Kind()]; ok {
		return [][2]string{{field, name}}
	}
	for i := range t.NumField() {
		name := strings.TrimPrefix(field+"."+t.Field(i).Tag.Get("yaml"), ".")
		rows = append(rows, leaves(t.Field(i).Type, name)...)
	}
	return rows
}

func document(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repository, "docs", "sandbox-yaml.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestDocumentHasEveryField compares the document's table with the types.
func TestDocumentHasEveryField(t *testing.T) {
	got := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]+) \\| .+ \\|$").FindAllStringSubmatch(document(t), -1) {
		got[row[1]] = row[2]
	}
	want := map[string]string{}
	for _, leaf := range leaves(reflect.TypeFor[File](), "") {
		want[leaf[0]] = leaf[1]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields and types (-package +document):\n%s", diff)
	}
	if len(want) < 15 {
		t.Errorf("got only %d fields", len(want))
	}
}

// TestDocumentsExampleIsValid loads the example of the document in a project with the files that it
// names.
func TestDocumentsExampleIsValid(t *testing.T) {
	_, example, found := strings.Cut(document(t), "```yaml\n")
	example, _, closed := strings.Cut(example, "```")
	if !found || !closed {
		t.Fatal("the document has no example")
	}
	m := rendered(t, write(t, example, map[string]string{
		"config/default/all.yaml":                      scaffolded + "---" + crd,
		"config/samples/cache_v1alpha1_memcached.yaml": "{apiVersion: cache.example.com/v1, kind: Cache, metadata: {name: sample}}",
	}))
	if m.ServiceName != "memcached-operator" || m.Subject().Condition != (condition.Condition{Type: "Available", Status: "True"}) {
		t.Errorf("ServiceName = %s, Condition = %s", m.ServiceName, m.Subject().Condition)
	}
	for _, name := range variables {
		if !strings.Contains(document(t), "`$("+name+")`") {
			t.Errorf("the document does not contain $(%s)", name)
		}
	}
	for _, v := range (Telemetry{}).Variables("") {
		if name := strings.TrimPrefix(v.Name, "OTEL_EXPORTER_OTLP"); v.Name != NodeAddress && !strings.Contains(document(t), name) {
			t.Errorf("the document does not contain %s", v.Name)
		}
	}
}
