package manifest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/operator-tracing/sandbox/sandbox/apply"
	"github.com/operator-tracing/sandbox/sandbox/apply/applytest"
	"github.com/operator-tracing/sandbox/sandbox/component"
)

const operatorImage = "sandbox.test/operator:dev"

func TestJaeger(t *testing.T) {
	t.Parallel()
	rendered, err := Jaeger(JaegerOptions{Image: Image{Ref: "sandbox.test/jaeger:v2.13.0", PullPolicy: corev1.PullNever}})
	if err != nil {
		t.Fatal(err)
	}
	d := deployments(t, rendered)[0]
	pod := d.Spec.Template.Spec
	c := pod.Containers[0]
	if !pod.HostNetwork || d.Spec.Strategy.Type != "Recreate" {
		t.Errorf("host network = %v, strategy = %s, want true and Recreate for the ports of the node", pod.HostNetwork, d.Spec.Strategy.Type)
	}
	if c.Image != "sandbox.test/jaeger:v2.13.0" || c.ImagePullPolicy != corev1.PullNever {
		t.Errorf("image = %s, policy = %s", c.Image, c.ImagePullPolicy)
	}
	ports := make(map[string]int32)
	for _, p := range c.Ports {
		ports[p.Name] = p.ContainerPort
	}
	want := map[string]int32{"ui": 16686, "query": 16685, "otlp-grpc": 4317, "otlp-http": 4318, "thrift-http": 14268, "health": 13133}
	if diff := cmp.Diff(want, ports); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
	// The name of the configuration has a hash, so that a change of it replaces the Pod.
	var configMap string
	for _, obj := range rendered.Objects {
		if obj.GetKind() == "ConfigMap" {
			configMap = obj.GetName()
		}
	}
	if got := pod.Volumes[0].ConfigMap.Name; got != configMap || configMap == "jaeger" {
		t.Errorf("the Deployment mounts ConfigMap %q, want %q with a hash", got, configMap)
	}
}

