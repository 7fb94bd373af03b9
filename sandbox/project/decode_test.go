package project

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// head is the start of a file. Text that a test appends starts in line 3.
const head = "apiVersion: " + APIVersion + "\nkind: " + Kind + "\n"

// write writes a sandbox.yaml and a project with all files that the tests name. It returns the path
// of the sandbox.yaml.
func write(t *testing.T, text string, more map[string]string) (path string) {
	t.Helper()
	folder := t.TempDir()
	files := map[string]string{
		"sandbox.yaml": text,
		"go.mod":       "module example.com/op\n",
		"cmd/main.go":  "package main\n",
		"config/deployment.yaml": `
apiVersion: apps/v1
kind: Deployment
metadata: {name: op, namespace: op-system}
spec:
  selector: {matchLabels: {app: op}}
  template:
    metadata: {labels: {app: op}}
    spec: {serviceAccountName: op, containers: [{name: op, image: controller}]}
`,
		"config/crd.yaml":    crd,
		"samples/cache.yaml": "{apiVersion: cache.example.com/v1, kind: Cache, metadata: {name: sample}}",
	}
	for name, content := range more {
		files[name] = content
	}
	for name, content := range files {
		full := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(folder, "sandbox.yaml")
}

const crd = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: caches.cache.example.com}
spec: {group: cache.example.com, scope: Namespaced, names: {kind: Cache, plural: caches}}
`

// minimal is the shortest valid file.
const minimal = head + `operator:
  build: {main: ./cmd}
  manifests: [config]
sample:
  manifests: [samples]
