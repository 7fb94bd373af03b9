package project

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/operator-tracing/sandbox/sandbox/project/condition"
)

const repository = "../.."

// rendered loads a file and renders it.
func rendered(t *testing.T, path string) *Manifests {
	t.Helper()
	p, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := p.Render()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The built-in file equals the file in the repository, and both result in the same operator.
func TestDefaultIsAnOrdinaryFile(t *testing.T) {
	builtIn, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(repository, "config", "sandbox.yaml")
	fromDisk, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(builtIn.File, fromDisk.File); diff != "" {
		t.Errorf("file (-built in +on disk):\n%s", diff)
	}
	// As the tests of package artifact/build build it.
	if diff := cmp.Diff(&Build{Module: "..", Main: "./operator", Sources: []string{"operator", "config/settings"}}, builtIn.File.Operator.Build); diff != "" {
		t.Errorf("build (-want +got):\n%s", diff)
	}
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := builtIn.Module(root), fromDisk.Module("unused"); a != root || b != root {
		t.Errorf("module %s built in, %s on disk, want %s", a, b, root)
	}
	m, err := builtIn.Render()
	if err != nil {
		t.Fatal(err)
	}
	other := rendered(t, file)
	if diff := cmp.Diff(m.Objects, other.Objects); diff != "" {
		t.Errorf("objects (-built in +on disk):\n%s", diff)
	}
	subject := m.Subject()
	want := Subject{
		ServiceName: "demo-services-for-tracing", Annotation: "tracing.k8s.io/traceparent", Condition: condition.Condition{Type: "Ready", Status: "True"}, Samples: m.Samples,
	}
	if diff := cmp.Diff(want, subject); diff != "" {
		t.Errorf("subject (-want +got):\n%s", diff)
	}
	if subject.Kind() != (schema.GroupVersionKind{Group: "dummy.example.com", Version: "v1alpha1", Kind: "Head"}) ||
		subject.Sample() != (types.NamespacedName{Namespace: "default", Name: "head-sample"}) {
		t.Errorf("Kind = %v, Sample = %v; want the sample Head", subject.Kind(), subject.Sample())
	}
}

func TestRender(t *testing.T) {
	m := rendered(t, write(t, minimal, map[string]string{
		"config/notes.txt": "no manifest",
		"samples/a.yaml":   "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: first}\n---\napiVersion: cache.example.com/v1\nkind: Cache\nmetadata: {name: other, namespace: team}\n",
	}))
	if m.Deployment.Name != "op" || m.Deployment.Namespace != "op-system" || m.Container != 0 || m.ServiceName != "op" {
		t.Errorf("Deployment = %s/%s, Container = %d, ServiceName = %s", m.Deployment.Namespace, m.Deployment.Name, m.Container, m.ServiceName)
	}
	var samples []string
	for _, s := range m.Samples {
		samples = append(samples, s.GetKind()+" "+s.GetNamespace()+"/"+s.GetName())
	}
	// Custom resources are first, because the trace of the first sample is shown.
	if diff := cmp.Diff([]string{"Cache team/other", "Cache default/sample", "ConfigMap default/first"}, samples); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
}

// TestUpdate checks which objects fault runs apply as a change of the sample.
func TestUpdate(t *testing.T) {
	const changed = "{apiVersion: cache.example.com/v1, kind: Cache, metadata: {generateName: cache-}, spec: {size: 2}}"
	m := rendered(t, write(t, minimal+"faults: {update: [changed.yaml]}\n", map[string]string{
		"samples/cache.yaml": "{apiVersion: cache.example.com/v1, kind: Cache, metadata: {generateName: cache-, namespace: team}}",
		"changed.yaml":       changed + "\n---\n{apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor, metadata: {name: skipped}}\n",
	}))
	subject := m.Subject()
	if len(subject.Update) != 1 {
		t.Fatalf("Update = %v, want only the Cache", subject.Update)
	}
	// The stage of the fault runs sets the namespace.
	if got := subject.Update[0]; got.GetName() != subject.Sample().Name || got.GetNamespace() != "" {
		t.Errorf("Update = %s/%s, want the name of the sample %s, without a namespace", got.GetNamespace(), got.GetName(), subject.Sample().Name)
	}
}

func TestScopes(t *testing.T) {
	m := rendered(t, write(t, minimal, map[string]string{
		"config/crd.yaml":    strings.Replace(crd, "Namespaced", "Cluster", 1),
		"config/roles.yaml":  "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: r}\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n",
		"config/issuer.yaml": "apiVersion: cert-manager.io/v1\nkind: Issuer\nmetadata: {name: i}\n---\napiVersion: cert-manager.io/v1\nkind: ClusterIssuer\nmetadata: {name: c}\n",
	}))
	got := map[string]string{}
	for _, obj := range append(m.Objects, m.Samples...) {
		got[obj.GetKind()] = obj.GetNamespace()
	}
	want := map[string]string{
		"Deployment": "op-system", "CustomResourceDefinition": "", "ClusterRole": "", "ServiceAccount": "default", "Issuer": "default",
		"ClusterIssuer": "", "Cache": "", "Namespace": "",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("namespaces (-want +got):\n%s", diff)
	}
}

func TestRenderMistakes(t *testing.T) {
	deployment := func(name string) string {
		return "{apiVersion: apps/v1, kind: Deployment, metadata: {name: " + name + "}, spec: {selector: {}, template: {metadata: {}, spec: {containers: [{name: a}, {name: b}]}}}}"
	}
	for name, test := range map[string]struct {
		text  string
		files map[string]string
		want  string
	}{
		"no object":              {minimal, map[string]string{"samples/cache.yaml": "# none\n"}, "sample.manifests: no objects in the manifests"},
		"no Deployment":          {minimal, map[string]string{"config/deployment.yaml": ""}, "operator.manifests: no Deployment"},
		"two":                    {minimal, map[string]string{"config/b.yaml": deployment("b")}, "operator.deployment: several Deployments: default/b, op-system/op"},
		"none by that name":      {strings.Replace(minimal, "  manifests: [config]", "  deployment: opp\n  manifests: [config]", 1), nil, "operator.deployment: no Deployment with this name; found op-system/op"},
		"none in that namespace": {strings.Replace(minimal, "  manifests: [config]", "  namespace: ops\n  manifests: [config]", 1), nil, "operator.namespace: no Deployment in this namespace; found op-system/op"},
		"which container":        {minimal, map[string]string{"config/deployment.yaml": deployment("b")}, "operator.container: no container manager in Deployment b; found a, b"},
		"no such container":      {strings.Replace(minimal, "  manifests: [config]", "  container: x\n  manifests: [config]", 1), nil, "operator.container: no container x in Deployment op; found op"},
		"a broken manifest":      {minimal, map[string]string{"config/crd.yaml": "kind: [\n"}, "operator.manifests: reading config: crd.yaml: decoding document 1: "},
		"a broken overlay":       {minimal, map[string]string{"config/kustomization.yaml": "resources: [nowhere.yaml]\n"}, "operator.manifests: reading config: "},
		"an unknown kind": {minimal, map[string]string{"config/m.yaml": "{apiVersion: monitoring.googleapis.com/v1, kind: PodMonitoring, metadata: {name: m}}"},
			"operator.manifests: no CustomResourceDefinition for PodMonitoring m (monitoring.googleapis.com/v1); remove it"},
		"a skipped kind that is not there": {strings.Replace(minimal, "  manifests: [config]", "  skip: [PodMonitoring]\n  manifests: [config]", 1), nil,
			`operator.skip[0]: no object of kind "PodMonitoring" in the manifests; want KIND.GROUP`},
		"an empty update":   {minimal + "faults: {update: [none.yaml]}\n", map[string]string{"none.yaml": "# none\n"}, "faults.update: no objects in the manifests"},
		"an unknown update": {minimal + "faults: {update: [u.yaml]}\n", map[string]string{"u.yaml": "{apiVersion: other.example.com/v1, kind: Other, metadata: {name: m}}"}, "faults.update: no CustomResourceDefinition for Other m"},
		"an unknown sample": {minimal, map[string]string{"samples/cache.yaml": "{apiVersion: other.example.com/v1, kind: Other, metadata: {name: m}}"}, "sample.manifests: no CustomResourceDefinition for Other m"},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, test.text, test.files)
			p, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.Render()
			var wrong *Error
			if !errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), fmt.Sprintf("%s:%d:%d: ", path, wrong.Line, wrong.Column)) || wrong.Line < 3 || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Render = %v, want one line with a position and %q", err, test.want)
			}
		})
	}
}

