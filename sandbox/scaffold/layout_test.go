package scaffold

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// crd is a definition of a kind with a status that has the given fields, in flow style.
func crd(group, kind, status string, versions ...string) string {
	text := fmt.Sprintf("---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: %ss.%s}\nspec:\n  group: %[2]s\n  scope: Namespaced\n  names: {kind: %[3]s, plural: %[1]ss}\n  versions:\n",
		strings.ToLower(kind), group, kind)
	for i, version := range versions {
		text += fmt.Sprintf("  - {name: %s, served: true, storage: %v, schema: {openAPIV3Schema: {type: object, properties: {status: {type: object, properties: {%s}}}}}}\n", version, i == len(versions)-1, status)
	}
	return text
}

const (
	conditions = "conditions: {type: array}"
	deployment = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: controller-manager, namespace: op-system}\nspec: {template: {spec: {containers: [{name: manager, image: 'controller:latest'}]}}}\n"
	mainFile   = "package main\n\nfunc main() { ctrl.NewManager(config, ctrl.Options{}) }\n"
	module     = "module example.com/op\n"
)

// controller is the file of a reconciler. The import path of the kind ends in path.
func controller(kind, path, statements string) string {
	return "package controller\n\nimport v1 \"example.com/op/api/" + path + "\"\n\ntype " + kind + "Reconciler struct{}\n\n" +
		"func (r *" + kind + "Reconciler) SetupWithManager(mgr ctrl.Manager) error { return b.For(&v1." + kind + "{}).Complete(r) }\n\n" +
		"func (r *" + kind + "Reconciler) Reconcile() { " + statements + " }\n"
}

func sets(condition string) string {
	return `set(metav1.Condition{Type: "` + condition + `", Status: "True"})`
}

func object(apiVersion, kind, name, spec string) string {
	return fmt.Sprintf("---\napiVersion: %s\nkind: %s\nmetadata: {name: %s}\nspec: %s\n", apiVersion, kind, name, spec)
}