`

func TestLoad(t *testing.T) {
	path := write(t, minimal+"  condition: Available=Unknown\n", nil)
	p, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	want := File{
		APIVersion: APIVersion, Kind: Kind, Operator: Operator{Build: &Build{Main: "./cmd"}, Manifests: []string{"config"}},
		Sample: Sample{Manifests: []string{"samples"}, Condition: "Available=Unknown"},
	}
	if diff := cmp.Diff(want, p.File); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if p.Path != path || p.Dir != filepath.Dir(path) || p.Module("/elsewhere") != p.Dir {
		t.Errorf("Path = %s, Dir = %s, Module = %s", p.Path, p.Dir, p.Module("/elsewhere"))
	}
}

// The error of each mistake is one line with its position.
func TestMistakes(t *testing.T) {
	replace := func(old, now string) string {
		if !strings.Contains(minimal, old) {
			t.Fatalf("there is no %q to replace", old)
		}
		return strings.Replace(minimal, old, now, 1)
	}
	for name, test := range map[string]struct{ text, want string }{
		"empty":                   {"", ": empty file"},
		"only a comment":          {"# nothing\n", ": empty file"},
		"no YAML":                 {head + "operator: [\n", "invalid YAML: "},
		"a tab":                   {head + "operator:\n\tbuild: x\n", ":4: invalid YAML: "},
		"two documents":           {minimal + "---\n" + minimal, ":8: second document"},
		"a list":                  {"- a\n", ":1: apiVersion: required; set apiVersion: " + APIVersion},
		"another version":         {"apiVersion: sandbox.operator-tracing.dev/v2\nkind: Sandbox\nnew: 1\n", `:1:13: apiVersion: unsupported value "sandbox.operator-tracing.dev/v2"; this program supports ` + APIVersion},
		"another kind":            {"apiVersion: " + APIVersion + "\nkind: Cluster\n", `:2:7: kind: unsupported value "Cluster"`},
		"no kind":                 {"apiVersion: " + APIVersion + "\n", ":1: kind: required"},
		"misspelt":                {replace("  manifests: [config]", "  manifest: [config]"), ":5:3: operator.manifest: unknown field (did you mean manifests?)"},
		"nothing like it":         {replace("{main: ./cmd}", "{main: ./cmd, dockerfile: x}"), ":4:24: operator.build.dockerfile: unknown field; want one of flags, main, module, sources"},
		"at the top":              {minimal + "samples: {}\n", ":8:1: samples: unknown field (did you mean sample?)"},
		"twice":                   {minimal + "sample: {}\n", ":8:1: sample: duplicate field, first set in line 6"},
		"text for a list":         {replace("[config]", "config"), ":5:14: operator.manifests: want a list, found text"},
		"a list for text":         {replace("./cmd", "[./cmd]"), ":4:17: operator.build.main: want text, found a list"},
		"fields for text":         {replace("./cmd", "{a: b}"), ":4:17: operator.build.main: want text, found fields"},
		"text for fields":         {replace("{main: ./cmd}", "./cmd"), ":4:10: operator.build: want fields, found text"},
		"a number":                {replace("manifests: [config]", "env: {A: 1}\n  manifests: [config]"), ":5:12: operator.env.A: want text, found a number; put 1 in quotes"},
		"a truth":                 {replace("manifests: [config]", "env: {A: true}\n  manifests: [config]"), ":5:12: operator.env.A: want text, found true or false; put true in quotes"},
		"no source":               {replace("  build: {main: ./cmd}\n", ""), ":4:3: operator: either build or image is required"},
		"two sources":             {replace("  manifests: [config]", "  image: x\n  manifests: [config]"), ":5:10: operator.image: build is also set"},
		"no main":                 {replace("main: ./cmd", "module: ."), ":4:10: operator.build.main: required"},
		"an import path":          {replace("./cmd", "example.com/op/cmd"), `:4:17: operator.build.main: invalid folder "example.com/op/cmd"`},
		"no such main":            {replace("./cmd", "./cmds"), ":4:17: operator.build.main: folder "},
		"no such module":          {replace("main: ./cmd", "main: ., module: cmd"), "operator.build.module: no go.mod in "},
		"no flag":                 {replace("main: ./cmd", "main: ./cmd, flags: [x]"), `operator.build.flags[0]: invalid flag "x"`},
		"no manifests":            {replace("  manifests: [config]\n", ""), ":4:3: operator.manifests: required"},
		"an empty path":           {replace("[config]", `[""]`), ":5:15: operator.manifests[0]: empty path"},
		"a URL":                   {replace("[config]", "[https://example.com/x]"), "operator.manifests[0]: invalid path \"https://example.com/x\": want a folder or file on this machine"},
		"no such manifests":       {replace("[samples]", "[samples, sample]"), ":7:24: sample.manifests[1]: "},
		"no sample":               {strings.Replace(minimal, "sample:\n  manifests: [samples]\n", "", 1), "sample.manifests: required"},
		"no such update":          {minimal + "faults: {update: [samples, changed]}\n", ":8:28: faults.update[1]: "},
		"text for an update":      {minimal + "faults: {update: samples}\n", ":8:18: faults.update: want a list, found text"},
		"an unknown reference":    {replace("  manifests: [config]", "  embedded: {args: [--port=$(PORT)]}\n  manifests: [config]"), "operator.embedded.args[0]: unknown variable $(PORT); want one of KUBECONFIG, NAMESPACE, "},
		"an invalid variable":     {replace("  manifests: [config]", "  env: {a b: c}\n  manifests: [config]"), "operator.env.a b: invalid variable name"},
		"an unreadable condition": {minimal + "  condition: Ready\n", `:8:14: sample.condition: invalid condition "Ready": want TYPE=STATUS`},
		"an unknown status":       {minimal + "  condition: Ready=true\n", `sample.condition: invalid condition "Ready=true"`},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, test.text, nil)
			_, err := Load(path)
			var wrong *Error
			if !errors.As(err, &wrong) {
				t.Fatalf("Load = %v, want an *Error", err)
			}
			got := err.Error()
			if !strings.HasPrefix(got, path+":") || !strings.Contains(got, test.want) || strings.Contains(got, "\n") {
				t.Errorf("Load = %q, want one line with %q", got, test.want)
			}
		})
	}
}

// Nulls and anchors are valid.
func TestNullsAndAnchors(t *testing.T) {
	text := head + `operator:
  build: {main: &main ./cmd, flags: }
  image:
  env: {A: *main, B: "1"}
  manifests: [config]
sample:
  manifests: [samples]
`
	p, err := Load(write(t, text, nil))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"A": "./cmd", "B": "1"}, p.File.Operator.Env); diff != "" {
		t.Errorf("env (-want +got):\n%s", diff)
	}
}

func TestLoadWithoutAFile(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.yaml"))
	if err == nil || !strings.Contains(err.Error(), "none.yaml: no such file or directory; `sandbox init` creates it") || strings.Count(err.Error(), "none.yaml") != 1 {
		t.Errorf("Load of a missing file = %v, want the path once and the remedy", err)
	}
}

// decode accepts any file or returns a one-line error.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{minimal, head, "", "a: &a [*a]", head + "operator: &o {build: *o}\n", "apiVersion: !!binary x", head + "<<: {a: b}\n", "? [a]\n: b\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file, _, err := decode("f", []byte(text))
		if (file == nil) != (err != nil) {
			t.Errorf("decode = %v, %v; want exactly one of both", file, err)
		}
		if err != nil && (!strings.HasPrefix(err.Error(), "f:") || strings.Contains(strings.TrimSpace(err.Error()), "\n") && !strings.Contains(text, "\n")) {
			t.Errorf("decode = %q, want one line with the path", err)
		}
	})
}