// The position is the position of the field or, if it is missing, of its parent.
func TestPlacesOfRenderMistakes(t *testing.T) {
	for field, line := range map[string]int{"deployment: nope": 6, "container: nope": 6} {
		text := "apiVersion: " + APIVersion + "\nkind: " + Kind + "\noperator:\n  image: i\n  manifests: [config]\n  " + field + "\nsample: {manifests: [samples]}\n"
		p, err := Load(write(t, text, nil))
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Render()
		var wrong *Error
		if !errors.As(err, &wrong) || wrong.Line != line {
			t.Errorf("Render with %s = %v, want line %d", field, err, line)
		}
	}
}

func TestLoadOfAFolder(t *testing.T) {
	if _, err := Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is a folder; pass the path of a file") {
		t.Errorf("Load of a folder = %v, want the remedy", err)
	}
}

func TestSaveAndLoadSubject(t *testing.T) {
	want := rendered(t, write(t, minimal+"  condition: Available=False\nfaults: {update: [samples]}\n", nil)).Subject()
	path := filepath.Join(t.TempDir(), "subject.json")
	if err := SaveSubject(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := LoadSubject(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got.Update) == 0 {
		t.Errorf("loaded subject (-saved +loaded):\n%s", diff)
	}
	// Old versions wrote no file and ran the reference operator.
	got, err = LoadSubject(filepath.Join(t.TempDir(), "none"))
	if err != nil || got.Kind().Kind != "Head" {
		t.Errorf("LoadSubject of a missing file = %v, %v; want the reference operator", got, err)
	}
	if _, err := LoadSubject(write(t, "no JSON", nil)); err == nil || !strings.Contains(err.Error(), "run `sandbox up` to replace it") {
		t.Errorf("LoadSubject of an invalid file = %v, want the remedy", err)
	}
}

// Objects of unknown kinds are skipped by default or by the file, lists are expanded, generated names
// are fixed, and a kind of the user's in a group of k8s.io is custom.
func TestRenderRealProjects(t *testing.T) {
	monitor := "{apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor, metadata: {name: m}}"
	skipped := strings.Replace(minimal, "  manifests: [config]", "  skip: [Probe.other.example.com]\n  manifests: [config]", 1)
	for name, test := range map[string]struct {
		text          string
		files         map[string]string
		sample        string
		kept, skipped int
	}{
		"a ServiceMonitor":         {minimal, map[string]string{"config/m.yaml": monitor}, "Cache sample", 3, 1},
		"a monitoring kind":        {minimal, map[string]string{"config/m.yaml": strings.Replace(monitor, "ServiceMonitor", "PrometheusRule", 1)}, "Cache sample", 3, 1},
		"a listed kind":            {skipped, map[string]string{"config/m.yaml": "{apiVersion: other.example.com/v1, kind: Probe, metadata: {name: m}}"}, "Cache sample", 3, 1},
		"a List":                   {minimal, map[string]string{"config/l.yaml": "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}, {apiVersion: v1, kind: SecretList, items: [{apiVersion: v1, kind: Secret, metadata: {name: b}}]}]}"}, "Cache sample", 5, 0},
		"generateName":             {minimal, map[string]string{"samples/cache.yaml": "{apiVersion: cache.example.com/v1, kind: Cache, metadata: {generateName: mine-}}"}, "Cache mine-sandbox", 3, 0},
		"defined by the operator":  {minimal + "  definedBy: operator\n", map[string]string{"samples/cache.yaml": "{apiVersion: late.example.com/v1, kind: Late, metadata: {name: x}}"}, "Late x", 3, 0},
		"a group of k8s.io":        {minimal, map[string]string{"config/d.yaml": strings.ReplaceAll(crd, "cache.example.com", "demo.k8s.io"), "samples/cache.yaml": "{apiVersion: apps/v1, kind: Deployment, metadata: {name: first}}\n---\n{apiVersion: demo.k8s.io/v1, kind: Cache, metadata: {name: mine}}"}, "Cache mine", 4, 0},
		"a kind called as a known": {minimal, map[string]string{"config/d.yaml": strings.ReplaceAll(crd, "kind: Cache,", "kind: Deployment,"), "samples/cache.yaml": "{apiVersion: apps/v1, kind: Deployment, metadata: {name: first}}\n---\n{apiVersion: cache.example.com/v1, kind: Deployment, metadata: {name: mine}}"}, "Deployment mine", 4, 0},
	} {
		t.Run(name, func(t *testing.T) {
			m := rendered(t, write(t, test.text, test.files))
			if sample := m.Samples[0].GetKind() + " " + m.Samples[0].GetName(); sample != test.sample || len(m.Objects) != test.kept || len(m.Skipped) != test.skipped {
				t.Errorf("sample %s, %d objects, %d skipped; want %s, %d, %d", sample, len(m.Objects), len(m.Skipped), test.sample, test.kept, test.skipped)
			}
		})
	}
}

// All mistakes of the manifests are reported, not only the first.
func TestAllMistakes(t *testing.T) {
	unknown := "{apiVersion: other.example.com/v1, kind: Other, metadata: {name: m}}"
	path := write(t, strings.Replace(minimal, "  manifests: [config]", "  skip: [A.b]\n  manifests: [config]", 1), map[string]string{"config/m.yaml": unknown, "samples/n.yaml": unknown})
	p, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = p.Render(); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("Render = %v, want three mistakes", err)
	}
	if _, err = Load(write(t, strings.Replace(minimal, "{main: ./cmd}", "{man: 1, mian: 2}", 1), nil)); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("Load = %v, want two mistakes", err)
	}
}