// layouts are small projects in the layouts of kubebuilder, operator-sdk and Flux, and the sample and
// condition that Read must choose.
var layouts = map[string]struct {
	files  map[string]string
	sample []string
	want   string
}{
	"the kind with a condition before the first kind": {
		map[string]string{
			"PROJECT": "layout: [go.kubebuilder.io/v4]\nresources: [{group: a, domain: example.com, kind: First}, {group: a, domain: example.com, kind: Second}]\n", "cmd/main.go": mainFile,
			"config/default/all.yaml": deployment + crd("a.example.com", "First", conditions, "v1") + crd("a.example.com", "Second", conditions, "v1"),
			"controller/first.go":     controller("First", "v1", "log()"), "controller/second.go": controller("Second", "v1", sets("Available")),
			"config/samples/a_v1_first.yaml": object("a.example.com/v1", "First", "a", "{size: 1}"), "config/samples/a_v1_second.yaml": object("a.example.com/v1", "Second", "a", "{size: 1}"),
		}, []string{"config/samples/a_v1_second.yaml"}, "Available=True",
	},
	"the kind with a spec before the first kind": {
		map[string]string{
			"PROJECT": "resources: [{group: a, domain: example.com, kind: First}, {group: a, domain: example.com, kind: Second}]\n", "cmd/main.go": mainFile,
			"config/default/all.yaml": deployment + crd("a.example.com", "First", conditions, "v1") + crd("a.example.com", "Second", conditions, "v1"),
			"controller/first.go":     controller("First", "v1", sets("Ready")), "controller/second.go": controller("Second", "v1", sets("Synced")),
			"config/samples/a_v1_first.yaml": object("a.example.com/v1", "First", "a", "\n  # TODO(user): Add fields here"), "config/samples/a_v1_second.yaml": object("a.example.com/v1", "Second", "a", "{size: 1}"),
		}, []string{"config/samples/a_v1_second.yaml"}, "Synced=True",
	},
	"the order of PROJECT": {
		map[string]string{
			"PROJECT": "resources: [{group: a, domain: example.com, kind: Zebra}, {group: a, domain: example.com, kind: Ant}]\n", "cmd/main.go": mainFile,
			"config/default/all.yaml": deployment + crd("a.example.com", "Zebra", conditions, "v1") + crd("a.example.com", "Ant", conditions, "v1"),
			"controller/zebra.go":     controller("Zebra", "v1", sets("Ready")), "controller/ant.go": controller("Ant", "v1", sets("Ready")),
			"config/samples/ant.yaml": object("a.example.com/v1", "Ant", "a", "{size: 1}"), "config/samples/zebra.yaml": object("a.example.com/v1", "Zebra", "a", "{size: 1}"),
		}, []string{"config/samples/zebra.yaml"}, "Ready=True",
	},
	"several groups with one kind": {
		map[string]string{
			"PROJECT": "layout: go.kubebuilder.io/v4\nmultigroup: true\n", "cmd/main.go": mainFile,
			"config/default/all.yaml":    deployment + crd("fiz.example.com", "Bar", conditions, "v1") + crd("foo.example.com", "Bar", conditions, "v1"),
			"controller/fiz/bar.go":      controller("Bar", "fiz/v1", "log()"),
			"controller/foo/bar.go":      controller("Bar", "foo/v1", sets("Ready")),
			"config/samples/fiz_v1.yaml": object("fiz.example.com/v1", "Bar", "a", "{size: 1}"), "config/samples/foo_v1.yaml": object("foo.example.com/v1", "Bar", "a", "{size: 1}"),
		}, []string{"config/samples/foo_v1.yaml"}, "Ready=True",
	},
	"a sample that fits the definition": {
		map[string]string{
			"cmd/main.go": mainFile,
			"config/default/all.yaml": deployment + strings.Replace(crd("a.example.com", "Word", conditions, "v1"), "properties: {status",
				"properties: {spec: {type: object, properties: {size: {type: integer}, any: {x-kubernetes-preserve-unknown-fields: true}, port: {x-kubernetes-int-or-string: true}}}, status", 1),
			"controller/word.go":             controller("Word", "v1", sets("Ready")),
			"config/samples/a_v1_word.yaml":  object("a.example.com/v1", "Word", "a", "{size: 1, hue: red}"),
			"config/samples/b_text.yaml":     object("a.example.com/v1", "Word", "a", "{size: one}"),
			"config/samples/long/c_fit.yaml": object("a.example.com/v1", "Word", "a", "{size: 1, any: {hue: red}, port: http}"),
		}, []string{"config/samples/long/c_fit.yaml"}, "Ready=True",
	},
	"the plain sample of a kind": {
		map[string]string{
			"cmd/main.go":             mainFile,
			"config/default/all.yaml": deployment + crd("a.example.com", "Word", conditions, "v1"), "controller/word.go": controller("Word", "v1", sets("Ready")),
			"config/samples/a_v1_word_cr.yaml": object("a.example.com/v1", "Word", "a", "{size: 1, color: red}"), "config/samples/a_v1_word_edge_cr.yaml": object("a.example.com/v1", "Word", "a", "{size: 1}"),
		}, []string{"config/samples/a_v1_word_cr.yaml"}, "Ready=True",
	},
	"a sample without a missing Secret": {
		map[string]string{
			"cmd/main.go":             mainFile,
			"config/default/all.yaml": deployment + crd("a.example.com", "Word", conditions, "v1"), "controller/word.go": controller("Word", "v1", sets("Ready")),
			"config/samples/a_v1_word.yaml": object("a.example.com/v1", "Word", "a", "{secret: {name: none, key: token}}"), "config/samples/a_v1_word_open.yaml": object("a.example.com/v1", "Word", "a", "{size: 1, color: red}"),
		}, []string{"config/samples/a_v1_word_open.yaml"}, "Ready=True",
	},
	"several versions": {
		map[string]string{
			"cmd/main.go":             mainFile,
			"config/default/all.yaml": deployment + crd("a.example.com", "Word", conditions, "v1", "v2"), "controller/word.go": controller("Word", "v2", sets("Ready")),
			"config/samples/a_v1_word.yaml": object("a.example.com/v1", "Word", "a", "{size: 1}"), "config/samples/a_v2_word.yaml": object("a.example.com/v2", "Word", "a", "{size: 1}"),
			"config/samples/a_v3_word.yaml": object("a.example.com/v3", "Word", "a", "{size: 1}"),
		}, []string{"config/samples/a_v2_word.yaml"}, "Ready=True",
	},
	"main.go in the root, no config/default and no PROJECT": {
		map[string]string{
			"main.go":                 mainFile,
			"config/manager/all.yaml": deployment, "config/crd/bases/a.yaml": crd("a.example.com", "Source", conditions, "v1"), "config/crd/kustomization.yaml": "resources: [bases/a.yaml]\n", "config/rbac/role.yaml": object("rbac.authorization.k8s.io/v1", "ClusterRole", "r", "{}"),
			"internal/controller/source.go": controller("Source", "v1", `conditions.MarkTrue(obj, meta.ReadyCondition, "Done", "")`) + "\nimport \"example.com/flux/meta\"\n",
			"config/testdata/a/source.yaml": object("a.example.com/v1", "Source", "a", "{url: x}"),
		}, []string{"config/testdata/a/source.yaml"}, "Ready=True",
	},
	"objects that the sample needs": {
		map[string]string{
			"main.go":                     mainFile,
			"config/default/all.yaml":     deployment + crd("a.example.com", "User", conditions, "v1"),
			"controller/user.go":          controller("User", "v1", sets("Ready")),
			"config/samples/a-admin.yaml": object("a.example.com/v1", "User", "b", "{secretRef: {name: unknown}}"),
			"config/samples/b-user.yaml":  object("a.example.com/v1", "User", "a", "{auth: [{passwordSecretKeyRef: {name: password, key: p}}, {secretKeyRef: {name: c, optional: true}}]}"),
			"config/samples/secret.yaml":  "apiVersion: v1\nkind: Secret\nmetadata: {name: password}\n",
		}, []string{"config/samples/b-user.yaml", "config/samples/secret.yaml"}, "Ready=True",
	},
	"a custom resource that the sample needs": {
		map[string]string{
			"main.go":                     mainFile,
			"config/default/all.yaml":     deployment + crd("a.example.com", "App", conditions, "v1") + crd("a.example.com", "AppExecutor", conditions, "v1"),
			"controller/app.go":           controller("App", "v1", sets("Ready")),
			"config/samples/app.yaml":     object("a.example.com/v1", "App", "a", "{executor: fast, image: other}"),
			"config/samples/default.yaml": object("a.example.com/v1", "AppExecutor", "other", "{size: 1}"),
			"config/samples/fast.yaml":    object("a.example.com/v1", "AppExecutor", "fast", "{size: 1}"),
		}, []string{"config/samples/app.yaml", "config/samples/fast.yaml"}, "Ready=True",
	},
	"the sample among examples": {
		map[string]string{
			"PROJECT": "resources: [{group: a, domain: example.com, kind: App}]\n", "main.go": mainFile,
			"config/default/all.yaml":            deployment + crd("a.example.com", "App", conditions, "v1"),
			"controller/a.go":                    controller("App", "v1", "log()"),
			"controller/b.go":                    strings.ReplaceAll(controller("App", "v1", sets("Ready")), "AppReconciler", "MainReconciler"),
			"config/samples/app.volcano.yaml":    object("a.example.com/v1", "App", "a", "{size: 1}"),
			"config/samples/my-app.sample.yaml":  object("a.example.com/v1", "App", "a", "{size: 1, more: 2}"),
			"config/samples/my-app.complete.yml": object("a.example.com/v1", "App", "a", "{size: 1, more: 2}"),
		}, []string{"config/samples/my-app.sample.yaml"}, "Ready=True",
	},
	"a phase": {
		map[string]string{
			"main.go":                 mainFile,
			"config/default/all.yaml": deployment + crd("a.example.com", "Cache", "phase: {type: string}", "v1"), "controller/cache.go": controller("Cache", "v1", `c.Status.Phase = "Pending"; c.Status.Phase = "Running"`),
			"config/samples/cache.yaml": object("a.example.com/v1", "Cache", "a", "{size: 1}"),
		}, []string{"config/samples/cache.yaml"}, ".status.phase=Running",
	},
	"a boolean": {
		map[string]string{
			"main.go":                 mainFile,
			"config/default/all.yaml": deployment + crd("a.example.com", "Cache", "ready: {type: boolean}", "v1"), "controller/cache.go": controller("Cache", "v1", `c.Status.Ready = true`),
			"config/samples/cache.yaml": object("a.example.com/v1", "Cache", "a", "{size: 1}"),
		}, []string{"config/samples/cache.yaml"}, ".status.ready=true",
	},
	"no status": {
		map[string]string{
			"main.go":                 mainFile,
			"config/default/all.yaml": deployment + crd("a.example.com", "Cache", "", "v1"), "controller/cache.go": controller("Cache", "v1", sets("Ready")),
			"config/samples/cache.yaml": object("a.example.com/v1", "Cache", "a", "{size: 1}"),
		}, []string{"config/samples/cache.yaml"}, "none",
	},
	"examples": {
		map[string]string{
			"main.go":                 mainFile,
			"config/default/all.yaml": deployment + crd("a.example.com", "Cache", conditions, "v1"), "controller/cache.go": controller("Cache", "v1", sets("Ready")),
			"examples/notes.yaml": "no manifest", "examples/large/cache.yaml": object("a.example.com/v1", "Cache", "a", "{size: 1, more: 2}"), "examples/cache.yaml": object("a.example.com/v1", "Cache", "a", "{size: 1}"),
		}, []string{"examples/cache.yaml"}, "Ready=True",
	},
}

