package scaffold

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/operator-tracing/sandbox/sandbox/project"
)

// adopter is a kubebuilder project of this repository.
const adopter = "../../operator/tracing/testdata/adopter"

// copyProject copies the adopter project and writes the changed files. An empty text deletes the
// file.
func copyProject(t *testing.T, changes map[string]string) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "project")
	if err := os.CopyFS(folder, os.DirFS(adopter)); err != nil {
		t.Fatal(err)
	}
	for name, text := range changes {
		if text != "" {
			continue
		}
		if err := os.RemoveAll(filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range changes {
		path := filepath.Join(folder, name)
		if text == "" {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func guess(t *testing.T, changes map[string]string) *Guess {
	t.Helper()
	g, err := Read(copyProject(t, changes))
	if err != nil {
		t.Fatal(err)
	}
	if g.Missing != nil {
		t.Errorf("Missing = %v, want nil", g.Missing)
	}
	return g
}

func TestRead(t *testing.T) {
	g := guess(t, nil)
	want := project.File{
		APIVersion: project.APIVersion, Kind: project.Kind,
		Operator: project.Operator{
			Build: &project.Build{Main: "./cmd"}, Manifests: []string{"config/default"}, ServiceName: "cache-operator",
			Embedded: project.Embedded{Args: []string{"--metrics-bind-address=0"}},
		},
		Sample: project.Sample{Manifests: []string{"config/samples/cache.yaml"}, Condition: "Ready=True"},
	}
	if diff := cmp.Diff(want, g.File); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var fields []string
	for _, n := range g.Notes {
		fields = append(fields, n.Field)
		if n.Value == "" || n.From == "" {
			t.Errorf("note = %+v, want a value and an origin", n)
		}
	}
	for _, field := range []string{"operator.build.main", "operator.manifests", "operator.serviceName", "sample.manifests", "sample.condition", "operator.deployment", "operator.embedded.args"} {
		if !strings.Contains(strings.Join(fields, " "), field) {
			t.Errorf("notes do not contain field %s", field)
		}
	}
}

// The text parses to the same file, even with names that YAML must quote.
func TestTheTextIsTheFile(t *testing.T) {
	folder := copyProject(t, map[string]string{"PROJECT": "projectName: \"yes: #1\"\n"})
	g, err := Read(folder)
	if err != nil {
		t.Fatal(err)
	}
	p, err := project.Parse(filepath.Join(folder, "sandbox.yaml"), []byte(g.Text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(g.File, p.File); diff != "" {
		t.Errorf("parsed text (-want +got):\n%s", diff)
	}
	if g.File.Operator.ServiceName != "yes: #1" {
		t.Errorf("ServiceName = %q, want %q", g.File.Operator.ServiceName, "yes: #1")
	}
}

func TestReadFindsEachField(t *testing.T) {
	mainText, err := os.ReadFile(filepath.Join(adopter, "cmd/main.go"))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		changes map[string]string
		get     func(project.File) string
		want    string
	}{
		"main in the root folder": {
			map[string]string{"cmd": "", "main.go": string(mainText)},
			func(f project.File) string { return f.Operator.Build.Main }, ".",
		},
		"main in a folder below cmd": {
			map[string]string{"cmd": "", "cmd/manager/main.go": string(mainText)},
			func(f project.File) string { return f.Operator.Build.Main }, "./cmd/manager",
		},
		"service name in the code": {
			map[string]string{"cmd/main.go": strings.Replace(string(mainText), "ctx := ctrl.SetupSignalHandler()", `ctx := ctrl.SetupSignalHandler()
	_ = provider.WithServiceName("shop-caches")`, 1)},
			func(f project.File) string { return f.Operator.ServiceName }, "shop-caches",
		},
		"sample of the first kind": {
			map[string]string{"config/samples/cache_v1alpha1_cache.yaml": "{apiVersion: cache.example.com/v1alpha1, kind: Cache, metadata: {name: first}, spec: {replicas: 1}}", "config/samples/cache.yaml": ""},
			func(f project.File) string { return f.Sample.Manifests[0] }, "config/samples/cache_v1alpha1_cache.yaml",
		},
		"leader election that the Deployment does not set": {
			map[string]string{"cmd/main.go": strings.Replace(string(mainText), `"leader-elect", false`, `"enable-leader-election", true`, 1)},
			func(f project.File) string { return strings.Join(f.Operator.Embedded.Args, " ") }, "--metrics-bind-address=0 --enable-leader-election=false",
		},
		"traced webhook": {
			map[string]string{"internal/webhook/cache.go": "package webhook\n\nvar d = tracing.WrapDefaulter[*v1.Cache](nil)\n"},
			func(f project.File) string { return f.Operator.Webhook.Annotation }, "tracing.k8s.io/traceparent",
		},
		"traced webhook only in a test": {
			map[string]string{"internal/webhook/cache_test.go": "package webhook\n\nvar d = tracing.WrapDefaulter(nil)\n"},
			func(f project.File) string { return f.Operator.Webhook.Annotation }, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.get(guess(t, test.changes).File); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestNoProject(t *testing.T) {
	for name, test := range map[string]struct {
		changes map[string]string
		want    string
	}{
		"no Go and no PROJECT":         {map[string]string{"PROJECT": "", "go.mod": ""}, "no PROJECT file of kubebuilder"},
		"invalid PROJECT":              {map[string]string{"PROJECT": "a: [\n"}, "reading PROJECT: "},
		"no module":                    {map[string]string{"go.mod": ""}, "reading go.mod: "},
		"no main":                      {map[string]string{"cmd": ""}, "no main package in the module"},
		"no manifests":                 {map[string]string{"config/default": "", "config/manager": ""}, "neither config/default nor config/manager exists"},
		"no sample":                    {map[string]string{"config/samples": ""}, "no sample in config/samples, config/testdata or examples"},
		"a sample of a kind of others": {map[string]string{"config/samples/cache.yaml": "{apiVersion: shop.example.com/v1, kind: Shop, metadata: {name: a}}"}, "no sample in config/samples"},
		"a version that is not served": {map[string]string{"config/samples/cache.yaml": "{apiVersion: cache.example.com/v9, kind: Cache, metadata: {name: a}}"}, "no sample in config/samples"},
		"no folder":                    {map[string]string{"": ""}, "no go.mod and no PROJECT file"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := copyProject(t, test.changes)
			_, err := Read(folder)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), folder) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Read = %v, want a one-line error with %q and the folder", err, test.want)
			}
		})
	}
}

// Read returns a file even if the sandbox cannot run the project yet.
func TestMissing(t *testing.T) {
	g, err := Read(copyProject(t, map[string]string{"config/default/kustomization.yaml": "resources: [nowhere]\n"}))
	if err != nil {
		t.Fatal(err)
	}
	if g.Missing == nil || !strings.Contains(g.Missing.Error(), "operator.manifests") || !strings.Contains(g.Text, "config/default") {
		t.Errorf("Missing = %v, want an error about operator.manifests; text:\n%s", g.Missing, g.Text)
	}
}
