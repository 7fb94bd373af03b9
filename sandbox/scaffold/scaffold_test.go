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

// copyProject copies the adopter, with changes by path; an empty text removes the file.
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
		t.Errorf("missing: %v", g.Missing)
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
		Sample: project.Sample{Manifests: []string{"config/samples"}, Condition: "Ready=True"},
	}
	if diff := cmp.Diff(want, g.File); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var fields []string
	for _, n := range g.Notes {
		fields = append(fields, n.Field)
		if n.Value == "" || n.From == "" {
			t.Errorf("note %+v says too little", n)
		}
	}
	for _, field := range []string{"operator.build.main", "operator.manifests", "operator.serviceName", "sample.manifests", "sample.condition", "operator.deployment", "operator.embedded.args"} {
		if !strings.Contains(strings.Join(fields, " "), field) {
			t.Errorf("no note about %s", field)
		}
	}
}

// TestTheTextIsTheFile: what is written says what was guessed, whatever the names in it.
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
		t.Errorf("(-guessed +read):\n%s", diff)
	}
	if g.File.Operator.ServiceName != "yes: #1" {
		t.Errorf("service name %q", g.File.Operator.ServiceName)
	}
}

func TestWhereThingsAre(t *testing.T) {
	mainText, err := os.ReadFile(filepath.Join(adopter, "cmd/main.go"))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		changes map[string]string
		get     func(project.File) string
		want    string
	}{
		"main of the module": {
			map[string]string{"cmd": "", "main.go": string(mainText)},
			func(f project.File) string { return f.Operator.Build.Main }, ".",
		},
		"main in a folder of its own": {
			map[string]string{"cmd": "", "cmd/manager/main.go": string(mainText)},
			func(f project.File) string { return f.Operator.Build.Main }, "./cmd/manager",
		},
		"the service in the code": {
			map[string]string{"cmd/main.go": strings.Replace(string(mainText), "ctx := ctrl.SetupSignalHandler()", `ctx := ctrl.SetupSignalHandler()
	_ = provider.WithServiceName("shop-caches")`, 1)},
			func(f project.File) string { return f.Operator.ServiceName }, "shop-caches",
		},
		"the sample of the first kind": {
			map[string]string{"config/samples/cache_v1alpha1_cache.yaml": "{apiVersion: cache.example.com/v1alpha1, kind: Cache, metadata: {name: first}}"},
			func(f project.File) string { return f.Sample.Manifests[0] }, "config/samples/cache_v1alpha1_cache.yaml",
		},
		"another condition": {
			map[string]string{"internal/controller/cache_controller.go": "package controller\n\nconst typeAvailable = \"Available\"\n"},
			func(f project.File) string { return f.Sample.Condition }, "Available=True",
		},
		"a traced webhook": {
			map[string]string{"internal/webhook/cache.go": "package webhook\n\nvar d = tracing.WrapDefaulter[*v1.Cache](nil)\n"},
			func(f project.File) string { return f.Operator.Webhook.Annotation }, "tracing.k8s.io/traceparent",
		},
		"a webhook that is only tested": {
			map[string]string{"internal/webhook/cache_test.go": "package webhook\n\nvar d = tracing.WrapDefaulter(nil)\n"},
			func(f project.File) string { return f.Operator.Webhook.Annotation }, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.get(guess(t, test.changes).File); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestNoProject(t *testing.T) {
	for name, test := range map[string]struct {
		changes map[string]string
		want    string
	}{
		"no PROJECT":     {map[string]string{"PROJECT": ""}, "there is no PROJECT, as kubebuilder"},
		"a broken one":   {map[string]string{"PROJECT": "a: [\n"}, "reading PROJECT: "},
		"no module":      {map[string]string{"go.mod": ""}, "reading go.mod: "},
		"no main":        {map[string]string{"cmd": ""}, "there is no cmd/main.go and no main.go"},
		"no manifests":   {map[string]string{"config/default": ""}, "there is no config/default"},
		"no sample":      {map[string]string{"config/samples": ""}, "there is no config/samples"},
		"not even there": {map[string]string{"": ""}, "there is no PROJECT"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := copyProject(t, test.changes)
			_, err := Read(folder)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), folder) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line with %q and the folder", err, test.want)
			}
		})
	}
}

// TestWhatIsMissingIsSaid: a project that can't be run yet still gets its file.
func TestWhatIsMissingIsSaid(t *testing.T) {
	g, err := Read(copyProject(t, map[string]string{"config/default/kustomization.yaml": "resources: [nowhere]\n"}))
	if err != nil {
		t.Fatal(err)
	}
	if g.Missing == nil || !strings.Contains(g.Missing.Error(), "operator.manifests") || !strings.Contains(g.Text, "config/default") {
		t.Errorf("missing %v, text:\n%s", g.Missing, g.Text)
	}
}
