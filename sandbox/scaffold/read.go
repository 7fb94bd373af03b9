package scaffold

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/operator-tracing/sandbox/sandbox/input"
	"github.com/operator-tracing/sandbox/sandbox/project"
	"github.com/operator-tracing/sandbox/sandbox/project/kinds"
	"github.com/operator-tracing/sandbox/sandbox/scaffold/source"
)

// Guess is the sandbox.yaml derived from the files of a project.
type Guess struct {
	// File is the parsed file, and Text its content.
	File project.File
	Text string
	// Notes describe the origin of each field, in the order of the file.
	Notes []Note
	// Missing is the reason why the sandbox cannot use the file yet; nil if it can.
	Missing error
	// Embedded is the reason why an embedded cluster cannot run the operator; nil if it can.
	Embedded error
}

// Note describes the value of one field and its origin.
type Note struct{ Field, Value, From string }

// kubebuilder is the relevant part of a PROJECT file.
type kubebuilder struct {
	ProjectName string `json:"projectName"`
	Layout      layout `json:"layout"`
	Resources   []struct {
		Group, Domain, Kind string
	} `json:"resources"`
}

// layout is a list of plugins. kubebuilder also accepts a text in which commas separate them.
type layout []string

// UnmarshalJSON decodes a text or a list of texts.
func (l *layout) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		*l = strings.Split(text, ",")
		return nil
	}
	return json.Unmarshal(data, (*[]string)(l))
}

type reader struct {
	folder  string
	project kubebuilder
	module  *source.Module // nil for an operator without a Go program
	program source.Program
	objects []*unstructured.Unstructured // the operator's manifests; nil if they are invalid
	Guess
}

// Read reads the project in a folder. It returns an error if a required part of the project is
// missing.
func Read(folder string) (*Guess, error) {
	r := &reader{folder: folder, Guess: Guess{File: project.File{APIVersion: project.APIVersion, Kind: project.Kind}}}
	for _, step := range []func() error{r.readProject, r.findMain, r.findManifests, r.findImage, r.findService, r.findWebhook, r.findSample} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("reading the project in %s: %w", folder, err)
		}
	}
	r.complete()
	return &r.Guess, nil
}

func (r *reader) note(field, value, from string, args ...any) {
	r.Notes = append(r.Notes, Note{field, value, fmt.Sprintf(from, args...)})
}

func (r *reader) exists(names ...string) bool {
	_, err := os.Stat(filepath.Join(append([]string{r.folder}, names...)...))
	return err == nil
}

// readProject reads PROJECT, if it exists, and the Go files.
func (r *reader) readProject() (err error) {
	data, err := input.ReadFile(filepath.Join(r.folder, "PROJECT"), input.MaxConfig)
	switch {
	case err == nil:
		if err := yaml.Unmarshal(data, &r.project); err != nil {
			return fmt.Errorf("reading PROJECT: %s", strings.Join(strings.Fields(err.Error()), " "))
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case !r.exists("go.mod"):
		return errors.New("no go.mod and no PROJECT file of kubebuilder or operator-sdk; run this command in the folder of the project, or write sandbox.yaml by hand (see docs/sandbox-yaml.md)")
	}
	if r.runtime() == "" {
		r.module, err = source.Read(r.folder)
	}
	return err
}

// runtimes are the types of the conditions of operators without a Go program, by the prefix of their
// layout in PROJECT.
var runtimes = map[string]string{"helm": "Deployed", "ansible": "Successful"}

// runtime returns helm or ansible for a project whose operator is a program of operator-sdk; empty
// otherwise.
func (r *reader) runtime() string {
	for _, layout := range r.project.Layout {
		if name, _, _ := strings.Cut(layout, "."); runtimes[name] != "" {
			return name
		}
	}
	return ""
}

func (r *reader) findMain() error {
	if r.module == nil {
		return nil
	}
	programs := r.module.Programs()
	if len(programs) == 0 {
		return errors.New("no main package in the module")
	}
	r.program = programs[0]
	main := "./" + r.program.Dir
	if r.program.Dir == "." {
		main = "."
	}
	r.File.Operator.Build = &project.Build{Main: main}
	r.note("operator.build.main", main, "%s", r.program.File)
	return nil
}

func (r *reader) findManifests() error {
	manifests, from := []string{"config/default"}, "used by `make deploy`"
	if !r.exists("config", "default") {
		manifests, from = []string{"config/crd", "config/rbac", "config/manager"}, "no config/default exists"
		manifests = slices.DeleteFunc(manifests, func(path string) bool { return !r.exists(path) })
		if !slices.Contains(manifests, "config/manager") {
			return errors.New("no manifests that install the operator: neither config/default nor config/manager exists")
		}
	}
	r.File.Operator.Manifests = manifests
	r.note("operator.manifests", strings.Join(manifests, ", "), "%s", from)
	r.objects, r.Missing = project.ReadManifests(r.folder, manifests)
	if manager, several := r.manager(); several && manager != nil {
		r.File.Operator.Deployment = manager.GetName()
	}
	return nil
}

func (r *reader) findImage() error {
	if r.module != nil {
		return nil
	}
	manager, _ := r.manager()
	if r.Missing != nil {
		return r.Missing
	}
	if manager == nil {
		return fmt.Errorf("a %s operator needs its image in operator.image, and the manifests have no Deployment with one; write sandbox.yaml by hand (see docs/sandbox-yaml.md)", r.runtime())
	}
	containers := kinds.Maps(manager.Object, "spec", "template", "spec", "containers")
	for _, container := range containers {
		if image, _ := container["image"].(string); image != "" && (len(containers) == 1 || container["name"] == "manager") {
			r.File.Operator.Image = image
			r.note("operator.image", image, "Deployment of the %s operator; first build it: make docker-build IMG=%s", r.runtime(), image)
		}
	}
	return nil
}

// manager returns the Deployment of the manager: the only one or, if there are several, the one that
// is called controller-manager.
func (r *reader) manager() (manager *unstructured.Unstructured, several bool) {
	var all, named []*unstructured.Unstructured
	for _, obj := range r.objects {
		if obj.GetKind() != "Deployment" {
			continue
		}
		all = append(all, obj)
		if strings.HasSuffix(obj.GetName(), "controller-manager") {
			named = append(named, obj)
		}
	}
	several = len(all) > 1
	if several {
		all = named
	}
	if len(all) != 1 {
		return nil, several
	}
	return all[0], several
}

func (r *reader) findService() error {
	name, from := r.program.ServiceName, "WithServiceName in main.go"
	if name == "" {
		name, from = r.project.ProjectName, "project name in PROJECT"
	}
	if name == "" {
		return nil // The default is the name of the Deployment.
	}
	r.File.Operator.ServiceName = name
	r.note("operator.serviceName", name, "%s", from)
	return nil
}

// traceparent is the annotation that the tracing library's webhooks add.
const traceparent = "tracing.k8s.io/traceparent"

func (r *reader) findWebhook() error {
	if r.module == nil {
		return nil
	}
	if file := r.module.TracedWebhook(); file != "" {
		r.File.Operator.Webhook.Annotation = traceparent
		r.note("operator.webhook.annotation", traceparent, "%s wraps a webhook with the tracing library", file)
	}
	return nil
}