func writeLayout(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestLayouts(t *testing.T) {
	t.Parallel()
	for name, test := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := writeLayout(t, test.files)
			if err := os.WriteFile(filepath.Join(folder, "go.mod"), []byte(module), 0o644); err != nil {
				t.Fatal(err)
			}
			g, err := Read(folder)
			if err != nil {
				t.Fatal(err)
			}
			if g.Missing != nil || g.Embedded != nil {
				t.Errorf("Missing = %v, Embedded = %v, want nil", g.Missing, g.Embedded)
			}
			if diff := cmp.Diff(test.sample, g.File.Sample.Manifests); diff != "" || g.File.Sample.Condition != test.want {
				t.Errorf("condition %q, want %q; samples (-want +got):\n%s", g.File.Sample.Condition, test.want, diff)
			}
		})
	}
}

// An operator without a Go program runs as an image, which the user builds.
func TestWithoutGo(t *testing.T) {
	t.Parallel()
	for layout, condition := range map[string]string{"[helm.sdk.operatorframework.io/v1]": "Deployed=True", "kustomize.common.kubebuilder.io/v2,ansible.sdk.operatorframework.io/v1": "Successful=True"} {
		g, err := Read(writeLayout(t, map[string]string{
			"PROJECT": "projectName: op\nlayout: " + layout + "\n", "watches.yaml": "[]\n",
			"config/default/all.yaml":   deployment + crd("a.example.com", "Cache", "", "v1"),
			"config/samples/cache.yaml": object("a.example.com/v1", "Cache", "a", "{size: 1}"),
		}))
		if err != nil {
			t.Fatal(err)
		}
		if g.File.Operator.Build != nil || g.File.Operator.Image != "controller:latest" || g.File.Sample.Condition != condition || g.Missing != nil {
			t.Errorf("%s: operator %+v, condition %s, Missing = %v", layout, g.File.Operator, g.File.Sample.Condition, g.Missing)
		}
		if g.Embedded == nil || !strings.Contains(fmt.Sprint(g.Notes), "make docker-build IMG=controller:latest") {
			t.Errorf("%s: Embedded = %v, notes %v; want an error and the command that builds the image", layout, g.Embedded, g.Notes)
		}
	}
}

// The manager is found beside other Deployments.
func TestSeveralDeployments(t *testing.T) {
	t.Parallel()
	files := maps.Clone(layouts["no status"].files)
	files["config/default/more.yaml"] = strings.Replace(deployment, "name: controller-manager", "name: web", 1)
	files["go.mod"] = module
	g, err := Read(writeLayout(t, files))
	if err != nil {
		t.Fatal(err)
	}
	if g.File.Operator.Deployment != "controller-manager" || g.Missing != nil {
		t.Errorf("Deployment = %q, Missing = %v", g.File.Operator.Deployment, g.Missing)
	}
}
