package scaffold

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"sigs.k8s.io/yaml"

	"github.com/operator-tracing/sandbox/sandbox/project"
)

// Guess is what a project's files tell of its sandbox.yaml.
type Guess struct {
	// File is the file, and Text the same as it is to be written.
	File project.File
	Text string
	// Notes say of each field where its value is from, in the order of the file.
	Notes []Note
	// Missing is what the file has to be told by hand, or what keeps it from being run; nil where nothing is.
	Missing error
}

// Note is about one field.
type Note struct{ Field, Value, From string }

// kubebuilder is the part of a PROJECT file that is of use here.
type kubebuilder struct {
	ProjectName string `json:"projectName"`
	Resources   []struct {
		Group, Version, Kind string
		Controller           bool
	} `json:"resources"`
}

// reader reads one project.
type reader struct {
	folder  string
	project kubebuilder
	source  source
	Guess
}

// Read reads the kubebuilder project in a folder. The error says what of a project is not there.
func Read(folder string) (*Guess, error) {
	r := &reader{folder: folder, Guess: Guess{File: project.File{APIVersion: project.APIVersion, Kind: project.Kind}}}
	for _, step := range []func() error{r.readProject, r.findMain, r.findManifests, r.findService, r.findWebhook, r.findSample} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("reading the project in %s: %w", folder, err)
		}
	}
	if err := r.complete(); err != nil {
		return nil, err
	}
	return &r.Guess, nil
}

func (r *reader) note(field, value, from string, args ...any) {
	r.Notes = append(r.Notes, Note{field, value, fmt.Sprintf(from, args...)})
}

func (r *reader) exists(names ...string) bool {
	_, err := os.Stat(filepath.Join(append([]string{r.folder}, names...)...))
	return err == nil
}

// readProject reads PROJECT and go.mod.
func (r *reader) readProject() error {
	data, err := os.ReadFile(filepath.Join(r.folder, "PROJECT"))
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("there is no PROJECT, as kubebuilder and operator-sdk write it: run this in the project's folder, or write sandbox.yaml by hand (docs/sandbox-yaml.md)")
	}
	if err != nil {
		return err
	}
	if err := yaml.Unmarshal(data, &r.project); err != nil {
		return fmt.Errorf("reading PROJECT: %s", strings.Join(strings.Fields(err.Error()), " "))
	}
	data, err = os.ReadFile(filepath.Join(r.folder, "go.mod"))
	if err != nil {
		return fmt.Errorf("reading go.mod: %w", err)
	}
	if modfile.ModulePath(data) == "" {
		return errors.New("reading go.mod: it names no module")
	}
	return nil
}

// findMain finds the main package: kubebuilder's is cmd, before version 4 that of the module.
func (r *reader) findMain() (err error) {
	places := []string{"cmd", "."}
	if nested, err := filepath.Glob(filepath.Join(r.folder, "cmd", "*", "main.go")); err == nil && len(nested) == 1 {
		places = append(places, filepath.Join("cmd", filepath.Base(filepath.Dir(nested[0]))))
	}
	at := slices.IndexFunc(places, func(place string) bool { return r.exists(place, "main.go") })
	if at < 0 {
		return errors.New("there is no cmd/main.go and no main.go: which is the main package?")
	}
	main := "./" + filepath.ToSlash(places[at])
	if places[at] == "." {
		main = "."
	}
	r.File.Operator.Build = &project.Build{Main: main}
	r.note("operator.build.main", main, "%s is there", filepath.ToSlash(filepath.Join(places[at], "main.go")))
	r.source, err = readSource(r.folder, filepath.Join(r.folder, places[at]))
	return err
}

func (r *reader) findManifests() error {
	if !r.exists("config", "default") {
		return errors.New("there is no config/default, which installs the operator")
	}
	r.File.Operator.Manifests = []string{"config/default"}
	r.note("operator.manifests", "config/default", "as `make deploy` does")
	return nil
}

func (r *reader) findService() error {
	name, from := r.source.serviceName, "main.go says WithServiceName"
	if name == "" {
		name, from = r.project.ProjectName, "the project's name in PROJECT"
	}
	if name == "" {
		return nil // The Deployment's name, then.
	}
	r.File.Operator.ServiceName = name
	r.note("operator.serviceName", name, "%s", from)
	return nil
}

// traceparent is the annotation that the tracing library's webhooks add.
const traceparent = "tracing.k8s.io/traceparent"

func (r *reader) findWebhook() error {
	if r.source.tracedWebhook != "" {
		r.File.Operator.Webhook.Annotation = traceparent
		r.note("operator.webhook.annotation", traceparent, "%s wraps a webhook with the tracing library", r.source.tracedWebhook)
	}
	return nil
}

// findSample takes the sample of the first kind that has a controller.
func (r *reader) findSample() error {
	if !r.exists("config", "samples") {
		return errors.New("there is no config/samples: make an object there that shows what the operator does")
	}
	chosen, from := "config/samples", "all of them: PROJECT names no kind whose own file is there"
	for _, resource := range r.project.Resources {
		file := fmt.Sprintf("%s_%s_%s.yaml", resource.Group, resource.Version, strings.ToLower(resource.Kind))
		if resource.Controller && r.exists("config", "samples", file) {
			chosen, from = "config/samples/"+file, "PROJECT's first kind with a controller is "+resource.Kind
			break
		}
	}
	r.File.Sample.Manifests = []string{chosen}
	r.note("sample.manifests", chosen, "%s", from)
	condition, why := project.Ready.String(), "the usual one"
	switch {
	case r.source.conditions["Ready"] != "":
		why = r.source.conditions["Ready"] + " speaks of it"
	case r.source.conditions["Available"] != "":
		condition, why = "Available=True", r.source.conditions["Available"]+" speaks of it, and nothing of Ready"
	default:
		why += "; no source speaks of it: does the operator set a condition?"
	}
	r.File.Sample.Condition = condition
	r.note("sample.condition", condition, "%s", why)
	return nil
}