// The Deployment mounts the page, and a new page creates a new Pod.
func TestJaegerPage(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, page := range []string{"<p>one", "<p>two"} {
		rendered, err := Jaeger(JaegerOptions{Image: Image{Ref: "sandbox.test/jaeger:v2.13.0"}, Page: []byte(page)})
		if err != nil {
			t.Fatal(err)
		}
		pod := deployments(t, rendered)[0].Spec.Template.Spec
		env, mounts := map[string]string{}, map[string]string{}
		for _, e := range pod.Containers[0].Env {
			env[e.Name] = e.Value
		}
		for _, m := range pod.Containers[0].VolumeMounts {
			mounts[m.MountPath] = m.Name
		}
		mounted := ""
		for _, volume := range pod.Volumes {
			if volume.Name == mounts[env["JAEGER_UI_ASSETS"]] {
				mounted = volume.ConfigMap.Name
			}
		}
		served := ""
		for _, obj := range rendered.Objects {
			if obj.GetKind() == "ConfigMap" && obj.GetName() == mounted && obj.GetNamespace() == "jaeger" {
				served, _, _ = unstructured.NestedString(obj.Object, "data", "index.html")
			}
		}
		if served != page {
			t.Errorf("Jaeger serves %q from ConfigMap %q, want %q", served, mounted, page)
		}
		seen[env["JAEGER_PAGE_SUM"]] = true
	}
	if len(seen) != 2 {
		t.Errorf("the sums of two pages = %v, want two", seen)
	}
	plain, err := Jaeger(JaegerOptions{Image: Image{Ref: "sandbox.test/jaeger:v2.13.0"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range deployments(t, plain)[0].Spec.Template.Spec.Containers[0].Env {
		if strings.HasPrefix(e.Name, "JAEGER_") {
			t.Errorf("without a page %s = %q, want none", e.Name, e.Value)
		}
	}
}

// Jaeger's configuration uses the same variables.
func TestJaegerRequiresAPassword(t *testing.T) {
	t.Parallel()
	rendered, err := Jaeger(JaegerOptions{Image: Image{Ref: "sandbox.test/jaeger:v2.13.0"}, Password: "squeamish"})
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for _, e := range deployments(t, rendered)[0].Spec.Template.Spec.Containers[0].Env {
		env[e.Name] = e.Value
	}
	for name, want := range map[string]string{"JAEGER_UI_AUTH": "{authenticator: basicauth}", "JAEGER_UI_PASSWORD": "squeamish"} {
		if env[name] != want || !strings.Contains(string(ownConfig(t, "", "")), "${env:"+name+":-}") {
			t.Errorf("%s = %q, want %q, and config.yaml must use it", name, env[name], want)
		}
	}
	if !strings.Contains(string(ownConfig(t, "", "")), "inline: "+component.JaegerUser+":$") {
		t.Errorf("config.yaml does not name the user %s", component.JaegerUser)
	}
}

func TestOperator(t *testing.T) {
	t.Parallel()
	manifests := applytest.Manifests(t)
	rendered, err := Operator(OperatorOptions{
		Manifests: manifests, Image: Image{Ref: operatorImage},
		Env: map[string]string{"OTEL_TRACES_EXPORTER": "jaeger", "OTEL_BSP_SCHEDULE_DELAY": "100"},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := deployments(t, rendered)[0].Spec.Template.Spec.Containers[0]
	if c.Image != operatorImage || c.ImagePullPolicy != corev1.PullIfNotPresent {
		t.Errorf("image = %s, policy = %s, want %s and IfNotPresent", c.Image, c.ImagePullPolicy, operatorImage)
	}
	if probe := c.ReadinessProbe; probe.PeriodSeconds != 1 || probe.InitialDelaySeconds != 0 {
		t.Errorf("readiness probe = %v, want no delay and a period of 1 s", probe)
	}
	env := make(map[string]string)
	for _, e := range c.Env {
		if _, twice := env[e.Name]; twice {
			t.Errorf("variable %s occurs twice", e.Name)
		}
		env[e.Name] = e.Value
		// A variable may refer only to earlier variables.
		if _, rest, found := strings.Cut(e.Value, "$("); found {
			name, _, _ := strings.Cut(rest, ")")
			if _, before := env[name]; !before {
				t.Errorf("%s refers to %s, which does not precede it", e.Name, name)
			}
		}
	}
	for name, want := range map[string]string{
		"OTEL_TRACES_EXPORTER": "jaeger", "OTEL_BSP_SCHEDULE_DELAY": "100", // from the options
		"OTEL_SERVICE_NAME":             "demo-services-for-tracing",
		"OTEL_EXPORTER_OTLP_ENDPOINT":   "http://$(SANDBOX_NODE_ADDRESS):4317",
		"OTEL_EXPORTER_OTLP_PROTOCOL":   "grpc",
		"OTEL_EXPORTER_JAEGER_ENDPOINT": "http://$(SANDBOX_NODE_ADDRESS):14268/api/traces",
		"SANDBOX_OTLP_HTTP":             "http://$(SANDBOX_NODE_ADDRESS):4318",
		"GOMEMLIMIT":                    "100MiB", // from the manifests
	} {
		if env[name] != want {
			t.Errorf("%s = %q, want %q", name, env[name], want)
		}
	}
	if rendered.Version != operatorImage {
		t.Errorf("version = %q, want the image", rendered.Version)
	}
	for _, obj := range rendered.Objects {
		if labels := obj.GetLabels(); labels[apply.ManagedByLabel] != apply.FieldManager || labels[apply.ComponentLabel] != component.Operator {
			t.Errorf("%s: labels = %v", apply.Describe(obj), labels)
		}
		if got := obj.GetAnnotations()[apply.VersionAnnotation]; got != operatorImage {
			t.Errorf("%s: version = %q", apply.Describe(obj), got)
		}
	}
	if diff := cmp.Diff(applytest.Manifests(t).Objects, manifests.Objects); diff != "" {
		t.Errorf("Operator changed the manifests (-before +after):\n%s", diff)
	}
}

// TestOperatorKeepsItsEndpoint: only the user overrides the destination of spans in the manifests.
func TestOperatorKeepsItsEndpoint(t *testing.T) {
	t.Parallel()
	manifests := applytest.Manifests(t)
	for _, obj := range manifests.Objects {
		if obj.GetKind() == "Deployment" {
			c, err := container(obj, "manager")
			if err != nil {
				t.Fatal(err)
			}
			setEnv(c, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"})
			c["command"] = []any{"/manager", "serve"}
		}
	}
	rendered, err := Operator(OperatorOptions{Manifests: manifests, Image: Image{Ref: operatorImage}})
	if err != nil {
		t.Fatal(err)
	}
	c := deployments(t, rendered)[0].Spec.Template.Spec.Containers[0]
	for _, e := range c.Env {
		if e.Name == "OTEL_EXPORTER_OTLP_ENDPOINT" && e.Value != "http://collector:4317" {
			t.Errorf("%s = %s, want the value of the manifests", e.Name, e.Value)
		}
	}
	// The image that the sandbox builds contains only the program, with its own name.
	if diff := cmp.Diff([]string{"/operator", "serve"}, c.Command); diff != "" {
		t.Errorf("command (-want +got):\n%s", diff)
	}
}

func TestSample(t *testing.T) {
	t.Parallel()
	subject := applytest.Manifests(t).Subject()
	rendered := Sample(subject)
	if got := apply.Describe(rendered.Objects[0]); got != "Head default/head-sample" {
		t.Errorf("sample = %s", got)
	}
	for _, head := range []*unstructured.Unstructured{rendered.Objects[0], subject.Samples[0]} {
		if len(head.GetAnnotations()) != 0 {
			t.Errorf("annotations = %v on the user's object, want none", head.GetAnnotations())
		}
	}
	if len(subject.Samples[0].GetLabels()) != 0 {
		t.Errorf("Sample added the labels %v to the subject", subject.Samples[0].GetLabels())
	}
}

func TestMissingOptions(t *testing.T) {
	t.Parallel()
	if _, err := Operator(OperatorOptions{Manifests: applytest.Manifests(t)}); err == nil {
		t.Error("Operator without an image = nil, want an error")
	}
	if _, err := Jaeger(JaegerOptions{}); err == nil {
		t.Error("Jaeger without an image = nil, want an error")
	}
}

func TestImageSplit(t *testing.T) {
	t.Parallel()
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
			t.Errorf("split(%q) = %q, %v, want %q", ref, got, err, want)
		}
	}
}
