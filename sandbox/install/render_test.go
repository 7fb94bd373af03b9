package install

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const operatorImage = "sandbox.test/operator:dev"

func TestJaeger(t *testing.T) {
	component, err := Jaeger(JaegerOptions{Image: Image{Ref: "sandbox.test/jaeger:v2.13.0", PullPolicy: corev1.PullNever}, Version: "v2.13.0"})
	if err != nil {
		t.Fatal(err)
	}
	d := deployments(t, component)[0]
	pod := d.Spec.Template.Spec
	c := pod.Containers[0]
	if !pod.HostNetwork || d.Spec.Strategy.Type != "Recreate" {
		t.Errorf("host network %v with strategy %s; the node's ports want both", pod.HostNetwork, d.Spec.Strategy.Type)
	}
	if c.Image != "sandbox.test/jaeger:v2.13.0" || c.ImagePullPolicy != corev1.PullNever {
		t.Errorf("image %s, policy %s", c.Image, c.ImagePullPolicy)
	}
	ports := make(map[string]int32)
	for _, p := range c.Ports {
		ports[p.Name] = p.ContainerPort
	}
	want := map[string]int32{"ui": 16686, "query": 16685, "otlp-grpc": 4317, "otlp-http": 4318, "thrift-http": 14268, "health": 13133}
	if diff := cmp.Diff(want, ports); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
	// The configuration's name has a hash, so that a change of it rolls the Pod; the Deployment must follow.
	var configMap string
	for _, obj := range component.Objects {
		if obj.GetKind() == "ConfigMap" {
			configMap = obj.GetName()
		}
	}
	if got := pod.Volumes[0].ConfigMap.Name; got != configMap || configMap == "jaeger" {
		t.Errorf("the Deployment mounts ConfigMap %q, there is %q; want one with a hash", got, configMap)
	}
}

func TestOperator(t *testing.T) {
	component, err := Operator(OperatorOptions{
		Image: Image{Ref: operatorImage},
		Env:   map[string]string{"OTEL_TRACES_EXPORTER": "jaeger", "OTEL_BSP_SCHEDULE_DELAY": "100"},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := deployments(t, component)[0].Spec.Template.Spec.Containers[0]
	if c.Image != operatorImage || c.ImagePullPolicy != corev1.PullNever {
		t.Errorf("image %s, policy %s; want %s and the overlay's Never", c.Image, c.ImagePullPolicy, operatorImage)
	}
	env := make(map[string]string)
	for _, e := range c.Env {
		if _, twice := env[e.Name]; twice {
			t.Errorf("variable %s twice", e.Name)
		}
		env[e.Name] = e.Value
	}
	if env["OTEL_TRACES_EXPORTER"] != "jaeger" || env["OTEL_BSP_SCHEDULE_DELAY"] != "100" {
		t.Errorf("env = %v", env)
	}
	if component.Version != operatorImage {
		t.Errorf("version %q, want the image", component.Version)
	}
	for _, obj := range component.Objects {
		if labels := obj.GetLabels(); labels[ManagedByLabel] != FieldManager || labels[ComponentLabel] != OperatorName {
			t.Errorf("%s: labels %v", describe(obj), labels)
		}
		if got := obj.GetAnnotations()[VersionAnnotation]; got != operatorImage {
			t.Errorf("%s: version %q", describe(obj), got)
		}
	}
}

func TestSample(t *testing.T) {
	component, err := Sample(SampleOptions{Image: "sandbox.test/pause:1"})
	if err != nil {
		t.Fatal(err)
	}
	head := component.Objects[0]
	image, _, _ := unstructured.NestedString(head.Object, "spec", "child_a")
	if got := describe(head); got != "Head default/head-sample" || image != "sandbox.test/pause:1" {
		t.Errorf("sample is %s with image %q", got, image)
	}
	if len(head.GetAnnotations()) != 0 {
		t.Errorf("annotations %v on the user's object", head.GetAnnotations())
	}
}

func TestMissingOptions(t *testing.T) {
	if _, err := Operator(OperatorOptions{}); err == nil {
		t.Error("Operator without an image: no error")
	}
	if _, err := Jaeger(JaegerOptions{Version: "v2"}); err == nil {
		t.Error("Jaeger without an image: no error")
	}
	if _, err := Jaeger(JaegerOptions{Image: Image{Ref: "a:b"}}); err == nil {
		t.Error("Jaeger without a version: no error")
	}
}

func TestImageSplit(t *testing.T) {
	for ref, want := range map[string][3]string{
		"pause:3":                 {"pause", "3", ""},
		"host:5000/a/b:v1":        {"host:5000/a/b", "v1", ""},
		"host:5000/a@sha256:0":    {"host:5000/a", "", "sha256:0"},
		"host:5000/a:v1@sha256:0": {"host:5000/a", "v1", "sha256:0"},
		"host:5000/a":             {},
		"":                        {},
		":v1":                     {},
	} {
		repository, tag, digest, err := Image{Ref: ref}.split()
		if got := [3]string{repository, tag, digest}; got != want || (err == nil) != (want[0] != "") {
			t.Errorf("split(%q) = %q, %v; want %q", ref, got, err, want)
		}
	}
}

func TestDecode(t *testing.T) {
	objects, err := decode("# only a comment\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: one}\n---\n\n---\n{apiVersion: v1, kind: Namespace, metadata: {name: two}}\n")
	if err != nil || len(objects) != 2 || objects[1].GetName() != "two" {
		t.Errorf("decode = %v, %v; want two objects", objects, err)
	}
	for name, text := range map[string]string{"no kind": "apiVersion: v1\nmetadata: {name: x}\n", "no name": "apiVersion: v1\nkind: Pod\n", "no YAML": "a: [\n"} {
		if _, err := decode(text); err == nil || !strings.Contains(err.Error(), "document 1") {
			t.Errorf("%s: %v, want an error that counts the documents", name, err)
		}
	}
}
