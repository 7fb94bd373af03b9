package manifest

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/config"
	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
)

// ownConfig returns the sandbox's configuration after a replacement.
func ownConfig(t *testing.T, old, replacement string) []byte {
	t.Helper()
	text, err := config.Files.ReadFile(config.JaegerConfig)
	if err != nil {
		t.Fatal(err)
	}
	if old != "" && !strings.Contains(string(text), old) {
		t.Fatalf("the sandbox's configuration has no %q", old)
	}
	return []byte(strings.Replace(string(text), old, replacement, 1))
}

func TestCheckJaegerConfig(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, old, replacement, want string }{
		{"the sandbox's", "", "", ""},
		{"another backend", "memory:\n          max_traces: 100000", "elasticsearch:\n          server_urls: [http://es:9200]", ""},
		{"several pipelines", "    traces:\n      receivers", "    traces/all:\n      receivers", ""},
		{"no YAML", "service:", "service: [", "yaml"},
		{"a list", "extensions: [jaeger_storage", "extensions: {jaeger_storage: [", "yaml"},
		{"no query", "[jaeger_storage, basicauth, jaeger_query, ", "[jaeger_storage, ", "service.extensions lacks jaeger_query"},
		{"no health", ", healthcheckv2]", "]", "service.extensions lacks healthcheckv2"},
		{"query is only named", "  jaeger_query:\n", "  jaeger_other:\n", "extensions lacks jaeger_query"},
		{"no OTLP", "receivers: [otlp, jaeger]", "receivers: [jaeger]", "no pipeline traces with the receiver otlp"},
		{"no gRPC", "      grpc:\n        endpoint: ${env:JAEGER_HOST:-0.0.0.0}:${env:JAEGER_OTLP", "      other:\n        endpoint: ${env:JAEGER_HOST:-0.0.0.0}:${env:JAEGER_OTLP", "receivers.otlp.protocols lacks grpc"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			applytest.CheckError(t, CheckJaegerConfig(ownConfig(t, test.old, test.replacement)), test.want)
		})
	}
}

// TestJaegerWithAConfig: the Pod mounts the user's configuration, and a new one creates a new Pod.
func TestJaegerWithAConfig(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, traces := range []string{"max_traces: 5", "max_traces: 6"} {
		text := ownConfig(t, "max_traces: 100000", traces)
		component, err := Jaeger(JaegerOptions{Image: Image{Ref: "jaeger:1"}, Config: text})
		if err != nil {
			t.Fatal(err)
		}
		held := only(t, component, "ConfigMap")
		if got, _, _ := unstructured.NestedString(held.Object, "data", "config.yaml"); got != string(text) {
			t.Errorf("the ConfigMap has the wrong configuration:\n%s", got)
		}
		volumes, _, _ := unstructured.NestedSlice(only(t, component, "Deployment").Object, "spec", "template", "spec", "volumes")
		if mounted, _, _ := unstructured.NestedString(volumes[0].(map[string]any), "configMap", "name"); mounted != held.GetName() {
			t.Errorf("the Pod mounts %q, want %q", mounted, held.GetName())
		}
		names[held.GetName()] = true
	}
	if len(names) != 2 {
		t.Errorf("the ConfigMaps of two configurations = %v, want two", names)
	}
}

// TestSharedJaeger: Jaeger must not use the node's network, or a user that OpenShift denies.
func TestSharedJaeger(t *testing.T) {
	t.Parallel()
	component, err := Jaeger(JaegerOptions{Image: Image{Ref: "jaeger:1"}, Shared: true})
	if err != nil {
		t.Fatal(err)
	}
	spec, _, _ := unstructured.NestedMap(only(t, component, "Deployment").Object, "spec", "template", "spec")
	for _, field := range [][]string{{"hostNetwork"}, {"tolerations"}, {"securityContext", "runAsUser"}} {
		if value, has, _ := unstructured.NestedFieldNoCopy(spec, field...); has {
			t.Errorf("%s = %v, want none", strings.Join(field, "."), value)
		}
	}
	if level := only(t, component, "Namespace").GetLabels()["pod-security.kubernetes.io/enforce"]; level != "restricted" {
		t.Errorf("the namespace's level = %q, want restricted", level)
	}
}
